/**
 * The file of the SQLite store: its tables, and how a file of an earlier version becomes one of this.
 *
 * @module
 */

import { backup, DatabaseSync } from "node:sqlite";
import type { OpenOptions } from "./sqlite_calls.ts";
import { refusedText, StoreRefusedError } from "./sqlite_faults.ts";

/** Marks a file as ours: "BCST". */
const applicationId = 0x42435354;

/**
 * What makes version n + 1 of a file out of version n. What stands here has been run on somebody's
 * file: it is never changed, only added to.
 */
export const migrations: readonly string[] = [
  `
  -- A room's number stands for its id in the other tables. A dropped room has no id any more, and is
  -- cleared away later.
  CREATE TABLE rooms (number INTEGER PRIMARY KEY, id BLOB UNIQUE) STRICT;
  -- What was appended together: rows as in protocol/entry.ts. A room's newest is never deleted, so it
  -- says where the log ends, and no seq is given twice.
  CREATE TABLE blocks (
    room INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    time INTEGER NOT NULL,
    before_hash BLOB NOT NULL,
    end_hash BLOB NOT NULL,
    rows BLOB NOT NULL,
    PRIMARY KEY (room, last_seq)
  ) STRICT;
  -- Each entry that is kept, by what makes a repetition of it.
  CREATE TABLE ids (
    room INTEGER NOT NULL,
    message_id BLOB NOT NULL,
    device BLOB NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (room, message_id, device)
  ) STRICT, WITHOUT ROWID;
  -- Key and value are UTF-8: as TEXT they would be read up to a NUL only.
  CREATE TABLE records (
    kind TEXT NOT NULL,
    key BLOB NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (kind, key)
  ) STRICT, WITHOUT ROWID;
  `,
  // It is not filled from the blocks that are there: no version that wrote format 1 was released.
  `
  -- Each edit that is kept, by the message id of what it edits: it is erased with that.
  CREATE TABLE edits (
    room INTEGER NOT NULL,
    target BLOB NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (room, target, seq)
  ) STRICT, WITHOUT ROWID;
  `,
  // A target names the device beside the message id, in rows too: what stands there was laid out
  // otherwise, and is signed so. It goes; no version that wrote formats 1 and 2 was released.
  `
  DELETE FROM edits;
  DELETE FROM ids;
  DELETE FROM blocks;
  DELETE FROM rooms;
  `,
];

/** What SQLite keeps of the file in memory. */
const cacheKiB = 8 * 1024;

/** How long another program that looks into the file is waited for. */
const busyTimeoutMs = 5_000;

/**
 * Opens the file, made or brought up to date where that is needed.
 *
 * @throws {StoreRefusedError} when it cannot be used
 */
export async function openDatabase(
  { path, pagesMax, isSynced = true }: OpenOptions,
  steps = migrations,
): Promise<DatabaseSync> {
  let db: DatabaseSync | undefined;
  try {
    makeFile(path); // The files that SQLite makes beside it get its mode.
    db = new DatabaseSync(path, { timeout: busyTimeoutMs, allowExtension: false });
    // The first thing said: what comes after it takes the file for this process alone.
    db.exec("PRAGMA locking_mode = EXCLUSIVE");
    const version = checkVersion(db, path, steps.length);
    // What a deletion leaves behind is overwritten: erased is erased, in the file's free pages too.
    db.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = ${isSynced ? "FULL" : "OFF"};
      PRAGMA secure_delete = ON;
      PRAGMA trusted_schema = OFF;
      PRAGMA temp_store = MEMORY;
      PRAGMA cache_size = -${cacheKiB};
      PRAGMA wal_autocheckpoint = 0;
      PRAGMA journal_size_limit = ${64 * 1024 * 1024};
    `);
    if (version < steps.length) await migrate(db, path, version, steps);
    if (pagesMax !== undefined) db.exec(`PRAGMA max_page_count = ${pagesMax}`);
    return db;
  } catch (error) {
    db?.close();
    if (error instanceof StoreRefusedError) throw error;
    throw new StoreRefusedError(refusedText(path, error), { cause: error });
  }
}

/** The file's version: 0 when it is new. */
function checkVersion(db: DatabaseSync, path: string, newest: number): number {
  const version = numberOf(db, "PRAGMA user_version");
  const isOurs = numberOf(db, "PRAGMA application_id") === applicationId;
  if (!isOurs && numberOf(db, "SELECT count(*) FROM sqlite_schema") > 0) {
    throw new StoreRefusedError(`${path} belongs to another program. Choose another folder.`);
  }
  if (version > newest) {
    throw new StoreRefusedError(
      `${path} was written by a newer version of this program (its format is ${version}, and ` +
        `${newest} is the newest known here). Run that version, or put a backup in its place.`,
    );
  }
  return version;
}

async function migrate(
  db: DatabaseSync,
  path: string,
  version: number,
  steps: readonly string[],
): Promise<void> {
  if (version > 0) await backupDatabase(db, `${path}.before-format-${steps.length}`);
  db.exec("BEGIN IMMEDIATE");
  for (const step of steps.slice(version)) db.exec(step);
  db.exec(
    `PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${steps.length}; COMMIT`,
  );
  // A power cut may not take the file's name away again.
  syncFolder(path);
}

/** Writes a copy that is there whole or not at all; one that was there is replaced. */
export async function backupDatabase(db: DatabaseSync, path: string): Promise<void> {
  const unfinished = `${path}.new`;
  {
    using file = openPrivate(unfinished);
    file.truncateSync();
  }
  await backup(db, unfinished, { rate: 1_000_000 });
  {
    using file = openPrivate(unfinished);
    file.syncSync();
  }
  Deno.renameSync(unfinished, path);
  syncFolder(path);
}

function makeFile(path: string): void {
  using _file = openPrivate(path);
}

function openPrivate(path: string): Deno.FsFile {
  return Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 });
}

/** Where a folder can be synced, its names are durable then; elsewhere the system sees to it. */
function syncFolder(path: string): void {
  if (Deno.build.os === "windows") return;
  using folder = Deno.openSync(path.replace(/[^/]*$/, "") || ".");
  folder.syncSync();
}

/** The number that a statement gives. */
export function numberOf(db: DatabaseSync, sql: string): number {
  return Number(Object.values(db.prepare(sql).get() ?? {})[0]);
}
