/**
 * What the two sides of the SQLite store say to each other: the server's thread asks, a turn at a
 * time; the Worker answers, call by call. Rooms go by name, one character a byte (mapKey): strings
 * cross faster than small arrays.
 *
 * @module
 */

import type { Entry } from "../../protocol/entry.ts";
import type { Cursor } from "../../protocol/message.ts";
import type { Appended, EarlierPage, ReadResult, StoredRecord } from "./store.ts";

/** How a store is opened. */
export interface OpenOptions {
  /** The file; what belongs to it lies beside it: -wal, .lock. */
  readonly path: string;
  /** What the file may hold, in pages of 4 KiB; tests fill it up. */
  readonly pagesMax?: number | undefined;
  /** What may lie in the -wal file before it is worked into the file itself, about. */
  readonly walBytesMax?: number | undefined;
  /** Whether a commit waits until it is safe from a power cut; tests show what happens without. */
  readonly isSynced?: boolean | undefined;
}

/** What can be asked for, and what is answered. */
export interface Calls {
  append: {
    readonly ask: {
      readonly room: string;
      /** Where in the turn's rows the submissions begin and end. */
      readonly from: number;
      readonly to: number;
      /** Which submission (by its index) erases which entry. */
      readonly erases: readonly (readonly [index: number, seq: number])[];
      /** Which submission brings which records. */
      readonly records: readonly (readonly [index: number, records: readonly StoredRecord[]])[];
      readonly nowMs: number;
    };
    readonly answer: Appended;
  };
  read: {
    readonly ask: { readonly room: string; readonly after: Cursor; readonly bytesMax: number };
    readonly answer: ReadResult;
  };
  readBack: {
    readonly ask: {
      readonly room: string;
      readonly before: number;
      readonly count: number;
      readonly bytesMax: number;
    };
    readonly answer: EarlierPage | undefined;
  };
  find: {
    readonly ask: {
      readonly room: string;
      readonly deviceId: Uint8Array;
      readonly messageId: Uint8Array;
    };
    readonly answer: Entry | undefined;
  };
  end: { readonly ask: { readonly room: string }; readonly answer: Cursor };
  /** One step of it: the oldest so many entries; 0 when there are none left to go. */
  trim: {
    readonly ask: { readonly room: string; readonly beforeMs: number };
    readonly answer: number;
  };
  /** The room is gone from now on; {@link Calls.sweep} clears up behind it. */
  drop: { readonly ask: { readonly room: string }; readonly answer: void };
  /** Clears up a step of what was dropped; whether there is more. */
  sweep: { readonly ask: Record<never, never>; readonly answer: boolean };
  put: { readonly ask: { readonly records: readonly StoredRecord[] }; readonly answer: void };
  record: {
    readonly ask: { readonly kind: string; readonly key: string };
    readonly answer: StoredRecord | undefined;
  };
  records: {
    readonly ask: { readonly kind: string; readonly after: string };
    readonly answer: StoredRecord[];
  };
  /** Says of each fault what it is; none when all is well. */
  integrity: { readonly ask: Record<never, never>; readonly answer: string[] };
  backup: { readonly ask: { readonly path: string }; readonly answer: void };
  close: { readonly ask: Record<never, never>; readonly answer: void };
}

export type CallType = keyof Calls;

/** One thing asked for. */
export type Call = { [T in CallType]: { readonly type: T } & Calls[T]["ask"] }[CallType];

/** Calls that change what is stored: they are in one commit. */
export const writes: ReadonlySet<CallType> = new Set(["append", "trim", "drop", "sweep", "put"]);

/** What is asked for together. */
export interface Turn {
  readonly calls: readonly Call[];
  /** What all appends have to say, as rows (protocol/entry.ts) whose times mean nothing yet. */
  readonly rows: Uint8Array<ArrayBuffer>;
}

/** What became of a call. */
export type Outcome =
  | { readonly type: "done"; readonly answer: unknown }
  | { readonly type: "full" | "broken" | "failed"; readonly text: string };

/** What became of opening. */
export type Opening =
  | { readonly type: "opened"; readonly hasDropped: boolean }
  | { readonly type: "refused"; readonly text: string };
