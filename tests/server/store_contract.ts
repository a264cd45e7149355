/**
 * What every store keeps: one suite, run on each implementation.
 *
 * @module
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { concat } from "../../protocol/bytes.ts";
import {
  chainEntry,
  chainStart,
  Content,
  decodeRows,
  encodeCore,
  type Entry,
  payloadHashOf,
  Proof,
  refOf,
  rowBytes,
} from "../../protocol/entry.ts";
import type { Cursor } from "../../protocol/message.ts";
import { recordsMax } from "../../server/store/store.ts";
import type { Page, Store, StoredRecord, Submission } from "../../server/store/store.ts";
import { numbered } from "../fixtures/bytes.ts";
import { ListStore } from "../fixtures/list_store.ts";

/** A store to be tried, and how to take leave of it. */
export interface Opened {
  readonly store: Store;
  close(): Promise<void> | void;
}

const room = numbered(16, 1);
const otherRoom = numbered(16, 2);
const alice = numbered(16, 10);
const bob = numbered(16, 20);
const plenty = 1e9;
const nowMs = Date.UTC(2026, 0, 1);

/** The message id that each number has of its own. */
function idOf(number: number): Uint8Array {
  return concat([Uint8Array.of(number >>> 8, number & 255), numbered(14)]);
}

/** Something said. */
function say(number: number, deviceId = alice, payload: Uint8Array = numbered(20)): Submission {
  const draft = { proof: Proof.unverified, content: 0, messageId: idOf(number), payload };
  return { deviceId, core: encodeCore(draft) };
}

/** Something that edits what Alice gave the other number. */
function edit(number: number, edited: number, deviceId = alice): Submission {
  const draft = { proof: Proof.unverified, content: Content.edit, payload: numbered(30) };
  const core = encodeCore({
    ...draft,
    messageId: idOf(number),
    target: refOf(alice, idOf(edited)),
  });
  return { deviceId, core };
}

/** Something said that has an entry erased. */
function erase(number: number, erases: number): Submission {
  return { ...say(number), erases };
}

function start(roomId: Uint8Array): Cursor {
  return { seq: 0, hash: chainStart(roomId) };
}

function entriesOf({ rows, firstSeq, timeMs }: Omit<Page, "end">): Entry[] {
  return decodeRows(rows, firstSeq, timeMs);
}

/** All that follows a cursor, page by page; each page is checked. */
async function readOn(store: Store, roomId: Uint8Array, after: Cursor, bytesMax = plenty) {
  const entries: Entry[] = [];
  let cursor = after;
  while (true) {
    const result = await store.read(roomId, cursor, bytesMax);
    if (result.type !== "page") return { entries, cursor, last: result };
    checkPage(result.page, cursor, bytesMax);
    entries.push(...entriesOf(result.page));
    cursor = result.page.end;
  }
}

/** A page follows on its cursor, is not empty, and is no longer than asked for if it could be. */
function checkPage(page: Page, after: Cursor, bytesMax: number): void {
  const entries = entriesOf(page);
  assert(entries.length > 0);
  assert(entries.length === 1 || page.rows.length <= bytesMax, `${page.rows.length} bytes`);
  assertEquals(page.firstSeq, after.seq + 1);
  const hash = entries.reduce((hash, entry) => chainEntry(hash, entry), after.hash);
  assertEquals(page.end, { seq: after.seq + entries.length, hash });
}

/** All that stands before an entry, oldest first, page by page; each page is checked. */
async function readBackOn(
  store: Store,
  roomId: Uint8Array,
  before: number,
  count: number,
  bytesMax = plenty,
): Promise<Entry[]> {
  const entries: Entry[] = [];
  let seq = before;
  while (true) {
    const page = await store.readBack(roomId, seq, count, bytesMax);
    if (!page) return entries;
    const found = entriesOf(page);
    checkPage(page, { seq: page.firstSeq - 1, hash: page.before }, bytesMax);
    assert(found.length <= count, `${found.length} entries`);
    assertEquals(page.end.seq, seq - 1);
    entries.unshift(...found);
    seq = page.firstSeq;
  }
}

/** The seqs of those that are erased. */
function erasedOf(entries: readonly Entry[]): number[] {
  return entries.filter(({ isErased }) => isErased).map(({ seq }) => seq);
}

function byKey(records: readonly StoredRecord[]): StoredRecord[] {
  return records.toSorted((a, b) => a.key < b.key ? -1 : 1);
}

