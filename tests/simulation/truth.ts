/**
 * What the log truly holds, as the simulation saw it being stored; everything that anybody is shown
 * is compared with it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { CheckedEntry } from "../../client/room_log.ts";
import { mapKey } from "../../protocol/bytes.ts";
import { chainStart, decodeRows, type Entry } from "../../protocol/entry.ts";
import type { Cursor } from "../../protocol/message.ts";
import type { Appended, ReadResult, Store, Submission } from "../../server/store/store.ts";
import type { Coverage } from "./coverage.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

/** The log, seq by seq, trimmed or not. */
export class Truth {
  readonly #world: World;
  readonly #coverage: Coverage;
  readonly entries: Entry[] = [];
  readonly #seqs = new Map<string, number>();
  /** The oldest seq that the store still has. */
  keptFrom = 1;
  /** Whether a server has begun anew: what only its memory held is gone, as who is behind a device. */
  isRestarted = false;

  constructor(world: World, coverage: Coverage) {
    this.#world = world;
    this.#coverage = coverage;
  }

  /** The seq of the newest entry. */
  get end(): number {
    return this.entries.length;
  }

  /** Takes what a store says that it has appended. */
  add(submissions: readonly Submission[], { seqs, rows, firstSeq, timeMs }: Appended): void {
    const added = decodeRows(rows.slice(), firstSeq, timeMs);
    this.#world.note("store", () => `has ${firstSeq} to ${firstSeq + added.length - 1}`, firstSeq);
    const { check } = this.#bound();
    check(seqs.length === submissions.length, () => "A store forgot a submission");
    check(firstSeq === this.end + 1 || added.length === 0, () => `A store left out ${firstSeq}`);
    for (const entry of added) this.#addOne(entry);
  }

  /** Checks that something shown is the entry that was stored. */
  checkShown(who: string, { seq, deviceId, core, verified }: CheckedEntry): void {
    const { check } = this.#bound();
    const stored = this.entries[seq - 1];
    if (!stored) return check(false, () => `${who} was shown ${seq} before it was stored`);
    const isSame =
      keyOf(stored.deviceId, stored.core.messageId) === keyOf(deviceId, core.messageId) &&
      stored.core.content === core.content &&
      Buffer.compare(stored.core.payload, core.payload) === 0;
    check(
      verified === "signed" || this.isRestarted,
      () => `${who} was shown ${seq}, which does not verify`,
    );
    check(isSame, () => `${who} was shown another ${seq} than what was stored`);
  }

  #addOne(entry: Entry): void {
    const key = keyOf(entry.deviceId, entry.core.messageId);
    const before = this.#seqs.get(key);
    if (before !== undefined && before < this.keptFrom && this.isRestarted) {
      this.#coverage.repeatedAfterTrim++; // It is known for as long as history is kept.
    } else {
      this.#bound().check(
        before === undefined,
        () => `The same message is in the log as ${before} and as ${entry.seq}`,
      );
    }
    this.#seqs.set(key, entry.seq);
    this.entries.push(entry);
  }

  #bound() {
    return { check: this.#world.check.bind(this.#world) };
  }
}

function keyOf(deviceId: Uint8Array, messageId: Uint8Array): string {
  return mapKey(deviceId) + mapKey(messageId);
}

/** What a {@link SlowStore} takes. */
export interface SlowStoreOptions {
  readonly world: World;
  readonly truth: Truth;
  readonly coverage: Coverage;
  readonly random: Random;
  readonly msMax: number;
  /** Whether the process that uses it is still there. */
  readonly isAlive: () => boolean;
}

/** A store that takes its time, and whose answers do not reach a process that has gone. */
export class SlowStore implements Store {
  readonly #inner: Store;
  readonly #options: SlowStoreOptions;

  constructor(inner: Store, options: SlowStoreOptions) {
    this.#inner = inner;
    this.#options = options;
  }

  async append(
    roomId: Uint8Array,
    submissions: readonly Submission[],
    nowMs: number,
  ): Promise<Appended> {
    const { truth } = this.#options;
    await this.#passes();
    const keptFrom = truth.keptFrom;
    const appended = await this.#inner.append(roomId, submissions, nowMs);
    truth.add(submissions, appended);
    await this.#lookWhatIsKept(roomId);
    this.#options.coverage.trimmed += truth.keptFrom - keptFrom;
    await this.#passes();
    return appended;
  }

  async read(roomId: Uint8Array, after: Cursor, bytesMax: number): Promise<ReadResult> {
    await this.#passes();
    const result = await this.#inner.read(roomId, after, bytesMax);
    if (result.type === "page") this.#options.coverage.pages++;
    await this.#passes();
    return result;
  }

  end(roomId: Uint8Array): Promise<Cursor> {
    return this.#inner.end(roomId);
  }

  /** Time passes; never for a process that has gone. */
  async #passes(): Promise<void> {
    const { world, random, msMax, isAlive } = this.#options;
    if (msMax > 0) await world.pause(random.next() * msMax);
    if (!isAlive()) await new Promise(() => {});
  }

  async #lookWhatIsKept(roomId: Uint8Array): Promise<void> {
    const result = await this.#inner.read(roomId, { seq: 0, hash: chainStart(roomId) }, 1);
    this.#options.truth.keptFrom = result.type === "reset" ? result.cursor.seq + 1 : 1;
  }
}
