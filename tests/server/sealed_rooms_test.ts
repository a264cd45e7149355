/** What is said in sealed rooms, rooms of two, and the keys by which others are taken into groups. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromBase64Url, toBase64Url } from "../../protocol/bytes.ts";
import { type CommandName, commands, type RoomInfo } from "../../protocol/command.ts";
import {
  Content,
  decodeRows,
  encodeCore,
  type Epoch,
  partsOf,
  Proof,
  refOf,
} from "../../protocol/entry.ts";
import { keyPackageBytesMax } from "../../protocol/limits.ts";
import { decodeMessages, personPayload } from "../../protocol/message.ts";
import { publish } from "../../server/handlers/publish.ts";
import type { Attendee } from "../../server/hub.ts";
import { newId } from "../../server/people.ts";
import type { PeopledRoom } from "../../server/peopled_room.ts";
import { loadRecords, toRecord } from "../../server/records.ts";
import { MemoryStore } from "../../server/store/memory.ts";
import { FullStore } from "../fixtures/full_store.ts";
import { numbered } from "../fixtures/bytes.ts";
import { codeOf, Core, operator, refusalOf, type Somebody } from "../fixtures/core.ts";
import {
  commit,
  commitId,
  commitNow,
  epochAt,
  groupInfoOf,
  sealedCore,
  upload,
} from "../fixtures/sealed.ts";
import { type Session, session } from "../fixtures/session.ts";

/** A sealed room of Olga's with a group in its first epoch, Max in it, and an open one. */
async function scene() {
  const core = await Core.open();
  const [olga, max] = [core.somebody("Olga"), core.somebody("Max")];
  const team = await core.room("team", olga, [[max, "member"]], true);
  const open = await core.room("open", olga, [[max, "member"]]);
  await commit(core, olga, team, 1);
  await team.flushed();
  const sessions = {
    olga: session(core, olga, [team, open]),
    max: session(core, max, [team, open]),
  };
  return { core, olga, max, team, open, sessions };
}

/** Publishes in this turn. */
function say(member: Session, room: PeopledRoom, core: Uint8Array): void {
  publish(member, { type: "publish", room: room.id, core });
}

/** What each entry of a room's log says that somebody said: the first byte of its message id. */
async function said(core: Core, room: PeopledRoom): Promise<number[]> {
  await room.flushed();
  const { seq } = await core.store.end(room.id);
  const page = (await core.store.readBack(room.id, seq + 1, 1000, 1e9))!;
  return decodeRows(page.rows, page.firstSeq, page.timeMs)
    .filter(({ core }) => core.content < 128).map(({ core }) => core.messageId[0]!);
}

const numberOf = (id: Uint8Array | undefined) => id?.[0];
/** What a session was refused, and with what. */
const refusals = ({ errors }: Session) =>
  errors.map(({ code, messageId }) => [code, numberOf(messageId)]);

const one = commitId(1);
const two = commitId(2);

/** What may be published where, by what vouches for it. */
const proofs: readonly [
  room: "team" | "open",
  proof: Proof,
  content: number,
  epoch: Epoch | undefined,
  code: string | undefined,
][] = [
  ["team", Proof.mls, Content.text, epochAt(1), undefined],
  ["team", Proof.mls, Content.reaction, epochAt(1), undefined],
  ["team", Proof.mls, 100, epochAt(1), undefined],
  ["team", Proof.mls, Content.text, undefined, "forbidden"],
  ["team", Proof.mls, Content.commit, epochAt(1), "forbidden"],
  ["team", Proof.mls, Content.joined, epochAt(1), "forbidden"],
  ["team", Proof.signature, Content.text, epochAt(1), "forbidden"],
  ["team", Proof.signature, Content.commit, epochAt(1), "forbidden"],
  ["team", Proof.unverified, Content.text, epochAt(1), "forbidden"],
  ["team", Proof.mls, Content.text, epochAt(0), "stale_epoch"],
  ["team", Proof.mls, Content.text, epochAt(2), "stale_epoch"],
  ["team", Proof.mls, Content.text, epochAt(1, 1), "stale_epoch"],
  ["open", Proof.signature, Content.text, undefined, undefined],
  ["open", Proof.signature, Content.commit, epochAt(0), "forbidden"],
  ["open", Proof.mls, Content.text, epochAt(1), "forbidden"],
  ["open", Proof.mls, Content.text, undefined, "forbidden"],
];

