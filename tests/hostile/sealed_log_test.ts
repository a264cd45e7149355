/** The log of a sealed room, told otherwise than it is. */

import { assert, assertEquals } from "@std/assert";
import { fromBase64Url } from "../../protocol/bytes.ts";
import { Content, type Core, encodeCore, Proof } from "../../protocol/entry.ts";
import { comeIn, make, told } from "../fixtures/sealed_user.ts";
import { astray, deceived, isCommit, isText, oddities, say, tellOf, unopened } from "./deceived.ts";
import { type Hands, type Row, rowOf } from "./tampering.ts";

deceived(
  "a server between that changes nothing is not noticed",
  async ({ alice, alices, bob, bobs }) => {
    await alice.client.say(alices.room.id, "hello Bob");
    await bob.hears("hello Bob");
    await bob.client.say(bobs.room.id, "hello Alice");
    await alice.hears("hello Alice");
  },
);

deceived("a message that is left out is noticed with the next", async (scene) => {
  const { hands, alices, bob } = scene;
  hands.entry = tellOf(isText, (entry, place) => place === 1 ? [] : [rowOf(entry)]);
  for (const text of ["one", "two", "three"]) await say(alices, text);
  await bob.hears(astray);
  assertEquals(bob.texts("team"), ["one", astray]);
  assertEquals(told(bob, "forked"), [{ what: "forked", by: "Alice" }]);
  await say(alices, "four");
  await bob.until("the next", () => bob.texts("team").length === 3);
  assertEquals(bob.texts("team").at(-1), astray);
  assertEquals(told(bob, "forked").length, 1);
});

deceived("that somebody was told less is noticed by the others too", async (scene) => {
  const { hands, alice, alices, bobs } = scene;
  hands.entry = tellOf(isText, (entry, place) => place === 0 ? [] : [rowOf(entry)]);
  await say(alices, "not for Bob");
  await say(bobs, "hello"); // So far he may only be slow.
  await say(bobs, "nobody here?");
  await alice.hears(astray);
  assertEquals(alice.texts("team"), ["not for Bob", "hello", astray]);
  assertEquals(told(alice, "forked"), [{ what: "forked", by: "Bob" }]);
});

deceived("a message that is told twice is opened once", async ({ hands, alices, bob }) => {
  hands.entry = tellOf(isText, (entry) => [rowOf(entry), rowOf(entry)]);
  await say(alices, "once");
  await bob.hears(unopened);
  assertEquals(bob.texts("team"), ["once", unopened]);
});

deceived("messages that change places are noticed with the next", async (scene) => {
  const { hands, alices, bob } = scene;
  const held: Row[] = [];
  hands.entry = tellOf(isText, (entry, place) => {
    if (place === 0) held.push(rowOf(entry));
    return place === 0 ? [] : [rowOf(entry), ...held.splice(0)];
  });
  for (const text of ["yes", "no"]) await say(alices, text);
  await say(alices, "that is all");
  await bob.until("Bob to see three", () => bob.texts("team").length === 3);
  assertEquals(told(bob, "forked").length, 1);
  assertEquals(bob.texts("team").at(-1), astray);
});

deceived("a commit that is left out leaves nothing readable behind it", async (scene) => {
  const { hands, alice, alices, bob, bobs } = scene;
  await say(alices, "before");
  hands.entry = tellOf(isCommit, () => []);
  await alices.sealed.change(() => ({}));
  await say(alices, "after");
  await bob.hears(unopened);
  assertEquals(bob.texts("team"), ["before", unopened]);
  assert(await alices.sealed.keys.group!.code() !== await bobs.sealed.keys.group!.code());
  assertEquals(alice.texts("team"), ["before", "after"]);
});

