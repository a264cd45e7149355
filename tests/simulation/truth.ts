/**
 * What the logs truly hold, as the simulation saw it being stored; everything that anybody is shown
 * is compared with it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { CheckedEntry } from "../../client/room_log.ts";
import { equal, fromBase64Url, mapKey } from "../../protocol/bytes.ts";
import {
  chainEntry,
  chainStart,
  Content,
  decodeRows,
  editedBy,
  type Entry,
  refOf,
} from "../../protocol/entry.ts";
import type { Cursor } from "../../protocol/message.ts";
import type { Appended, Store, StoredRecord, Submission } from "../../server/store/store.ts";
import type { Coverage } from "./coverage.ts";
import { Rights } from "./rights.ts";
import type { World } from "./world.ts";

/** An entry as it was stored. */
export interface TrueEntry extends Entry {
  /** The chain's hash behind it. */
  readonly hash: Uint8Array;
}

/** One room's log, whether trimmed or not. */
export interface TrueLog {
  readonly id: Uint8Array;
  readonly entries: TrueEntry[];
  /** Device and message id: where in the log it is. */
  readonly seqs: Map<string, number>;
  /** When the payloads that are erased went, by seq. */
  readonly erasedMs: Map<number, number>;
  /** The oldest seq that the store still has. */
  keptFrom: number;
  readonly rights: Rights;
}

/** What of the store decides about what may be. */
export interface StoreTraits {
  /** Whether it forgets what is old. */
  readonly isTrimmed: boolean;
  /** How long it takes to answer at most. */
  readonly storeMsMax: number;
}

/** Signing a page takes no longer than this. */
const signMs = 50;

/** The logs of all rooms. */
export class Truth {
  readonly #world: World;
  readonly #coverage: Coverage;
  readonly logs = new Map<string, TrueLog>();
  /** Message ids that an operator threw away by restoring a backup. */
  readonly lost = new Set<string>();
  /** The entries that they were, by room and seq: some may still be under way to somebody. */
  readonly #lostEntries = new Map<string, TrueEntry[]>();
  /** Who is behind each device. */
  readonly names = new Map<string, string>();
  /** Message ids that a server has refused for good: its word may not have reached their author. */
  readonly refused = new Set<string>();
  /** Whether changes may have been made that no log tells of. */
  isUnsure = false;
  /** By id. */
  readonly #users = new Map<string, string>();
  /** What was said, and by which message id. */
  readonly #labels = new Map<string, string>();
  /** Whether the store forgets what is old. */
  readonly #isTrimmed: boolean;
  /** A page may be on its way for so long while what is in it is erased. */
  readonly #pageMs: number;

  constructor(world: World, coverage: Coverage, { isTrimmed, storeMsMax }: StoreTraits) {
    this.#world = world;
    this.#coverage = coverage;
    this.#isTrimmed = isTrimmed;
    this.#pageMs = storeMsMax + signMs;
  }

  /** The log of a room. */
  of(room: Uint8Array): TrueLog | undefined {
    return this.logs.get(mapKey(room));
  }

  /** The seq of a room's newest entry. */
  end(room: Uint8Array): number {
    return this.of(room)?.entries.length ?? 0;
  }

  /** Takes what has become durable. */
  async add(
    room: Uint8Array,
    submissions: readonly Submission[],
    { seqs, rows, firstSeq, timeMs }: Appended,
    store: Store,
  ): Promise<void> {
    const log = this.of(room) ?? await this.#begin(room, store);
    const added = decodeRows(rows.slice(), firstSeq, timeMs);
    this.#world.note("store", () => `has ${firstSeq} to ${firstSeq + added.length - 1}`, firstSeq);
    this.#check(seqs.length === submissions.length, () => "A store forgot a submission");
    this.#coverage.repeated += seqs.length - added.length;
    const follows = added.length === 0 || firstSeq === log.entries.length + 1;
    this.#check(follows, () => `A store left out ${firstSeq}`);
    for (const entry of added) this.#addOne(log, entry);
    if (this.#isTrimmed) await this.#lookWhatIsKept(log, store);
  }

  /** Takes records that have become durable: who has been let in may read before the log says so. */
  async note(records: readonly StoredRecord[], store: Store): Promise<void> {
    for (const { kind, key, value } of records) {
      const isNewRoom = kind === "room" && value && !this.of(fromBase64Url(key));
      if (isNewRoom) await this.#begin(fromBase64Url(key), store);
      if (kind === "user" && value) this.#users.set(key, JSON.parse(value).name);
      if (kind !== "member") continue;
      const [room, user] = key.split(" ") as [string, string];
      const rights = this.logs.get(mapKey(fromBase64Url(room)))?.rights;
      const name = this.#users.get(user);
      if (name !== undefined) rights?.note(name, value !== null && !JSON.parse(value).isOut);
    }
  }

  /** A room is no more. */
  drop(room: Uint8Array): void {
    this.logs.delete(mapKey(room));
  }

  /** A server has begun anew: what it knows of the rooms is what was durable. */
  async restart(store: Store): Promise<void> {
    for (const { rights } of this.logs.values()) await rights.learn(store);
  }

  /** What came after a backup is gone. */
  async restore(store: Store): Promise<void> {
    for (const [key, log] of this.logs) {
      const end = await store.end(log.id);
      for (const entry of log.entries.splice(end.seq)) {
        const { seq, core, deviceId } = entry;
        this.lost.add(mapKey(core.messageId));
        const lostKey = `${key} ${seq}`;
        this.#lostEntries.set(lostKey, [...this.#lostEntries.get(lostKey) ?? [], entry]);
        log.seqs.delete(keyOf(deviceId, core.messageId));
        log.erasedMs.delete(seq);
      }
      for (const seq of log.erasedMs.keys()) {
        const deletion = log.entries.find(({ core }) =>
          core.content === Content.deletion && core.target &&
          isOrEdits(log.entries[seq - 1]!, core.target)
        );
        if (!deletion) log.erasedMs.delete(seq);
      }
      log.rights.forget();
      if (this.#isTrimmed) await this.#lookWhatIsKept(log, store);
    }
  }

  /** Whether a reader who stands there may read on from there. */
  has(room: Uint8Array, { seq, hash }: Cursor): boolean {
    const log = this.of(room);
    if (!log || seq < log.keptFrom - 1 || seq > log.entries.length) return !log && seq === 0;
    return equal(seq === 0 ? chainStart(room) : log.entries[seq - 1]!.hash, hash);
  }

  /** Checks that something shown is the entry that was stored, and that who is shown it may read. */
  checkShown(who: string, room: Uint8Array, entry: CheckedEntry): void {
    const { seq, verified } = entry;
    const log = this.of(room);
    const stored = [log?.entries[seq - 1], ...this.#lostEntries.get(`${mapKey(room)} ${seq}`) ?? []]
      .find((stored) => stored && isSame(stored, entry)) ?? log?.entries[seq - 1];
    if (!log || !stored) {
      return this.#check(false, () => `${who} was shown ${seq} before it was stored`);
    }
    this.#check(verified === "signed", () => `${who} was shown ${seq}, which does not verify`);
    this.#check(
      isSame(stored, entry),
      () => `${who} was shown another ${seq} than what was stored`,
    );
    const leftSeq = this.isUnsure ? undefined : log.rights.leftSeq(who);
    this.#check(
      leftSeq === undefined || seq < leftSeq,
      () => `${who} was shown ${seq} after being removed at ${leftSeq}`,
    );
  }

  /** Checks entries that are served from the store: what has been erased is not among them. */
  checkServed(room: Uint8Array, entries: readonly Entry[], sinceMs = this.#world.ms): void {
    const log = this.of(room);
    for (const { seq, isErased } of entries) {
      const erasedMs = log?.erasedMs.get(seq);
      this.#check(
        isErased || erasedMs === undefined || erasedMs + this.#pageMs >= sinceMs,
        () => `${seq} is served though it has been erased`,
      );
      if (isErased) this.#coverage.erasedServed++;
    }
  }