for (const [name, proof, content, epoch, code] of proofs) {
  const what = `proof ${proof}, content ${content}, ${
    epoch ? `epoch ${epoch.epoch} of ${epoch.generation}` : "no epoch"
  }`;
  Deno.test(`in ${name === "team" ? "a sealed" : "an open"} room, ${what} is ${code ?? "taken"}`, async () => {
    const { core, sessions, ...rooms } = await scene();
    using _ = core;
    const signature = proof === Proof.signature ? new Uint8Array(64) : undefined;
    const payload = numbered(200);
    const draft = { proof, content, messageId: numbered(16, 5), payload, ...(epoch && { epoch }) };
    say(sessions.max, rooms[name], encodeCore(draft, signature));
    await rooms[name].flushed();
    assertEquals(sessions.max.told, code ? [code] : []);
    assertEquals((await said(core, rooms[name])).includes(5), code === undefined);
  });
}

Deno.test("before its first commit nothing can be said in a sealed room", async () => {
  using core = await Core.open();
  const olga = core.somebody("Olga");
  const team = await core.room("team", olga, [], true);
  const member = session(core, olga, [team]);
  say(member, team, sealedCore(5, epochAt(0)));
  await team.flushed();
  assertEquals(refusals(member), [["stale_epoch", 5]]);
  await commit(core, olga, team, 1);
  say(member, team, sealedCore(5, epochAt(1)));
  assertEquals(await said(core, team), [one, 5]);
});

Deno.test("what is sealed too late is refused with all that waits behind it, and order holds", async () => {
  const { core, olga, team, sessions } = await scene();
  using _ = core;
  const groupInfo = await upload(core, olga, team, groupInfoOf(2));
  say(sessions.max, team, sealedCore(1, epochAt(1)));
  const committing = commitNow(core, olga, team, 2, { groupInfo });
  // The session knows the next epoch already when it says the fourth; the second is refused all the same.
  say(sessions.max, team, sealedCore(2, epochAt(1)));
  say(sessions.max, team, sealedCore(3, epochAt(1)));
  say(sessions.max, team, sealedCore(4, epochAt(2)));
  say(sessions.olga, team, sealedCore(20, epochAt(2)));
  await committing;
  assertEquals(await said(core, team), [one, 1, two, 20], "Others are not held up.");
  assertEquals(refusals(sessions.max), [2, 3, 4].map((id) => ["stale_epoch", id]));
  // Only from the first that was refused on is anything taken.
  say(sessions.max, team, sealedCore(3, epochAt(2)));
  say(sessions.max, team, sealedCore(5, epochAt(2)));
  await team.flushed();
  assertEquals(
    new Set(refusals(sessions.max).slice(3).map(String)),
    new Set(["slow_down,3", "slow_down,5"]),
  );
  for (const id of [2, 3, 4, 5]) say(sessions.max, team, sealedCore(id, epochAt(2)));
  assertEquals(await said(core, team), [one, 1, two, 20, 2, 3, 4, 5]);
});

Deno.test("however commits and messages meet, each message comes once and in the order said", async () => {
  for (let seed = 0; seed < 30; seed++) {
    const { core, olga, team, sessions } = await scene();
    let random = seed * 7919 + 1;
    const chance = (of: number) => (random = (random * 48271) % 2147483647) % of === 0;
    const last = 12;
    let [epoch, commits, next] = [1, 1, 0];
    const isSaid = new Set<number>();
    for (let step = 0; step < 500 && isSaid.size <= last; step++) {
      if (chance(3) && commits < 20) {
        const number = ++commits;
        const groupInfo = await upload(core, olga, team, numbered(9, number));
        void commitNow(core, olga, team, number, { groupInfo }).then(() => epoch = number);
      }
      const before = sessions.max.errors.length;
      for (let at = next; at <= last && !chance(4); at++) {
        say(sessions.max, team, sealedCore(at, epochAt(epoch)));
        next = at + 1;
      }
      if (chance(2)) await team.flushed();
      // It goes on from the first that was refused.
      const refused = sessions.max.errors.slice(before).map(({ messageId }) =>
        numberOf(messageId)!
      );
      if (refused.length > 0) next = Math.min(...refused);
      if (chance(2)) await team.flushed();
      for (const id of await said(core, team)) if (id < commitId(0)) isSaid.add(id);
      const late = sessions.max.errors.slice(before).map(({ messageId }) => numberOf(messageId)!);
      next = Math.min(next, ...late);
      await core.clock.advance(2000);
    }
    const log = (await said(core, team)).filter((id) => id < commitId(0));
    assertEquals(log, Array.from({ length: last + 1 }, (_, at) => at), `seed ${seed}`);
    core[Symbol.dispose]();
  }
});

