/**
 * Sealed rooms with real clients at a real server, wherever that server is: `sealed_test.ts` tells
 * these stories over TCP, `tests/browser` within a page.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { Refused } from "../../client/handshake.ts";
import { direct, giveRole, invite, report, revoke, takeOut } from "../../client/sealed/acts.ts";
import { decodeRoomKey } from "../../client/sealed/room_key.ts";
import type { SealedRoom } from "../../client/sealed/sealed_room.ts";
import { forgetful } from "../../client/store/store.ts";
import { ownKeysMs } from "../../protocol/limits.ts";
import { MemoryClientStore } from "../fixtures/memory_client_store.ts";
import { comeBy, comeIn, make, told } from "../fixtures/sealed_user.ts";
import { type Place, User } from "../fixtures/user.ts";

/** What the server has to allow. */
export const rules = { publishBurst: 10_000, publishPerSecond: 10_000, loginBurst: 1000 };

/** A server of its own for each of them. */
export type Story = (server: Place) => Promise<void>;

/** By name. */
export const stories = new Map<string, Story>();

stories.set("what is said in a sealed room is read by its members", async (server) => {
  await using alice = await User.enter(server, "Alice");
  const { room, sealed } = await make(alice);
  assertEquals(room.info.sealed, true);
  await using bob = (await comeIn(server, "Bob", alice, sealed)).user;
  await alice.client.say(room.id, "hello Bob");
  await bob.client.say(room.id, "hello Alice");
  await bob.hears("hello Bob");
  await alice.hears("hello Alice");
  await alice.hears("hello Bob");
  assertEquals((await report(alice.client, sealed))!.members.map(({ name }) => name).sort(), [
    "Alice",
    "Bob",
  ]);
});

stories.set("somebody comes in when nobody else is there", async (server) => {
  const store = new MemoryClientStore();
  const alice = await User.enter(server, "Alice", store);
  const { room, sealed } = await make(alice);
  const made = await invite(alice.client, sealed, {});
  await alice.leave();
  const bobs = await comeBy(server, "Bob", made, "team");
  await using bob = bobs.user;
  await bob.until("Bob to have the keys", () => bobs.sealed.keys.group !== undefined);
  await bob.client.say(room.id, "anybody here?");
  await bob.hears("anybody here?");
  await using again = await User.enter(server, "Alice", store);
  await again.hears("anybody here?");
});

stories.set("who was offline reads all that was said since", async (server) => {
  await using alice = await User.enter(server, "Alice");
  const { room, sealed } = await make(alice);
  const store = new MemoryClientStore();
  const { user: bob } = await comeIn(server, "Bob", alice, sealed, {}, store);
  await alice.client.say(room.id, "one");
  await bob.hears("one");
  await bob.leave();
  await alice.client.say(room.id, "two");
  await using carol = (await comeIn(server, "Carol", alice, sealed)).user;
  await carol.client.say(room.id, "three");
  await alice.client.say(room.id, "four");
  await alice.hears("three");
  await using again = await User.enter(server, "Bob", store);
  for (const text of ["two", "three", "four"]) await again.hears(text);
  await again.client.say(room.id, "five");
  await alice.hears("five");
  await carol.hears("five");
});

stories.set("who was taken out reads nothing that is said afterwards", async (server) => {
  await using alice = await User.enter(server, "Alice");
  const { room, sealed } = await make(alice);
  const { user: bob, sealed: bobs } = await comeIn(server, "Bob", alice, sealed);
  await using _bob = bob;
  await alice.client.say(room.id, "with Bob");
  await bob.hears("with Bob");
  assert(await takeOut(alice.client, sealed, "Bob"));
  await bob.until("Bob to be out", () => bobs.keys.group === undefined);
  await alice.client.say(room.id, "without Bob");
  await alice.hears("without Bob");
  assert(!bob.texts("team").includes("without Bob"));
});

