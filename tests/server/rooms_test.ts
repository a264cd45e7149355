import { Content, decodeRows } from "../../protocol/entry.ts";
import {
  emptyRoomMs,
  readOnlyRetryMs,
  roomsMadeBurst,
  roomsMadePerHour,
} from "../../protocol/limits.ts";
import { removeEmptyRooms } from "../../server/empty_rooms.ts";
import { assertEquals } from "@std/assert";
import { decodeMessages } from "../../protocol/message.ts";
import { newId } from "../../server/people.ts";
import { MemoryStore } from "../../server/store/memory.ts";
import type { Store } from "../../server/store/store.ts";
import type { Attendee } from "../../server/hub.ts";
import type { Member } from "../../server/member.ts";
import { seen } from "../../server/handlers/reading.ts";
import { FullStore } from "../fixtures/full_store.ts";
import { numbered } from "../fixtures/bytes.ts";
import { codeOf, Core, operator, refusalOf, type Somebody } from "../fixtures/core.ts";
import { StoreAround } from "../fixtures/store_around.ts";

Deno.test("who is in the lobby can be asked while somebody forgotten is still shown there", async () => {
  using core = await Core.open();
  const { lobby } = core.services.hub;
  const [olga, max] = [core.somebody("Olga"), core.somebody("Max")];
  for (const { person } of [olga, max]) lobby.presence.arrive(person!);
  await core.ask(operator, "forget", { user: "Max" });
  lobby.presence.depart(max.person!, false);
  const { members = [] } = await core.ask(olga, "who", {}, lobby);
  assertEquals((members as { name: string }[]).map(({ name }) => name), ["Olga"]);
});

/** What somebody says that they have, in a log of two entries, and what is noted of that. */
const claims: readonly [delivered: number, read: number, noted: readonly [number, number]][] = [
  [1, 0, [1, 0]],
  [2, 2, [2, 2]],
  [1, 2, [1, 1]],
  [3, 3, [2, 2]],
  [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, [2, 2]],
];

for (const [delivered, read, noted] of claims) {
  Deno.test(`nobody has more of a log than there is: ${delivered}, ${read}`, async () => {
    using core = await Core.open();
    const [olga, max] = [core.somebody("Olga"), core.somebody("Max")];
    const room = await core.room("team", olga, [[max, "member"]]);
    const { hub } = core.services;
    hub.announce(room, { by: "Olga", act: "topic" });
    await room.flushed();
    const member = { ...max, services: core.services, rooms: new Set([room]) };
    seen(member as unknown as Member, { room: room.id, delivered, read });
    await room.room.reached();
    const membership = hub.membership(room, max.user)!;
    assertEquals([membership.delivered, membership.read], noted);
  });
}

Deno.test("who is not in a room is not told that it was closed", async () => {
  using core = await Core.open();
  const { hub } = core.services;
  const [olga, max, eve] = [core.somebody("Olga"), core.somebody("Max"), core.somebody("Eve")];
  const told: string[] = [];
  for (const { name, user, person } of [olga, max, eve]) {
    const send = () => void told.push(name);
    hub.enter({ user, person, rooms: new Set(), send } as unknown as Attendee);
  }
  const room = await core.room("secret", olga, [[max, "member"]]);
  await core.ask(olga, "close", {}, room);
  assertEquals(told, ["Olga", "Max"]);
  assertEquals(hub.roomsOf(max.user), [hub.lobby]);
});

Deno.test("who is sent out while coming in is told so last", async () => {
  using core = await Core.open();
  const { hub } = core.services;
  const [olga, max] = [core.somebody("Olga"), core.somebody("Max")];
  const room = await core.room("team", olga);
  const told: string[] = [];
  const send = (bytes: Uint8Array) =>
    void told.push(...decodeMessages(bytes).map(({ type }) => type));
  const { user, person } = max;
  hub.enter({ user, person, rooms: new Set(), send } as unknown as Attendee);
  const [joined] = await Promise.all([
    codeOf(core.ask(max, "join", { name: "team" })),
    core.ask(olga, "kick", { user: "Max" }, room),
  ]);
  assertEquals([joined, ...told], ["forbidden", "removed"]);
});

Deno.test("a room that nobody is in any more is removed with its log after a day, and no other", async () => {
  using core = await Core.open();
  const { hub, audit } = core.services;
  const [olga, max] = [core.somebody("Olga"), core.somebody("Max")];
  const [left, back, full] = [
    await core.room("left", olga),
    await core.room("back", olga),
    await core.room("full", olga, [[max, "member"]]),
  ];
  await core.clock.advance(10 * emptyRoomMs);
  for (const room of [left, back, full]) await core.ask(olga, "part", {}, room).catch(() => {});
  await hub.flushed(); // The time of what is published is that when it is stored.
  const names = () => [...hub.all()].map(({ name }) => name);
  await core.clock.advance(emptyRoomMs - 1);
  await removeEmptyRooms(core.services);
  assertEquals(names(), ["lobby", "left", "back", "full"]);
  await core.ask(max, "join", { name: "back" });
  await core.clock.advance(2);
  await removeEmptyRooms(core.services, () => true);
  assertEquals(names().length, 4, "The server is about to end.");
  await removeEmptyRooms(core.services);
  assertEquals(names(), ["lobby", "back", "full"]);
  assertEquals((await core.store.end(left.id)).seq, 0);
  const [act] = await audit.newest(1);
  assertEquals([act?.by, act?.act, act?.whom], ["server", "close", "left"]);
  await core.ask(max, "part", {}, back);
  await hub.flushed();
  await core.clock.advance(emptyRoomMs / 2);
  await removeEmptyRooms(core.services);
  assertEquals(names(), ["lobby", "back", "full"], "It was left anew.");
  using again = await Core.open(core.store, core.clock);
  await core.clock.advance(emptyRoomMs / 2);
  await removeEmptyRooms(again.services);
  assertEquals([...again.services.hub.all()].map(({ name }) => name), ["lobby", "full"]);
});