Deno.test("what is in the log already is no refusal, whatever epoch it was sealed for", async () => {
  const { core, olga, team, sessions } = await scene();
  using _ = core;
  const first = sealedCore(1, epochAt(1));
  say(sessions.max, team, first);
  await commit(core, olga, team, 2);
  say(sessions.max, team, first);
  say(sessions.max, team, sealedCore(2, epochAt(2)));
  assertEquals(await said(core, team), [one, 1, two, 2]);
  assertEquals(sessions.max.told, ["stored"]);
  assertEquals(numberOf(sessions.max.stored[0]?.messageId), 1);
  // Sealed anew it is the same message.
  say(sessions.max, team, sealedCore(1, epochAt(2)));
  assertEquals(await said(core, team), [one, 1, two, 2]);
  assertEquals(sessions.max.told, ["stored", "stored"]);
});

Deno.test("in a slow room who sealed too late does not wait twice", async () => {
  const { core, olga, team, sessions } = await scene();
  using _ = core;
  await core.ask(olga, "slow", { everyMs: 60_000 }, team);
  say(sessions.max, team, sealedCore(1, epochAt(0)));
  await team.flushed();
  say(sessions.max, team, sealedCore(1, epochAt(1)));
  assertEquals(await said(core, team), [one, 1]);
  say(sessions.max, team, sealedCore(2, epochAt(1)));
  assertEquals(sessions.max.told, ["stale_epoch", "slow_down"]);
});

Deno.test("sealed messages are deleted by their authors and by moderators, commits by nobody", async () => {
  const { core, team, sessions } = await scene();
  using _ = core;
  const { olga, max } = sessions;
  const ref = (target: number) => {
    const { person } = target === 3 || target === one ? olga : max;
    return refOf(person.deviceId, numbered(16, target));
  };
  const deletion = (id: number, target: number) =>
    sealedCore(id, epochAt(1), { content: Content.deletion, target: ref(target) });
  const edit = (id: number, target: number) =>
    sealedCore(id, epochAt(1), { content: Content.edit, target: ref(target) });
  for (const id of [1, 2]) say(max, team, sealedCore(id, epochAt(1)));
  say(olga, team, sealedCore(3, epochAt(1)));
  say(max, team, edit(4, 1));
  say(max, team, edit(5, 3));
  say(max, team, deletion(6, 1));
  say(max, team, deletion(7, 3));
  say(olga, team, deletion(8, 2));
  say(olga, team, deletion(9, one));
  assertEquals(await said(core, team), [one, 1, 2, 3, 4, 6, 8]);
  assertEquals(refusals(max), [["forbidden", 5], ["forbidden", 7]]);
  assertEquals(refusals(olga), [["forbidden", 9]]);
  const isErased = async (id: number) =>
    (await core.store.find(team.id, partsOf(ref(id)).deviceId, numbered(16, id)))!.isErased;
  assertEquals(await Promise.all([1, 2, 3, 4, one].map(isErased)), [
    true,
    true,
    false,
    true,
    false,
  ]);
});

