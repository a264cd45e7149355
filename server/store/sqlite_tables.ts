/**
 * What is in the file of the SQLite store: a synchronous method for each thing that it is asked for.
 * Transactions are the caller's.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import { fromMapKey, readU32 } from "../../protocol/bytes.ts";
import { decodeRows, editedBy, type Entry, messageIdOf, refOf } from "../../protocol/entry.ts";
import { idBytes, lengthBytes } from "../../protocol/limits.ts";
import type { Cursor } from "../../protocol/message.ts";
import {
  type Block,
  cutFrom,
  entryIn,
  erasedIn,
  layOut,
  readAfter,
  readBefore,
} from "./log_pages.ts";
import type { Calls } from "./sqlite_calls.ts";
import { blockOf, emptyEnd, type End, FileLog, prepare, type Statements } from "./sqlite_log.ts";
import {
  type Appended,
  type EarlierPage,
  type ReadResult,
  recordsMax,
  type StoredRecord,
  type Submission,
} from "./store.ts";

/** What one step of trimming and of sweeping deletes at most, so that appends wait little. */
const stepEntriesMax = 2_000;

/** From so many submissions on, their ids are added together. */
const togetherMin = 8;
/** A message id and a device. */
const pairBytes = 2 * idBytes;

/** The tables of an open file. */
export class SqliteTables {
  readonly #sql: Statements;
  /** Logs by room, as they are in the file and in the open transaction. */
  readonly #logs = new Map<string, FileLog>();

  constructor(db: DatabaseSync) {
    this.#sql = prepare(db);
  }

  /** Forgets what is known of the file: a transaction has been rolled back. */
  reload(): void {
    this.#logs.clear();
  }

  append(
    { room, from, to, erases, records, nowMs }: Calls["append"]["ask"],
    rows: Uint8Array,
  ): Appended {
    const log = this.#logToAppend(room);
    const submissions = submissionsOf(rows.subarray(from, to));
    for (const [index, seq] of erases) submissions[index] = { ...submissions[index]!, erases: seq };
    for (const [index, ofIt] of records) {
      submissions[index] = { ...submissions[index]!, records: ofIt };
    }
    const firstSeq = log.end.seq + 1;
    const { seqs, fresh } = this.#sort(log, submissions, firstSeq);
    const timeMs = Math.max(nowMs, log.end.timeMs);
    if (fresh.length === 0) {
      return { seqs, rows: new Uint8Array(), firstSeq, timeMs, end: cursorOf(log.end) };
    }
    const block = this.#eraseAll(log, fresh, layOut(fresh, firstSeq, timeMs, log.end.hash));
    this.#addBlock(log, block);
    for (const { records } of fresh) if (records) this.put({ records });
    return { seqs, rows: block.rows, firstSeq, timeMs, end: block.end };
  }

