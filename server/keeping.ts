/**
 * Keeping records of what is in memory already.
 *
 * @module
 */

import { recordsMax, type Store, type StoredRecord, StoreFullError } from "./store/store.ts";

/**
 * MUST keep, once there is room again, what a full disk refused: else somebody who was sent out of a room
 * would be in it again after the next start. Until then it goes along with whatever is kept next. MUST NOT
 * put an older record over a newer one.
 */
export class Keeping {
  readonly #store: Pick<Store, "put">;
  /** What memory has and the store has not, by kind and key. */
  readonly #owed = new Map<string, StoredRecord>();
  /** The newest that the store was asked for and has not answered. */
  readonly #asked = new Map<string, StoredRecord>();

  constructor(store: Pick<Store, "put">) {
    this.#store = store;
  }

  /** Keeps records of what has happened; those that a full disk refuses are kept later. */
  async put(records: readonly StoredRecord[]): Promise<void> {
    await this.#put(records, true);
  }

  /** Keeps records of what will be taken back where they cannot be kept now. */
  async tryPut(records: readonly StoredRecord[]): Promise<void> {
    await this.#put(records, false);
  }

  /** Whether the store has what was last asked for of a record. */
  isKept(record: StoredRecord): boolean {
    const of = keyOf(record);
    return !this.#owed.has(of) && !this.#asked.has(of);
  }

  async #put(records: readonly StoredRecord[], hasHappened: boolean): Promise<void> {
    const owed = new Map(this.#owed.entries().take(recordsMax));
    const all = new Map([...owed, ...records.map((record) => [keyOf(record), record] as const)]);
    if (all.size === 0) return;
    for (const [key, record] of all) this.#asked.set(key, record);
    try {
      await this.#store.put([...all.values()]);
      for (const [key, record] of owed) {
        if (this.#owed.get(key) === record) this.#owed.delete(key);
      }
    } catch (cause) {
      if (hasHappened && cause instanceof StoreFullError) {
        for (const [key, record] of all) {
          if (this.#asked.get(key) === record) this.#owed.set(key, record);
        }
      }
      throw cause;
    } finally {
      for (const [key, record] of all) {
        if (this.#asked.get(key) === record) this.#asked.delete(key);
      }
    }
  }
}

function keyOf({ kind, key }: StoredRecord): string {
  return `${kind} ${key}`;
}
