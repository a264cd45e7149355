/**
 * Where entries are durable. A room decides what is said and in which order it asks; the store gives
 * the seqs, chains the entries, and knows what it has seen before.
 *
 * @module
 */

import type { Cursor } from "../../protocol/message.ts";

/** What a room asks to be kept: an author's core, checked. */
export interface Submission {
  readonly deviceId: Uint8Array;
  /** See protocol/entry.ts. */
  readonly core: Uint8Array;
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

/** What a reader gets who asks for what follows its cursor. */
export type ReadResult =
  | { readonly type: "page"; readonly page: Page }
  /** The cursor is the log's end. */
  | { readonly type: "end" }
  /** The cursor is not of this log, or what followed it is no longer kept: go on from this one. */
  | { readonly type: "reset"; readonly reason: string; readonly cursor: Cursor };

/**
 * MUST give each room's entries seqs from 1 without gaps; MUST keep an entry once only, known by
 * (device id, message id), for as long as it keeps the entry; MUST NOT resolve an append before its
 * entries are as durable as this store makes them; MUST never answer a read with a silent gap.
 */
export interface Store {
  /** @param nowMs the server's clock; an entry's time is never before the one of the entry before */
  append(
    roomId: Uint8Array,
    submissions: readonly Submission[],
    nowMs: number,
  ): Promise<Appended>;
  /** At most `bytesMax` of rows, but at least one. */
  read(roomId: Uint8Array, after: Cursor, bytesMax: number): Promise<ReadResult>;
  /** Where the log ends. */
  end(roomId: Uint8Array): Promise<Cursor>;
}
