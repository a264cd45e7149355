/**
 * A log as blocks of entries that were appended together, and pages cut from it: what stores share,
 * wherever they keep their blocks.
 *
 * @module
 */

import { concat, equal, readU32, writeU32 } from "../../protocol/bytes.ts";
import {
  chainEntry,
  chainHash,
  decodeRows,
  editedBy,
  type Entry,
  eraseRow,
  payloadStart,
  rowAfterMsMax,
  rowBytes,
  writeRow,
} from "../../protocol/entry.ts";
import { lengthBytes } from "../../protocol/limits.ts";
import type { Cursor } from "../../protocol/message.ts";
import type { EarlierPage, Page, ReadResult, Submission } from "./store.ts";

/** Entries that were appended together: all of one time. */
export type Block = EarlierPage;

/** A room's log, as far as it is kept. */
export interface KeptLog {
  readonly end: Cursor;
  /** Where a reader stands who is to read all that is kept. */
  readonly start: Cursor;
  /** The block of entry `seq` and those behind it; none where the entry is not kept. */
  from(seq: number): Iterable<Block>;
  /** The block of entry `seq` and those in front of it, newest first; none where it is not kept. */
  backFrom(seq: number): Iterable<Block>;
}

/** Lays new entries out as a block. */
export function layOut(
  submissions: readonly Submission[],
  firstSeq: number,
  timeMs: number,
  before: Uint8Array,
): Block {
  const rows = new Uint8Array(submissions.reduce((sum, { core }) => sum + rowBytes(core), 0));
  let at = 0;
  let hash = before;
  let seq = firstSeq;
  for (const { deviceId, core } of submissions) {
    at = writeRow(rows, at, 0, deviceId, core);
    hash = chainHash(hash, seq++, timeMs, deviceId, core, payloadStart(core));
  }
  return { firstSeq, timeMs, rows, before, end: { seq: seq - 1, hash } };
}

/** What a reader gets who asks for what follows its cursor. */
export function readAfter(log: KeptLog, after: Cursor, bytesMax: number): ReadResult {
  const { start, end } = log;
  if (after.seq < start.seq) {
    return { type: "reset", reason: "What was said before is no longer kept.", cursor: start };
  }
  const blocks = after.seq < end.seq ? log.from(after.seq + 1)[Symbol.iterator]() : undefined;
  const first: Block | undefined = blocks?.next().value;
  const hash = after.seq === end.seq ? end.hash : first && hashAfter(first, after.seq);
  if (!hash || !equal(hash, after.hash)) {
    return { type: "reset", reason: "The server's log is another one now.", cursor: start };
  }
  if (!first) return { type: "end" };
  return {
    type: "page",
    page: joinAfter(first, { [Symbol.iterator]: () => blocks! }, after, bytesMax),
  };
}

/** One page of what follows `after`, from the block that it is in and as many more as fit. */
function joinAfter(
  first: Block,
  others: Iterable<Block>,
  after: Cursor,
  bytesMax: number,
): Page {
  const { timeMs } = first;
  const parts: Uint8Array[] = [];
  let bytes = 0;
  let end = after;
  for (const block of startingWith(first, others)) {
    if (block.timeMs - timeMs > rowAfterMsMax) break;
    const from = skipRows(block.rows, end.seq + 1 - block.firstSeq);
    const taken = takeRows(block.rows, from, bytesMax - bytes, bytes === 0);
    if (taken.count === 0) break;
    parts.push(shiftTimes(block.rows.slice(from, taken.end), block.timeMs - timeMs));
    bytes += taken.end - from;
    const seq = end.seq + taken.count;
    end = seq === block.end.seq ? block.end : { seq, hash: hashAfter(block, seq) };
    if (seq !== block.end.seq || bytes >= bytesMax) break;
  }
  return { firstSeq: after.seq + 1, timeMs, rows: concat(parts), end };
}

function* startingWith<T>(first: T, others: Iterable<T>): Iterable<T> {
  yield first;
  yield* others;
}

