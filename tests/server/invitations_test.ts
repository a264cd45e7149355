import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { fromBase64Url, mapKey, toBase64Url } from "../../protocol/bytes.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { roomInvitationsMax } from "../../protocol/limits.ts";
import { Invitations, type Terms } from "../../server/moderation/invitations.ts";
import { MemoryStore } from "../../server/store/memory.ts";
import { StoreFullError } from "../../server/store/store.ts";
import { numbered } from "../fixtures/bytes.ts";
import { codeOf, Core, type Somebody } from "../fixtures/core.ts";
import { FakeClock } from "../fixtures/fake_clock.ts";
import { StoreAround } from "../fixtures/store_around.ts";

const room = numbered(16, 1);
const olga = numbered(16, 2);

function terms(given: Partial<Terms> = {}): Terms {
  return {
    room,
    by: "Olga",
    user: olga,
    uses: undefined,
    untilMs: undefined,
    sealedKey: undefined,
    ...given,
  };
}

async function open(store = new MemoryStore(1e6), clock = new FakeClock()) {
  return { invitations: await Invitations.open(store, clock), store, clock };
}

Deno.test("an invitation's bytes are kept nowhere", async () => {
  const { invitations, store } = await open();
  const { secret, kept } = invitations.make(terms());
  await kept;
  const records = JSON.stringify(await store.records("invitation"));
  assertEquals(records.includes(toBase64Url(secret)), false);
  assertNotEquals(invitations.find(secret), undefined);
});

Deno.test("an invitation with one use lets one of many in who come in the same moment", async () => {
  const { invitations, store, clock } = await open();
  const { secret } = invitations.make(terms({ uses: 1 }));
  const tries = Array.from({ length: 10 }, async (_, at) => {
    const found = invitations.find(secret);
    if (!found) throw new ProtocolError("invitation_needed");
    await invitations.use(found, numbered(16, at));
  });
  const results = await Promise.allSettled(tries);
  assertEquals(results.filter(({ status }) => status === "fulfilled").length, 1);
  const again = await Invitations.open(store, clock);
  assertEquals(again.find(secret), undefined, "It is used up after a restart too.");
});

Deno.test("a use is with the store before it counts as kept, and is given back where it is not", async () => {
  class Full extends StoreAround {
    isFull = false;
    override put(...args: Parameters<StoreAround["put"]>): Promise<void> {
      return this.isFull ? Promise.reject(new StoreFullError("full")) : super.put(...args);
    }
  }
  const store = new Full(new MemoryStore(1e6));
  const invitations = await Invitations.open(store, new FakeClock());
  const { secret } = invitations.make(terms({ uses: 1 }));
  store.isFull = true;
  await invitations.use(invitations.find(secret)!, olga).catch(() => {});
  store.isFull = false;
  assertEquals(invitations.find(secret)?.uses, 1);
  await invitations.use(invitations.find(secret)!, olga);
  assertEquals(invitations.find(secret), undefined);
});

Deno.test("an invitation ends by its time, and by being revoked", async () => {
  const { invitations, store, clock } = await open();
  const one = invitations.make(terms({ untilMs: clock.now() + 1000 }));
  const other = invitations.make(terms());
  assertEquals(invitations.of(room).length, 2);
  await clock.advance(999);
  assertNotEquals(invitations.find(one.secret), undefined);
  await clock.advance(1);
  assertEquals(invitations.find(one.secret), undefined);
  await invitations.end([other.invitation]);
  assertEquals(invitations.find(other.secret), undefined);
  invitations.make(terms({ room: numbered(16, 9) })); // What has ended goes from the store.
  assertEquals((await store.records("invitation")).length, 1);
});

Deno.test("invitations end with who made them: in one room, or everywhere", async () => {
  const { invitations } = await open();
  const made = [
    invitations.make(terms()),
    invitations.make(terms({ user: undefined, by: "operator" })),
    invitations.make(terms({ room: numbered(16, 9) })),
  ];
  const left = () => made.map(({ secret }) => invitations.find(secret) !== undefined);
  await invitations.endThoseOf(olga, room);
  assertEquals(left(), [false, true, true]);
  await invitations.endThoseOf(olga, undefined);
  assertEquals(left(), [false, true, false]);
});

Deno.test("a room and a user have a number of invitations, and wrong bytes are none", async () => {
  const { invitations } = await open();
  const other = numbered(16, 9);
  for (let at = 0; at < roomInvitationsMax; at++) invitations.make(terms());
  assertThrows(() => invitations.make(terms({ user: other })), ProtocolError);
  assertThrows(() => invitations.make(terms({ room: other })), ProtocolError);
  invitations.make(terms({ room: other, user: other }));
  for (const length of [0, 15, 16, 17, 1000]) {
    assertEquals(invitations.find(numbered(length)), undefined);
  }
});

Deno.test("who came by an invitation is known after a restart", async () => {
  const { invitations, store, clock } = await open();
  const { secret } = invitations.make(terms());
  await invitations.use(invitations.find(secret)!, olga);
  const again = await Invitations.open(store, clock);
  assertEquals([...again.find(secret)!.cameIn], [mapKey(olga)]);
});

Deno.test("invite, invitations, revoke: made once, listed without the secret, ended by its id", async () => {
  using core = await Core.open();
  const owner = core.somebody("Olga");
  const team = await core.room("team", owner);
  const made = await core.ask(owner, "invite", { forMs: 1000, uses: 3 }, team);
  const secret = fromBase64Url(made["invitation"] as unknown as string);
  assertEquals(secret.length, 16);
  const { invitations } = core.services;
  const { id } = invitations.find(secret)!;
  const untilMs = core.clock.now() + 1000;
  assertEquals(await core.ask(owner, "invitations", {}, team), {
    invitations: [{ id, by: "Olga", uses: 3, untilMs }],
  } as never);
  const other = await core.room("other", owner);
  const revoke = (where: typeof team) => core.ask(owner, "revoke", { invitation: id }, where);
  assertEquals(await codeOf(revoke(other)), "no_such_invitation");
  assertEquals(await codeOf(revoke(team)), undefined);
  assertEquals(invitations.find(secret), undefined);
});

for (const command of ["kick", "ban", "exclude", "forget"] as const) {
  Deno.test(`${command}: the invitations of who is hit end`, async () => {
    using core = await Core.open();
    const admin = core.somebody("Admin");
    admin.user.isAdmin = true;
    const mod: Somebody = core.somebody("Mod");
    const team = await core.room("team", admin, [[mod, "moderator"]]);
    await core.ask(mod, "invite", {}, team);
    assertEquals(core.services.invitations.of(team.id).length, 1);
    const isOfRoom = command === "kick" || command === "ban";
    const key = command === "kick" || command === "forget" ? "user" : "who";
    await core.ask(admin, command, { [key]: "Mod" }, isOfRoom ? team : undefined);
    assertEquals(core.services.invitations.of(team.id), []);
  });
}
