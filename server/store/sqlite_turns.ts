/**
 * Turns of calls, each in one commit; what a fault means for them, and when the file is tidied.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import { type Call, type OpenOptions, type Outcome, type Turn, writes } from "./sqlite_calls.ts";
import { brokenText, faultOf, fullText, reasonOf } from "./sqlite_faults.ts";
import { integrityFaults } from "./sqlite_integrity.ts";
import { backupDatabase } from "./sqlite_schema.ts";
import { SqliteTables } from "./sqlite_tables.ts";

/** What may lie in the -wal file before it is worked into the file itself … */
const walBytesDefault = 8 * 1024 * 1024;
/** … reckoned by what a commit and a call write there beside the rows, about: three pages each. */
const commitBytes = 12 * 1024;
const callBytes = 12 * 1024;

/**
 * MUST answer no write before its commit is safe; MUST NOT go on after a commit whose fate is not
 * known: a disk that failed to keep something once may say the next time that it did.
 */
export class SqliteTurns {
  readonly #db: DatabaseSync;
  readonly #tables: SqliteTables;
  readonly #path: string;
  readonly #walBytesMax: number;
  #broken: string | undefined;
  #walBytes = 0;

  constructor(db: DatabaseSync, { path, walBytesMax = walBytesDefault }: OpenOptions) {
    this.#db = db;
    this.#path = path;
    this.#walBytesMax = walBytesMax;
    this.#tables = new SqliteTables(db);
  }

  /** Whether something dropped is still to be cleared up. */
  get hasDropped(): boolean {
    return this.#tables.hasDropped;
  }

  /** Does what a turn asks for: all of what it writes, or nothing. */
  async perform({ calls, rows }: Turn): Promise<Outcome[]> {
    if (this.#broken !== undefined) return calls.map(() => this.#brokenOutcome());
    const [only] = calls;
    if (only && (only.type === "backup" || only.type === "integrity")) {
      return [await this.#look(only)];
    }
    try {
      return this.#commit(calls, rows);
    } catch (error) {
      return this.#recover(error, calls, rows);
    }
  }

  /** Works the -wal file in once it is long. For when nobody waits. */
  tidy(): void {
    if (this.#walBytes < this.#walBytesMax || this.#broken !== undefined) return;
    try {
      this.#db.exec("PRAGMA wal_checkpoint(PASSIVE)");
    } catch (error) {
      if (faultOf(error) !== "full") this.#break(error); // A full disk can wait: all is in the -wal.
    }
    this.#walBytes = 0;
  }

  close(): void {
    this.#db.close();
  }

  #commit(calls: readonly Call[], rows: Uint8Array): Outcome[] {
    const isWriting = calls.some(({ type }) => writes.has(type));
    if (isWriting) this.#db.exec("BEGIN IMMEDIATE");
    const outcomes = calls.map((call) => this.#do(call, rows));
    if (isWriting) {
      this.#db.exec("COMMIT");
      const putBytes = calls.reduce((sum, call) => sum + putBytesOf(call), 0);
      this.#walBytes += commitBytes + calls.length * callBytes + 2 * rows.length + putBytes;
    }
    return outcomes;
  }

  /** Nothing of the turn is kept. Where the disk is only full, what it reads can still be read. */
  #recover(error: unknown, calls: readonly Call[], rows: Uint8Array): Outcome[] {
    try {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      this.#tables.reload();
      if (faultOf(error) === "full") {
        const full: Outcome = { type: "full", text: fullText(this.#path) };
        return calls.map((call) => writes.has(call.type) ? full : this.#do(call, rows));
      }
      this.#break(error);
    } catch (another) {
      this.#break(another);
    }
    return calls.map(() => this.#brokenOutcome());
  }

  /** Looks at the whole file, which takes long; a failure is this call's alone. */
  async #look(call: Call & { type: "backup" | "integrity" }): Promise<Outcome> {
    try {
      return call.type === "backup"
        ? done(await backupDatabase(this.#db, call.path))
        : done(integrityFaults(this.#db));
    } catch (error) {
      return { type: "failed", text: reasonOf(error) };
    }
  }

  #do(call: Call, rows: Uint8Array): Outcome {
    const tables = this.#tables;
    switch (call.type) {
      case "append":
        return done(tables.append(call, rows));
      case "read":
        return done(tables.read(call));
      case "readBack":
        return done(tables.readBack(call));
      case "find":
        return done(tables.find(call));
      case "end":
        return done(tables.end(call));
      case "trim":
        return done(tables.trim(call));
      case "drop":
        return done(tables.drop(call));
      case "sweep":
        return done(tables.sweep());
      case "put":
        return done(tables.put(call));
      case "record":
        return done(tables.record(call));
      case "records":
        return done(tables.records(call));
      case "backup":
      case "integrity":
      case "close":
        throw new TypeError(`"${call.type}" is asked for alone`);
    }
  }

  #break(error: unknown): void {
    this.#broken ??= brokenText(this.#path, error);
  }

  #brokenOutcome(): Outcome {
    return { type: "broken", text: this.#broken! };
  }
}

/** What a call writes of records, about. */
function putBytesOf(call: Call): number {
  const records = call.type === "put"
    ? call.records
    : call.type === "append"
    ? call.records.flatMap(([, records]) => records)
    : [];
  return records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
}

function done(answer: unknown): Outcome {
  return { type: "done", answer };
}