stories.set("who came later knows who the others are, and takes them out", async (server) => {
  await using alice = await User.enter(server, "Alice");
  const { sealed } = await make(alice);
  await (await comeIn(server, "Bob", alice, sealed)).user.leave();
  const { user: carol, sealed: carols } = await comeIn(server, "Carol", alice, sealed);
  await using _carol = carol;
  await giveRole(alice.client, sealed, "Carol", "moderator");
  await carols.keys.until(() => carols.keys.group!.own.role === "moderator");
  assert(await takeOut(carol.client, carols, "bob"));
  const names = (await report(carol.client, carols))!.members.map(({ name }) => name);
  assertEquals(names.sort(), ["Alice", "Carol"]);
});

stories.set("with who is taken out the invitation ends that they came by", async (server) => {
  await using alice = await User.enter(server, "Alice");
  const { room, sealed } = await make(alice);
  await using _bob = (await comeIn(server, "Bob", alice, sealed)).user;
  await invite(alice.client, sealed, {});
  const list = () => alice.client.command("invitations", {}, room.id);
  const before = (await list()).invitations.map(({ id }) => id);
  const [ended, ...others] = await takeOut(alice.client, sealed, "Bob") ?? [];
  assertEquals(others, []);
  assertEquals((await list()).invitations.map(({ id }) => id), before.filter((id) => id !== ended));
  assertEquals(before.length, 2);
});

stories.set(
  "who comes by a link that is no longer good is let in by a moderator",
  async (server) => {
    await using alice = await User.enter(server, "Alice");
    const { room, sealed } = await make(alice);
    const made = await invite(alice.client, sealed, {});
    const { invitations: [known] } = await alice.client.command("invitations", {}, room.id);
    await revoke(sealed, known!.id); // Of which the server knows nothing.
    const bobs = await comeBy(server, "Bob", made, "team");
    await using bob = bobs.user;
    const isBob = ({ name }: { name: string }) => name === "Bob";
    await alice.until("Alice to hear of Bob", () => told(alice, "knock").some(isBob));
    assert(await sealed.admit("Bob"));
    await bob.until("Bob to have the keys", () => bobs.sealed.keys.group !== undefined);
  },
);

stories.set(
  "who comes by a link does not take a room without its maker for theirs",
  async (server) => {
    await using alice = await User.enter(server, "Alice");
    const { sealed } = await make(alice);
    const made = await invite(alice.client, sealed, {});
    const store = new MemoryClientStore();
    const login = {
      name: "Bob",
      identity: await store.identity("Bob"),
      invitation: made.invitation,
    };
    const roomKey = { room: "team", ...decodeRoomKey(made.key), inviter: new Uint8Array(32) };
    await using bob = await User.enter(server, "Bob", store, { roomKey, login });
    const bobs = bob.client.sealedRoom(bob.room("team").id)!;
    const isMeant = ({ why }: { why: string }) => why === "Who invited us is not in this group.";
    await bob.until("Bob to be warned", () => told(bob, "failed").some(isMeant));
    assertEquals(bobs.keys.group, undefined);
  },
);

stories.set("who talks for days changes their own keys once a day", async (server) => {
  const store = new MemoryClientStore();
  const alice = await User.enter(server, "Alice", store);
  const { room, sealed } = await make(alice);
  await using bob = (await comeIn(server, "Bob", alice, sealed)).user;
  const epochs: (number | undefined)[] = [];
  const say = async (user: User, of: SealedRoom, text: string) => {
    await user.client.say(room.id, text);
    await bob.hears(text);
    epochs.push(of.keys.group?.epoch);
  };
  await say(alice, sealed, "today");
  await say(alice, sealed, "today, again");
  sealed.keys.renewedMs -= ownKeysMs;
  await say(alice, sealed, "tomorrow");
  await say(alice, sealed, "tomorrow, again");
  await alice.leave();

  await using again = await User.enter(server, "Alice", store);
  const kept = again.client.sealedRoom(room.id)!;
  await say(again, kept, "after a night's sleep");
  kept.keys.renewedMs += 2 * ownKeysMs; // The clock was wrong.
  await say(again, kept, "some other day");
  const [first = 0] = epochs;
  assertEquals(epochs.map((epoch) => epoch! - first), [0, 0, 1, 1, 1, 2]);
});

stories.set("a process that keeps nothing says nothing in sealed rooms", async (server) => {
  const store = new MemoryClientStore();
  await using alice = await User.enter(server, "Alice", store);
  const { room } = await make(alice);
  await using again = await User.enter(server, "Alice", store, { keep: () => forgetful });
  await assertRejects(() => again.client.say(room.id, "hi"), Refused, "Another process of yours");
  assertEquals(again.client.undelivered, 0);
});