Deno.test("a room that is made is sealed and for the invited, unless it is made open", async () => {
  const store = new MemoryStore(1e7);
  using core = await Core.open(store);
  const [olga, max] = [core.somebody("Olga"), core.somebody("Max")];
  const join = async (who: Somebody, args: Record<string, unknown>) => {
    const { room, isNew } = await core.ask(who, "join", args) as unknown as {
      room: RoomInfo;
      isNew: boolean;
    };
    return [room.sealed, room.access, room.direct, isNew];
  };
  assertEquals(await join(olga, { name: "team" }), [true, "invited", false, true]);
  assertEquals(await join(olga, { name: "square", open: true }), [false, "anyone", false, true]);
  assertEquals(await join(max, { name: "square" }), [false, "anyone", false, false]);
  assertEquals(await codeOf(join(max, { name: "team" })), "forbidden");
  await core.ask(olga, "allow", { user: "Max" }, core.services.hub.named("team")!);
  assertEquals(await join(max, { name: "team", open: true }), [true, "invited", false, false]);
  // Rooms that were there before rooms could be sealed.
  const kept = await loadRecords(store, "room");
  const { sealed: _, ...old } = kept.get(toBase64Url(core.services.hub.named("team")!.id))!;
  await store.put([toRecord("room", toBase64Url(numbered(16)), { ...old, name: "old" })]);
  using again = await Core.open(store);
  const { hub } = again.services;
  assertEquals(
    ["old", "team", "square"].map((name) => hub.named(name)!.isSealed),
    [false, true, false],
  );
});

Deno.test("who comes and goes is shown with the user's key", async () => {
  using core = await Core.open();
  const [olga, max] = [core.somebody("Olga"), core.somebody("Max")];
  const room = await core.room("team", olga, [[max, "member"]]);
  await core.ask(max, "part", {}, room);
  await core.ask(max, "join", { name: "team" });
  await core.ask(olga, "kick", { user: "Max" }, room);
  await room.flushed();
  const { seq } = await core.store.end(room.id);
  const page = (await core.store.readBack(room.id, seq + 1, 100, 1e6))!;
  const events = decodeRows(page.rows, page.firstSeq, page.timeMs)
    .filter(({ core: { content } }) => content === Content.joined || content === Content.left)
    .map(({ core: { content, payload } }) => [content, personPayload.decode(payload).userKey]);
  const { key } = max.user;
  assertEquals(events, [
    [Content.joined, key],
    [Content.left, key],
    [Content.joined, key],
    [Content.left, key],
  ]);
});

Deno.test("a sealed room goes with the last one in it, unless somebody could still come in", async () => {
  using core = await Core.open();
  const { hub } = core.services;
  const olga = core.somebody("Olga");
  const max = core.somebody("Max");
  const rooms = ["gone", "invited", "allowed", "anyone"];
  for (const name of rooms) await core.room(name, olga, [], true);
  await core.room("open", olga);
  await core.ask(olga, "invite", { key: toBase64Url(numbered(32, 9)) }, hub.named("invited"));
  await core.ask(olga, "allow", { user: "Max" }, hub.named("allowed"));
  await core.ask(olga, "access", { access: "anyone" }, hub.named("anyone"));
  const two = await direct(core, olga, "Max");
  for (const name of [...rooms, "open"]) await core.ask(olga, "part", {}, hub.named(name));
  for (const each of [olga, max]) await core.ask(each, "part", {}, two.room.at);
  const left = ["gone", "invited", "allowed", "anyone", "open"].filter((name) => hub.named(name));
  assertEquals(left, ["invited", "allowed", "anyone", "open"]);
  assertEquals(hub.find(two.room.at.id), two.room.at);
  const [act] = await core.services.audit.newest(1);
  assertEquals([act?.by, act?.act, act?.whom], ["server", "close", "gone"]);
  assertEquals((await core.ask(max, "join", { name: "gone" }) as { isNew?: boolean }).isNew, true);
});

/** Notes of which rooms somebody is told, and by which message. */
function attend({ services: { hub } }: Core, { user, person }: Somebody): string[] {
  const told: string[] = [];
  const send = (bytes: Uint8Array) => {
    for (const message of decodeMessages(bytes)) {
      if (message.type === "room") told.push(`${message.room.name} ${message.room.role}`);
      if (message.type === "removed") told.push(`${message.name} removed`);
    }
  };
  hub.enter({ user, person, rooms: new Set(), send } as unknown as Attendee);
  return told;
}

async function direct(core: Core, who: Somebody, user: string) {
  const answer = await core.ask(who, "direct", { user }) as unknown as {
    room: { id: string; name: string; sealed: boolean; direct: boolean; access: string };
    isNew: boolean;
  };
  return {
    ...answer,
    room: { ...answer.room, at: core.services.hub.room(fromBase64Url(answer.room.id)) },
  };
}

