/**
 * Sealed rooms at a server that was changed to deceive: real clients, the real server, and somebody with
 * the server's keys in between.
 */

import { assert, assertEquals } from "@std/assert";
import type { ClientEntry } from "../../client/events.ts";
import { happeningText } from "../../client/chat/sealed_text.ts";
import { invite, report } from "../../client/sealed/acts.ts";
import { decodeKnock } from "../../client/sealed/knock.ts";
import { deviceIdOf, generateIdentity, type Identity } from "../../crypto/identity.ts";
import { fromBase64Url } from "../../protocol/bytes.ts";
import { MemoryClientStore } from "../fixtures/memory_client_store.ts";
import { Impostor, makeUp, personOf } from "./made_up.ts";
import { fastClock } from "./served.ts";
import { rules } from "../client/sealed_stories.ts";
import {
  Content,
  type Core,
  decodeCore,
  encodeCore,
  type Entry,
  Proof,
} from "../../protocol/entry.ts";
import { comeBy, comeIn, make, type Member, told } from "../fixtures/sealed_user.ts";
import { User } from "../fixtures/user.ts";
import { type Hands, type Row, rowOf, serveTampering, type Tampering } from "./tampering.ts";

/** Alice has a room, and Bob is in it; what he is told goes through somebody's hands. */
interface Scene {
  readonly server: Tampering;
  readonly hands: Hands;
  readonly alice: User;
  readonly alices: Member;
  readonly bob: User;
  readonly bobs: Member;
}

/** A test of what a deceived client does. */
function deceived(name: string, play: (scene: Scene) => Promise<void>): void {
  Deno.test(name, async () => {
    await using server = await serveTampering(rules);
    const hands: Hands = {};
    await using alice = await User.enter(server, "Alice");
    const alices = { user: alice, ...await make(alice) };
    const bobs = await comeIn(server.by(hands), "Bob", alice, alices.sealed);
    await using bob = bobs.user;
    await play({ server, hands, alice, alices, bob, bobs });
  });
}

deceived(
  "a server between that changes nothing is not noticed",
  async ({ alice, alices, bob, bobs }) => {
    await alice.client.say(alices.room.id, "hello Bob");
    await bob.hears("hello Bob");
    await bob.client.say(bobs.room.id, "hello Alice");
    await alice.hears("hello Alice");
  },
);

const unopened = "[this message cannot be opened]";
const astray = "[this was said in another log than this one: the server tells two]";

const isText = ({ core }: Entry) => core.content === Content.text;
const isCommit = ({ core }: Entry) => core.content === Content.commit;

/** Says something, and waits until it is in the log. */
async function say({ user, room }: Member, text: string): Promise<void> {
  await user.client.say(room.id, text);
  await user.hears(text);
}

/** Entries of a kind stand in the log as this makes them, by their place among those; others as they are. */
function tellOf(
  isMeant: (entry: Entry) => boolean,
  tell: (entry: Entry, place: number) => readonly Row[],
): NonNullable<Hands["entry"]> {
  let place = 0;
  return (entry) => isMeant(entry) ? tell(entry, place++) : [rowOf(entry)];
}

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

