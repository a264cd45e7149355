/**
 * Where things are durable. A room decides what is said and in which order it asks; the store gives
 * the seqs, chains the entries, and knows what it has seen before. Beside the logs it keeps records:
 * who there is and what they may, as JSON by kind and key (server/records.ts).
 *
 * @module
 */

import type { Entry } from "../../protocol/entry.ts";
import type { Cursor } from "../../protocol/message.ts";

/** What a room asks to be kept: an author's core, checked. */
export interface Submission {
  readonly deviceId: Uint8Array;
  /** See protocol/entry.ts. */
  readonly core: Uint8Array;
  /**
   * The entry of this room whose payload goes, in the same commit, and with it those of all entries
   * that edit it, this append's too; nothing where it is not kept. Whose edits they are is not looked
   * at: the server lets nobody but the author edit.
   */
  readonly erases?: number | undefined;
  /** What is put in the same commit; nothing of it where the entry is a repetition. */
  readonly records?: readonly StoredRecord[] | undefined;
}

/** What became of an append. */
export interface Appended {
  /** The seq of each submission, in order: of its first copy where it is a repetition. */
  readonly seqs: readonly number[];
  /** The new entries as rows (protocol/entry.ts); empty when all were repetitions. */
  readonly rows: Uint8Array;
  /** The seq of the first new entry. */
  readonly firstSeq: number;
  readonly timeMs: number;
  /** Where the log ends now. */
  readonly end: Cursor;
}

/** Consecutive entries of a log. */
export interface Page {
  readonly firstSeq: number;
  /** What the rows' times count from. */
  readonly timeMs: number;
  readonly rows: Uint8Array;
  /** Where a reader stands who has read it. */
  readonly end: Cursor;
}

/** A page, and the chain's hash before its first entry. */
export interface EarlierPage extends Page {
  readonly before: Uint8Array;
}

/** What a reader gets who asks for what follows its cursor. */
export type ReadResult =
  | { readonly type: "page"; readonly page: Page }
  /** The cursor is the log's end. */
  | { readonly type: "end" }
  /** The cursor is not of this log, or what followed it is no longer kept: go on from this one. */
  | { readonly type: "reset"; readonly reason: string; readonly cursor: Cursor };

/** A record: JSON by kind and key; null where it is to go. */
export interface StoredRecord {
  readonly kind: string;
  readonly key: string;
  readonly value: string | null;
}

/** Records that are read at once: there may be a hundred thousand. */
export const recordsMax = 1000;

/** There is no room for more just now; what is there can be read, and it may get better. */
export class StoreFullError extends Error {
  override readonly name = "StoreFullError";
}

/** The store cannot go on, for good; its text says why, and what an operator does now. */
export class StoreBrokenError extends Error {
  override readonly name = "StoreBrokenError";
}

/**
 * MUST give each room's entries seqs from 1 without gaps, and never the same twice; MUST keep an entry
 * once only, known by (device id, message id), for as long as it keeps the entry; MUST NOT resolve an
 * append or a put before it is as durable as this store makes things; MUST never answer a read with a
 * silent gap. What is asked for in one turn of the event loop is kept together or not at all, and what
 * was asked for first is kept first. Where it cannot go on it rejects everything from then on with a
 * {@link StoreBrokenError}; only a {@link StoreFullError} passes.
 */
export interface Store {
  /** @param nowMs the server's clock; an entry's time is never before the one of the entry before */
  append(
    roomId: Uint8Array,
    submissions: readonly Submission[],
    nowMs: number,
  ): Promise<Appended>;
  /** What follows a cursor: at most `bytesMax` of rows, but at least one. */
  read(roomId: Uint8Array, after: Cursor, bytesMax: number): Promise<ReadResult>;
  /**
   * What stands right before entry `before`: at most `count` entries and `bytesMax` of rows, but at
   * least one; undefined where nothing is kept there.
   */
  readBack(
    roomId: Uint8Array,
    before: number,
    count: number,
    bytesMax: number,
  ): Promise<EarlierPage | undefined>;
  /** The entry that this device gave this message id, if it is kept. */
  find(
    roomId: Uint8Array,
    deviceId: Uint8Array,
    messageId: Uint8Array,
  ): Promise<Entry | undefined>;
  /** Where the log ends. */
  end(roomId: Uint8Array): Promise<Cursor>;
  /** Forgets the oldest entries, those of before a time; the newest is kept. How many went. */
  trim(roomId: Uint8Array, beforeMs: number): Promise<number>;
  /** Forgets a room's log whole, as if it had never been. */
  drop(roomId: Uint8Array): Promise<void>;
  /** Keeps records, or forgets them. */
  put(records: readonly StoredRecord[]): Promise<void>;
  /** One record. */
  record(kind: string, key: string): Promise<StoredRecord | undefined>;
  /** The records of a kind behind a key, in the keys' order (as UTF-8): at most {@link recordsMax}. */
  records(kind: string, after?: string): Promise<StoredRecord[]>;
  /** Resolves when all that was asked for is done, and the store is closed. */
  close(): Promise<void>;
}
