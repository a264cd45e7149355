import { concat, equal, mapKey, readU32, writeU32 } from "../../protocol/bytes.ts";
import {
  chainEntry,
  chainHash,
  chainStart,
  decodeRows,
  messageIdOf,
  payloadStart,
  rowBytes,
  writeRow,
} from "../../protocol/entry.ts";
import { lengthBytes } from "../../protocol/limits.ts";
import type { Cursor } from "../../protocol/message.ts";
import type { Appended, Page, ReadResult, Store, Submission } from "./store.ts";

/** Entries that were appended together. */
interface Block extends Page {
  /** The chain's hash before its first entry. */
  readonly before: Uint8Array;
  /** For each entry, what it is known by. */
  readonly keys: readonly EntryKey[];
}

/** An author's device and the message id that it gave, as keys of maps. */
interface EntryKey {
  readonly ids: Map<string, number>;
  readonly id: string;
}

/** A log in memory: its newest blocks, and where they begin and end. */
class Log {
  readonly blocks: Block[] = [];
  /** By device, then by message id: the seq. */
  readonly seqs = new Map<string, Map<string, number>>();
  bytes = 0;
  end: Cursor;
  timeMs = 0;

  constructor(roomId: Uint8Array) {
    this.end = { seq: 0, hash: chainStart(roomId) };
  }

  /** The message ids of a device. */
  idsOf(deviceId: Uint8Array): Map<string, number> {
    const key = mapKey(deviceId);
    let ids = this.seqs.get(key);
    if (!ids) this.seqs.set(key, ids = new Map());
    return ids;
  }
}

/** What an entry costs beside its row: its key in the map, its objects. */
const overheadBytes = 128;

/** The newest entries of each room, in memory: as durable as the process. */
export class MemoryStore implements Store {
  readonly #logs = new Map<string, Log>();
  readonly #bytesMax: number;

  /** @param bytesMax what each room may keep; the oldest entries go first */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  append(
    roomId: Uint8Array,
    submissions: readonly Submission[],
    nowMs: number,
  ): Promise<Appended> {
    const log = this.#log(roomId);
    const firstSeq = log.end.seq + 1;
    const { seqs, fresh, keys } = this.#sort(log, submissions, firstSeq);
    const timeMs = Math.max(nowMs, log.timeMs);
    const { rows, hash } = layOut(fresh, firstSeq, timeMs, log.end.hash);
    if (fresh.length > 0) {
      const end = { seq: log.end.seq + fresh.length, hash };
      log.blocks.push({ firstSeq, timeMs, rows, end, before: log.end.hash, keys });
      log.bytes += rows.length + keys.length * overheadBytes;
      log.end = end;
      log.timeMs = timeMs;
      this.#trim(log);
    }
    return Promise.resolve({ seqs, rows, firstSeq, timeMs, end: log.end });
  }

  read(roomId: Uint8Array, after: Cursor, bytesMax: number): Promise<ReadResult> {
    return Promise.resolve(this.#read(roomId, after, bytesMax));
  }

  end(roomId: Uint8Array): Promise<Cursor> {
    return Promise.resolve(this.#log(roomId).end);
  }

  /** Which submissions are new, and the seqs of all. */
  #sort(log: Log, submissions: readonly Submission[], firstSeq: number) {
    const seqs: number[] = [];
    const fresh: Submission[] = [];
    const keys: EntryKey[] = [];
    for (const submission of submissions) {
      const ids = log.idsOf(submission.deviceId);
      const id = mapKey(messageIdOf(submission.core));
      let seq = ids.get(id);
      if (seq === undefined) {
        seq = firstSeq + fresh.length;
        ids.set(id, seq);
        fresh.push(submission);
        keys.push({ ids, id });
      }
      seqs.push(seq);
    }
    return { seqs, fresh, keys };
  }

  #read(roomId: Uint8Array, after: Cursor, bytesMax: number): ReadResult {
    const log = this.#log(roomId);
    const oldest = log.blocks[0];
    const start = oldest ? { seq: oldest.firstSeq - 1, hash: oldest.before } : log.end;
    if (after.seq < start.seq) {
      return { type: "reset", reason: "What was said before is no longer kept.", cursor: start };
    }
    const blockAt = findBlock(log.blocks, after.seq);
    const hash = after.seq === log.end.seq
      ? log.end.hash
      : hashWithin(log.blocks[blockAt], after.seq);
    if (!hash || !equal(hash, after.hash)) {
      return { type: "reset", reason: "The server's log is another one now.", cursor: start };
    }
    if (after.seq === log.end.seq) return { type: "end" };
    return { type: "page", page: joinBlocks(log.blocks, blockAt, after, bytesMax) };
  }