  async #begin(room: Uint8Array, store: Store): Promise<TrueLog> {
    const rights = new Rights(room, this.names);
    const log = {
      id: room.slice(),
      entries: [],
      seqs: new Map(),
      erasedMs: new Map(),
      keptFrom: 1,
      rights,
    };
    await rights.learn(store);
    this.logs.set(mapKey(room), log);
    return log;
  }

  #addOne(log: TrueLog, entry: Entry): void {
    const { deviceId, core, seq } = entry;
    const key = keyOf(deviceId, core.messageId);
    const before = log.seqs.get(key);
    if (before !== undefined && before < log.keptFrom) {
      this.#coverage.repeatedAfterTrim++; // It is known for as long as history is kept.
    } else {
      this.#check(
        before === undefined,
        () => `The same message is in the log as ${before} and as ${seq}`,
      );
    }
    log.seqs.set(key, seq);
    this.#checkSaidOnce(core);
    const previous = log.entries.at(-1)?.hash ?? chainStart(log.id);
    log.entries.push({ ...entry, hash: chainEntry(previous, entry) });
    if (core.content === Content.deletion && core.target) this.#erase(log, core.target);
    const objection = log.rights.add(entry);
    // What comes again after it was forgotten was judged when it came first.
    if (objection && !this.isUnsure && before === undefined) this.#world.fail(objection);
  }

  /** A person who is not told that something is kept says it again: then it was not to be sent. */
  #checkSaidOnce({ payload, messageId }: Entry["core"]): void {
    const label = /^member\d+\/\d+ /.exec(mapKey(payload.subarray(0, 20)))?.[0];
    if (label === undefined) return;
    const id = mapKey(messageId);
    const first = this.#labels.get(label);
    this.#check(first === undefined || first === id, () => `${label}was said twice`);
    this.#labels.set(label, id);
  }

  #erase(log: TrueLog, target: Uint8Array): void {
    for (const { seq } of log.entries.filter((entry) => isOrEdits(entry, target))) {
      if (log.erasedMs.has(seq)) continue;
      this.#coverage.erased++;
      log.erasedMs.set(seq, this.#world.ms);
    }
  }

  async #lookWhatIsKept(log: TrueLog, store: Store): Promise<void> {
    const { keptFrom } = log;
    const result = await store.read(log.id, { seq: 0, hash: chainStart(log.id) }, 1);
    log.keptFrom = result.type === "reset" ? result.cursor.seq + 1 : 1;
    this.#coverage.trimmed += Math.max(0, log.keptFrom - keptFrom);
  }

  #check(holds: boolean, text: () => string): void {
    this.#world.check(holds, text);
  }
}

/** Whether an entry is what a deletion means, or an edit of it: both are erased. */
function isOrEdits({ deviceId, core }: Entry, target: Uint8Array): boolean {
  const edited = editedBy(core.bytes);
  return equal(refOf(deviceId, core.messageId), target) ||
    edited !== undefined && equal(edited, target);
}

function isSame(stored: TrueEntry, { deviceId, core, isErased }: CheckedEntry): boolean {
  return keyOf(stored.deviceId, stored.core.messageId) === keyOf(deviceId, core.messageId) &&
    stored.core.content === core.content &&
    (isErased || Buffer.compare(stored.core.payload, core.payload) === 0);
}

function keyOf(deviceId: Uint8Array, messageId: Uint8Array): string {
  return mapKey(deviceId) + mapKey(messageId);
}
