import { mapKey } from "../../protocol/bytes.ts";
import { chainStart, type Entry, messageIdOf, refOf } from "../../protocol/entry.ts";
import type { Cursor } from "../../protocol/message.ts";
import {
  type Block,
  cutFrom,
  editsIn,
  entryIn,
  erasedIn,
  type KeptLog,
  layOut,
  readAfter,
  readBefore,
} from "./log_pages.ts";
import {
  type Appended,
  type EarlierPage,
  type ReadResult,
  recordsMax,
  type Store,
  type StoredRecord,
  type Submission,
} from "./store.ts";

/** A block, and for each entry what it is known by. */
interface KeyedBlock extends Block {
  readonly keys: readonly EntryKey[];
}

/** An author's device and the message id that it gave, as keys of maps. */
interface EntryKey {
  readonly ids: Map<string, number>;
  readonly id: string;
}

/** What an entry costs beside its row: its key in the map, its objects. */
const overheadBytes = 128;

/** A log in memory: its newest blocks, and where they begin and end. */
class Log implements KeptLog {
  readonly #blocks: KeyedBlock[] = [];
  /** By device, then by message id: the seq. */
  readonly #seqs = new Map<string, Map<string, number>>();
  bytes = 0;
  end: Cursor;
  timeMs = 0;

  constructor(roomId: Uint8Array) {
    this.end = { seq: 0, hash: chainStart(roomId) };
  }

  get start(): Cursor {
    const [oldest] = this.#blocks;
    return oldest ? { seq: oldest.firstSeq - 1, hash: oldest.before } : this.end;
  }

  get newest(): Block | undefined {
    return this.#blocks.at(-1);
  }