stories.set("who leaves is out of the group before the next message", async (server) => {
  await using alice = await User.enter(server, "Alice");
  const { room, sealed } = await make(alice);
  await using bob = (await comeIn(server, "Bob", alice, sealed)).user;
  await bob.client.part(room.id);
  await alice.until("Alice to know", () => sealed.keys.leftBehind.length === 1);
  await alice.client.say(room.id, "alone");
  await alice.hears("alone");
  assertEquals(sealed.keys.group!.members.length, 1);
});

stories.set(
  "two have a sealed room for themselves, be the other one there or not",
  async (server) => {
    await using alice = await User.enter(server, "Alice");
    const store = new MemoryClientStore();
    const bob = await User.enter(server, "Bob", store);
    await hasLeftKeys(bob);
    await bob.leave();
    const { room } = await direct(alice.client, "Bob");
    await alice.client.say(room.id, "psst");
    await alice.hears("psst");
    await using again = await User.enter(server, "Bob", store);
    await again.hears("psst");
    await again.client.say(room.id, "what?");
    await alice.hears("what?");
  },
);

for (const isHere of [true, false]) {
  stories.set(
    `who left the room of two and is ${isHere ? "" : "not "}here reads what is said to them next`,
    async (server) => {
      await using alice = await User.enter(server, "Alice");
      const store = new MemoryClientStore();
      const bob = await User.enter(server, "Bob", store);
      await hasLeftKeys(bob);
      const { room } = await direct(alice.client, "Bob");
      await alice.client.say(room.id, "psst");
      await bob.hears("psst");
      await bob.client.part(room.id);
      if (!isHere) await bob.leave();
      await direct(alice.client, "Bob");
      await alice.client.say(room.id, "psst again");
      await alice.hears("psst again");
      await using again = isHere ? bob : await User.enter(server, "Bob", store);
      await again.hears("psst again");
    },
  );
}

stories.set("who has left no keys is not spoken to as if they could read it", async (server) => {
  await using alice = await User.enter(server, "Alice");
  const bob = await User.enter(server, "Bob", undefined, { isReachable: false });
  await bob.leave();
  await assertRejects(() => direct(alice.client, "Bob"), Refused, "Bob has left no keys");
  const sealed = alice.client.sealedRoom(alice.room("@Bob").id)!;
  assertEquals(sealed.isAlone, true);
});

stories.set("a client that dies sends what was not acknowledged, with new keys", async (server) => {
  await using alice = await User.enter(server, "Alice");
  const { room, sealed } = await make(alice);
  const store = new MemoryClientStore();
  const { user: bob, sealed: bobs } = await comeIn(server, "Bob", alice, sealed, {}, store);
  await bob.client.say(room.id, "one");
  await alice.hears("one");
  const before = bobs.keys.group!.epoch;
  const copy = store.copy(); // As it is on the disk.
  await bob.leave();
  await using again = await User.enter(server, "Bob", copy);
  await again.client.say(room.id, "two");
  await alice.hears("two");
  assert(again.client.sealedRoom(room.id)!.keys.group!.epoch > before);
  assertEquals(alice.texts("team"), ["one", "two"]);
});

stories.set("many who come at once all get in", async (server) => {
  await using alice = await User.enter(server, "Alice");
  const { room, sealed } = await make(alice);
  const made = await invite(alice.client, sealed, {});
  const members = await Promise.all(
    Array.from({ length: 8 }, (_, at) => comeBy(server, `user${at}`, made, "team")),
  );
  for (const { user, sealed: { keys } } of members) {
    await user.until("everybody to have the keys", () => keys.group?.members.length === 9);
  }
  await alice.client.say(room.id, "welcome all");
  for (const { user } of members) await user.hears("welcome all");
  for (const { user } of members) await user[Symbol.asyncDispose]();
});

/** Resolves when others can reach somebody while they are away: their client sees to that in a moment. */
async function hasLeftKeys({ client }: User): Promise<void> {
  while ((await client.command("keys", { packages: [] })).left === 0) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
