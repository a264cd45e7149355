/**
 * A room's log as it is in the file of the SQLite store, and the statements that it is read and
 * written with.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { chainStart } from "../../protocol/entry.ts";
import type { Cursor } from "../../protocol/message.ts";
import type { Block, KeptLog } from "./log_pages.ts";

/** Blocks are fetched one, four, sixteen … at a time: most readers want few, some want all. */
const fetchBlocksMax = 64;

/** Where a log ends. */
export interface End extends Cursor {
  readonly timeMs: number;
}

type Row = Record<string, unknown>;

/** A room's log in the file. */
export class FileLog implements KeptLog {
  readonly #sql: Statements;
  /** Undefined for a room that nothing was appended to. */
  readonly number: number | undefined;
  end: End;

  constructor(sql: Statements, number: number | undefined, end: End) {
    this.#sql = sql;
    this.number = number;
    this.end = end;
  }

  get start(): Cursor {
    const oldest = this.number && this.#sql.oldest.get(this.number);
    if (!oldest) return this.end;
    const { firstSeq, before } = blockOf(oldest);
    return { seq: firstSeq - 1, hash: before };
  }

  from(seq: number): Iterable<Block> {
    return this.#fetch(this.#sql.from, seq, (block) => block.end.seq + 1);
  }

  *backFrom(seq: number): Iterable<Block> {
    const [block] = this.from(seq);
    if (!block || block.firstSeq > seq) return;
    yield block;
    yield* this.#fetch(this.#sql.backFrom, block.firstSeq - 1, (block) => block.firstSeq - 1);
  }

  /** The block that holds an entry. */
  blockOf(seq: number): Block | undefined {
    const [block] = this.from(seq);
    return block && block.firstSeq <= seq ? block : undefined;
  }

  *#fetch(sql: StatementSync, from: number, next: (block: Block) => number): Iterable<Block> {
    if (this.number === undefined) return;
    let seq = from;
    for (let limit = 1;; limit = Math.min(4 * limit, fetchBlocksMax)) {
      const found = sql.all(this.number, seq, limit).map(blockOf);
      yield* found;
      if (found.length < limit) return;
      seq = next(found.at(-1)!);
    }
  }
}

/** A block, as a row of the table has it. */
export function blockOf(row: Row): Block {
  return {
    firstSeq: row.first_seq as number,
    timeMs: row.time as number,
    rows: row.rows as Uint8Array,
    before: row.before_hash as Uint8Array,
    end: { seq: row.last_seq as number, hash: row.end_hash as Uint8Array },
  };
}

/** All that is said to the file but for pragmas. */
const texts = {
  room: "SELECT number FROM rooms WHERE id = ?",
  addRoom: "INSERT INTO rooms (id) VALUES (?) RETURNING number",
  dropRoom: "UPDATE rooms SET id = NULL WHERE number = ?",
  dropped: "SELECT number FROM rooms WHERE id IS NULL LIMIT 1",
  forgetRoom: "DELETE FROM rooms WHERE number = ?",
  oldest: "SELECT * FROM blocks WHERE room = ? ORDER BY last_seq LIMIT 1",
  newest: "SELECT * FROM blocks WHERE room = ? ORDER BY last_seq DESC LIMIT 1",
  from: "SELECT * FROM blocks WHERE room = ? AND last_seq >= ? ORDER BY last_seq LIMIT ?",
  backFrom: "SELECT * FROM blocks WHERE room = ? AND last_seq <= ? ORDER BY last_seq DESC LIMIT ?",
  addBlock: "INSERT INTO blocks (room, last_seq, first_seq, time, before_hash, end_hash, rows) " +
    "VALUES (?, ?, ?, ?, ?, ?, ?)",
  setRows: "UPDATE blocks SET rows = ? WHERE room = ? AND last_seq = ?",
  cutBlock:
    "UPDATE blocks SET first_seq = ?, before_hash = ?, rows = ? WHERE room = ? AND last_seq = ?",
  deleteBlock: "DELETE FROM blocks WHERE room = ? AND last_seq = ?",
  addId:
    "INSERT INTO ids (room, message_id, device, seq) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
  // Message ids and devices, back to back in one blob: a statement for each entry would cost twice.
  addIds: "WITH RECURSIVE row(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM row WHERE n + 1 < ?4) " +
    "INSERT INTO ids (room, message_id, device, seq) " +
    "SELECT ?1, substr(?2, n * 32 + 1, 16), substr(?2, n * 32 + 17, 16), ?3 + n FROM row " +
    "WHERE true ON CONFLICT DO NOTHING",
  seqOf: "SELECT seq FROM ids WHERE room = ? AND message_id = ? AND device = ?",
  deleteId: "DELETE FROM ids WHERE room = ? AND message_id = ? AND device = ?",
  takeBackId: "DELETE FROM ids WHERE room = ? AND message_id = ? AND device = ? AND seq >= ?",
  addEdit: "INSERT INTO edits (room, target, seq) VALUES (?, ?, ?)",
  hasEdit: "SELECT 1 FROM edits WHERE room = ? AND target = ? AND seq = ?",
  editsOf: "SELECT seq FROM edits WHERE room = ? AND target = ?",
  deleteEdit: "DELETE FROM edits WHERE room = ? AND target = ? AND seq = ?",
  countEdits: "SELECT count(*) AS count FROM edits WHERE room = ?",
  put: "INSERT INTO records (kind, key, value) VALUES (?, ?, ?) " +
    "ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value",
  deleteRecord: "DELETE FROM records WHERE kind = ? AND key = ?",
  record: "SELECT value FROM records WHERE kind = ? AND key = ?",
  records: "SELECT key, value FROM records WHERE kind = ? AND key > ? ORDER BY key LIMIT ?",
  rooms: "SELECT number, id FROM rooms WHERE id IS NOT NULL",
  countIds: "SELECT count(*) AS count FROM ids WHERE room = ?",
};

/** The statements, prepared once. */
export type Statements = Readonly<Record<keyof typeof texts, StatementSync>>;

/** Prepares them. */
export function prepare(db: DatabaseSync): Statements {
  const prepared = Object.entries(texts).map(([name, text]) => [name, db.prepare(text)]);
  return Object.fromEntries(prepared);
}

/** Where a log ends that has no entries. */
export function emptyEnd(id: Uint8Array): End {
  return { seq: 0, hash: chainStart(id), timeMs: 0 };
}
