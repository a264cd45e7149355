/**
 * What a client must not lose, in one SQLite file of its folder, readable by its owner only. Several
 * processes may use it at once; a name at a server belongs to one of them at a time. What is secret in
 * it is sealed with the folder's key, which may be under a passphrase.
 *
 * @module
 */

import {
  certify,
  generateIdentity,
  type Identity,
  importSigningKey,
  type Secret,
} from "../../crypto/identity.ts";
import { equal } from "../../protocol/bytes.ts";
import { OldFiles } from "./files.ts";
import { KeyLock } from "./key_lock.ts";
import { SqliteFile } from "./sqlite_file.ts";
import { type ChangeStep, SqliteKey } from "./sqlite_key.ts";
import { openSecret } from "./sqlite_secrets.ts";
import { SqliteProfile } from "./sqlite_profile.ts";
import { type ClientStore, forgetful, type Profile } from "./store.ts";

/** The file's name in the folder. */
export const storeFile = "broadcast.sqlite";

const secretColumns = ["identities.user_secret", "identities.device_secret"] as const;

/** See {@link ClientStore}. What an older version kept as files is taken over, and left there. */
export class SqliteStore implements ClientStore {
  readonly #home: string;
  readonly #file: SqliteFile;
  readonly #key: SqliteKey;
  readonly #old: OldFiles;
  readonly #entriesMax: number | undefined;
  readonly #locks = new Set<() => void>();

  /**
   * Makes the folder, for its owner only, where it is missing. While its key is under a passphrase,
   * there are only pins.
   *
   * @throws {ClientStoreError} and what the system says of the folder
   */
  constructor(home: string, entriesMax?: number) {
    Deno.mkdirSync(`${home}/locks`, { recursive: true, mode: 0o700 });
    const path = `${home}/${storeFile}`;
    // SQLite would make it for everybody to read; the files beside it are made as it is.
    Deno.openSync(path, { append: true, create: true, mode: 0o600 }).close();
    this.#home = home;
    // First the lock: who changes the key keeps the file busy for long.
    const lock = new KeyLock(`${home}/locks/key`);
    let file: SqliteFile | undefined;
    try {
      this.#file = file = new SqliteFile(path);
      this.#key = new SqliteKey(home, file, lock);
    } catch (cause) {
      file?.close();
      lock.release();
      throw cause;
    }
    this.#old = new OldFiles(home);
    this.#entriesMax = entriesMax;
  }

  /** Whether the key is under a passphrase … */
  get hasPassphrase(): boolean {
    return this.#key.isWrapped;
  }

  /** … which has not been given yet. */
  get isLocked(): boolean {
    return this.#key.isLocked;
  }

  /**
   * Opens what is under a passphrase.
   *
   * @throws {WrongPassphraseError}
   */
  async unlock(passphrase: string): Promise<void> {
    await this.#key.unlock(passphrase);
    await this.#takeOver();
  }

  /**
   * Puts everything under this passphrase; undefined takes it away. Not once there are profiles.
   *
   * @param onStep told what has been done
   * @throws {ClientStoreError} when another process uses the folder, too
   */
  async setPassphrase(
    passphrase: string | undefined,
    onStep?: (done: ChangeStep) => void,
  ): Promise<void> {
    if (this.#locks.size > 0) throw new Error("Cannot change the key because it is in use");
    await this.#key.change(passphrase, onStep);
    if (passphrase !== undefined) await this.#takeOver();
  }

  async identity(name: string): Promise<Identity> {
    const key = name.toLowerCase();
    if (!this.#secrets(key)) {
      const made = await this.#old.identity(name) ?? await generateIdentity();
      this.#file.run(
        "insert or ignore into identities values (?, ?, ?)",
        key,
        ...secretColumns.map((column, at) =>
          this.#key.vault.seal([made.userSecret, made.deviceSecret][at]!, column, key)
        ),
      );
    }
    const secrets = this.#secrets(key)!; // Of several processes, one was first.
    const [user, device] = await Promise.all(secrets.map(importSigningKey));
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
    const values = [server, name.toLowerCase()] as const;
    const vault = this.#key.vault.of(...values);
    this.#file.run("insert or ignore into profiles (server, name) values (?, ?)", ...values);
    const row = this.#file.get("select id from profiles where server = ? and name = ?", ...values)!;
    const id = Number(row["id"]);
    const release = tryLock(`${this.#home}/locks/${id}`);
    if (!release) return forgetful;
    this.#locks.add(release);
    return new SqliteProfile(this.#file, id, vault, release, this.#entriesMax);
  }

  close(): void {
    for (const release of this.#locks) release();
    this.#file.close();
    this.#key.close();
  }

  /** A user's secret and a device's. */
  #secrets(name: string): Secret[] | undefined {
    const row = this.#file.get("select * from identities where name = ?", name);
    const { vault } = this.#key;
    return row && secretColumns.map((column) => openSecret(vault, row, column, "name").slice());
  }

  /** Takes over what the first version kept in the clear, and removes it if nothing else is kept now. */
  async #takeOver(): Promise<void> {
    for (const name of await this.#old.names()) {
      await this.identity(name);
      const [user, device] = this.#secrets(name.toLowerCase())!;
      const old = await this.#old.identity(name);
      if (!old || !equal(old.userSecret, user!) || !equal(old.deviceSecret, device!)) continue;
      await this.#old.removeIdentity(name);
    }
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
