/**
 * The client's one SQLite file: opened with care, of the right version, and changed in transactions.
 *
 * @module
 */

import { DatabaseSync, type SQLInputValue, type SQLOutputValue } from "node:sqlite";
import { ClientStoreError } from "./store.ts";

/** One row of a result. */
export type Row = Record<string, SQLOutputValue>;

/** The bytes in a row's column. */
export function bytes(value: Row[string] | undefined): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new TypeError("Cannot read what is kept because it is of another kind");
}

/** Each brings a file from the version of its place in the list to the next. */
const migrations: readonly string[] = [
  `
  create table identities (
    name text primary key, user_secret blob not null, device_secret blob not null
  ) strict;
  -- No fingerprint: it was forgotten, and what an older version kept counts no more.
  create table pins (server text primary key, fingerprint text) strict;
  create table profiles (
    id integer primary key, server blob not null, name text not null, unique (server, name)
  ) strict;
  create table rooms (
    id integer primary key, profile integer not null references profiles, room blob not null,
    name text not null, seq integer not null, hash blob not null, read_seq integer not null,
    is_gone integer not null, unique (profile, room)
  ) strict;
  create table entries (
    room integer not null references rooms, seq integer not null, time_ms integer not null,
    device_id blob not null, message_id blob not null, content integer not null, target blob,
    core blob not null, is_erased integer not null, previous blob not null,
    user_id blob, author text, verified text not null, is_own integer not null,
    -- What it says now, as it is shown and as it is looked for, and which entry says so.
    text text, folded text, edited_by integer,
    primary key (room, seq)
  ) strict;
  create index entries_by_id on entries (room, message_id);
  create index entries_by_target on entries (room, target) where target is not null;
  create table messages (
    number integer primary key autoincrement, profile integer not null references profiles,
    room blob not null, message_id blob not null, core blob not null, unique (profile, message_id)
  ) strict;
`,
  `
  -- A target names the device beside the message id: what names another message was laid out otherwise,
  -- and is signed so. Whatever wrote it was never released. (The fourth byte of a core has its flags.)
  delete from entries where target is not null;
  delete from messages where substr(core, 4, 1) in (x'01', x'03');
  alter table rooms add column is_sealed integer not null default 0;
  -- Of a sealed room, the core is sealed with our key, and so is what the entry says now.
  alter table entries add column sealed_text blob;
  -- What stands in the clear is moved by the first key, and these tables dropped: of a row that is only
  -- changed, something may stay in its page.
  alter table identities rename to clear_identities;
  create table identities (
    name text primary key, user_secret blob not null, device_secret blob not null
  ) strict;
  alter table messages rename to clear_messages;
  create table messages (
    number integer primary key autoincrement, profile integer not null references profiles,
    room blob not null, message_id blob not null, core blob not null, sealed blob,
    unique (profile, message_id)
  ) strict;
  create table groups (
    profile integer not null references profiles, room blob not null,
    -- No state: we have never been in, and a commit that takes us in is staged.
    state blob, seq integer not null, hash blob not null, is_clean integer not null,
    staged_id blob, staged_core blob, staged_state blob, staged_request blob,
    primary key (profile, room)
  ) strict;
  create table key_packages (
    number integer primary key autoincrement, profile integer not null references profiles,
    ref blob not null, saved blob not null, unique (profile, ref)
  ) strict;
  create table invitations (
    profile integer not null references profiles, room blob not null, secret blob not null,
    inviter blob not null, generation integer not null, primary key (profile, room)
  ) strict;
  create table people (
    profile integer not null references profiles, folded text not null, name text not null,
    user_key blob not null, is_verified integer not null, changed_to blob,
    primary key (profile, folded)
  ) strict;
  -- Which key the secrets are sealed with, and whether all is gone that was there before.
  create table sealing (
    number integer primary key check (number = 1), key_id blob not null, is_swept integer not null
  ) strict;
`,
  `
  alter table key_packages add column place text;
`,
];

/** How long to wait for another process that is changing the file. */
const busyMs = 5_000;

/** MUST change the file in transactions only; MUST tell every failure as a {@link ClientStoreError}. */
export class SqliteFile {
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, ReturnType<DatabaseSync["prepare"]>>();
  #isOpen = true;

  /** @param path of a file that is there, be it empty: so it has the permissions that it should */
  constructor(path: string) {
    this.#path = path;
    this.#db = this.#told(() => new DatabaseSync(path, { timeout: busyMs }));
    this.#told(() => {
      this.#db.exec("pragma journal_mode = wal");
      this.#db.exec("pragma synchronous = full");
      this.#db.exec("pragma foreign_keys = on");
      this.#db.exec("pragma secure_delete = on"); // What was erased is not to be found in the file.
    });
    this.#migrate();
  }

  /** The rows that a query gives. */
  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#told(() => this.#prepare(sql).all(...values));
  }

  /** The first of them. */
  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#told(() => this.#prepare(sql).get(...values));
  }

  /** Changes rows; how many. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return this.#told(() => Number(this.#prepare(sql).run(...values).changes));
  }

  /** Does all of it or nothing; when it returns, it is on the disk. */
  transact<T>(act: () => T): T {
    this.#told(() => this.#db.exec("begin immediate"));
    try {
      const result = act();
      this.#told(() => this.#db.exec("commit"));
      return result;
    } catch (cause) {
      if (this.#db.isTransaction) this.#told(() => this.#db.exec("rollback"));
      throw cause;
    }
  }

  /** Leaves nothing beside the file of what was in it; false where another process is in the way. */
  empty(): boolean {
    const row = this.get("pragma wal_checkpoint(truncate)");
    return row?.["busy"] === 0;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#db.close();
  }

  #migrate(): void {
    const current = () => Number(this.get("pragma user_version")!["user_version"]);
    if (current() === migrations.length) return;
    this.transact(() => {
      const version = current(); // Another process may have been first.
      if (version > migrations.length) {
        throw new ClientStoreError(
          `${this.#path} was written by a newer version of this program. Use that, or choose ` +
            `another folder: --home FOLDER`,
        );
      }
      for (const sql of migrations.slice(version)) this.#told(() => this.#db.exec(sql));
      this.#told(() => this.#db.exec(`pragma user_version = ${migrations.length}`));
    });
  }

  #prepare(sql: string): ReturnType<DatabaseSync["prepare"]> {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #told<T>(act: () => T): T {
    try {
      return act();
    } catch (cause) {
      if (!(cause instanceof Error && "code" in cause && cause.code === "ERR_SQLITE_ERROR")) {
        throw cause;
      }
      const reason = reasons.find(([pattern]) => pattern.test(cause.message))?.[1];
      throw new ClientStoreError(
        `Cannot use ${this.#path}: ${reason ?? `${cause.message}.`}`,
        { cause },
      );
    }
  }
}

const elsewhere = "Choose another folder: --home FOLDER";
const damaged = `it is damaged. Put it back from a backup, or move it away. ${elsewhere}`;

/** By SQLite's own words: Deno does not always give its codes. */
const reasons: readonly (readonly [RegExp, string])[] = [
  [/is locked|is busy/, "another process has been changing it for too long. Try again."],
  [/readonly/, `it cannot be written. ${elsewhere}`],
  [/I\/O error/, "the disk does not do what it should."],
  [/is full/, "the disk is full. Make room, and connect again: nothing that was kept is lost."],
  [/unable to open/, `it cannot be opened. ${elsewhere}`],
  [/not a database|malformed/, damaged],
];