  read({ room, after, bytesMax }: Calls["read"]["ask"]): ReadResult {
    return readAfter(this.#log(room), after, bytesMax);
  }

  readBack({ room, before, count, bytesMax }: Calls["readBack"]["ask"]): EarlierPage | undefined {
    return readBefore(this.#log(room), before, count, bytesMax);
  }

  find({ room, deviceId, messageId }: Calls["find"]["ask"]): Entry | undefined {
    const log = this.#log(room);
    const found = log.number && this.#sql.seqOf.get(log.number, messageId, deviceId);
    const seq = found ? found.seq as number : undefined;
    const block = seq ? log.blockOf(seq) : undefined;
    return block && entryIn(block, seq!);
  }

  end({ room }: Calls["end"]["ask"]): Cursor {
    return cursorOf(this.#log(room).end);
  }

  trim({ room, beforeMs }: Calls["trim"]["ask"]): number {
    const log = this.#log(room);
    let count = 0;
    for (const block of log.from(1)) {
      if (block.timeMs >= beforeMs || count >= stepEntriesMax) break;
      const isNewest = block.end.seq === log.end.seq;
      count += isNewest ? this.#cutToNewest(log, block) : this.#deleteBlock(log, block);
    }
    return count;
  }

  drop({ room }: Calls["drop"]["ask"]): void {
    const { number } = this.#log(room);
    if (number !== undefined) this.#sql.dropRoom.run(number);
    this.#logs.delete(room);
  }

  /** Whether something dropped is still to be cleared up. */
  get hasDropped(): boolean {
    return this.#sql.dropped.get() !== undefined;
  }

  sweep(): boolean {
    const number = this.#sql.dropped.get()?.number as number | undefined;
    if (number === undefined) return false;
    const log = new FileLog(this.#sql, number, emptyEnd(new Uint8Array()));
    let count = 0;
    for (const block of log.from(1)) {
      if (count >= stepEntriesMax) return true;
      count += this.#deleteBlock(log, block);
    }
    this.#sql.forgetRoom.run(number);
    return this.hasDropped;
  }

  put({ records }: Calls["put"]["ask"]): void {
    for (const { kind, key, value } of records) {
      if (value === null) this.#sql.deleteRecord.run(kind, encode(key));
      else this.#sql.put.run(kind, encode(key), encode(value));
    }
  }

  record({ kind, key }: Calls["record"]["ask"]): StoredRecord | undefined {
    const found = this.#sql.record.get(kind, encode(key));
    return found && { kind, key, value: decode(found.value as Uint8Array) };
  }

  records({ kind, after }: Calls["records"]["ask"]): StoredRecord[] {
    return this.#sql.records.all(kind, encode(after), recordsMax).map(({ key, value }) => ({
      kind,
      key: decode(key as Uint8Array),
      value: decode(value as Uint8Array),
    }));
  }

  /** Which submissions are new, and the seqs of all; the new ones are known from now on. */
  #sort({ number }: FileLog, submissions: readonly Submission[], firstSeq: number) {
    if (this.#addAll(number!, submissions, firstSeq)) {
      const seqs = submissions.map((_, index) => firstSeq + index);
      this.#noteEdits(number!, submissions, firstSeq);
      return { seqs, fresh: submissions };
    }
    const seqs: number[] = [];
    const fresh: Submission[] = [];
    for (const submission of submissions) {
      const id = messageIdOf(submission.core);
      const seq = firstSeq + fresh.length;
      const { changes } = this.#sql.addId.run(number!, id, submission.deviceId, seq);
      if (changes) fresh.push(submission);
      seqs.push(
        changes ? seq : this.#sql.seqOf.get(number!, id, submission.deviceId)!.seq as number,
      );
    }
    this.#noteEdits(number!, fresh, firstSeq);
    return { seqs, fresh };
  }

  /** Adds the ids of many submissions at once, when none of them is a repetition; else adds none. */
  #addAll(number: number, submissions: readonly Submission[], firstSeq: number): boolean {
    const count = submissions.length;
    if (count < togetherMin) return false;
    const ids = new Uint8Array(count * pairBytes);
    for (const [index, { core, deviceId }] of submissions.entries()) {
      ids.set(messageIdOf(core), index * pairBytes);
      ids.set(deviceId, index * pairBytes + idBytes);
    }
    if (this.#sql.addIds.run(number, ids, firstSeq, count).changes === count) return true;
    for (const { core, deviceId } of submissions) {
      this.#sql.takeBackId.run(number, messageIdOf(core), deviceId, firstSeq);
    }
    return false;
  }