/** Runs the suite on a store; `open` opens an empty one that keeps everything. */
export function testStore(name: string, open: () => Promise<Opened> | Opened): void {
  const test = (what: string, run: (store: Store) => Promise<void>) =>
    Deno.test(`${name} ${what}`, async () => {
      const { store, close } = await open();
      try {
        await run(store);
      } finally {
        await close();
      }
    });

  test("gives an empty room's end: where the chain begins", async (store) => {
    assertEquals(await store.end(room), start(room));
    assertEquals(await store.read(room, start(room), plenty), { type: "end" });
  });

  test("gives seqs from 1 without gaps, in the order submitted", async (store) => {
    const first = await store.append(room, [say(1), say(2, bob)], nowMs);
    assertEquals([first.seqs, first.firstSeq, first.end.seq], [[1, 2], 1, 2]);
    const second = await store.append(room, [say(3)], nowMs + 5);
    assertEquals([second.seqs, second.firstSeq, second.end.seq], [[3], 3, 3]);
    const { entries, last } = await readOn(store, room, start(room));
    assertEquals(entries.map(({ seq, deviceId, timeMs }) => [seq, deviceId, timeMs]), [
      [1, alice, nowMs],
      [2, bob, nowMs],
      [3, alice, nowMs + 5],
    ]);
    assertEquals(
      entries.map(({ core }) => core.bytes),
      [say(1), say(2), say(3)].map(({ core }) => core),
    );
    assertEquals(last.type, "end");
    assertEquals(await store.end(room), second.end);
  });

  test("answers an append with rows that chain to its end", async (store) => {
    let cursor = start(room);
    for (const submissions of [[say(1)], [say(2), say(3), say(4)], [say(5)]]) {
      const { end, ...page } = await store.append(room, submissions, nowMs);
      checkPage({ ...page, end }, cursor, plenty);
      cursor = end;
    }
  });

  test("keeps what was handed to it, whatever becomes of the bytes", async (store) => {
    const { deviceId, core } = say(1);
    const [device, bytes] = [deviceId.slice(), core.slice()];
    const appending = store.append(room, [{ deviceId: device, core: bytes }], nowMs);
    device.fill(0);
    bytes.fill(0);
    await appending;
    const { entries: [entry] } = await readOn(store, room, start(room));
    assertEquals([entry!.deviceId, entry!.core.bytes], [deviceId, core]);
  });

  test("keeps a message once, and says where its first copy is", async (store) => {
    await store.append(room, [say(1), say(2)], nowMs);
    const again = await store.append(room, [say(2), say(3), say(1), say(3)], nowMs);
    assertEquals([again.seqs, again.firstSeq, again.end.seq], [[2, 3, 1, 3], 3, 3]);
    assertEquals(entriesOf(again).map(({ core }) => core.bytes), [say(3).core]);
    const none = await store.append(room, [say(1), say(3)], nowMs);
    assertEquals([none.seqs, none.rows.length, none.end], [[1, 3], 0, again.end]);
    assertEquals((await readOn(store, room, start(room))).entries.length, 3);
  });

  test("keeps the first copy, even when another says something else", async (store) => {
    await store.append(room, [say(1, alice, numbered(5, 1))], nowMs);
    await store.append(room, [say(1, alice, numbered(9, 2))], nowMs);
    const { entries } = await readOn(store, room, start(room));
    assertEquals(entries.map(({ core }) => core.payload), [numbered(5, 1)]);
  });

  test("knows messages by their device and by their room", async (store) => {
    await store.append(room, [say(1, alice)], nowMs);
    assertEquals((await store.append(room, [say(1, bob)], nowMs)).seqs, [2]);
    assertEquals((await store.append(otherRoom, [say(1, alice)], nowMs)).seqs, [1]);
  });

  test("keeps rooms apart", async (store) => {
    await store.append(room, [say(1), say(2)], nowMs);
    await store.append(otherRoom, [say(3)], nowMs);
    assertEquals((await readOn(store, room, start(room))).entries.length, 2);
    assertEquals((await readOn(store, otherRoom, start(otherRoom))).entries.length, 1);
    assertNotEquals((await store.end(room)).hash, (await store.end(otherRoom)).hash);
    const stranger = await store.read(otherRoom, await store.end(room), plenty);
    assertEquals(stranger.type, "reset");
  });

  test("never lets an entry's time be before that of the one before", async (store) => {
    for (const ms of [0, 50, -1000, 20, 100]) {
      await store.append(room, [say(ms + 1000)], nowMs + ms);
    }
    const { entries } = await readOn(store, room, start(room));
    assertEquals(entries.map(({ timeMs }) => timeMs - nowMs), [0, 50, 50, 50, 100]);
  });

  test("keeps times that are years apart", async (store) => {
    const years = [0, 1, 3, 30].map((years) => nowMs + years * 365 * 24 * 60 * 60 * 1000);
    for (const [at, ms] of years.entries()) await store.append(room, [say(at)], ms);
    const { entries } = await readOn(store, room, start(room));
    assertEquals(entries.map(({ timeMs }) => timeMs), years);
  });

  test("goes on from every entry, in pages of every size", async (store) => {
    const all: Submission[] = [];
    const cursors = [start(room)];
    for (const batch of [[1, 2, 3], [4], [5, 6], [7, 8, 9, 10]]) {
      const submissions = batch.map((number) => say(number, alice, numbered(number * 3)));
      all.push(...submissions);
      await store.append(room, submissions, nowMs + batch[0]!);
    }
    const { entries } = await readOn(store, room, start(room));
    for (const entry of entries) {
      const { seq, hash } = cursors.at(-1)!;
      cursors.push({ seq: seq + 1, hash: chainEntry(hash, entry) });
    }
    const sizes = [1, rowBytes(all[0]!.core), 100, 150, 400, plenty];
    for (const [seq, cursor] of cursors.entries()) {
      for (const bytesMax of sizes) {
        const found = await readOn(store, room, cursor, bytesMax);
        assertEquals(found.entries, entries.slice(seq), `after ${seq}, pages of ${bytesMax}`);
        assertEquals(found.last.type, "end");
      }
    }
  });

  test("gives a page to who asks for less than one entry", async (store) => {
    await store.append(room, [say(1, alice, numbered(5000)), say(2)], nowMs);
    const result = await store.read(room, start(room), 1);
    assertEquals(result.type === "page" && entriesOf(result.page).length, 1);
  });

  const strangers: readonly [what: string, cursor: (end: Cursor) => Cursor][] = [
    ["of another log", ({ seq }) => ({ seq, hash: numbered(32) })],
    ["of another log, in its middle", () => ({ seq: 1, hash: numbered(32) })],
    ["of another log, at its start", () => ({ seq: 0, hash: numbered(32) })],
    ["behind its end", ({ seq, hash }) => ({ seq: seq + 1, hash })],
    ["far behind its end", ({ hash }) => ({ seq: 2 ** 40, hash })],
  ];
  for (const [what, cursor] of strangers) {
    test(`answers a cursor ${what} with a reset to one from which it goes on`, async (store) => {
      const { end } = await store.append(room, [say(1), say(2), say(3)], nowMs);
      const result = await store.read(room, cursor(end), plenty);
      assert(result.type === "reset" && result.reason.length > 0);
      const { last, cursor: reached } = await readOn(store, room, result.cursor);
      assertEquals([last.type, reached], ["end", end]);
    });
  }

  test("takes appends that are under way together one after the other", async (store) => {
    const appends = Array.from(
      { length: 20 },
      (_, at) => store.append(room, [say(at), say(at + 1)], nowMs),
    );
    let cursor = start(room);
    for (const { end, ...page } of await Promise.all(appends)) {
      if (page.rows.length > 0) checkPage({ ...page, end }, cursor, plenty);
      cursor = end;
    }
    assertEquals(await store.end(room), cursor);
    assertEquals(cursor.seq, 21);
  });

  test("holds what was appended, in any order of appends and repetitions", async (store) => {
    const appends = fc.array(fc.array(fc.nat(99), { maxLength: 20 }), { maxLength: 12 });
    let round = 0;
    await fc.assert(
      fc.asyncProperty(appends, fc.integer({ min: 1, max: 500 }), async (all, size) => {
        const roomId = concat([Uint8Array.of(++round), numbered(15)]);
        const expected: number[] = [];
        for (const numbers of all) {
          for (const number of numbers) if (!expected.includes(number)) expected.push(number);
          const { seqs } = await store.append(roomId, numbers.map((number) => say(number)), nowMs);
          assertEquals(seqs, numbers.map((number) => 1 + expected.indexOf(number)));
        }
        const { entries } = await readOn(store, roomId, start(roomId), size);
        assertEquals(
          entries.map(({ core }) => core.bytes),
          expected.map((number) => say(number).core),
        );
      }),
      { numRuns: 50 },
    );
  });

  test("erases a payload, and the chain still holds", async (store) => {
    const signature = numbered(64);
    const draft = { proof: Proof.signature, content: 0, messageId: idOf(2), payload: numbered(9) };
    const signed = { deviceId: bob, core: encodeCore(draft, signature) };
    await store.append(room, [say(1), signed, say(3)], nowMs);
    const { entries: before, cursor } = await readOn(store, room, start(room));
    const { end } = await store.append(room, [erase(4, 2), erase(5, 3)], nowMs + 1);
    const { entries, cursor: reached } = await readOn(store, room, start(room));
    assertEquals(reached, end);
    assertEquals(entries.map(({ isErased }) => isErased), [false, true, true, false, false]);
    assertEquals(entries.slice(0, 3).map(payloadHashOf), before.map(payloadHashOf));
    assertEquals(entries[1]!.core.signature, signature);
    assertEquals(entries[1]!.core.signed, before[1]!.core.signed);
    assertEquals((await readOn(store, room, cursor)).entries, entries.slice(3));
    assertEquals(await readBackOn(store, room, 6, 2), entries);
    assertEquals(await store.find(room, bob, idOf(2)), entries[1]);
    assertEquals((await store.append(room, [signed], nowMs)).seqs, [2]);
  });

  test("erases an entry of the same append, and answers without its payload", async (store) => {
    const { rows, firstSeq, timeMs } = await store.append(room, [say(1), erase(2, 1)], nowMs);
    const answered = entriesOf({ rows, firstSeq, timeMs });
    assertEquals(answered.map(({ isErased }) => isErased), [true, false]);
    assertEquals((await readOn(store, room, start(room))).entries, answered);
  });

  test("erases the edits of what it erases, and no others", async (store) => {
    const reaction = encodeCore({
      proof: Proof.unverified,
      content: Content.reaction,
      messageId: idOf(7),
      target: refOf(alice, idOf(1)),
      payload: numbered(2),
    });
    await store.append(otherRoom, [say(1), edit(3, 1)], nowMs);
    await store.append(room, [say(1), say(2), edit(3, 1), edit(4, 2)], nowMs);
    await store.append(room, [edit(5, 1), edit(6, 1, bob), { deviceId: alice, core: reaction }], 0);
    const { entries: before, cursor } = await readOn(store, room, start(room));
    await store.append(room, [say(8), erase(9, 1)], nowMs + 1);
    const { entries, cursor: reached } = await readOn(store, room, start(room));
    assertEquals(reached, await store.end(room));
    assertEquals(erasedOf(entries), [1, 3, 5, 6]);
    assertEquals(entries.slice(0, 7).map(payloadHashOf), before.map(payloadHashOf));
    assertEquals(entries[2]!.core.target, refOf(alice, idOf(1)));
    assertEquals((await readOn(store, room, cursor)).entries, entries.slice(7));
    assertEquals(await readBackOn(store, room, 10, 2), entries);
    assertEquals(await store.find(room, alice, idOf(5)), entries[4]);
    assertEquals((await store.append(room, [edit(5, 1)], nowMs)).seqs, [5]);
    assertEquals(erasedOf((await readOn(store, otherRoom, start(otherRoom))).entries), []);
  });

  test("erases edits of the same append, and answers without their payloads", async (store) => {
    await store.append(room, [say(1)], nowMs);
    const said = [edit(2, 1), say(3), edit(4, 3), erase(5, 1), edit(6, 1), erase(7, 3)];
    const { rows, firstSeq, timeMs } = await store.append(room, said, nowMs);
    const answered = entriesOf({ rows, firstSeq, timeMs });
    assertEquals(erasedOf(answered), [2, 3, 4, 6]);
    assertEquals((await readOn(store, room, start(room))).entries.slice(1), answered);
  });

  test("erases edits of what is no longer the oldest, and none of what is trimmed", async (store) => {
    await store.append(room, [say(1), say(2), edit(3, 1)], nowMs);
    await store.append(room, [say(4), edit(5, 1), edit(6, 4)], nowMs + 10);
    assertEquals(await store.trim(room, nowMs + 5), 3);
    await store.append(room, [erase(7, 4), erase(8, 1)], nowMs + 20);
    const { entries } = await readOn(store, room, await oldest(store));
    assertEquals(erasedOf(entries), [4, 6]);
    await store.trim(room, nowMs + 15);
    await store.append(room, [erase(9, 4), edit(10, 4)], nowMs + 30);
    assertEquals(erasedOf((await readOn(store, room, await oldest(store))).entries), []);
  });

  test("erases an edit that stands before what was forgotten and said again", async (store) => {
    await store.append(room, [say(1)], nowMs);
    await store.append(room, [edit(2, 1)], nowMs + 10);
    await store.trim(room, nowMs + 5);
    await store.append(room, [say(1), erase(3, 3)], nowMs + 20);
    assertEquals(erasedOf((await readOn(store, room, await oldest(store))).entries), [2, 3]);
  });

  test("erases the edits that came since by another deletion, and none by a repetition", async (store) => {
    await store.append(room, [say(1), edit(2, 1), erase(3, 1)], nowMs);
    await store.append(room, [edit(4, 1)], nowMs);
    await store.append(room, [erase(3, 1)], nowMs);
    assertEquals(erasedOf((await readOn(store, room, start(room))).entries), [1, 2]);
    await store.append(room, [erase(5, 1)], nowMs);
    assertEquals(erasedOf((await readOn(store, room, start(room))).entries), [1, 2, 4]);
  });

  test("forgets edits with their room", async (store) => {
    await store.append(room, [say(1), say(2), edit(3, 1)], nowMs);
    await store.drop(room);
    await store.append(room, [say(1), say(2), say(3), erase(4, 1)], nowMs);
    assertEquals(erasedOf((await readOn(store, room, start(room))).entries), [1]);
  });

  const nothings: readonly [what: string, erases: number][] = [
    ["that is erased already", 1],
    ["that never was", 99],
    ["before the first", 0],
    ["that has been trimmed", 2],
  ];
  for (const [what, erases] of nothings) {
    test(`is content with erasing an entry ${what}`, async (store) => {
      await store.append(otherRoom, [say(1), say(2)], nowMs);
      await store.append(room, [say(1), say(2)], nowMs);
      await store.append(room, [erase(3, 1)], nowMs + 10);
      if (erases === 2) await store.trim(room, nowMs + 5);
      const { entries: before, cursor } = await readOn(store, room, await oldest(store));
      const { seqs } = await store.append(room, [erase(4, erases)], nowMs + 20);
      assertEquals(seqs, [4]);
      const { entries } = await readOn(store, room, await oldest(store));
      assertEquals(entries.slice(0, -1), before);
      assertEquals(entries.length, before.length + 1);
      assertEquals((await store.read(room, cursor, plenty)).type, "page");
    });
  }

  test("erases nothing for a repetition", async (store) => {
    await store.append(room, [say(1), say(2)], nowMs);
    await store.append(room, [erase(2, 1)], nowMs);
    const { entries } = await readOn(store, room, start(room));
    assertEquals(entries.map(({ isErased }) => isErased), [false, false]);
  });

  test("reads back from every entry, in pages of every size", async (store) => {
    let number = 0;
    for (const count of [3, 1, 2, 4]) {
      const submissions = Array.from({ length: count }, () => {
        number++;
        return say(number, alice, numbered(number * 3));
      });
      await store.append(room, submissions, nowMs + number);
    }
    const { entries } = await readOn(store, room, start(room));
    for (let before = 1; before <= entries.length + 1; before++) {
      for (const count of [1, 2, 3, 7, 100]) {
        for (const bytesMax of [1, 100, 150, 400, plenty]) {
          const found = await readBackOn(store, room, before, count, bytesMax);
          assertEquals(found, entries.slice(0, before - 1), `${before} ${count} ${bytesMax}`);
        }
      }
    }
  });

  test("reads back as many as asked for, where they fit", async (store) => {
    for (let number = 1; number <= 10; number++) await store.append(room, [say(number)], nowMs);
    const page = await store.readBack(room, 9, 5, plenty);
    assertEquals(page && entriesOf(page).map(({ seq }) => seq), [4, 5, 6, 7, 8]);
  });

  test("reads back over years", async (store) => {
    const years = [0, 1, 3, 30].map((years) => nowMs + years * 365 * 24 * 60 * 60 * 1000);
    for (const [at, ms] of years.entries()) await store.append(room, [say(at)], ms);
    assertEquals((await readBackOn(store, room, 5, 100)).map(({ timeMs }) => timeMs), years);
  });

  test("reads nothing back where nothing is kept", async (store) => {
    assertEquals(await store.readBack(room, 1, 10, plenty), undefined);
    await store.append(room, [say(1), say(2)], nowMs);
    for (const before of [0, 1, 4, 1000]) {
      assertEquals(await store.readBack(room, before, 10, plenty), undefined, `${before}`);
    }
  });

  test("finds an entry by its device and message id, whoever else has taken that id", async (store) => {
    await store.append(otherRoom, [say(7)], nowMs);
    await store.append(room, [say(1), say(7, bob, numbered(3)), say(2)], nowMs);
    await store.append(room, [say(7, alice)], nowMs + 1);
    const found = await store.find(room, bob, idOf(7));
    assertEquals([found?.seq, found?.deviceId, found?.timeMs], [2, bob, nowMs]);
    assertEquals(found?.core.payload, numbered(3));
    assertEquals((await store.find(room, alice, idOf(7)))?.seq, 4);
    assertEquals(await store.find(room, alice, idOf(8)), undefined);
    assertEquals(await store.find(room, bob, idOf(1)), undefined);
    assertEquals(await store.find(numbered(16, 99), bob, idOf(7)), undefined);
  });

  test("erases the edits of what it erases, and none of what another gave the same id", async (store) => {
    await store.append(room, [say(1, bob), say(1, alice), edit(2, 1)], nowMs);
    await store.append(room, [erase(3, 1)], nowMs);
    assertEquals(erasedOf((await readOn(store, room, start(room))).entries), [1]);
    await store.append(room, [erase(4, 2)], nowMs);
    assertEquals(erasedOf((await readOn(store, room, start(room))).entries), [1, 2, 3]);
  });

  /** Where a reader begins who has read nothing. */
  async function oldest(store: Store): Promise<Cursor> {
    const result = await store.read(room, start(room), 1);
    return result.type === "reset" ? result.cursor : start(room);
  }

  test("trims the entries of before a time, and says so to who still stands there", async (store) => {
    const cursors = [start(room)];
    for (let number = 1; number <= 6; number++) {
      const said = [say(2 * number), say(2 * number + 1)];
      cursors.push((await store.append(room, said, nowMs + number)).end);
    }
    assertEquals(await store.trim(room, nowMs + 4), 6);
    assertEquals(await store.trim(room, nowMs + 4), 0);
    const reset = await store.read(room, start(room), plenty);
    assert(reset.type === "reset" && reset.reason.length > 0);
    assertEquals(reset.cursor, cursors[3]);
    for (const [at, cursor] of cursors.entries()) {
      const { entries, last, cursor: reached } = await readOn(store, room, cursor, 100);
      if (at < 3) assertEquals(last, reset);
      else assertEquals([entries.length, reached], [12 - 2 * at, cursors[6]]);
    }
    assertEquals((await readBackOn(store, room, 13, 4)).map(({ seq }) => seq)[0], 7);
    assertEquals(await store.readBack(room, 7, 10, plenty), undefined);
  });

  test("keeps the newest entry when it trims, and never gives a seq twice", async (store) => {
    await store.append(room, [say(1), say(2), say(3)], nowMs);
    const end = await store.end(room);
    assertEquals(await store.trim(room, nowMs + 1), 2);
    assertEquals(await store.trim(room, nowMs + 1), 0);
    assertEquals(await store.end(room), end);
    const { entries } = await readOn(store, room, await oldest(store));
    assertEquals(entries.map(({ seq, core }) => [seq, core.bytes]), [[3, say(3).core]]);
    assertEquals((await store.append(room, [say(4)], nowMs)).seqs, [4]);
    assertEquals(await store.trim(otherRoom, nowMs), 0);
  });

  test("knows a repetition for as long as it keeps the entry, and no longer", async (store) => {
    await store.append(room, [say(1), say(2)], nowMs);
    await store.append(room, [say(3), say(4)], nowMs + 10);
    assertEquals(await store.trim(room, nowMs + 5), 2);
    assertEquals(await store.find(room, alice, idOf(1)), undefined);
    const { seqs } = await store.append(room, [say(3), say(1), say(4)], nowMs + 20);
    assertEquals(seqs, [3, 5, 4]);
    assertEquals((await store.find(room, alice, idOf(1)))?.seq, 5);
  });

  test("forgets a dropped room as if it had never been", async (store) => {
    await store.append(room, [say(1), say(2)], nowMs + 50);
    await store.append(otherRoom, [say(1)], nowMs);
    await store.drop(room);
    assertEquals(await store.end(room), start(room));
    assertEquals(await store.read(room, start(room), plenty), { type: "end" });
    assertEquals(await store.find(room, alice, idOf(1)), undefined);
    const { seqs, timeMs } = await store.append(room, [say(2)], nowMs);
    assertEquals([seqs, timeMs], [[1], nowMs]);
    assertEquals((await readOn(store, otherRoom, start(otherRoom))).entries.length, 1);
    await store.drop(numbered(16, 99));
  });

  test("keeps records by kind and key, and forgets them", async (store) => {
    await store.put([
      { kind: "user", key: "a", value: "1" },
      { kind: "user", key: "b", value: "2" },
      { kind: "room", key: "a\u0000\ufeff", value: `{"name":"Ä\u0000☃"}` },
    ]);
    await store.put([
      { kind: "user", key: "a", value: "3" },
      { kind: "user", key: "b", value: null },
      { kind: "user", key: "never was", value: null },
      { kind: "user", key: "c", value: "4" },
      { kind: "user", key: "c", value: "5" },
    ]);
    assertEquals(byKey(await store.records("user")), [
      { kind: "user", key: "a", value: "3" },
      { kind: "user", key: "c", value: "5" },
    ]);
    assertEquals(await store.records("room"), [
      { kind: "room", key: "a\u0000\ufeff", value: `{"name":"Ä\u0000☃"}` },
    ]);
    assertEquals(await store.records("none"), []);
    assertEquals(await store.record("user", "a"), { kind: "user", key: "a", value: "3" });
    assertEquals(await store.record("room", "a\u0000\ufeff"), {
      kind: "room",
      key: "a\u0000\ufeff",
      value: `{"name":"Ä\u0000☃"}`,
    });
    for (
      const [kind, key] of [["user", "b"], ["none", "a"], ["user", ""], ["room", "a"]] as const
    ) {
      assertEquals(await store.record(kind, key), undefined);
    }
  });

  test("puts what an entry brings, and nothing for a repetition", async (store) => {
    const record = (key: string, value: string | null) => ({ kind: "k", key, value });
    await store.put([record("a", "1"), record("b", "1")]);
    await store.append(
      room,
      [say(1), { ...say(2), records: [record("a", "2"), record("b", null)] }],
      nowMs,
    );
    assertEquals(byKey(await store.records("k")), [record("a", "2")]);
    await store.append(
      room,
      [{ ...say(2), records: [record("a", "3")] }, {
        ...say(3),
        records: [record("c", "1")],
      }],
      nowMs,
    );
    await store.append(room, [{ ...say(3), records: [record("c", "2")] }], nowMs);
    assertEquals(byKey(await store.records("k")), [record("a", "2"), record("c", "1")]);
  });

  test("gives records in the order of their keys, a thousand at a time", async (store) => {
    const keys = Array.from({ length: 2500 }, (_, at) => `key ${(at * 7919) % 2500}`);
    await store.put(
      [...keys, "é", "\u{1f600}", "\uffee"].map((key) => ({ kind: "k", key, value: key })),
    );
    const read: string[] = [];
    for (let page = await store.records("k"); page.length > 0;) {
      assert(page.length <= recordsMax);
      read.push(...page.map(({ key }) => key));
      page = await store.records("k", read.at(-1)!);
    }
    assertEquals(read, [...keys.toSorted(), "é", "\uffee", "\u{1f600}"]);
  });

  test("answers what is asked for in one turn in order", async (store) => {
    const answered: string[] = [];
    const note = (what: string) => () => void answered.push(what);
    const first = store.append(room, [say(1)], nowMs);
    const end = store.end(room);
    const page = store.read(room, start(room), plenty);
    const put = store.put([{ kind: "k", key: "k", value: "v" }]);
    const record = store.record("k", "k");
    const records = store.records("k");
    const second = store.append(room, [say(1), say(2)], nowMs);
    await Promise.all([
      first.then(note("append")),
      end.then(note("end")),
      page.then(note("read")),
      put.then(note("put")),
      record.then(note("record")),
      records.then(note("records")),
      second.then(note("append")),
    ]);
    assertEquals(answered, ["append", "end", "read", "put", "record", "records", "append"]);
    assertEquals(await end, (await first).end);
    const result = await page;
    assertEquals(result.type === "page" && result.page.end, (await first).end);
    assertEquals(await record, { kind: "k", key: "k", value: "v" });
    assertEquals(await records, [{ kind: "k", key: "k", value: "v" }]);
    assertEquals((await second).seqs, [1, 2]);
  });

  test("closes once all that was asked for is done", async (store) => {
    let isAppended = false;
    const appending = store.append(room, [say(1)], nowMs).then(() => isAppended = true);
    await store.close();
    assert(isAppended);
    await appending;
    await store.close();
  });

  test("answers as the simplest store does, whatever it is asked for", async (store) => {
    const submission = fc.record({
      number: fc.nat(25),
      device: fc.constantFrom(alice, bob),
      bytes: fc.nat(60),
      edited: fc.option(fc.nat(25), { nil: undefined }),
      erases: fc.option(fc.integer({ min: -1, max: 30 }), { nil: undefined }),
    });
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.array(submission, { maxLength: 6 }) },
      { weight: 1, arbitrary: fc.constantFrom("drop" as const) },
      { weight: 2, arbitrary: fc.nat(100) },
    );
    let round = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 12 }),
        fc.integer({ min: 1, max: 400 }),
        async (steps, size) => {
          const roomId = concat([Uint8Array.of(77, ++round), numbered(14)]);
          const model = new ListStore();
          for (const [at, step] of steps.entries()) {
            const answers = await Promise.all([store, model].map((each) => {
              if (step === "drop") return each.drop(roomId);
              if (typeof step === "number") return each.trim(roomId, nowMs + step);
              const said = step.map(({ number, device, bytes, edited, erases }) => ({
                ...edited === undefined
                  ? say(number, device, numbered(bytes))
                  : edit(number, edited, device),
                erases,
              }));
              return each.append(roomId, said, nowMs + at * 10);
            }));
            assertEquals<unknown>(answers[0], answers[1]);
          }
          const end = await model.end(roomId);
          const number = 1 + round % 25;
          const seen = await Promise.all([store, model].map(async (each) => {
            const first = await each.read(roomId, start(roomId), size);
            const from = first.type === "reset" ? first.cursor : start(roomId);
            return {
              from,
              end: await each.end(roomId),
              on: await readOn(each, roomId, from, size),
              back: await readBackOn(each, roomId, end.seq + 1, 3, size),
              found: await each.find(roomId, alice, idOf(number)),
            };
          }));
          assertEquals(seen[0], seen[1]);
        },
      ),
      { numRuns: 60 },
    );
  });
}

