/**
 * Who uses a folder's key: many processes at once, or one that changes it. The system frees the lock of
 * a process that dies.
 *
 * @module
 */

/** Shared from the beginning. */
export class KeyLock {
  readonly #file: Deno.FsFile;
  #isHeld = true;

  /** Waits while another process changes the key. */
  constructor(path: string) {
    this.#file = Deno.openSync(path, { write: true, create: true, mode: 0o600 });
    this.#file.lockSync(false);
  }

  /**
   * Acts while no other process uses the key, for which it waits. Another one may come in between
   * before this and after it.
   */
  alone<T>(act: () => T): T {
    this.#file.unlockSync();
    this.#file.lockSync(true);
    return this.#sharedAfter(act);
  }

  /** The same at once, or not at all: then it is undefined. */
  tryAlone<T>(act: () => T): T | undefined {
    this.#file.unlockSync();
    if (this.#file.tryLockSync(true)) return this.#sharedAfter(act);
    this.#file.lockSync(false);
    return undefined;
  }

  release(): void {
    if (this.#isHeld) this.#file.close();
    this.#isHeld = false;
  }

  #sharedAfter<T>(act: () => T): T {
    try {
      return act();
    } finally {
      this.#file.unlockSync();
      this.#file.lockSync(false);
    }
  }
}