Deno.test("a user makes so many rooms at once, then so many in an hour", async () => {
  using core = await Core.open();
  const olga = core.somebody("Olga");
  const make = async (number: number) => {
    const made = await refusalOf(core.ask(olga, "join", { name: `room${number}` }));
    const room = core.services.hub.named(`room${number}`);
    if (room) await core.ask(olga, "part", {}, room);
    await core.clock.advance(60_000); // So that nothing but this is too fast.
    return made?.code;
  };
  const inMinutes = roomsMadeBurst + Math.floor(roomsMadeBurst * roomsMadePerHour / 60);
  for (let number = 0; number < inMinutes; number++) assertEquals(await make(number), undefined);
  const codes: unknown[] = [];
  for (let number = inMinutes; number < inMinutes + 60; number++) codes.push(await make(number));
  const made = codes.filter((code) => code === undefined).length;
  assertEquals(Math.abs(made - roomsMadePerHour) <= 1, true, `${made}`);
  assertEquals(new Set(codes), new Set([undefined, "slow_down"]));
});

Deno.test("a flood of new names leaves nobody in rooms whom nobody knows any more", async () => {
  const store = new MemoryStore(1e7);
  using core = await Core.open(store);
  const { hub, people, watermarks } = core.services;
  for (let at = 0; at < 1003; at++) {
    const deviceId = newId();
    const deviceKey = numbered(32);
    const certificate = numbered(64);
    const given = { name: `n${at}`, userKey: numbered(32, at), deviceId, deviceKey, certificate };
    const { user } = people.login(given, () => {}, at);
    const membership = hub.membership(hub.lobby, user)!;
    watermarks.rise(hub.lobby, membership, 1, 1);
    if (at > 998) await hub.create(`room${at}`, user);
    if (at > 998) await hub.admit(hub.named("room999")!, user, people.behind(deviceId)!);
    await watermarks.save();
    people.logout(user, at);
  }
  const known = (id: Uint8Array) => people.withId(id) !== undefined;
  using again = await Core.open(store);
  for (const one of [hub, again.services.hub]) {
    assertEquals(one.lobby.members.size, 1000);
    for (const { members } of one.all()) {
      assertEquals([...members.values()].filter(({ userId }) => !known(userId)), []);
    }
  }
});

Deno.test("who came and went when the server was killed is in the log after the next start, once", async () => {
  const store = new MemoryStore(1e7);
  const stuck = new StuckStore(store);
  using core = await Core.open(stuck);
  const [olga, max, eve] = ["Olga", "Max", "Eve"].map((name) => core.somebody(name)) as [
    Somebody,
    Somebody,
    Somebody,
  ];
  const room = await core.room("team", olga, [[eve, "member"]]);
  await room.flushed();
  stuck.isStuck = true;
  await core.ask(max, "join", { name: "team" });
  await core.ask(eve, "part", {}, room);
  const told = async (of: Store) => {
    const page = await of.readBack(room.id, (await of.end(room.id)).seq + 1, 100, 1e6);
    return page ? decodeRows(page.rows, page.firstSeq, page.timeMs).map(({ core }) => core) : [];
  };
  const contents = async () => (await told(store)).map(({ content }) => content);
  assertEquals(await contents(), [Content.joined], "That Eve came.");
  for (const _ of [1, 2]) {
    using again = await Core.open(store, core.clock);
    await again.services.hub.flushed();
    assertEquals((await contents()).sort(), [Content.joined, Content.joined, Content.left]);
    const { members } = again.services.hub.named("team")!;
    assertEquals(members.size, 2);
  }
  assertEquals(await store.records("coming", ""), []);
});

Deno.test("who leaves while the disk is full is gone in the log too once there is room again", async () => {
  const inner = new MemoryStore(1e7);
  const store = new FullStore(inner);
  using core = await Core.open(store);
  const [olga, max] = [core.somebody("Olga"), core.somebody("Max")];
  const room = await core.room("team", olga, [[max, "member"]]);
  await room.flushed();
  store.isFull = true;
  await core.ask(max, "part", {}, room).catch(() => {});
  await core.clock.advance(3 * readOnlyRetryMs);
  assertEquals((await inner.end(room.id)).seq, 1);
  store.isFull = false;
  await core.clock.advance(readOnlyRetryMs);
  await room.flushed();
  const { rows, firstSeq, timeMs } = (await inner.readBack(room.id, 3, 1, 1e6))!;
  assertEquals(decodeRows(rows, firstSeq, timeMs).at(-1)?.core.content, Content.left);
});

/** Keeps records, and takes nothing into a log once it is stuck. */
class StuckStore extends StoreAround {
  isStuck = false;

  override append(...args: Parameters<Store["append"]>): ReturnType<Store["append"]> {
    return this.isStuck ? new Promise(() => {}) : this.inner.append(...args);
  }
}