/** Runs what holds for stores that trim; `open` opens one that keeps about so many bytes a room. */
export function testTrimmingStore(
  name: string,
  open: (bytesMax: number) => Promise<Opened> | Opened,
): void {
  Deno.test(`${name} drops the oldest entries, and says so to who still stands there`, async () => {
    const { store, close } = await open(10_000);
    try {
      const cursors = [start(room)];
      for (let number = 1; number <= 200; number++) {
        cursors.push((await store.append(room, [say(number, alice, numbered(100))], nowMs)).end);
      }
      const oldest = await store.read(room, start(room), plenty);
      assert(oldest.type === "reset");
      const { seq: kept } = oldest.cursor;
      assert(kept > 100 && kept < 200, `${kept}`);
      for (const cursor of cursors) {
        const { entries, last, cursor: reached } = await readOn(store, room, cursor, 500);
        if (cursor.seq < kept) {
          assertEquals([entries, last], [[], oldest], `after ${cursor.seq}`);
        } else {
          assertEquals([entries.length, reached.seq], [200 - cursor.seq, 200]);
        }
      }
      assertEquals((await readOn(store, room, oldest.cursor)).entries.length, 200 - kept);
    } finally {
      await close();
    }
  });

  Deno.test(`${name} knows a repetition for as long as it keeps the entry`, async () => {
    const { store, close } = await open(10_000);
    try {
      for (let number = 1; number <= 200; number++) {
        await store.append(room, [say(number, alice, numbered(100))], nowMs);
      }
      const oldest = await store.read(room, start(room), plenty);
      assert(oldest.type === "reset");
      for (let number = oldest.cursor.seq + 1; number <= 200; number++) {
        const { seqs } = await store.append(room, [say(number, alice, numbered(100))], nowMs);
        assertEquals(seqs, [number]);
      }
    } finally {
      await close();
    }
  });
}