deceived(
  "two who follow other commits read nothing of each other, and see other codes",
  async (scene) => {
    const { hands, alice, alices, bob, bobs } = scene;
    hands.entry = tellOf(isCommit, () => []);
    hands.heard = (message, { tell, append }) => {
      if (message.type !== "request" || message.command !== "commit") return true;
      const core = fromBase64Url((message.args as { core: string }).core);
      append(bobs.room.id, { deviceId: bobs.sealed.keys.group!.own.deviceId, core });
      tell({ type: "answer", request: message.request, value: { seq: 1 } });
      return false;
    };
    await Promise.all([alices, bobs].map(({ sealed }) => sealed.change(() => ({}))));
    const groups = [alices, bobs].map(({ sealed }) => sealed.keys.group!);
    assertEquals(groups[0]!.epoch, groups[1]!.epoch);
    assert(await groups[0]!.code() !== await groups[1]!.code());
    await say(alices, "from Alice");
    await bob.hears(unopened);
    await say(bobs, "from Bob"); // The server takes it: it sees no more than the epoch's number.
    await alice.hears(unopened);
    assertEquals([alice.texts("team"), bob.texts("team")], [
      ["from Alice", unopened],
      [unopened, "from Bob"],
    ]);
  },
);

deceived("a commit that is told twice ends the group, and the room says so", async (scene) => {
  const { hands, alices, bob, bobs } = scene;
  hands.entry = tellOf(isCommit, (entry) => [rowOf(entry), rowOf(entry)]);
  await alices.sealed.change(() => ({}));
  await bob.until("Bob to be told", () => told(bob, "bad_commit").length > 0);
  assertEquals(bobs.sealed.keys.group, undefined);
});

deceived("a message behind the commit that it was said before is not opened", async (scene) => {
  const { hands, alices, bob } = scene;
  const held: Row[] = [];
  hands.entry = (entry) => {
    if (isText(entry)) held.push(rowOf(entry));
    return isText(entry) ? [] : isCommit(entry) ? [rowOf(entry), ...held] : [rowOf(entry)];
  };
  await say(alices, "before");
  await alices.sealed.change(() => ({}));
  await bob.hears(unopened);
  assertEquals(bob.texts("team"), [unopened]);
});

const some = new Uint8Array(32).fill(1);

/** What a server makes of a message, to have it say something else. */
const movings: Record<string, (core: Core, bob: Uint8Array) => Partial<Row>> = {
  "to Bob himself": (_, bob) => ({ deviceId: bob }),
  "to nobody": () => ({ deviceId: some.subarray(0, 16) }),
  "to another target": (core) => ({ core: encodeCore({ ...core, target: some }) }),
  "to be an edit": (core) => ({
    core: encodeCore({ ...core, content: Content.edit, target: some }),
  }),
  "to be an action": (core) => ({ core: encodeCore({ ...core, content: Content.action }) }),
  "to another message id": (core) => ({
    core: encodeCore({ ...core, messageId: some.subarray(0, 16) }),
  }),
  "to the next epoch": (core) => ({
    core: encodeCore({ ...core, epoch: { ...core.epoch!, epoch: core.epoch!.epoch + 1 } }),
  }),
  "to be signed, and not sealed": (core) => ({
    core: encodeCore({ ...core, proof: Proof.signature }, new Uint8Array(64)),
  }),
};

for (const [name, move] of Object.entries(movings)) {
  deceived(`a message that is moved ${name} is not opened`, async (scene) => {
    const { hands, alices, bob, bobs } = scene;
    const { deviceId } = bobs.sealed.keys.group!.own;
    hands.entry = tellOf(isText, (entry) => [{ ...rowOf(entry), ...move(entry.core, deviceId) }]);
    await say(alices, "I agree");
    await bob.until("Bob to see something", () => oddities(bob).length > 0);
    assert(!bob.texts("team").includes("I agree"));
  });
}

deceived("a message of one room is not opened in another", async (scene) => {
  const { server, hands, alice, alices, bob } = scene;
  const elsewhere = { user: alice, ...await make(alice, "other") };
  let taken: Row | undefined;
  const watching: Hands = {
    entry: tellOf(isText, (entry) => {
      taken = { deviceId: entry.deviceId.slice(), core: entry.core.bytes.slice() };
      return [rowOf(entry)];
    }),
  };
  const carols = await comeIn(server.by(watching), "Carol", alice, elsewhere.sealed);
  await using carol = carols.user;
  await say(elsewhere, "yes, do it");
  await carol.hears("yes, do it");
  hands.entry = tellOf(isText, (entry) => [taken!, rowOf(entry)]);
  await say(alices, "Shall I?");
  await bob.hears(unopened);
  assertEquals(bob.texts("team"), [unopened, "Shall I?"]);
});
