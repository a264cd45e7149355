import { assert, assertEquals } from "@std/assert";
import { equal } from "../../protocol/bytes.ts";
import { decodeRows } from "../../protocol/entry.ts";
import { SqliteStore } from "../../server/store/sqlite.ts";
import { MemoryStore } from "../../server/store/memory.ts";
import { StoreAround } from "../fixtures/store_around.ts";
import { codeOf, Core, operator, type Somebody } from "../fixtures/core.ts";
import type { PeopledRoom } from "../../server/peopled_room.ts";

interface Act {
  readonly by: string;
  readonly act: string;
  readonly whom?: string;
  readonly value?: string;
  readonly why?: string;
  readonly room?: string;
  readonly timeMs: number;
}

async function acts(core: Core, room?: PeopledRoom): Promise<Act[]> {
  const answer = await core.ask(operator, room ? "audit" : "log", {}, room);
  return answer["changes"] as unknown as Act[];
}

/** A room, its owner, and somebody to act on. */
async function team(core: Core): Promise<{ olga: Somebody; room: PeopledRoom }> {
  const olga = core.somebody("Olga");
  const max = core.somebody("Max");
  return { olga, room: await core.room("team", olga, [[max, "member"]]) };
}

Deno.test("audit: who did what to whom, why, when and where, in order, after a restart too", async () => {
  const store = new MemoryStore(1e7);
  using core = await Core.open(store);
  const { olga, room } = await team(core);
  await core.ask(olga, "mute", { user: "Max", why: "loud" }, room);
  await core.clock.advance(1000);
  await core.ask(olga, "role", { user: "Max", role: "moderator" }, room);
  await core.ask(operator, "registration", { mode: "closed" });
  using again = await Core.open(store, core.clock);
  const nowMs = core.clock.now();
  const ofRoom: Act[] = [
    { by: "Olga", act: "mute", whom: "Max", why: "loud", room: "team", timeMs: nowMs - 1000 },
    { by: "Olga", act: "role", whom: "Max", value: "moderator", room: "team", timeMs: nowMs },
  ];
  assertEquals(await acts(again, again.services.hub.room(room.id)), ofRoom);
  assertEquals(await acts(again), [
    ...ofRoom,
    { by: "operator", act: "registration", value: "closed", timeMs: nowMs },
  ]);
});

/** What each act that changes something is noted as; the others leave nothing. */
const noted: readonly [command: string, args: Record<string, unknown>, isOfRoom: boolean][] = [
  ["role", { user: "Max", role: "reader" }, true],
  ["kick", { user: "Max" }, true],
  ["ban", { who: "192.0.2.9" }, true],
  ["mute", { user: "Max" }, true],
  ["slow", { everyMs: 1000 }, true],
  ["announce", { isOn: true }, true],
  ["access", { access: "invited" }, true],
  ["allow", { user: "Max" }, true],
  ["invite", {}, true],
  ["close", {}, true],
  ["admin", { user: "Max", isOn: true }, false],
  ["forget", { user: "Max" }, false],
  ["registration", { mode: "open" }, false],
  ["exclude", { who: "192.0.2.9" }, false],
  ["drain", { isOn: true }, false],
];

for (const [command, args, isOfRoom] of noted) {
  Deno.test(`audit: ${command} is noted, and kept in the turn of the change`, async () => {
    const inner = new MemoryStore(1e7);
    const known: { auditId?: Uint8Array } = {};
    let turn = 0;
    const turns: { what: string; turn: number }[] = [];
    const note = (what: string) => {
      turns.push({ what, turn });
      queueMicrotask(() => turn++);
    };
    class Noting extends StoreAround {
      override append(...args: Parameters<StoreAround["append"]>) {
        if (known.auditId && equal(args[0], known.auditId)) note("audit");
        return super.append(...args);
      }
      override put(...args: Parameters<StoreAround["put"]>) {
        // That somebody went is in the room's log a little later, and kept no longer.
        const isChange = args[0].some(({ kind, value }) => kind !== "coming" || value !== null);
        if (isChange) note("put");
        return super.put(...args);
      }
    }
    using core = await Core.open(new Noting(inner));
    known.auditId = core.services.audit.id;
    const { room } = await team(core);
    turns.length = 0;
    await core.ask(operator, command, args, isOfRoom ? room : undefined);
    assert(turns.some(({ what }) => what === "audit"));
    assertEquals(new Set(turns.map(({ turn }) => turn)).size, 1, JSON.stringify(turns));
    assertEquals((await acts(core)).map(({ act }) => act), [command]);
  });
}

