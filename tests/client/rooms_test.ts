/** A client in several rooms, at a real server: what it reads, says, knows again, and leaves behind. */

import { assertEquals, assertRejects } from "@std/assert";
import type { ClientEntry } from "../../client/events.ts";
import { Refused } from "../../client/handshake.ts";
import { Content, refOf } from "../../protocol/entry.ts";
import { MemoryClientStore } from "../fixtures/memory_client_store.ts";
import { textOf, User } from "../fixtures/user.ts";
import { serve } from "../hostile/served.ts";

const rules = { publishBurst: 10_000, publishPerSecond: 10_000 };

Deno.test("a client talks in several rooms; each has its own order, and events say which it is", async () => {
  await using server = await serve(rules);
  await using alice = await User.enter(server, "Alice");
  await using bob = await User.enter(server, "Bob");
  const { room: team, isNew } = await alice.client.join("team", { open: true });
  assertEquals([isNew, team.info.role, alice.client.rooms.length], [true, "owner", 2]);
  assertEquals((await bob.client.join("team", { open: true })).isNew, false);
  assertEquals(bob.client.rooms.map(({ info }) => info.name), ["lobby", "team"]);
  const lobby = alice.room("lobby");
  for (let at = 0; at < 10; at++) {
    void alice.client.say(at % 3 ? team.id : lobby.id, `${at}`);
  }
  await alice.client.delivered();
  for (const text of ["8", "9"]) await bob.hears(text);
  assertEquals(bob.texts("team"), ["1", "2", "4", "5", "7", "8"]);
  assertEquals(bob.texts("lobby"), ["0", "3", "6", "9"]);
  await alice.client.command("topic", { text: "tea" }, team.id);
  await bob.until("the topic", () => bob.room("team").info.topic === "tea");
  await bob.until(
    "the entry that says so",
    () =>
      bob.events.some((event) =>
        event.kind === "entries" &&
        event.entries.some(({ change }) => change?.act === "topic" && change.value === "tea")
      ),
  );
});

Deno.test("who leaves a room hears no more of it, and what could not be said there is told", async () => {
  await using server = await serve(rules);
  await using alice = await User.enter(server, "Alice");
  await using bob = await User.enter(server, "Bob");
  const { room: team } = await alice.client.join("team", { open: true });
  await bob.client.join("team", { open: true });
  await bob.client.part(team.id);
  const removed = bob.events.filter(({ kind }) => kind === "removed");
  assertEquals(removed, [
    { kind: "removed", room: team.id, name: "team", reason: "You left." },
  ]);
  assertEquals(bob.client.rooms.length, 1);
  await assertRejects(() => bob.client.say(team.id, "too late"), Refused, "not in this room");
  await alice.client.say(team.id, "secret");
  await alice.client.say(alice.room("lobby").id, "open");
  await bob.hears("open");
  assertEquals(bob.texts("team"), []);
  await bob.client.join("team", { open: true });
  await bob.hears("secret");
});

Deno.test("what was missed in all rooms comes once, in order, and is known to be unread", async () => {
  await using server = await serve(rules);
  await using alice = await User.enter(server, "Alice");
  const store = new MemoryClientStore();
  const first = await User.enter(server, "Bob", store);
  const { room: team } = await alice.client.join("team", { open: true });
  await first.client.join("team", { open: true });
  await first.client.command("who", {}, team.id); // Bob reads the room from here on.
  await alice.client.say(team.id, "one");
  await first.hears("one");
  first.client.seen(team.id);
  await first.leave();
  const lobby = alice.room("lobby");
  for (const text of ["two", "three"]) await alice.client.say(team.id, text);
  await alice.client.say(lobby.id, "four");
  await alice.client.delivered();

  await using again = await User.enter(server, "Bob", store);
  const before = again.room("team");
  const newest = again.client.newest(team.id, 20).map(({ text }) => text);
  assertEquals([newest.at(-1), before.firstUnreadSeq], ["one", undefined]);
  const readSeq = before.readSeq;
  for (const text of ["three", "four"]) await again.hears(text);
  assertEquals([again.texts("team"), again.texts("lobby")], [["two", "three"], ["four"]]);
  assertEquals(again.room("team").firstUnreadSeq, readSeq + 1);
  again.client.seen(team.id);
  assertEquals(again.room("team").firstUnreadSeq, undefined);
  assertEquals(
    again.client.search({ word: "T", room: team.id, limit: 9 }).map(({ text }) => text),
    [
      "three",
      "two",
    ],
  );
  assertEquals(again.client.search({ word: " ", limit: 9 }), []);
});

Deno.test("a history leads from what is known back to the beginning", async () => {
  await using server = await serve(rules);
  await using alice = await User.enter(server, "Alice");
  const { id } = alice.room("lobby");
  for (let at = 0; at < 10; at++) await alice.client.say(id, `${at}`);
  await alice.client.delivered();
  await using bob = await User.enter(server, "Bob");
  await bob.client.command("who", {}, id);
  await bob.until("the room", () => bob.room("lobby").cursor !== undefined);
  const newest = await bob.client.history(id, undefined, 4);
  const said = (entries: readonly ClientEntry[]) =>
    entries.filter(({ core }) => core.content === Content.text).map(textOf);
  assertEquals(said(newest), ["6", "7", "8", "9"]);
  assertEquals(newest.map(({ verified, author }) => [verified, author?.name])[0], [
    "signed",
    "Alice",
  ]);
  const earlier = await bob.client.history(id, newest[0]!.seq, 4);
  assertEquals(said(earlier), ["2", "3", "4", "5"]);
  assertEquals(said(await bob.client.history(id, newest[2]!.seq, 2)), ["6", "7"]);
  assertEquals(said(await bob.client.history(id, earlier[0]!.seq, 100)), ["0", "1"]);
  await assertRejects(() => bob.client.history(id, 1_000, 2), RangeError, "not known here");
});

Deno.test("an edit and a deletion change what is kept, here and at the others'", async () => {
  await using server = await serve(rules);
  await using alice = await User.enter(server, "Alice");
  await using bob = await User.enter(server, "Bob");
  const { id } = alice.room("lobby");
  await bob.client.command("who", {}, id);
  const { deviceId } = alice.client.welcome;
  const first = refOf(deviceId, await alice.client.say(id, "frist"));
  const second = refOf(deviceId, await alice.client.say(id, "secret"));
  await alice.client.delivered();
  await alice.client.say(id, "first", { content: Content.edit, target: first });
  await alice.client.say(id, "", { content: Content.deletion, target: second });
  await alice.client.say(id, "done");
  await bob.hears("done");
  for (const { client } of [alice, bob]) {
    await client.delivered();
    const texts = client.newest(id, 9).flatMap(({ text }) => text ?? []);
    assertEquals(texts, ["first", "done"]);
  }
  await bob.client.say(id, "mine now", { content: Content.edit, target: first });
  await bob.until("the refusal", () => bob.events.some(({ kind }) => kind === "undelivered"));
});

Deno.test("who is typing and who is there is told to the others in the room", async () => {
  await using server = await serve(rules);
  await using alice = await User.enter(server, "Alice");
  const { id } = alice.room("lobby");
  await alice.client.command("who", {}, id);
  await using bob = await User.enter(server, "Bob");
  await alice.until(
    "Bob to come",
    () => alice.events.some((event) => event.kind === "presence" && event.here.includes("Bob")),
  );
  await bob.client.command("who", {}, id);
  bob.client.typing(id);
  await alice.until(
    "Bob to type",
    () => alice.events.some((event) => event.kind === "typing" && event.name === "Bob"),
  );
});