Deno.test("two users have one sealed room of their own, whoever of them asks for it", async () => {
  const store = new MemoryStore(1e7);
  using core = await Core.open(store);
  const [alice, bob, eve] = ["Alice", "Bob", "Eve"].map((name) => core.somebody(name)) as [
    Somebody,
    Somebody,
    Somebody,
  ];
  const [toldAlice, toldBob] = [attend(core, alice), attend(core, bob)];
  const [one, other] = await Promise.all([direct(core, alice, "bob"), direct(core, bob, "@Alice")]);
  assertEquals([one.room.id, one.isNew, other.isNew], [other.room.id, true, false]);
  const { name, sealed, direct: isDirect, access } = one.room;
  assertEquals([name, sealed, isDirect, access], ["@Bob", true, true, "invited"]);
  assertEquals(other.room.name, "@Alice");
  assertEquals([new Set(toldAlice), new Set(toldBob)], [
    new Set(["@Bob owner"]),
    new Set(["@Alice owner"]),
  ]);
  const roomsOf = async (who: Somebody | typeof operator) => {
    const { rooms } = await core.ask(who, "rooms", {}) as unknown as { rooms: { name: string }[] };
    return rooms.map(({ name }) => name);
  };
  eve.user.isAdmin = true;
  assertEquals(await Promise.all([alice, bob, eve, operator].map(roomsOf)), [
    ["lobby", "@Bob"],
    ["lobby", "@Alice"],
    ["lobby"],
    ["lobby"],
  ]);
  assertEquals((await direct(core, alice, "Eve")).room.id === one.room.id, false);
  const noRoom = core.room("bob", eve); // Its name is nobody else's.
  assertEquals((await noRoom).name, "bob");
  assertEquals(await codeOf(core.ask(eve, "join", { name: "@Bob" })), "bad_message");
  assertEquals(core.services.hub.named("@Alice @Bob"), undefined);
  using again = await Core.open(store);
  const user = again.services.people.named("Bob");
  const asBob = { ...bob, user, person: again.services.people.lastDeviceOf(user)! };
  assertEquals((await direct(again, asBob, "Alice")).room.id, one.room.id);
});

Deno.test("who left a room of two is brought back when either asks for it", async () => {
  using core = await Core.open();
  const [alice, bob] = [core.somebody("Alice"), core.somebody("Bob")];
  const { room: { at: room } } = await direct(core, alice, "Bob");
  const { hub } = core.services;
  const toldBob = attend(core, bob);
  await core.ask(bob, "part", {}, room);
  assertEquals(hub.membership(room, bob.user), undefined);
  assertEquals((await direct(core, alice, "Bob")).room.at, room);
  assertEquals(hub.membership(room, bob.user)?.role, "owner");
  await core.ask(alice, "part", {}, room);
  assertEquals((await direct(core, alice, "Bob")).room.at, room);
  assertEquals(hub.membership(room, alice.user)?.role, "owner");
  assertEquals(toldBob.slice(0, 2), ["@Alice removed", "@Alice owner"]);
});

Deno.test("nobody has a room with themselves, with a guest or with who is not there", async () => {
  using core = await Core.open();
  const alice = core.somebody("Alice");
  core.services.people.guest("Gast", 0);
  assertEquals(await codeOf(direct(core, alice, "Alice")), "forbidden");
  assertEquals(await codeOf(direct(core, alice, "Gast")), "forbidden");
  assertEquals(await codeOf(direct(core, alice, "Nobody")), "no_such_user");
});

/** Commands that make sense in a room of two. */
const ofTwo: readonly CommandName[] = [
  "part",
  "who",
  "receipts",
  "history",
  "group",
  "commit",
  "welcome",
  "knock",
  "upload",
  "download",
];

Deno.test("neither of two rules their room", async () => {
  using core = await Core.open();
  const [alice] = [core.somebody("Alice"), core.somebody("Bob")];
  const { room: { at: room } } = await direct(core, alice, "Bob");
  const args: Record<string, unknown> = {
    user: "Bob",
    who: "Bob",
    role: "reader",
    text: "x",
    invitation: "x",
    access: "anyone",
    isOn: true,
    everyMs: 0,
  };
  for (const [name, { inRoom }] of Object.entries(commands)) {
    if (!inRoom || ofTwo.includes(name as CommandName)) continue;
    const refusal = await refusalOf(core.ask(alice, name, args, room));
    assertEquals(refusal?.code, "forbidden", name);
    assertStringIncludes(refusal!.message, "A room of two");
  }
});

