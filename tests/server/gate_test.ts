import { assertEquals } from "@std/assert";
import type { CommandName } from "../../protocol/command.ts";
import {
  actsBurst,
  actsPerMinute,
  drainGraceMs,
  historyBurst,
  historyPerMinute,
  invitesBurst,
  invitesPerMinute,
  joinsBurst,
  joinsPerMinute,
  takesBurst,
  takesPerMinute,
} from "../../protocol/limits.ts";
import { TokenBucket } from "../../server/bucket.ts";
import { AddressBudgets } from "../../server/budgets.ts";
import { Gate, type Registration } from "../../server/door/gate.ts";
import { MemoryStore } from "../../server/store/memory.ts";
import { codeOf, Core, operator, refusalOf } from "../fixtures/core.ts";
import { FakeClock } from "../fixtures/fake_clock.ts";

/** How strangers are taken, and what those get who are not invited and who are. */
const modes: readonly [Registration, uninvited: string | undefined, invited: string | undefined][] =
  [
    ["open", undefined, undefined],
    ["invite", "invitation_needed", undefined],
    ["closed", "registration_closed", "registration_closed"],
  ];

for (const [mode, uninvited, invited] of modes) {
  Deno.test(`registration ${mode} counts from configuration, by an admin, and after a restart`, async () => {
    const store = new MemoryStore(1e6);
    const clock = new FakeClock();
    const configured = await Gate.open(store, clock, mode);
    const decided = await Gate.open(store, clock, mode === "open" ? "closed" : "open");
    await decided.setRegistration(mode);
    const again = await Gate.open(store, clock, mode === "open" ? "closed" : "open");
    for (const gate of [configured, decided, again]) {
      const tried = (isInvited: boolean) =>
        // deno-lint-ignore require-await -- A throw becomes a rejection.
        codeOf((async () => gate.mustRegister(isInvited))());
      assertEquals([await tried(false), await tried(true)], [uninvited, invited]);
    }
  });
}

Deno.test("draining keeps strangers and who was long away out, and nobody else", async () => {
  const clock = new FakeClock();
  const gate = await Gate.open(new MemoryStore(1e6), clock, "open");
  gate.isDraining = true;
  // deno-lint-ignore require-await -- A throw becomes a rejection.
  const code = (act: () => void) => codeOf((async () => act())());
  const lastSeenMs = clock.now();
  const user = { sessions: 0, lastSeenMs };
  assertEquals(await code(() => gate.mustRegister(true)), "draining");
  assertEquals(await code(() => gate.mustReturn(user)), undefined);
  await clock.advance(drainGraceMs);
  assertEquals(await code(() => gate.mustReturn(user)), undefined);
  await clock.advance(1);
  assertEquals(await code(() => gate.mustReturn(user)), "draining");
  assertEquals(await code(() => gate.mustReturn({ sessions: 1, lastSeenMs })), undefined);
  gate.isDraining = false;
  assertEquals(await code(() => gate.mustReturn(user)), undefined);
});

Deno.test("stats tells how the server is", async () => {
  using core = await Core.open();
  core.somebody("Alice");
  core.services.health.isReadOnly = true;
  await core.clock.advance(5000);
  await core.ask(operator, "drain", { isOn: true });
  assertEquals(await core.ask(operator, "stats", {}), {
    upMs: 5000,
    connections: 0,
    users: 1,
    rooms: 1,
    memoryBytes: 0,
    isReadOnly: true,
    isDraining: true,
  } as never);
});

/** Commands with a budget: what is given at once, and how many in a minute after that. */
const budgets: readonly [CommandName, Record<string, unknown>, burst: number, perMinute: number][] =
  [
    ["join", { name: "team" }, joinsBurst, joinsPerMinute],
    ["history", {}, historyBurst, historyPerMinute],
    ["invite", {}, invitesBurst, invitesPerMinute],
    ["topic", { text: "tea" }, actsBurst, actsPerMinute],
    ["take", { user: "Olga" }, takesBurst, takesPerMinute],
  ];

for (const [command, args, burst, perMinute] of budgets) {
  Deno.test(`${command} is given so often at once, then told when to try again`, async () => {
    using core = await Core.open();
    const olga = core.somebody("Olga");
    const other = core.somebody("Other");
    const room = await core.room("team", olga, [[other, "owner"]]);
    const inRoom = command === "join" ? undefined : room;
    const ask = () => refusalOf(core.ask(olga, command, args, inRoom));
    for (let at = 0; at < burst; at++) assertEquals(await ask(), undefined, `${at}`);
    const refusal = await ask();
    assertEquals([refusal?.code, refusal?.retryAfterMs], ["slow_down", 60_000 / perMinute]);
    assertEquals(
      await codeOf(core.ask(other, command, args, inRoom)),
      undefined,
      "Each their own.",
    );
    for (let at = 0; at < burst; at++) await core.ask(operator, "topic", { text: "x" }, room);
    await core.clock.advance(refusal!.retryAfterMs!);
    assertEquals(await ask(), undefined);
  });
}

Deno.test("what somebody may not do costs them nothing", async () => {
  using core = await Core.open();
  const olga = core.somebody("Olga");
  const max = core.somebody("Max");
  const room = await core.room("team", olga, [[max, "member"]]);
  for (let at = 0; at < 2 * actsBurst; at++) {
    assertEquals(await codeOf(core.ask(max, "topic", { text: "tea" }, room)), "forbidden");
  }
});

Deno.test("budgets by address are so many, and the one used longest ago makes room", () => {
  const clock = new FakeClock();
  const budgets = new AddressBudgets(3, () => new TokenBucket(clock, 1, 1));
  const take = (address: string) => budgets.of(address).tryTake() === 0;
  assertEquals(["a", "b", "c", "a"].map(take), [true, true, true, false]);
  assertEquals(take("d"), true); // In the place of b.
  assertEquals(budgets.size, 3);
  assertEquals(["a", "d", "b"].map(take), [false, false, true]);
  for (let at = 0; at < 1000; at++) take(`${at}`);
  assertEquals(budgets.size, 3);
});
