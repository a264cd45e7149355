/**
 * Key packages that devices have left here, so that others can take them into groups while they are away.
 * A server never looks into them.
 *
 * @module
 */

import { mapKey, toBase64Url } from "../protocol/bytes.ts";
import { keyPackagesMax } from "../protocol/limits.ts";
import { loadRecord, type RecordOf, toRecord } from "./records.ts";
import type { Store, StoredRecord } from "./store/store.ts";

/** What is in the pool of a device: packages by number, from the first up to the next. */
type Pool = { -readonly [Key in keyof RecordOf<"pool">]: RecordOf<"pool">[Key] };

/** MUST give each package once, but for a device's last one; MUST keep what is used up before it is given. */
export class KeyPackages {
  readonly #store: Store;
  /** By device, what has been looked at. */
  readonly #pools = new Map<string, Promise<Pool>>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Puts packages into a device's pool, of which the newest stay; how many there are then. */
  async add(
    device: Uint8Array,
    packages: readonly Uint8Array[],
    last: Uint8Array | undefined,
  ): Promise<number> {
    const pool = await this.#pool(device);
    const records = packages.map((each) => packageRecord(device, pool.next++, each));
    while (pool.next - pool.first > keyPackagesMax) {
      records.push(packageRecord(device, pool.first++, undefined));
    }
    if (last) {
      pool.hasLast = true;
      records.push(packageRecord(device, "last", last));
    }
    const left = pool.next - pool.first;
    await this.#keep(device, pool, records);
    return left;
  }

  /** A package of a device; undefined where it has left none. */
  async take(device: Uint8Array): Promise<Uint8Array | undefined> {
    const pool = await this.#pool(device);
    const isEmpty = pool.first === pool.next;
    if (isEmpty && !pool.hasLast) return undefined;
    const number = isEmpty ? "last" : pool.first++;
    const found = loadRecord(this.#store, "package", packageKey(device, number));
    const used = number === "last" ? [] : [packageRecord(device, number, undefined)];
    const kept = used.length > 0 ? this.#keep(device, pool, used) : undefined;
    const [record] = await Promise.all([found, kept]);
    return record?.package;
  }

  /** Forgets what a device has left. */
  async forget(device: Uint8Array): Promise<void> {
    const pool = await this.#pool(device);
    const numbers = Array.from({ length: pool.next - pool.first }, (_, at) => pool.first + at);
    this.#pools.delete(mapKey(device));
    if (numbers.length === 0 && !pool.hasLast) return;
    await this.#store.put([
      toRecord("pool", toBase64Url(device), undefined),
      ...[...numbers, "last" as const].map((number) => packageRecord(device, number, undefined)),
    ]);
  }

  /** What is in a device's pool; of two who ask at once both get the same. */
  #pool(device: Uint8Array): Promise<Pool> {
    const key = mapKey(device);
    let pool = this.#pools.get(key);
    if (!pool) {
      pool = loadRecord(this.#store, "pool", toBase64Url(device))
        .then((kept) => kept ?? { first: 0, next: 0, hasLast: false });
      pool.catch(() => this.#pools.delete(key));
      this.#pools.set(key, pool);
    }
    return pool;
  }

  /** Keeps what has changed; where that fails, what is kept counts again. */
  async #keep(device: Uint8Array, pool: Pool, records: readonly StoredRecord[]): Promise<void> {
    try {
      await this.#store.put([...records, toRecord("pool", toBase64Url(device), { ...pool })]);
    } catch (cause) {
      this.#pools.delete(mapKey(device));
      throw cause;
    }
  }
}

function packageKey(device: Uint8Array, number: number | "last"): string {
  return `${toBase64Url(device)} ${number}`;
}

function packageRecord(
  device: Uint8Array,
  number: number | "last",
  value: Uint8Array | undefined,
): StoredRecord {
  return toRecord("package", packageKey(device, number), value && { package: value });
}
