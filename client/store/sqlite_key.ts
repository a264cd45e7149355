/**
 * The key of the client's file: found, made at the first start, put under a passphrase and taken out of
 * it. Each time that changes, there is a new key, and all secrets are sealed anew: so who has an old
 * `key` file, or an old passphrase, opens nothing that is kept now.
 *
 * The steps of a change, of which a crash may leave any number done:
 *
 * 1. `key.new` is written, and synced.
 * 2. In one transaction all secrets are sealed anew, and the key's id is kept: from here on it counts.
 * 3. `key.new` becomes `key`.
 * 4. The log beside the file is emptied, so that nothing is left of what was there before.
 *
 * @module
 */

import { equal } from "../../protocol/bytes.ts";
import { type KeyFile, newKey, type OpenKey, unwrapKey, wrapKey } from "./key_file.ts";
import { KeyFolder } from "./key_folder.ts";
import type { KeyLock } from "./key_lock.ts";
import type { SqliteFile } from "./sqlite_file.ts";
import { reseal, sealClear } from "./sqlite_secrets.ts";
import { ClientStoreError } from "./store.ts";
import { Vault } from "./vault.ts";

/** A step that is done, of the list above. */
export type ChangeStep = 1 | 2 | 3 | 4;

/** MUST lose no secret, whenever the process dies; MUST let no other process use a key that goes. */
export class SqliteKey {
  readonly #home: string;
  readonly #file: SqliteFile;
  readonly #folder: KeyFolder;
  readonly #lock: KeyLock;
  #key: KeyFile;
  #vault: Vault | undefined;

  /**
   * @param home the client's folder
   * @param lock which it takes over, and frees
   */
  constructor(home: string, file: SqliteFile, lock: KeyLock) {
    this.#home = home;
    this.#file = file;
    this.#folder = new KeyFolder(home);
    this.#lock = lock;
    this.#key = this.#find();
    if ("key" in this.#key) this.#use(this.#key);
  }

  /** Whether the key is under a passphrase. */
  get isWrapped(): boolean {
    return "wrapped" in this.#key;
  }

  /** Whether it still is, so that nothing can be opened. */
  get isLocked(): boolean {
    return this.#vault === undefined;
  }

  /** What seals and opens the secrets. */
  get vault(): Vault {
    if (this.#vault) return this.#vault;
    throw new Error("Cannot open what is kept because its key is under a passphrase");
  }

  /**
   * Takes the key from under its passphrase.
   *
   * @throws {WrongPassphraseError}
   */
  async unlock(passphrase: string): Promise<void> {
    if ("wrapped" in this.#key) this.#use(await unwrapKey(this.#key, passphrase));
  }

  /**
   * Makes a new key under this passphrase; undefined for none.
   *
   * @throws {ClientStoreError} when another process uses the folder, too
   */
  async change(
    passphrase: string | undefined,
    onStep: (done: ChangeStep) => void = () => {},
  ): Promise<void> {
    const key = newKey();
    const next = passphrase === undefined ? key : await wrapKey(key, passphrase);
    const from = this.vault;
    const isDone = this.#lock.tryAlone(() => {
      this.#mustStillCount();
      this.#folder.prepare(next);
      onStep(1);
      this.#keep(key, (to) => reseal(this.#file, from, to));
      this.#key = next;
      onStep(2);
      this.#folder.promote();
      onStep(3);
      this.#sweep();
      onStep(4);
      return true;
    });
    if (!isDone) {
      throw new ClientStoreError(
        `Another process uses ${this.#home}. End it before you change the passphrase.`,
      );
    }
    this.#mustStillCount();
  }

  close(): void {
    this.#lock.release();
  }

  /** The key's file, of which the secrets may still know nothing when it is under a passphrase. */
  #find(): KeyFile {
    let id = this.#keptId();
    if (!id) {
      const first = this.#lock.alone(() => {
        if (this.#keptId()) return undefined; // Another process was first.
        const key = this.#folder.first();
        if ("key" in key) this.#adopt(key);
        return key;
      });
      if (first && "wrapped" in first) return first;
      id = this.#keptId()!;
    }
    const key = this.#folder.find(id);
    if (!this.#isSwept()) this.#lock.tryAlone(() => this.#sweep());
    return key;
  }

  #use(key: OpenKey): void {
    if (!this.#keptId()) this.#lock.alone(() => this.#adopt(key));
    this.#mustStillCount();
    this.#vault = new Vault(key.key);
  }

  /** What stands in the clear comes under the first key. */
  #adopt(key: OpenKey): void {
    if (this.#keptId()) return;
    this.#keep(key, (vault) => sealClear(this.#file, vault));
    this.#sweep();
  }

  /** From here on this key counts: all that is secret is sealed with it. */
  #keep(key: OpenKey, seal: (vault: Vault) => void): void {
    const vault = new Vault(key.key);
    this.#file.transact(() => {
      seal(vault);
      this.#file.run("insert or replace into sealing values (1, ?, 0)", key.id);
    });
    this.#vault = vault;
  }

  /** Leaves nothing of what was there before; a process that died may have left that to us. */
  #sweep(): void {
    if (this.#isSwept() || !this.#file.empty()) return;
    this.#file.run("update sealing set is_swept = 1");
  }

  #isSwept(): boolean {
    return this.#file.get("select is_swept from sealing")!["is_swept"] === 1;
  }

  #keptId(): Uint8Array | undefined {
    return this.#file.get("select key_id from sealing")?.["key_id"] as Uint8Array | undefined;
  }

  #mustStillCount(): void {
    const id = this.#keptId();
    if (id && equal(id, this.#key.id)) return;
    throw new ClientStoreError(
      `The passphrase of ${this.#home} was changed by another process. Start again.`,
    );
  }
}
