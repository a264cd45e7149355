/** A server that would take part in a sealed room, with devices that it makes, or with whom was in it. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import type { ClientEntry } from "../../client/events.ts";
import { Refused } from "../../client/handshake.ts";
import { direct, safetyNumberWith, takeOut } from "../../client/sealed/acts.ts";
import { encodeKnock } from "../../client/sealed/knock.ts";
import { newMessageId, signCore } from "../../client/signed_core.ts";
import { type GroupMember, newKeyPackage, warrant } from "../../crypto/group.ts";
import { deviceIdOf, generateIdentity, type Identity } from "../../crypto/identity.ts";
import { safetyNumber } from "../../crypto/safety_number.ts";
import { equal, toBase64Url } from "../../protocol/bytes.ts";
import { Content, encodeCore, Proof } from "../../protocol/entry.ts";
import { type Person, personPayload } from "../../protocol/message.ts";
import { forgeEntry, leafBy } from "../crypto/forger.ts";
import { newInvitation } from "../crypto/room.ts";
import { MemoryClientStore } from "../fixtures/memory_client_store.ts";
import { comeIn, type Member, told } from "../fixtures/sealed_user.ts";
import { User } from "../fixtures/user.ts";
import { appender, deceived, isText, oddities, say, tellOf, unopened } from "./deceived.ts";
import { force, personOf, sealAs } from "./made_up.ts";
import { type Hands, rowOf } from "./tampering.ts";

/** By what a device of the server's would come in by itself. */
const entrances: Record<string, (ghost: Identity, alices: Member) => Promise<Uint8Array>> = {
  "without a warrant": async (ghost, { sealed: { keys } }) =>
    await forgeEntry(ghost, await keys.group!.groupInfo(), {}),
  "by an invitation that it has made up": async (ghost, { sealed: { keys: { room, group } } }) => {
    const { key, secret } = await newInvitation();
    const who = { userKey: ghost.user.publicKey, deviceKey: ghost.device.publicKey };
    const warrants = [await warrant(secret, room, group!.generation, who)];
    const leaf = await leafBy(ghost, key);
    return await forgeEntry(ghost, await group!.groupInfo(), { leaf, warrants });
  },
  "in a member's place": async (ghost, { sealed: { keys } }) =>
    await forgeEntry(ghost, await keys.group!.groupInfo(), { former: keys.group!.own.leaf }),
};

for (const [name, enter] of Object.entries(entrances)) {
  deceived(
    `a ghost that comes in ${name} is told of and left behind, and the room goes on`,
    async (scene) => {
      const { server, alice, alices, bob, bobs } = scene;
      await alice.client.command("access", { access: "anyone" }, alices.room.id);
      const store = new MemoryClientStore();
      await using ghost = await User.enter(server, "Ghost", store);
      const { room } = await ghost.client.join("team");
      const identity = await store.identity("Ghost");
      await force(ghost, identity, alices.sealed.keys.group!, await enter(identity, alices));
      for (const user of [alice, bob]) {
        await user.until("to be told", () => told(user, "bad_commit").length > 0);
        assertEquals(told(user, "bad_commit").map(({ by }) => by), ["Ghost"]);
      }
      await bob.until("new keys", () => bobs.sealed.keys.group?.generation === 2);
      await say(alices, "only us two");
      await bob.hears("only us two");
      const members = [alice, bob].map(({ client }) => toBase64Url(client.userKey)).sort();
      for (const { sealed } of [alices, bobs]) {
        const keys = sealed.keys.group!.members.map(({ userKey }) => toBase64Url(userKey));
        assertEquals(keys.sort(), members);
      }
      assert(!ghost.texts(room.info.name).includes("only us two"));
    },
  );
}

/** What a server answers who is asked for somebody's key packages, and gives its own. */
async function packagesOf(ghost: Identity): Promise<NonNullable<Hands["answer"]>> {
  const { keyPackage } = await newKeyPackage(ghost);
  const deviceId = toBase64Url(deviceIdOf(ghost.device.publicKey));
  const packages = [{ deviceId, package: toBase64Url(keyPackage) }];
  return (command, value) => command === "take" ? { packages } : value;
}

