/**
 * What a client must not lose, in one SQLite file of its folder, readable by its owner only. Several
 * processes may use it at once; a name at a server belongs to one of them at a time.
 *
 * @module
 */

import {
  certify,
  generateIdentity,
  type Identity,
  importSigningKey,
} from "../../crypto/identity.ts";
import { OldFiles } from "./files.ts";
import { SqliteFile } from "./sqlite_file.ts";
import { SqliteProfile } from "./sqlite_profile.ts";
import { type ClientStore, forgetful, type Profile } from "./store.ts";

/** The file's name in the folder. */
export const storeFile = "broadcast.sqlite";

/** See {@link ClientStore}. What an older version kept as files is taken over, and left there. */
export class SqliteStore implements ClientStore {
  readonly #home: string;
  readonly #file: SqliteFile;
  readonly #old: OldFiles;
  readonly #entriesMax: number | undefined;
  readonly #locks = new Set<() => void>();

  /**
   * Makes the folder, for its owner only, where it is missing.
   *
   * @throws {ClientStoreError} and what the system says of the folder
   */
  constructor(home: string, entriesMax?: number) {
    Deno.mkdirSync(`${home}/locks`, { recursive: true, mode: 0o700 });
    const path = `${home}/${storeFile}`;
    // SQLite would make it for everybody to read; the files beside it are made as it is.
    Deno.openSync(path, { append: true, create: true, mode: 0o600 }).close();
    this.#home = home;
    this.#file = new SqliteFile(path);
    this.#old = new OldFiles(home);
    this.#entriesMax = entriesMax;
  }

  async identity(name: string): Promise<Identity> {
    const key = name.toLowerCase();
    const sql = "select user_secret, device_secret from identities where name = ?";
    if (!this.#file.get(sql, key)) {
      const made = await this.#old.identity(name) ?? await generateIdentity();
      const values = [key, made.userSecret, made.deviceSecret];
      this.#file.run("insert or ignore into identities values (?, ?, ?)", ...values);
    }
    const row = this.#file.get(sql, key)!; // Of several processes, one was first.
    const [user, device] = await Promise.all(
      [row["user_secret"], row["device_secret"]].map((secret) =>
        importSigningKey((secret as Uint8Array).slice())
      ),
    );
    return await certify(user!, device!);
  }

  async pin(server: string): Promise<string | undefined> {
    const sql = "select fingerprint from pins where server = ?";
    const row = this.#file.get(sql, server);
    if (row) return row["fingerprint"] === null ? undefined : String(row["fingerprint"]);
    const old = await this.#old.pin(server);
    if (old === undefined) return undefined;
    this.#file.run("insert or ignore into pins values (?, ?)", server, old);
    return await this.pin(server);
  }

  async savePin(server: string, fingerprint: string): Promise<boolean> {
    if (await this.pin(server) !== undefined) return false;
    const changed = this.#file.run(
      `insert into pins values (?, ?)
        on conflict do update set fingerprint = excluded.fingerprint where fingerprint is null`,
      ...[server, fingerprint],
    );
    return changed > 0;
  }

  forgetPin(server: string): Promise<void> {
    this.#file.run(
      "insert into pins values (?, null) on conflict do update set fingerprint = null",
      server,
    );
    return Promise.resolve();
  }

  profile(server: Uint8Array, name: string): Profile {
    const values = [server, name.toLowerCase()];
    this.#file.run("insert or ignore into profiles (server, name) values (?, ?)", ...values);
    const row = this.#file.get("select id from profiles where server = ? and name = ?", ...values)!;
    const id = Number(row["id"]);
    const release = tryLock(`${this.#home}/locks/${id}`);
    if (!release) return forgetful;
    this.#locks.add(release);
    return new SqliteProfile(this.#file, id, release, this.#entriesMax);
  }

  close(): void {
    for (const release of this.#locks) release();
    this.#file.close();
  }
}

/** Takes a file for this process; what gives it back, which the system does for a process that dies. */
function tryLock(path: string): (() => void) | undefined {
  const file = Deno.openSync(path, { write: true, create: true, mode: 0o600 });
  if (!file.tryLockSync(true)) {
    file.close();
    return undefined;
  }
  let isHeld = true;
  return () => {
    if (isHeld) file.close();
    isHeld = false;
  };
}
