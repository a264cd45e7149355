/**
 * Looks through the whole file of the SQLite store for what should not be.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import { equal } from "../../protocol/bytes.ts";
import { chainEntry, decodeRows, editedBy, type Entry } from "../../protocol/entry.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { Cursor } from "../../protocol/message.ts";
import type { Block } from "./log_pages.ts";
import { emptyEnd, FileLog, prepare, type Statements } from "./sqlite_log.ts";

/** Says of each fault what it is: in the file, and in each room's chain. */
export function integrityFaults(db: DatabaseSync): string[] {
  const sql = prepare(db);
  const found = db.prepare("PRAGMA integrity_check").all().map((row) => String(row.integrity_check))
    .filter((text) => text !== "ok");
  for (const { number, id } of sql.rooms.all()) {
    found.push(...roomFaults(sql, number as number, id as Uint8Array));
  }
  return found;
}

/** What is wrong with a room: its chain, and what its entries are known by. */
function roomFaults(sql: Statements, number: number, id: Uint8Array): string[] {
  const log = new FileLog(sql, number, emptyEnd(id));
  const name = `room ${id.toHex()}`;
  let at: Cursor | undefined;
  let count = 0;
  let edits = 0;
  for (const block of log.from(1)) {
    const entries = entriesIn(block);
    if (!entries || !follows(block, entries, at, id)) {
      return [`${name}: the chain breaks between ${block.firstSeq} and ${block.end.seq}`];
    }
    const unknown = entries.find(({ seq, deviceId, core }) =>
      sql.seqOf.get(number, core.messageId, deviceId)?.seq !== seq
    );
    if (unknown) return [`${name}: entry ${unknown.seq} is not known by its message id`];
    for (const { seq, core: { bytes }, isErased } of entries) {
      const edited = editedBy(bytes);
      if (!edited) continue;
      if (sql.hasEdit.get(number, edited, seq)) edits++;
      else if (!isErased) return [`${name}: entry ${seq} is not known as an edit`];
    }
    count += entries.length;
    at = block.end;
  }
  const known = sql.countIds.get(number)!.count as number;
  if (known !== count) return [`${name}: ${known} message ids are known of ${count} entries`];
  const knownEdits = sql.countEdits.get(number)!.count as number;
  return knownEdits === edits ? [] : [`${name}: ${knownEdits} edits are known of ${edits}`];
}

/** The entries of a block; undefined where they are none. */
function entriesIn({ rows, firstSeq, timeMs }: Block): Entry[] | undefined {
  try {
    return decodeRows(rows, firstSeq, timeMs);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

/** Whether a block follows on where the log stood, and its chain holds. */
function follows(
  { firstSeq, before, end }: Block,
  entries: readonly Entry[],
  at: Cursor | undefined,
  roomId: Uint8Array,
): boolean {
  const start = at ?? (firstSeq === 1 ? emptyEnd(roomId) : { seq: firstSeq - 1, hash: before });
  return firstSeq === start.seq + 1 && end.seq === start.seq + entries.length &&
    equal(before, start.hash) &&
    equal(entries.reduce((hash, entry) => chainEntry(hash, entry), before), end.hash);
}