Deno.test("audit: what was done is there after the store was closed and opened again", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/store.db`;
  try {
    const store = await SqliteStore.open({ path });
    using core = await Core.open(store);
    const { olga, room } = await team(core);
    await core.ask(olga, "ban", { who: "Max", why: "spam" }, room);
    await core.ask(olga, "invite", { uses: 3 }, room);
    await core.services.hub.flushed();
    const [before, ofRoom] = [await acts(core), await acts(core, room)];
    await store.close();
    const reopened = await SqliteStore.open({ path });
    using again = await Core.open(reopened, core.clock);
    assertEquals(before.map(({ act }) => act), ["ban", "invite"]);
    assertEquals(await acts(again), before);
    assertEquals(await acts(again, again.services.hub.room(room.id)), ofRoom);
    assertEquals(again.services.bans.list(room.id).map(({ why }) => why), ["spam"]);
    assertEquals(again.services.invitations.of(room.id).map(({ uses }) => uses), [3]);
    await reopened.close();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("audit: undoing is noted too, and what is refused is not", async () => {
  using core = await Core.open();
  const { olga, room } = await team(core);
  const max = core.somebody("Maxine");
  await core.ask(olga, "allow", { user: "Maxine" }, room);
  await core.ask(olga, "disallow", { user: "Maxine" }, room);
  await core.ask(olga, "mute", { user: "Max" }, room);
  await core.ask(olga, "unmute", { user: "Max" }, room);
  await core.ask(olga, "ban", { who: "Max" }, room);
  await core.ask(olga, "unban", { who: "Max" }, room);
  await core.ask(operator, "exclude", { who: "Max" });
  await core.ask(operator, "readmit", { who: "Max" });
  assertEquals(await codeOf(core.ask(max, "kick", { user: "Olga" }, room)), "forbidden");
  assertEquals((await acts(core)).map(({ act }) => act), [
    "allow",
    "disallow",
    "mute",
    "unmute",
    "ban",
    "unban",
    "exclude",
    "readmit",
  ]);
});

Deno.test("audit: a busy room does not push a quiet one's acts out of sight", async () => {
  using core = await Core.open();
  const { olga, room } = await team(core);
  const busy = await core.room("busy", olga);
  await core.ask(olga, "slow", { everyMs: 7000 }, room);
  for (let at = 0; at < 600; at++) await core.ask(operator, "slow", { everyMs: 1000 * at }, busy);
  assertEquals((await acts(core, room)).map(({ value }) => value), ["7s"]);
  const newest = await core.ask(operator, "audit", { count: 2 }, busy);
  const values = (newest["changes"] as unknown as Act[]).map(({ value }) => value);
  assertEquals(values, ["9m 58s", "9m 59s"]);
  const all = await core.ask(operator, "log", { count: 500 });
  assertEquals((all["changes"] as unknown as Act[]).at(-1)?.value, "9m 59s");
});

Deno.test("audit: its log is chained like a room's, and no room that anybody could read", async () => {
  using core = await Core.open();
  const { olga, room } = await team(core);
  await core.ask(olga, "slow", { everyMs: 1000 }, room);
  const { audit, hub } = core.services;
  const end = await core.store.end(audit.id);
  assertEquals(end.seq, 1);
  const page = await core.store.readBack(audit.id, 2, 1, 1e6);
  assertEquals(decodeRows(page!.rows, 1, page!.timeMs).length, 1);
  assertEquals(hub.find(audit.id), undefined);
  assertEquals(hub.find(audit.idOf(room.id)), undefined);
});

Deno.test("audit: a room's acts are in the server's log after it was closed", async () => {
  using core = await Core.open();
  const { olga, room } = await team(core);
  await core.ask(olga, "slow", { everyMs: 1000 }, room);
  await core.ask(olga, "close", {}, room);
  assertEquals((await acts(core)).map(({ act, room }) => [act, room]), [
    ["slow", "team"],
    ["close", undefined], // Its subject; the room is no more.
  ]);
  assertEquals((await core.store.end(core.services.audit.idOf(room.id))).seq, 0);
});