deceived("a key package of the server's for somebody who is known is not used", async (scene) => {
  const { hands, bob } = scene;
  const { identity: ghost } = await generateIdentity();
  hands.answer = await packagesOf(ghost);
  const { sealed } = await direct(bob.client, "Alice"); // She is here, and asks to be let in.
  const before = safetyNumberWith(bob.client, "Alice");
  await assertRejects(() => sealed.addByName("Alice"), Refused);
  assertEquals(bob.events.filter(({ kind }) => kind === "changed_key"), [
    { kind: "changed_key", name: "Alice" },
  ]);
  const isGhost = ({ userKey }: GroupMember) => equal(userKey, ghost.user.publicKey);
  assert(!sealed.keys.group!.members.some(isGhost));
  assert(before !== safetyNumberWith(bob.client, "Alice"));
});

deceived("a key that the server gives out at first contact has other digits", async (scene) => {
  const { server, hands, bob } = scene;
  const carol = await User.enter(server, "Carol");
  await carol.leave();
  const { identity: ghost } = await generateIdentity();
  hands.answer = await packagesOf(ghost);
  await direct(bob.client, "Carol");
  const digits = safetyNumberWith(bob.client, "Carol");
  assertEquals(digits, safetyNumber(bob.client.userKey, ghost.user.publicKey));
  assert(digits !== safetyNumber(bob.client.userKey, carol.client.userKey));
});

deceived("a third one in a room of two keeps everything unsaid", async (scene) => {
  const { alice, alices, bob, bobs } = scene;
  const { room, sealed } = await direct(alice.client, "Bob");
  await bob.until("Bob to have keys", () => sealed.keys.group?.members.length === 2);
  const own = bob.client.sealedRoom(room.id)!;
  const { identity: ghost } = await generateIdentity();
  const { keyPackage } = await newKeyPackage(ghost);
  // By the client, changed, of whoever was the first in the room.
  const first = sealed.keys.group!.own.role === "owner" ? sealed : own;
  await first.change(() => ({ add: [{ keyPackage }] }));
  for (const user of [alice, bob]) {
    const isTold = () => told(user, "failed").some(({ why }) => why.includes("room of two"));
    await user.until("to be told", isTold);
    await user.client.say(room.id, "psst");
  }
  await say(alices, "elsewhere, Alice"); // That takes as long.
  await say(bobs, "elsewhere, Bob");
  assertEquals([sealed, own].map(({ keys }) => keys.group!.members.length), [3, 3]);
  assertEquals([alice.client.undelivered, bob.client.undelivered], [1, 1]);
});

/** Who is said to be behind Alice's device. */
const behind: Record<string, (alice: Person, ghost: Person) => Person> = {
  "the keys of another device": (alice, ghost) => ({
    ...ghost,
    name: "Alice",
    deviceId: alice.deviceId,
  }),
  "another user's key": (alice, ghost) => ({
    ...alice,
    keys: { ...alice.keys!, user: ghost.keys!.user },
  }),
  "another certificate": (alice, ghost) => ({
    ...alice,
    keys: { ...alice.keys!, certificate: ghost.keys!.certificate },
  }),
};

for (const [name, swap] of Object.entries(behind)) {
  deceived(`what is said to be by ${name} is not shown`, async (scene) => {
    const { server, hands, alices, bob, store } = scene;
    await bob.leave();
    const ghost = personOf((await generateIdentity()).identity, "Alice");
    hands.people = (people) =>
      people.map((each) => each.name === "Alice" ? swap(each, ghost) : each);
    await using again = await User.enter(server.by(hands), "Bob", store);
    await say(alices, "hello");
    await again.until("something", () => oddities(again).length > 0);
    assertEquals(again.texts("team"), [unopened]);
  });
}

deceived(
  "a name that goes with another member's key is doubted, and nothing sent before it is accepted",
  async (scene) => {
    const { server, hands, alice, alices, bob, bobs, store } = scene;
    await using mallory = (await comeIn(server, "Mallory", alice, alices.sealed)).user;
    await bob.until("three", () => bobs.sealed.keys.group?.members.length === 3);
    await bob.leave();
    hands.people = (people) =>
      people.map((each) => each.name === "Mallory" ? { ...each, name: "Alice" } : each);
    await using again = await User.enter(server.by(hands), "Bob", store);
    await mallory.client.say(alices.room.id, "I am Alice");
    await again.hears("I am Alice");
    assertEquals(again.events.filter(({ kind }) => kind === "changed_key"), [
      { kind: "changed_key", name: "Alice" },
    ]);
    await again.client.say(alices.room.id, "then listen");
    await say(alices, "is Bob there?");
    await again.hears("is Bob there?");
    await say(alices, "Bob?"); // Whatever he had sent would be there before this.
    assertEquals([again.client.undelivered, alice.texts().includes("then listen")], [1, false]);
    again.client.acceptKey("Alice");
    await alice.hears("then listen");
  },
);