async function take(core: Core, who: Somebody, user: string): Promise<[string, string][]> {
  const { packages } = await core.ask(who, "take", { user }) as unknown as {
    packages: { deviceId: string; package: string }[];
  };
  return packages.map((each) => [each.deviceId, each.package]);
}

const pack = (number: number) => toBase64Url(numbered(40, number));
const packs = (from: number, count: number) =>
  Array.from({ length: count }, (_, at) => pack(from + at));

Deno.test("each key package is given once, the oldest first, and the last one over and over", async () => {
  const store = new MemoryStore(1e7);
  using core = await Core.open(store);
  const [alice, bob] = [core.somebody("Alice"), core.somebody("Bob")];
  const device = toBase64Url(bob.person!.deviceId);
  assertEquals(await take(core, alice, "Bob"), []);
  const left = await core.ask(bob, "keys", { packages: packs(0, 3), last: pack(99) });
  assertEquals(left as unknown, { left: 3 });
  const both = await Promise.all([take(core, alice, "Bob"), take(core, alice, "Bob")]);
  assertEquals(both, [[[device, pack(0)]], [[device, pack(1)]]]);
  assertEquals(await core.ask(bob, "keys", { packages: [] }) as unknown, { left: 1 });
  using again = await Core.open(store);
  const asker = { ...alice, user: again.services.people.named("Alice") };
  for (const number of [2, 99, 99]) {
    assertEquals(await take(again, asker, "Bob"), [[device, pack(number)]]);
  }
  assertEquals((await store.records("package")).length, 1);
});

Deno.test("a device's pool has its newest thirty-two key packages", async () => {
  using core = await Core.open();
  const [alice, bob] = [core.somebody("Alice"), core.somebody("Bob")];
  const device = toBase64Url(bob.person!.deviceId);
  await core.ask(bob, "keys", { packages: packs(0, 30) });
  const { left } = await core.ask(bob, "keys", { packages: packs(30, 30) });
  assertEquals([left as unknown, (await core.store.records("package")).length], [32, 32]);
  assertEquals(await take(core, alice, "Bob"), [[device, pack(28)]]);
  const tooMany = core.ask(bob, "keys", { packages: packs(0, 33) });
  assertEquals(await codeOf(tooMany), "bad_message");
  const tooLong = toBase64Url(numbered(keyPackageBytesMax + 1));
  assertEquals(await codeOf(core.ask(bob, "keys", { packages: [tooLong] })), "bad_message");
});

Deno.test("of a user's devices the four that were heard from last are taken", async () => {
  using core = await Core.open();
  const alice = core.somebody("Alice");
  const devices = Array.from({ length: 6 }, () => core.somebody("Bob", undefined, 50));
  for (const [at, device] of devices.entries()) {
    if (at !== 4) await core.ask(device, "keys", { packages: [pack(at)] });
  }
  const taken = await take(core, alice, "Bob");
  assertEquals(taken.map(([, given]) => given), [2, 3, 5].map(pack));
});

Deno.test("what a device left is forgotten with it", async () => {
  using core = await Core.open();
  const [admin, bob] = [core.somebody("Admin"), core.somebody("Bob")];
  await core.ask(bob, "keys", { packages: packs(0, 3), last: pack(99) });
  await core.ask(operator, "forget", { user: "Bob" });
  assertEquals(await codeOf(take(core, admin, "Bob")), "no_such_user");
  await core.store.end(newId());
  for (const kind of ["pool", "package"]) assertEquals(await core.store.records(kind), [], kind);
});

Deno.test("a key package that was not given because the disk is full is given later", async () => {
  const store = new FullStore(new MemoryStore(1e7));
  using core = await Core.open(store);
  const [alice, bob] = [core.somebody("Alice"), core.somebody("Bob")];
  await core.ask(bob, "keys", { packages: packs(0, 2) });
  store.isFull = true;
  const failed = await take(core, alice, "Bob").catch((error: Error) => error.name);
  assertEquals(failed, "StoreFullError");
  store.isFull = false;
  assertEquals((await take(core, alice, "Bob")).map(([, given]) => given), [pack(0)]);
});