/** One page of what stands right before entry `before`; undefined where nothing is kept there. */
export function readBefore(
  log: KeptLog,
  before: number,
  countMax: number,
  bytesMax: number,
): EarlierPage | undefined {
  const taken: Block[] = [];
  let count = 0;
  let bytes = 0;
  let seq = before - 1;
  for (const block of log.backFrom(seq)) {
    const newest = taken[0];
    if (newest && newest.timeMs - block.timeMs > rowAfterMsMax) break;
    const whole = upTo(block, seq);
    const from = firstThatFits(whole, countMax - count, bytesMax - bytes, count === 0);
    if (from > seq) break;
    const part = cutFrom(whole, from);
    taken.push(part);
    count += seq + 1 - from;
    bytes += part.rows.length;
    seq = from - 1;
    if (from > block.firstSeq || count >= countMax || bytes >= bytesMax) break;
  }
  const oldest = taken.at(-1);
  if (!oldest) return undefined;
  const { firstSeq, timeMs } = oldest;
  const parts = taken.toReversed().map((part) => shiftTimes(part.rows, part.timeMs - timeMs));
  return { firstSeq, timeMs, rows: concat(parts), before: oldest.before, end: taken[0]!.end };
}

/** The seq from which on a block's entries fit; one fits always where `atLeastOne`. */
function firstThatFits(
  { rows, firstSeq, end }: Block,
  countMax: number,
  bytesMax: number,
  atLeastOne: boolean,
): number {
  let at = 0;
  let seq = firstSeq;
  while (seq <= end.seq) {
    if (end.seq + 1 - seq <= countMax && rows.length - at <= bytesMax) break;
    if (atLeastOne && seq === end.seq) break;
    at += lengthBytes + readU32(rows, at);
    seq++;
  }
  return seq;
}

/** The entry `seq` of a block that holds it. */
export function entryIn({ rows, firstSeq, timeMs }: Block, seq: number): Entry {
  const at = skipRows(rows, seq - firstSeq);
  return decodeRows(rows.slice(at, rowEnd(rows, at)), seq, timeMs)[0]!;
}

/** The rows of a block with the payload of its entry `seq` erased. */
export function erasedIn({ rows, firstSeq }: Block, seq: number): Uint8Array {
  return eraseRow(rows, skipRows(rows, seq - firstSeq));
}

/** The seqs of a block's entries that edit what is named so (`refOf` in protocol/entry.ts). */
export function editsIn({ rows, firstSeq, timeMs }: Block, ref: Uint8Array): number[] {
  return decodeRows(rows, firstSeq, timeMs).filter(({ core }) => {
    const edited = editedBy(core.bytes);
    return edited && equal(edited, ref);
  }).map(({ seq }) => seq);
}

/** What is left of a block without the entries before `seq`, in bytes of its own. */
export function cutFrom(block: Block, seq: number): Block {
  const { rows, firstSeq, timeMs, end } = block;
  const at = skipRows(rows, seq - firstSeq);
  return { firstSeq: seq, timeMs, rows: rows.slice(at), before: hashAfter(block, seq - 1), end };
}

/** What is left of a block without the entries behind `seq`. */
function upTo(block: Block, seq: number): Block {
  const { rows, firstSeq, end } = block;
  if (seq === end.seq) return block;
  const kept = rows.subarray(0, skipRows(rows, seq + 1 - firstSeq));
  return { ...block, rows: kept, end: { seq, hash: hashAfter(block, seq) } };
}

/** The chain's hash after entry `seq`, which is in the block or right before it. */
export function hashAfter(block: Block, seq: number): Uint8Array {
  if (seq === block.end.seq) return block.end.hash;
  const rows = block.rows.subarray(0, skipRows(block.rows, seq + 1 - block.firstSeq));
  return decodeRows(rows, block.firstSeq, block.timeMs).reduce(
    (hash, entry) => chainEntry(hash, entry),
    block.before,
  );
}

/** Where row number `count` begins. */
function skipRows(rows: Uint8Array, count: number): number {
  let at = 0;
  for (let skipped = 0; skipped < count; skipped++) at = rowEnd(rows, at);
  return at;
}

function rowEnd(rows: Uint8Array, at: number): number {
  return at + lengthBytes + readU32(rows, at);
}

/** Where the rows from `from` on end that fit into `bytesMax`; one fits always where `atLeastOne`. */
function takeRows(rows: Uint8Array, from: number, bytesMax: number, atLeastOne: boolean) {
  let end = from;
  let count = 0;
  while (end < rows.length) {
    const next = rowEnd(rows, end);
    if (next - from > bytesMax && !(atLeastOne && count === 0)) break;
    end = next;
    count++;
  }
  return { end, count };
}

/** Adds to the time of each row, in place; whether it is erased stays. */
function shiftTimes(rows: Uint8Array, byMs: number): Uint8Array {
  if (byMs === 0) return rows;
  for (let at = 0; at < rows.length; at = rowEnd(rows, at)) {
    writeU32(rows, at + lengthBytes, readU32(rows, at + lengthBytes) + byMs);
  }
  return rows;
}