deceived(
  "a member cannot say anything in another's name, whatever the server says",
  async (scene) => {
    const { server, hands, alice, alices, bob } = scene;
    const carols = await comeIn(server, "Carol", alice, alices.sealed);
    await using _carol = carols.user;
    await bob.until("three", () => scene.bobs.sealed.keys.group?.members.length === 3);
    const { deviceId } = carols.sealed.keys.group!.own;
    const group = alices.sealed.keys.group!;
    const row = await sealAs(deviceId, {
      group,
      at: scene.bobs.sealed.keys.trail.end!,
      text: "I quit",
    });
    hands.entry = tellOf(isText, (entry) => [row, rowOf(entry)]);
    await say(alices, "anything new?");
    await bob.hears(unopened);
    assert(!bob.texts().includes("I quit"));
  },
);

deceived("a knock that the server makes opens no door", async (scene) => {
  const { hands, alices, bob, bobs } = scene;
  const { identity: ghost } = await generateIdentity();
  const { room, group } = alices.sealed.keys;
  const { key, secret } = await newInvitation();
  const { keyPackage } = await newKeyPackage(ghost, key);
  const who = { userKey: ghost.user.publicKey, deviceKey: ghost.device.publicKey };
  const payload = encodeKnock({
    keyPackage,
    warrant: await warrant(secret, room, group!.generation, who),
  });
  const draft = {
    proof: Proof.signature,
    content: Content.knock,
    messageId: newMessageId(Date.now()),
    payload,
  };
  const core = await signCore(ghost.device, room, draft);
  const own = personOf(ghost, "Carol");
  hands.people = (people) => [...people, own];
  const append = await appender(scene);
  append(room, { deviceId: own.deviceId, core }, { deviceId: group!.own.deviceId, core });
  await bob.until("the knocks", () => bobs.sealed.knocks.all.length > 0);
  assertEquals(bobs.sealed.knocks.all.map(({ name }) => name), ["Carol"]); // None of Alice's.
  assertEquals(await bobs.sealed.knocks.entitled(bobs.sealed.keys.group!, Date.now()), []);
});

deceived(
  "who was taken out, with all that they had and the server's help, opens nothing more",
  async (scene) => {
    const { server, alice, alices, bob, bobs, store } = scene;
    await say(alices, "with Bob");
    await bob.hears("with Bob");
    const before = store.copy();
    const identity = await store.identity("Bob");
    assert(await takeOut(alice.client, alices.sealed, "Bob"));
    await bob.until("Bob to be out", () => bobs.sealed.keys.group === undefined);
    await say(alices, "without Bob");
    await bob.leave();

    await using again = await User.enter(server, "Bob", before);
    await again.until("Bob to be out again", () => told(again, "out").length > 0);
    await say(alices, "still without Bob");
    const group = alices.sealed.keys.group!;
    await force(again, identity, group, await forgeEntry(identity, await group.groupInfo(), {}));
    await alice.until("Alice to be told", () => told(alice, "bad_commit").length > 0);
    await alice.until("new keys", () => alices.sealed.keys.group?.generation === 2);
    await say(alices, "and still");
    assertEquals(alices.sealed.keys.group!.members.length, 1);
    assertEquals(alice.texts("team"), [
      "with Bob",
      "without Bob",
      "still without Bob",
      "and still",
    ]);
    for (const text of ["without Bob", "still without Bob", "and still"]) {
      assert(!again.texts().includes(text), text);
    }
  },
);

deceived("that somebody has left, which they have not, is told", async (scene) => {
  const { server, alice, alices, bob, bobs } = scene;
  const append = await appender(scene);
  const { userKey, deviceId } = alices.sealed.keys.group!.own;
  const person = { deviceId, userId: alice.client.welcome.userId, name: "Alice", userKey };
  const messageId = newMessageId(Date.now());
  const payload = personPayload.encode(person);
  const draft = { proof: Proof.unverified, content: Content.left, messageId, payload };
  append(bobs.room.id, { deviceId: deviceIdOf(server.key.publicKey), core: encodeCore(draft) });
  const isLeft = ({ core }: ClientEntry) => core.content === Content.left;
  const left = () =>
    bob.events.some((event) => event.kind === "entries" && event.entries.some(isLeft));
  await bob.until("Bob to be told", left);
  assertEquals(bobs.sealed.keys.leftBehind.length, 1);
  await bob.client.say(bobs.room.id, "alone?");
  await alice.until("Alice to be told", () => told(alice, "bad_commit").length > 0);
  assert(!alice.texts("team").includes("alone?"));
});
