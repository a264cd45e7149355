/**
 * Where the file of a vault's key lies in the client's folder: `key`, and beside it `key.new` while one
 * key takes another's place. Which of them counts, the store knows by the key's id.
 *
 * @module
 */

import { equal } from "../../protocol/bytes.ts";
import { decodeKeyFile, encodeKeyFile, type KeyFile, newKey } from "./key_file.ts";
import { ClientStoreError } from "./store.ts";

/** MUST have a key on the disk before it says that it is there; MUST drop none that may still count. */
export class KeyFolder {
  readonly #home: string;
  readonly #path: string;
  readonly #nextPath: string;

  /** @param home the client's folder */
  constructor(home: string) {
    this.#home = home;
    this.#path = `${home}/key`;
    this.#nextPath = `${home}/key.new`;
  }

  /** The key of a store that has none yet; made where there is no file. */
  first(): KeyFile {
    const there = read(this.#path);
    if (there) return there;
    const made = newKey();
    this.prepare(made);
    this.promote();
    return made;
  }

  /**
   * The key with this id.
   *
   * @throws {ClientStoreError} when it is not there
   */
  find(id: Uint8Array): KeyFile {
    const isIt = (file: KeyFile | undefined) => file !== undefined && equal(file.id, id);
    const current = read(this.#path);
    if (isIt(current)) {
      remove(this.#nextPath); // Its turn never came.
      return current!;
    }
    if (isIt(read(this.#nextPath))) this.promote();
    const promoted = read(this.#path); // By another process, it may be.
    if (isIt(promoted)) return promoted!;
    const what = promoted ? "is another store's" : "is missing";
    throw new ClientStoreError(
      `${this.#path} ${what}: without the right one your keys cannot be read. Put it back from a ` +
        `backup; or choose another folder and another name: --home FOLDER`,
    );
  }

  /** Writes the key that is to take the place of the present one. */
  prepare(file: KeyFile): void {
    remove(this.#nextPath); // It may be of other permissions.
    const next = Deno.openSync(this.#nextPath, { write: true, createNew: true, mode: 0o600 });
    try {
      const bytes = new TextEncoder().encode(encodeKeyFile(file));
      for (let at = 0; at < bytes.length;) at += next.writeSync(bytes.subarray(at));
      next.syncSync();
    } finally {
      next.close();
    }
    this.#sync();
  }

  /** The key that was prepared is the key. */
  promote(): void {
    try {
      Deno.renameSync(this.#nextPath, this.#path);
    } catch (cause) {
      if (!(cause instanceof Deno.errors.NotFound)) throw cause; // Another process was first.
    }
    this.#sync();
  }

  /** So that the names of files survive a power cut too. */
  #sync(): void {
    if (Deno.build.os === "windows") return; // There, a folder cannot be opened.
    const folder = Deno.openSync(this.#home, { read: true });
    try {
      folder.syncSync();
    } finally {
      folder.close();
    }
  }
}

function read(path: string): KeyFile | undefined {
  const text = readText(path);
  if (text === undefined) return undefined;
  const file = decodeKeyFile(text);
  if (file) return file;
  throw new ClientStoreError(
    `${path} is damaged: without it your keys cannot be read. Put it back from a backup; or choose ` +
      `another folder and another name: --home FOLDER`,
  );
}

function readText(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw cause;
  }
}

function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  }
}
