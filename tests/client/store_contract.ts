/**
 * What every store of a client must keep to; run on each of them.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { ClientEntry } from "../../client/events.ts";
import type {
  ClientStore,
  KeptEntry,
  OwnMessage,
  Profile,
  StagedGroup,
} from "../../client/store/store.ts";
import type { Identity } from "../../crypto/identity.ts";
import { equal } from "../../protocol/bytes.ts";
import {
  Content,
  decodeCore,
  encodeCore,
  messageIdOf,
  Proof,
  refOf,
} from "../../protocol/entry.ts";

/** A place for stores: what one left there, the next one finds. */
export interface Place {
  /** @param entriesMax how many entries of a room are kept */
  open(entriesMax?: number): ClientStore;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Bytes that are easy to tell from others. */
export function id(byte: number, length = 16): Uint8Array {
  return new Uint8Array(length).fill(byte);
}

const server = id(1, 32);
const room = id(2);
const otherRoom = id(3);
const alice = { deviceId: id(10), userId: id(11), name: "Alice" };
const bob = { deviceId: id(20), userId: id(21), name: "Bob" };

/** What an entry of a test says; the rest is as it mostly is. */
export interface Told extends Partial<Omit<ClientEntry, "core">> {
  readonly seq: number;
  readonly text?: string;
  readonly content?: number;
  readonly target?: number;
  /** Another's message id that this entry has too. */
  readonly copies?: number;
}

/** An entry; its message id is its seq. */
export function entry(
  { seq, text = `text ${seq}`, content = 0, target, copies = seq, ...rest }: Told,
): ClientEntry {
  const core = decodeCore(encodeCore({
    proof: Proof.unverified,
    content,
    messageId: id(copies),
    ...(target !== undefined && { target: refOf(alice.deviceId, id(target)) }),
    payload: new TextEncoder().encode(text),
  }));
  const author = "author" in rest ? rest.author : alice;
  return {
    seq,
    timeMs: 1000 + seq,
    deviceId: author?.deviceId ?? id(99),
    core,
    isErased: false,
    previous: id(seq, 32),
    verified: "signed",
    isOwn: false,
    ...rest,
    author,
  };
}

function cursor(seq: number) {
  return { seq, hash: id(seq, 32) };
}

function message(number: number, of = room): OwnMessage {
  const draft = { proof: Proof.unverified, content: 0, messageId: id(number) };
  return { room: of, core: encodeCore({ ...draft, payload: new Uint8Array(5) }) };
}

function take(profile: Profile, told: readonly Told[], of = room, isSealed = false): void {
  const seq = Math.max(...told.map(({ seq }) => seq));
  profile.take({ room: of, entries: told.map(entry), cursor: cursor(seq), settled: [], isSealed });
}

function enter(profile: Profile, of = room, isSealed = false): Profile {
  profile.enter(of, "team", cursor(0), isSealed);
  return profile;
}

const state = (byte: number) => id(byte, 1000);
const staged = (byte: number): StagedGroup => ({
  messageId: id(byte),
  core: id(byte, 300),
  state: state(byte),
  request: id(byte, 70),
});

const seqs = (entries: readonly { seq: number }[]) => entries.map(({ seq }) => seq);
const texts = (entries: readonly KeptEntry[]) => entries.map(({ text }) => text);
const numbers = (messages: readonly OwnMessage[]) =>
  messages.map(({ core }) => messageIdOf(core)[0]);
const keys = ({ user, device, certificate }: Identity) =>
  [user.publicKey, device.publicKey, certificate].map((bytes) => bytes.toHex());

/** Runs the contract. */
export function testClientStore(name: string, makePlace: () => Place | Promise<Place>): void {
  const test = (what: string, act: (place: Place) => void | Promise<void>) =>
    Deno.test(`${name}: ${what}`, async () => {
      await using place = await makePlace();
      await act(place);
    });
  /** What one store's profile keeps, the next one's has. */
  const testKept = (
    what: string,
    act: (profile: Profile, again: () => Profile) => void,
    entriesMax?: number,
  ) =>
    test(what, (place) => {
      let store = place.open(entriesMax);
      act(store.profile(server, "Alice"), () => {
        store.close();
        store = place.open(entriesMax);
        return store.profile(server, "alice");
      });
      store.close();
    });

  test("an identity is made once for a name, whatever its case, and kept", async (place) => {
    const store = place.open();
    const made = await store.identity("Alice");
    const other = await store.identity("Bob");
    const all = await Promise.all(Array.from({ length: 8 }, () => store.identity("Carol")));
    for (const identity of all) assertEquals(keys(identity), keys(all[0]!));
    store.close();
    const again = place.open();
    assertEquals(keys(await again.identity("alice")), keys(made));
    assert(!keys(other).some((key) => keys(made).includes(key)));
    again.close();
  });

  test("a pin stays what it was first, until it is forgotten", async (place) => {
    const store = place.open();
    assertEquals(await store.pin("host:1"), undefined);
    assertEquals(await store.savePin("host:1", "first"), true);
    assertEquals(await store.savePin("host:1", "second"), false);
    assertEquals(await store.pin("host:1"), "first");
    await store.forgetPin("host:1");
    await store.forgetPin("host:1");
    assertEquals(await store.pin("host:1"), undefined);
    assertEquals(await store.savePin("host:1", "second"), true);
    assertEquals(await store.pin("host:1"), "second");
    store.close();
  });

  test("a name at a server belongs to one at a time; another keeps nothing", (place) => {
    const store = place.open();
    const first = enter(store.profile(server, "Alice"));
    const second = store.profile(server, "alice");
    const others = [store.profile(server, "Bob"), store.profile(id(9, 32), "Alice")];
    assertEquals([first, second, ...others].map(({ isKept }) => isKept), [true, false, true, true]);
    second.say([message(1)]);
    second.enter(otherRoom, "other", cursor(0), false);
    second.take({
      room: otherRoom,
      entries: [entry({ seq: 1 })],
      cursor: cursor(1),
      settled: [],
      isSealed: false,
    });
    assertEquals([second.rooms(), second.messages(), second.newest(room, 9)], [[], [], []]);
    assertEquals(first.rooms().length, 1);
    first.close();
    first.close();
    const third = store.profile(server, "Alice");
    assertEquals([third.isKept, third.messages(), third.rooms().length], [true, [], 1]);
    third.close();
    for (const other of others) other.close();
    store.close();
  });

  testKept("messages stay, in the order said, until they are settled", (profile, again) => {
    profile.say([message(1), message(2, otherRoom)]);
    profile.say([message(3)]);
    assertEquals(numbers(again().messages()), [1, 2, 3]);
    const next = again();
    next.settle([id(2), id(77)]);
    next.say([message(4)]);
    assertEquals(next.messages()[0], message(1));
    assertEquals(numbers(again().messages()), [1, 3, 4]);
  });

  testKept("entries, cursor and settled messages are kept together", (profile, again) => {
    enter(profile).say([message(1), message(2), message(3)]);
    profile.take({
      room,
      entries: [entry({ seq: 1, isOwn: true }), entry({ seq: 2, author: bob })],
      cursor: cursor(2),
      settled: [id(1), id(2)],
      isSealed: false,
    });
    const next = again();
    assertEquals(next.rooms(), [
      { id: room, name: "team", cursor: cursor(2), readSeq: 0, isGone: false, isSealed: false },
    ]);
    assertEquals(numbers(next.messages()), [3]);
    const kept = next.newest(room, 10);
    const told = (each: ClientEntry) => [
      ...[each.seq, each.timeMs, each.author?.name, each.author?.userId, each.core.bytes],
      ...[each.deviceId, each.previous, each.isOwn, each.verified, each.isErased],
    ];
    assertEquals(kept.map(told), [
      told(entry({ seq: 1, isOwn: true })),
      told(entry({ seq: 2, author: bob })),
    ]);
    assertEquals(texts(kept), ["text 1", "text 2"]);
  });

  testKept(
    "the oldest entry of the rooms that we are in says how far back they reach",
    (profile) => {
      assertEquals(profile.oldestMs(), undefined);
      profile.enter(room, "team", cursor(4), false);
      profile.enter(otherRoom, "other", cursor(0), false);
      assertEquals(profile.oldestMs(), undefined);
      take(profile, [{ seq: 5 }, { seq: 6 }]);
      assertEquals(profile.oldestMs(), 1005);
      profile.leave(room, []);
      assertEquals(profile.oldestMs(), undefined);
    },
  );

  testKept("each entry is kept once, and earlier ones join them", (profile, again) => {
    profile.enter(room, "team", cursor(4), false);
    take(profile, [{ seq: 5 }, { seq: 6 }]);
    take(profile, [{ seq: 6, text: "again" }, { seq: 7 }]);
    profile.takeEarlier(room, [
      entry({ seq: 3 }),
      entry({ seq: 4 }),
      entry({ seq: 5, text: "no" }),
    ]);
    const next = again();
    assertEquals(texts(next.newest(room, 10)), [3, 4, 5, 6, 7].map((seq) => `text ${seq}`));
    assertEquals(seqs(next.newest(room, 2)), [6, 7]);
    assertEquals(next.rooms()[0]!.cursor.seq, 7);
    assertEquals([3, 8].map((seq) => next.hashBefore(room, seq)), [id(3, 32), undefined]);
  });

  testKept("the newest entries are kept, the others go", (profile, again) => {
    enter(profile);
    take(profile, [1, 2, 3, 4, 5].map((seq) => ({ seq })));
    take(profile, [{ seq: 6 }]);
    profile.takeEarlier(room, [entry({ seq: 2 })]);
    assertEquals(seqs(again().newest(room, 10)), [4, 5, 6]);
  }, 3);

  testKept("up to where a room was read is kept; what stood there before counts as read", (
    profile,
    again,
  ) => {
    profile.enter(room, "team", cursor(7), false);
    assertEquals(again().rooms()[0]!.readSeq, 7);
    const next = again();
    next.read(room, 9);
    assertEquals(again().rooms()[0]!.readSeq, 9);
  });

  testKept("a reset drops what is beyond, and edits made there", (profile, again) => {
    enter(profile);
    take(profile, [{ seq: 1 }, { seq: 2 }, {
      seq: 3,
      text: "new",
      content: Content.edit,
      target: 1,
    }]);
    profile.read(room, 3);
    assertEquals(texts(profile.newest(room, 9)), ["new", "text 2", undefined]);
    assertEquals(profile.reset(room, cursor(1)), 2);
    const next = again();
    assertEquals(texts(next.newest(room, 9)), ["text 1"]);
    assertEquals([next.rooms()[0]!.cursor, next.rooms()[0]!.readSeq], [cursor(1), 1]);
    take(next, [{ seq: 2, text: "other" }]);
    assertEquals(texts(next.newest(room, 9)), ["text 1", "other"]);
    assertEquals(next.reset(room, cursor(50)), 0);
    assertEquals(next.rooms()[0]!.readSeq, 1);
  });

  testKept("a room that was left is no longer searched, and goes on where it was", (
    profile,
    again,
  ) => {
    enter(profile).say([message(1), message(2, otherRoom)]);
    take(profile, [{ seq: 1, text: "word" }]);
    profile.leave(room, [id(1)]);
    const next = again();
    assertEquals([next.rooms()[0]!.isGone, next.rooms()[0]!.cursor.seq], [true, 1]);
    assertEquals(numbers(next.messages()), [2]);
    assertEquals(next.search({ word: "word", limit: 9 }), []);
    next.enter(room, "team", cursor(1), false);
    assertEquals(again().search({ word: "word", limit: 9 }).length, 1);
  });

  testKept("a deletion erases its target and all edits of it", (profile, again) => {
    enter(profile);
    take(profile, [
      { seq: 1, text: "secret" },
      { seq: 2, text: "secret 2", content: Content.edit, target: 1 },
      { seq: 3, text: "other" },
    ]);
    const [before] = profile.newest(room, 9);
    take(profile, [{ seq: 4, text: "", content: Content.deletion, target: 1, author: bob }]);
    const [first, second, third] = again().newest(room, 9);
    assertEquals([first, second, third].map((each) => each!.isErased), [true, true, false]);
    assertEquals(texts([first!, second!, third!]), [undefined, undefined, "other"]);
    assertEquals(first!.core.payload.length, 32);
    assertEquals(first!.core.messageId, before!.core.messageId);
  });

  testKept("who copies another's message id shields nothing from deletion and edit", (
    profile,
    again,
  ) => {
    enter(profile);
    take(profile, [
      { seq: 1, author: bob, copies: 2 },
      { seq: 2 },
      { seq: 3, author: bob, copies: 4 },
      { seq: 4 },
      { seq: 5, text: "new", content: Content.edit, target: 4 },
    ]);
    take(profile, [{ seq: 6, text: "", content: Content.deletion, target: 2, author: bob }]);
    const kept = again().newest(room, 9).slice(0, 4);
    assertEquals(texts(kept), ["text 1", undefined, "text 3", "new"]);
  });

  testKept("a deletion that nobody signed, or that comes before its target, erases nothing", (
    profile,
  ) => {
    enter(profile);
    take(profile, [
      { seq: 1, text: "", content: Content.deletion, target: 2 },
      { seq: 2 },
      { seq: 3, text: "", content: Content.deletion, target: 2, verified: "failed" },
      { seq: 4, text: "", content: Content.reaction, target: 2 },
    ]);
    assertEquals(profile.newest(room, 9)[1]!.text, "text 2");
  });

  testKept("an edit that was deleted leaves what was there before it", (profile) => {
    enter(profile);
    take(profile, [
      { seq: 1, text: "first" },
      { seq: 2, text: "second", content: Content.edit, target: 1 },
      { seq: 3, text: "third", content: Content.edit, target: 1 },
    ]);
    assertEquals(profile.newest(room, 9)[0]!.text, "third");
    take(profile, [{ seq: 4, text: "", content: Content.deletion, target: 3 }]);
    assertEquals(profile.newest(room, 9)[0]!.text, "second");
    take(profile, [{ seq: 5, text: "", content: Content.deletion, target: 2 }]);
    const [first] = profile.newest(room, 9);
    assertEquals([first!.text, first!.isEdited], ["first", false]);
  });

  /** Edits, and whether they count. */
  const edits: Record<string, [Partial<Told>, boolean]> = {
    "by the author": [{}, true],
    "by the author on another device": [{ author: { ...alice, deviceId: id(12) } }, true],
    "by somebody else": [{ author: bob }, false],
    "by nobody known": [{ author: undefined }, false],
    "with a bad signature": [{ verified: "failed" }, false],
    "without a signature": [{ verified: "unverified" }, false],
    "of what nobody said": [{ target: 77 }, false],
  };
  for (const [what, [told, counts]] of Object.entries(edits)) {
    testKept(`an edit ${what} ${counts ? "counts" : "does not count"}`, (profile, again) => {
      enter(profile);
      take(profile, [{ seq: 1, text: "old" }]);
      take(profile, [{ seq: 2, text: "new", content: Content.edit, target: 1, ...told }]);
      const [first] = again().newest(room, 9);
      assertEquals([first!.text, first!.isEdited], counts ? ["new", true] : ["old", false]);
    });
  }

  testKept("an entry that comes after what edits and what erases it is edited and erased", (
    profile,
  ) => {
    profile.enter(room, "team", cursor(2), false);
    take(profile, [
      { seq: 3, text: "new", content: Content.edit, target: 1 },
      { seq: 4, text: "", content: Content.deletion, target: 2 },
    ]);
    profile.takeEarlier(room, [entry({ seq: 1, text: "old" }), entry({ seq: 2 })]);
    const [first, second] = profile.newest(room, 9);
    assertEquals([first!.text, second!.isErased], ["new", true]);
  });

  testKept("a search finds words as they stand now, whatever their case, the newest first", (
    profile,
  ) => {
    enter(profile);
    enter(profile, otherRoom);
    take(profile, [
      { seq: 1, text: "100% of Café_au lait" },
      { seq: 2, text: "'quoted' \"text\" \\ * ?" },
      { seq: 3, text: "was" },
      { seq: 4, text: "GRÜSSE", content: Content.edit, target: 3 },
      { seq: 5, text: "cafe\u0301 again", content: Content.action },
      { seq: 6, text: "was", content: Content.reaction, target: 1 },
    ]);
    take(profile, [{ seq: 9, text: "CAFÉ elsewhere" }], otherRoom);
    const found = (word: string, of?: Uint8Array, limit = 9) =>
      seqs(profile.search({ word, room: of, limit }));
    const cases: [word: string, found: number[]][] = [
      ["café", [9, 5, 1]],
      ["%", [1]],
      ["0% o", [1]],
      ["é_a", [1]],
      ["_", [1]],
      ["'", [2]],
      ['"text"', [2]],
      ["\\", [2]],
      ["*", [2]],
      ["grüsse", [3]],
      ["was", []],
      ["' or 1=1 --", []],
    ];
    for (const [word, expected] of cases) assertEquals(found(word), expected, word);
    assertEquals(found("café", room), [5, 1]);
    assertEquals(found("café", undefined, 1), [9]);
    assertEquals(found("elsewhere", otherRoom), [9]);
  });

  testKept("what a message was sealed as stays with it, until it is to be sealed anew", (
    profile,
    again,
  ) => {
    profile.say([message(1), { ...message(2), sealed: id(7, 99) }]);
    profile.keepSealed(id(1), id(8, 99));
    profile.keepSealed(id(77), id(8, 99));
    const next = again();
    assertEquals(next.messages(), [
      { ...message(1), sealed: id(8, 99) },
      { ...message(2), sealed: id(7, 99) },
    ]);
    next.keepSealed(id(2), undefined);
    assertEquals(again().messages(), [{ ...message(1), sealed: id(8, 99) }, message(2)]);
  });

  testKept("what is said in a sealed room is kept, edited, erased and found as elsewhere", (
    profile,
    again,
  ) => {
    enter(profile, room, true);
    enter(profile, otherRoom);
    take(
      profile,
      [
        { seq: 1, text: "GRÜSSE to all" },
        { seq: 2, text: "grüsse to none", content: Content.edit, target: 1 },
        { seq: 3, text: "other" },
        { seq: 4, text: "grüsse, too" },
        { seq: 5, text: "", content: Content.deletion, target: 4, author: bob },
      ],
      room,
      true,
    );
    take(profile, [{ seq: 2, text: "Grüsse, open" }], otherRoom);
    const next = again();
    assertEquals(next.rooms().map(({ isSealed }) => isSealed), [true, false]);
    const kept = next.newest(room, 9);
    assertEquals(texts(kept), ["grüsse to none", undefined, "other", undefined, undefined]);
    assertEquals(kept.map(({ isEdited }) => isEdited).indexOf(true), 0);
    assertEquals(kept.map(({ isErased }) => isErased).indexOf(true), 3);
    assertEquals(kept[0]!.core.bytes, entry({ seq: 1, text: "GRÜSSE to all" }).core.bytes);
    const found = (word: string, of?: Uint8Array, limit = 9) =>
      next.search({ word, room: of, limit }).map(({ text }) => text);
    assertEquals(found("grüsse"), ["Grüsse, open", "grüsse to none"]);
    assertEquals(found("grüsse", undefined, 1), ["Grüsse, open"]);
    assertEquals(found("GRÜSSE", room), ["grüsse to none"]);
    assertEquals(found("all"), []);
    next.takeEarlier(room, []);
    assertEquals(next.reset(room, cursor(1)), 4);
    assertEquals(texts(again().newest(room, 9)), ["GRÜSSE to all"]);
  });

  testKept(
    "a room that was sealed once stays sealed, and keeps nothing of when it was open",
    (profile, again) => {
      enter(profile, room, true);
      take(profile, [{ seq: 1 }]);
      profile.leave(room, []);
      enter(profile);
      enter(profile, otherRoom);
      take(profile, [{ seq: 1 }], otherRoom, true);
      const next = again();
      assertEquals(next.rooms().map(({ isSealed }) => isSealed), [true, true]);
      assertEquals([room, otherRoom].map((of) => texts(next.newest(of, 9))), [["text 1"], [
        "text 1",
      ]]);
    },
  );

  testKept("a room's keys are kept, alone or with the entries that made them so", (
    profile,
    again,
  ) => {
    enter(profile, room, true);
    profile.keepGroup(room, state(1), cursor(4), false);
    profile.keepGroup(otherRoom, state(2), cursor(7), true);
    let next = again();
    assertEquals(next.groups(), [
      { room, state: state(1), cursor: cursor(4), isClean: false },
      { room: otherRoom, state: state(2), cursor: cursor(7), isClean: true },
    ]);
    next.dropGroup(otherRoom);
    next.dropGroup(id(77));
    next.stage(room, staged(5));
    next = again();
    const taken = { room, entries: [entry({ seq: 1 })], cursor: cursor(1), isSealed: true };
    next.take({ ...taken, settled: [] });
    assertEquals(next.groups()[0]!.staged, staged(5));
    const group = { state: state(3), cursor: cursor(1), isClean: true };
    next.take({ ...taken, settled: [], group });
    assertEquals(again().groups(), [{ room, ...group }]);
  });

  testKept("a staged commit is kept until it is dropped, or the room's keys change", (
    profile,
    again,
  ) => {
    const group = { room, state: state(1), cursor: cursor(4), isClean: true };
    profile.keepGroup(room, group.state, group.cursor, true);
    profile.stage(room, staged(5));
    assertEquals(again().groups(), [{ ...group, staged: staged(5) }]);
    let next = again();
    next.stage(room, staged(6));
    assertEquals(again().groups()[0]!.staged, staged(6));
    next = again();
    next.stage(room, undefined);
    assertEquals(next.groups(), [group]);
    next.stage(room, staged(7));
    next.keepGroup(room, state(2), cursor(5), false);
    assertEquals(again().groups(), [{ room, state: state(2), cursor: cursor(5), isClean: false }]);
  });

  testKept("a commit that takes us in is staged where there are no keys yet", (profile, again) => {
    profile.stage(room, staged(5));
    const [group, ...more] = again().groups();
    assertEquals([group!.state, group!.isClean, more.length], [undefined, false, 0]);
    assertEquals(group!.staged, staged(5));
    const next = again();
    next.stage(room, undefined);
    next.stage(otherRoom, undefined);
    assertEquals(next.groups(), []);
    next.stage(room, staged(5));
    next.keepGroup(room, state(5), cursor(9), false);
    assertEquals(again().groups(), [{ room, state: state(5), cursor: cursor(9), isClean: false }]);
  });

  testKept("key packages and invitations are kept until they are dropped", (profile, again) => {
    const [one, two] = [{ ref: id(1, 32), saved: state(1) }, { ref: id(2, 32), saved: state(2) }];
    const invitation = { room, secret: id(3, 32), inviter: id(4, 32), generation: 1 };
    const other = { ...invitation, room: otherRoom, generation: 2 ** 32 - 1 };
    profile.keepKeyPackages([one, two]);
    profile.keepInvitation(invitation);
    profile.keepInvitation(other);
    profile.keepInvitation({ ...invitation, secret: id(5, 32) });
    const next = again();
    assertEquals(next.keyPackages(), [one, two]);
    const ofRoom = (of: Uint8Array) => next.invitations().filter(({ room }) => equal(room, of));
    assertEquals(ofRoom(room), [{ ...invitation, secret: id(5, 32) }]);
    assertEquals(ofRoom(otherRoom), [other]);
    next.dropKeyPackages([one.ref, id(77, 32)]);
    next.dropInvitation(room);
    const last = again();
    assertEquals([last.keyPackages(), last.invitations()], [[two], [other]]);
  });

  testKept("who is behind a name is kept once, whatever its case", (profile, again) => {
    const bobby = { name: "Bob", userKey: id(1, 32), isVerified: false };
    profile.keepPerson(bobby);
    profile.keepPerson({ name: "Zoë", userKey: id(2, 32), isVerified: true });
    const next = again();
    assertEquals(next.people()[0], bobby);
    next.keepPerson({ ...bobby, name: "BOB", changedTo: id(3, 32) });
    const [zoe, bob] = again().people().toSorted((a, b) => b.name.localeCompare(a.name));
    assertEquals(zoe, { name: "Zoë", userKey: id(2, 32), isVerified: true });
    assertEquals(bob, { ...bobby, name: "BOB", changedTo: id(3, 32) });
    const last = again();
    last.keepPerson({ name: "bob", userKey: id(3, 32), isVerified: true });
    assertEquals(
      again().people().find(({ name }) => name === "bob"),
      { name: "bob", userKey: id(3, 32), isVerified: true },
    );
  });

  test("another name's keys, key packages, invitations and people are its own", (place) => {
    const store = place.open();
    const [alice, bob] = [store.profile(server, "Alice"), store.profile(server, "Bob")];
    alice.keepGroup(room, state(1), cursor(1), true);
    alice.stage(otherRoom, staged(2));
    alice.keepKeyPackages([{ ref: id(1, 32), saved: state(1) }]);
    alice.keepInvitation({ room, secret: id(3, 32), inviter: id(4, 32), generation: 1 });
    alice.keepPerson({ name: "Carol", userKey: id(1, 32), isVerified: false });
    const all = (
      profile: Profile,
    ) => [profile.groups(), profile.keyPackages(), profile.invitations(), profile.people()];
    assertEquals(all(alice).map(({ length }) => length), [2, 1, 1, 1]);
    assertEquals(all(bob), [[], [], [], []]);
    bob.dropGroup(room);
    bob.dropKeyPackages([id(1, 32)]);
    bob.dropInvitation(room);
    assertEquals(all(alice).map(({ length }) => length), [2, 1, 1, 1]);
    store.close();
  });
}
