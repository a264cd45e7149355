/**
 * A backup: one file, the store as it was, with the server's identity and its invitation in it as
 * records, so that a server can be made again from it alone.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import { backupDatabase, openDatabase } from "./sqlite_schema.ts";
import { integrityFaults } from "./sqlite_integrity.ts";
import { SqliteTables } from "./sqlite_tables.ts";

/** What a backup holds beside the store: the texts of the files in the data folder. */
export interface Secrets {
  readonly identity: string;
  readonly invitation: string;
}

const kind = "backup";

/** Writes a copy of a store that no server uses. */
export async function copyStore(path: string, to: string): Promise<void> {
  await withDatabase(path, (db) => backupDatabase(db, to));
}

/** Makes a backup of a copy of a store. */
export async function addSecrets(path: string, secrets: Secrets): Promise<void> {
  const records = Object.entries(secrets).map(([key, value]) => ({ kind, key, value }));
  await withDatabase(path, (db) => new SqliteTables(db).put({ records }));
}

/** Makes a store of a copy of a backup again; undefined when it is not a backup. */
export async function takeSecrets(path: string): Promise<Secrets | undefined> {
  return await withDatabase(path, (db) => {
    const tables = new SqliteTables(db);
    const held = new Map(tables.records({ kind, after: "" }).map(({ key, value }) => [key, value]));
    const [identity, invitation] = [held.get("identity"), held.get("invitation")];
    if (!identity || !invitation) return undefined;
    tables.put({ records: [...held.keys()].map((key) => ({ kind, key, value: null })) });
    return { identity, invitation };
  });
}

/** Says of each fault in a store that no server uses what it is. */
export async function faultsOf(path: string): Promise<string[]> {
  return await withDatabase(path, integrityFaults);
}

async function withDatabase<T>(
  path: string,
  act: (db: DatabaseSync) => T | Promise<T>,
): Promise<T> {
  const db = await openDatabase({ path });
  try {
    return await act(db);
  } finally {
    db.close();
  }
}