  /** Drops the oldest tenth once there is too much, so that it happens rarely. */
  #trim(log: Log): void {
    if (log.bytes <= this.#bytesMax) return;
    let dropped = 0;
    while (log.bytes > 0.9 * this.#bytesMax && dropped < log.blocks.length - 1) {
      const block = log.blocks[dropped++]!;
      log.bytes -= block.rows.length + block.keys.length * overheadBytes;
      for (const { ids, id } of block.keys) ids.delete(id);
    }
    log.blocks.splice(0, dropped);
  }

  #log(roomId: Uint8Array): Log {
    const key = mapKey(roomId);
    let log = this.#logs.get(key);
    if (!log) this.#logs.set(key, log = new Log(roomId));
    return log;
  }
}

/** Rows back to back, and the chain's hash behind them. */
function layOut(
  submissions: readonly Submission[],
  firstSeq: number,
  timeMs: number,
  before: Uint8Array,
): { rows: Uint8Array; hash: Uint8Array } {
  const rows = new Uint8Array(submissions.reduce((sum, { core }) => sum + rowBytes(core), 0));
  let at = 0;
  let hash = before;
  let seq = firstSeq;
  for (const { deviceId, core } of submissions) {
    at = writeRow(rows, at, 0, deviceId, core);
    hash = chainHash(hash, seq++, timeMs, deviceId, core, payloadStart(core));
  }
  return { rows, hash };
}

/** The index of the block that holds the entry behind `seq`. */
function findBlock(blocks: readonly Block[], seq: number): number {
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (blocks[middle]!.end.seq <= seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The chain's hash after entry `seq`, which is in the block or right before it. */
function hashWithin(
  block: Block | undefined,
  seq: number,
): Uint8Array | undefined {
  if (!block) return undefined;
  let hash = block.before;
  if (seq === block.firstSeq - 1) return hash;
  for (const entry of decodeRows(block.rows, block.firstSeq, block.timeMs)) {
    if (entry.seq > seq) break;
    hash = chainEntry(hash, entry);
  }
  return hash;
}

/** One page of what follows `after`, from as many blocks as fit. */
function joinBlocks(
  blocks: readonly Block[],
  from: number,
  after: Cursor,
  bytesMax: number,
): Page {
  const { timeMs } = blocks[from]!;
  const parts: Uint8Array[] = [];
  let bytes = 0;
  let seq = after.seq;
  let end: Cursor | undefined;
  for (let at = from; at < blocks.length && bytes < bytesMax; at++) {
    const block = blocks[at]!;
    if (block.timeMs - timeMs > 0xffff_ffff - 1) break;
    const first = skipRows(block.rows, seq + 1 - block.firstSeq);
    const last = takeRows(block.rows, first, bytesMax - bytes, bytes === 0);
    if (last.count === 0) break;
    parts.push(shiftTimes(block.rows.slice(first, last.end), block.timeMs - timeMs));
    bytes += last.end - first;
    seq += last.count;
    const whole = seq === block.end.seq;
    end = whole ? block.end : { seq, hash: hashWithin(block, seq)! };
    if (!whole) break;
  }
  return { firstSeq: after.seq + 1, timeMs, rows: concat(parts), end: end! };
}

/** Where row number `count` begins. */
function skipRows(rows: Uint8Array, count: number): number {
  let at = 0;
  for (let skipped = 0; skipped < count; skipped++) at += lengthBytes + readU32(rows, at);
  return at;
}

/** Where the rows from `from` on end that fit into `bytesMax`; one fits always where `atLeastOne`. */
function takeRows(rows: Uint8Array, from: number, bytesMax: number, atLeastOne: boolean) {
  let end = from;
  let count = 0;
  while (end < rows.length) {
    const next = end + lengthBytes + readU32(rows, end);
    if (next - from > bytesMax && !(atLeastOne && count === 0)) break;
    end = next;
    count++;
  }
  return { end, count };
}

/** Adds to the time of each row, in place. */
function shiftTimes(rows: Uint8Array, byMs: number): Uint8Array {
  if (byMs === 0) return rows;
  for (let at = 0; at < rows.length; at += lengthBytes + readU32(rows, at)) {
    writeU32(rows, at + lengthBytes, readU32(rows, at + lengthBytes) + byMs);
  }
  return rows;
}
