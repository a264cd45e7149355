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
  decodeRows,
  encodeCore,
  type Entry,
  Proof,
  rowBytes,
} from "../../protocol/entry.ts";
import type { Cursor } from "../../protocol/message.ts";
import type { Page, Store, Submission } from "../../server/store/store.ts";
import { numbered } from "../fixtures/bytes.ts";

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

/** Something said, with a message id of its own for each number. */
function say(number: number, deviceId = alice, payload: Uint8Array = numbered(20)): Submission {
  const messageId = concat([Uint8Array.of(number >>> 8, number & 255), numbered(14)]);
  return {
    deviceId,
    core: encodeCore({ proof: Proof.unverified, content: 0, messageId, payload }),
  };
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
    await appending;
    device.fill(0);
    bytes.fill(0);
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
    const appends = fc.array(fc.array(fc.nat(30), { maxLength: 6 }), { maxLength: 12 });
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