/** What a user was shown that nobody vouches for. */
function oddities(user: User): ClientEntry[] {
  return user.events.flatMap((event) => event.kind === "entries" ? event.entries : [])
    .filter(({ verified, core }) => verified !== "signed" && core.content < 128);
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

/** A key package of somebody's, which they have left with the server. */
async function packageOf(server: Tampering, { client }: User): Promise<Uint8Array> {
  while ((await client.command("keys", { packages: [] })).left === 0) {
    await new Promise((resolve) => setTimeout(resolve, 100)); // They are left there in a moment.
  }
  const { name } = client.welcome;
  await using spy = await User.enter(server, `${name}-spy`);
  return (await spy.client.command("take", { user: name })).packages[0]!.package;
}

deceived("who was in a room comes into no other that the server makes up", async (scene) => {
  const { server, hands, alices, bob, bobs } = scene;
  const { room, sealed } = bobs;
  const { identity: ghost } = await generateIdentity();
  const packages = [await packageOf(server, alices.user), await packageOf(server, bob)];
  const impostor = new Impostor(room.id, sealed.keys.group!.own.deviceId);
  await impostor.pretend(await makeUp(ghost, alices.sealed.keys.group!, packages));
  let isTold = false;
  hands.heard = (message, teller) => {
    const { cursor } = room;
    if (!isTold) teller.tell({ type: "reset", room: room.id, reason: "lost", cursor: cursor! });
    isTold = true;
    return impostor.hears(message, teller);
  };
  bob.client.typing(room.id);
  await bob.until("Bob to refuse it", () => told(bob, "failed").length > 0);
  assertEquals(told(bob, "failed")[0]!.why, "Nobody whom we know vouches for this group.");
  await bob.client.say(room.id, "are we alone?");
  assertEquals([impostor.commits, sealed.keys.group], [[], undefined]);
  assertEquals(bob.client.undelivered, 1);
});

/** Somebody with a link, at whose door the server stands. */
interface Arriving {
  readonly server: Tampering;
  readonly alice: User;
  readonly alices: Member;
  readonly hands: Hands;
  readonly impostor: Impostor;
  readonly ghost: Identity;
  /** Bob comes by the link; in a hurry, unless he is to wait for Alice to let him in. */
  arrive(hurry?: number): Promise<Member>;
}

function arriving(name: string, play: (arriving: Arriving) => Promise<void>): void {
  Deno.test(name, async () => {
    await using server = await serveTampering(rules);
    await using alice = await User.enter(server, "Alice");
    const alices = { user: alice, ...await make(alice) };
    const made = await invite(alice.client, alices.sealed, {});
    const store = new MemoryClientStore();
    const { device } = await store.identity("Bob");
    const { identity: ghost } = await generateIdentity();
    const impostor = new Impostor(alices.room.id, deviceIdOf(device.publicKey));
    const hands: Hands = {
      heard: impostor.hears,
      people: (people) => [...people, personOf(ghost, "Ghost")],
    };
    await using users = new AsyncDisposableStack();
    await play({
      server,
      alice,
      alices,
      hands,
      impostor,
      ghost,
      async arrive(hurry = 5) {
        const place = { ...server.by(hands), clock: fastClock(hurry) };
        const member = await comeBy(place, "Bob", made, "team", store);
        users.use(member.user);
        return member;
      },
    });
  });
}

arriving("a made-up group without the inviter is refused", async (scene) => {
  const { alices, impostor, ghost, arrive } = scene;
  await impostor.pretend(await makeUp(ghost, alices.sealed.keys.group!, []));
  const { user, sealed } = await arrive();
  await user.until("Bob to refuse it", () => told(user, "failed").length > 0);
  assertEquals(told(user, "failed")[0]!.why, "Who invited us is not in this group.");
  assertEquals([impostor.commits, sealed.keys.group], [[], undefined]);
});

arriving("a welcome to a made-up group without the inviter is refused", async (scene) => {
  const { alices, hands, impostor, ghost, arrive } = scene;
  await impostor.pretend(await makeUp(ghost, alices.sealed.keys.group!, []));
  const { hears } = impostor;
  hands.heard = (message, teller) => {
    if (message.type === "request" && message.command === "knock") {
      const { core } = message.args as { core: string };
      const { keyPackage } = decodeKnock(decodeCore(fromBase64Url(core)).payload);
      void impostor.welcome(ghost, keyPackage).then((row) => teller.append(alices.room.id, row));
    }
    return hears(message, teller);
  };
  const { user, sealed } = await arrive();
  await user.until("Bob to refuse it", () => told(user, "failed").length > 0);
  assertEquals(told(user, "failed")[0]!.why, "Who invited us is not in this group.");
  assert(impostor.asked.includes("welcome"));
  assertEquals(sealed.keys.group, undefined);
});

arriving(
  "a made-up group with the inviter in it is never confirmed, and Bob is told",
  async (scene) => {
    const { server, alices, impostor, ghost, arrive } = scene;
    const packages = [await packageOf(server, alices.user)];
    const group = await makeUp(ghost, alices.sealed.keys.group!, packages);
    await impostor.pretend(group);
    const { user, sealed } = await arrive();
    await user.until("Bob to have keys", () => told(user, "in").length > 0);
    const [happening] = told(user, "in");
    assertEquals(happening, { what: "in", isNew: false, isConfirmed: false });
    assert(happeningText(happening!)!.includes("compare the code"));
    const { isConfirmed, code } = (await report(user.client, sealed))!;
    assertEquals(isConfirmed, false);
    assert(code !== await alices.sealed.keys.group!.code());
  },
);

arriving("who comes in by themselves is confirmed by what the inviter says", async (scene) => {
  const { alices, hands, arrive } = scene;
  hands.heard = (message, { tell }) => {
    if (message.type !== "request" || message.command !== "knock") return true;
    tell({ type: "answer", request: message.request, value: {} }); // Alice hears nothing of it.
    return false;
  };
  const { user, sealed } = await arrive();
  await user.until("Bob to have keys", () => sealed.keys.group !== undefined);
  assertEquals(told(user, "in"), [{ what: "in", isNew: false, isConfirmed: false }]);
  await say(alices, "welcome, Bob");
  await user.hears("welcome, Bob");
  assertEquals(told(user, "confirmed"), [{ what: "confirmed", by: "Alice" }]);
  assertEquals((await report(user.client, sealed))!.isConfirmed, true);
});

arriving("whom the inviter lets in is confirmed at once", async ({ arrive, alices, alice }) => {
  const { user, sealed } = await arrive(0.5);
  await user.until("Bob to have keys", () => sealed.keys.group !== undefined);
  assertEquals(told(user, "in"), [{ what: "in", isNew: false, isConfirmed: true }]);
  const codes = [alices.sealed, sealed].map(({ keys }) => keys.group!.code());
  assertEquals(await codes[0], await codes[1]);
  assertEquals(told(alice, "changed").map(({ added }) => added), []); // It was her own doing.
});