  *from(seq: number): Iterable<Block> {
    for (let at = this.#indexOf(seq); at < this.#blocks.length; at++) yield this.#blocks[at]!;
  }

  *backFrom(seq: number): Iterable<Block> {
    for (let at = this.#indexOf(seq); at >= 0 && this.#blocks[at]; at--) yield this.#blocks[at]!;
  }

  /** Which submissions are new, and the seqs of all. */
  sort(submissions: readonly Submission[], firstSeq: number) {
    const seqs: number[] = [];
    const fresh: Submission[] = [];
    const keys: EntryKey[] = [];
    for (const submission of submissions) {
      const ids = this.#idsOf(submission.deviceId);
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

  add(block: KeyedBlock): void {
    this.#blocks.push(block);
    this.bytes += cost(block);
    this.end = block.end;
    this.timeMs = block.timeMs;
  }

  /** Erases the payload of an entry and those of its edits, if it is kept. */
  erase(seq: number): void {
    const index = this.#indexOf(seq);
    const block = this.#blocks[index];
    if (!block) return;
    const { deviceId, core: { messageId } } = entryIn(block, seq);
    const ref = refOf(deviceId, messageId);
    this.#eraseAt(index, [seq]);
    for (const [at, block] of this.#blocks.entries()) this.#eraseAt(at, editsIn(block, ref));
  }

  #eraseAt(at: number, seqs: readonly number[]): void {
    for (const seq of seqs) {
      const block = this.#blocks[at]!;
      const rows = erasedIn(block, seq);
      this.bytes += rows.length - block.rows.length;
      this.#blocks[at] = { ...block, rows };
    }
  }

  find(deviceId: Uint8Array, messageId: Uint8Array): Entry | undefined {
    const seq = this.#seqs.get(mapKey(deviceId))?.get(mapKey(messageId));
    const block = seq === undefined ? undefined : this.#blocks[this.#indexOf(seq)];
    return block && entryIn(block, seq!);
  }

  /** Drops the oldest blocks down to about so many bytes; the newest is kept. */
  shrink(bytesMax: number): void {
    let dropped = 0;
    let { bytes } = this;
    while (bytes > bytesMax && dropped < this.#blocks.length - 1) {
      bytes -= cost(this.#blocks[dropped++]!);
    }
    this.#drop(dropped);
  }

  /** Drops the entries of before a time; the newest is kept. */
  trim(beforeMs: number): number {
    const before = this.start.seq;
    const kept = this.#blocks.findIndex(({ timeMs }) => timeMs >= beforeMs);
    this.#drop(kept < 0 ? this.#blocks.length - 1 : kept);
    const [last] = this.#blocks;
    if (kept < 0 && last && last.firstSeq < last.end.seq) {
      const newest = { ...cutFrom(last, last.end.seq), keys: last.keys.slice(-1) };
      this.#forget(last, last.keys.slice(0, -1));
      this.bytes += cost(newest);
      this.#blocks[0] = newest;
    }
    return this.start.seq - before;
  }

  #drop(count: number): void {
    for (const block of this.#blocks.splice(0, Math.max(0, count))) this.#forget(block, block.keys);
  }

  #forget(block: KeyedBlock, keys: readonly EntryKey[]): void {
    this.bytes -= cost(block);
    for (const { ids, id } of keys) ids.delete(id);
  }

  /** The index of the block that holds entry `seq`; the number of blocks where none does. */
  #indexOf(seq: number): number {
    if (seq <= this.start.seq) return this.#blocks.length;
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#blocks[middle]!.end.seq < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The message ids of a device. */
  #idsOf(deviceId: Uint8Array): Map<string, number> {
    const key = mapKey(deviceId);
    let ids = this.#seqs.get(key);
    if (!ids) this.#seqs.set(key, ids = new Map());
    return ids;
  }
}

function cost({ rows, keys }: KeyedBlock): number {
  return rows.length + keys.length * overheadBytes;
}

/** The newest entries of each room, in memory: as durable as the process. */
export class MemoryStore implements Store {
  readonly #logs = new Map<string, Log>();
  readonly #records = new Map<string, Map<string, string>>();
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
    const { seqs, fresh, keys } = log.sort(submissions, firstSeq);
    const timeMs = Math.max(nowMs, log.timeMs);
    if (fresh.length === 0) {
      return Promise.resolve({ seqs, rows: new Uint8Array(), firstSeq, timeMs, end: log.end });
    }
    log.add({ ...layOut(fresh, firstSeq, timeMs, log.end.hash), keys });
    for (const { erases, records } of fresh) {
      if (erases !== undefined) log.erase(erases);
      if (records) this.#put(records);
    }
    const { rows } = log.newest!;
    if (log.bytes > this.#bytesMax) log.shrink(0.9 * this.#bytesMax); // A tenth, so that it is rare.
    return Promise.resolve({ seqs, rows, firstSeq, timeMs, end: log.end });
  }

  read(roomId: Uint8Array, after: Cursor, bytesMax: number): Promise<ReadResult> {
    return Promise.resolve(readAfter(this.#log(roomId), after, bytesMax));
  }

  readBack(
    roomId: Uint8Array,
    before: number,
    count: number,
    bytesMax: number,
  ): Promise<EarlierPage | undefined> {
    return Promise.resolve(readBefore(this.#log(roomId), before, count, bytesMax));
  }

  find(
    roomId: Uint8Array,
    deviceId: Uint8Array,
    messageId: Uint8Array,
  ): Promise<Entry | undefined> {
    return Promise.resolve(this.#log(roomId).find(deviceId, messageId));
  }

  end(roomId: Uint8Array): Promise<Cursor> {
    return Promise.resolve(this.#log(roomId).end);
  }

  trim(roomId: Uint8Array, beforeMs: number): Promise<number> {
    return Promise.resolve(this.#log(roomId).trim(beforeMs));
  }

  drop(roomId: Uint8Array): Promise<void> {
    this.#logs.delete(mapKey(roomId));
    return Promise.resolve();
  }

  put(records: readonly StoredRecord[]): Promise<void> {
    this.#put(records);
    return Promise.resolve();
  }

  #put(records: readonly StoredRecord[]): void {
    for (const { kind, key, value } of records) {
      let values = this.#records.get(kind);
      if (!values) this.#records.set(kind, values = new Map());
      if (value === null) values.delete(key);
      else values.set(key, value);
    }
  }

  record(kind: string, key: string): Promise<StoredRecord | undefined> {
    const value = this.#records.get(kind)?.get(key);
    return Promise.resolve(value === undefined ? undefined : { kind, key, value });
  }

  records(kind: string, after = ""): Promise<StoredRecord[]> {
    const records = Array.from(
      this.#records.get(kind) ?? [],
      ([key, value]) => ({ kind, key, value }),
    );
    return Promise.resolve(pageOfRecords(records, after));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #log(roomId: Uint8Array): Log {
    const key = mapKey(roomId);
    let log = this.#logs.get(key);
    if (!log) this.#logs.set(key, log = new Log(roomId));
    return log;
  }
}

/** As many of these records as are read at once. */
export function pageOfRecords(records: readonly StoredRecord[], after: string): StoredRecord[] {
  return records.filter(({ key }) => compare(key, after) > 0)
    .sort((a, b) => compare(a.key, b.key)).slice(0, recordsMax);
}

/** The order of texts as UTF-8: that of their code points. */
function compare(a: string, b: string): number {
  const [one, other] = [new TextEncoder().encode(a), new TextEncoder().encode(b)];
  for (const [at, byte] of one.entries()) {
    if (byte !== other[at]) return byte - (other[at] ?? -1);
  }
  return one.length - other.length;
}