  #noteEdits(number: number, fresh: readonly Submission[], firstSeq: number): void {
    for (const [index, { core }] of fresh.entries()) {
      const edited = editedBy(core);
      if (edited) this.#sql.addEdit.run(number, edited, firstSeq + index);
    }
  }

  /** Erases what submissions say, in the log and in the block that they are in themselves. */
  #eraseAll(log: FileLog, submissions: readonly Submission[], block: Block): Block {
    let newest = block;
    for (const { erases } of submissions) {
      if (erases === undefined || erases < 1 || erases > block.end.seq) continue;
      const target = erases >= block.firstSeq ? newest : log.blockOf(erases);
      if (!target) continue;
      newest = this.#erase(log, newest, erases);
      for (const edit of this.#takeEdits(log, entryIn(target, erases))) {
        newest = this.#erase(log, newest, edit);
      }
    }
    return newest;
  }

  /** Erases an entry that is kept, in the file or in the newest block, which is not there yet. */
  #erase(log: FileLog, newest: Block, seq: number): Block {
    if (seq >= newest.firstSeq) return { ...newest, rows: erasedIn(newest, seq) };
    const block = log.blockOf(seq)!;
    this.#sql.setRows.run(erasedIn(block, seq), log.number!, block.end.seq);
    return newest;
  }

  /** The edits of an entry, which are to be erased: deleted again, it has none. */
  #takeEdits({ number }: FileLog, { deviceId, core: { messageId } }: Entry): number[] {
    const ref = refOf(deviceId, messageId);
    const seqs = this.#sql.editsOf.all(number!, ref).map(({ seq }) => seq as number);
    for (const edit of seqs) this.#sql.deleteEdit.run(number!, ref, edit);
    return seqs;
  }

  #addBlock(log: FileLog, { firstSeq, timeMs, rows, before, end }: Block): void {
    this.#sql.addBlock.run(log.number!, end.seq, firstSeq, timeMs, before, end.hash, rows);
    log.end = { ...end, timeMs };
  }

  #deleteBlock(log: FileLog, block: Block): number {
    const entries = decodeRows(block.rows, block.firstSeq, block.timeMs);
    this.#deleteIds(log, entries);
    this.#sql.deleteBlock.run(log.number!, block.end.seq);
    return entries.length;
  }

  #cutToNewest(log: FileLog, block: Block): number {
    const { rows, firstSeq, timeMs, end } = block;
    const { before, rows: kept } = cutFrom(block, end.seq);
    const older = decodeRows(rows, firstSeq, timeMs).slice(0, -1);
    if (older.length === 0) return 0;
    this.#deleteIds(log, older);
    this.#sql.cutBlock.run(end.seq, before, kept, log.number!, end.seq);
    return older.length;
  }

  #deleteIds({ number }: FileLog, entries: readonly Entry[]): void {
    for (const { seq, core, deviceId } of entries) {
      this.#sql.deleteId.run(number!, core.messageId, deviceId);
      const edited = editedBy(core.bytes);
      if (edited) this.#sql.deleteEdit.run(number!, edited, seq);
    }
  }

  #log(room: string): FileLog {
    let log = this.#logs.get(room);
    if (!log) {
      log = this.#load(room);
      if (log.number !== undefined) this.#logs.set(room, log);
    }
    return log;
  }

  #logToAppend(room: string): FileLog {
    const log = this.#log(room);
    if (log.number !== undefined) return log;
    const { number } = this.#sql.addRoom.get(idOf(room))!;
    const added = new FileLog(this.#sql, number as number, log.end);
    this.#logs.set(room, added);
    return added;
  }

  #load(room: string): FileLog {
    const id = idOf(room);
    const number = this.#sql.room.get(id)?.number as number | undefined;
    const newest = number && this.#sql.newest.get(number);
    if (!newest) return new FileLog(this.#sql, number, emptyEnd(id));
    const { end, timeMs } = blockOf(newest);
    return new FileLog(this.#sql, number, { ...end, timeMs });
  }
}

/** The bytes of a room's name. */
function idOf(room: string): Uint8Array {
  return fromMapKey(room);
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

function cursorOf({ seq, hash }: End): Cursor {
  return { seq, hash };
}

/** What rows submit; `writeRow` laid them out. */
function submissionsOf(rows: Uint8Array): Submission[] {
  const submissions: Submission[] = [];
  for (let at = 0; at < rows.length;) {
    const end = at + lengthBytes + readU32(rows, at);
    const deviceAt = at + lengthBytes + 4;
    submissions.push({
      deviceId: rows.subarray(deviceAt, deviceAt + 16),
      core: rows.subarray(deviceAt + 16, end),
    });
    at = end;
  }
  return submissions;
}
