/**
 * A room as one reader has it: where it stands, and the check of everything that is added. Nothing is
 * handed on before its place in the chain, the server's signature and the author's are checked.
 *
 * @module
 */

import {
  deviceIdOf,
  importVerifier,
  label,
  type Verifier,
  verifyCertificate,
} from "../crypto/identity.ts";
import { equal, mapKey, writeU64 } from "../protocol/bytes.ts";
import { type Change, change } from "../protocol/command.ts";
import {
  chainEntry,
  Content,
  contentEventsFrom,
  decodeRows,
  type Entry,
  payloadHashOf,
  Proof,
  signedFields,
} from "../protocol/entry.ts";
import { ProtocolError } from "../protocol/errors.ts";
import {
  type Batch,
  type Cursor,
  parseJson,
  type Person,
  personPayload,
} from "../protocol/message.ts";

/** How sure one can be of an entry's author. */
export type Verified = "signed" | "unverified" | "failed";

/** An entry that fits its log, with who made it. */
export interface CheckedEntry extends Entry {
  /** Undefined when the server does not know the device any more. */
  readonly author: Person | undefined;
  readonly verified: Verified;
  /** What it says of the room, where it is an event that does. */
  readonly change?: Change;
  /** The chain's hash before it: what stands before can be checked by it. */
  readonly previous: Uint8Array;
}

/** Entries of before those that are known. */
export interface Earlier {
  readonly firstSeq: number;
  /** What the rows' times count from. */
  readonly timeMs: number;
  /** See protocol/entry.ts. */
  readonly rows: Uint8Array;
  /** The chain's hash before the first of them. */
  readonly before: Uint8Array;
}

/** Asks the server who is behind devices. */
export type LookUp = (deviceIds: readonly Uint8Array[]) => Promise<readonly Person[]>;

/** Who is behind a device, and the check of its signatures where it has a key. */
interface Known {
  readonly person: Person;
  readonly verifier: Verifier | undefined;
}

/** Devices met, with their certificates checked; shared by the rooms of a session. */
export class Authors {
  readonly #known = new Map<string, Known | undefined>();
  /** Those whom the server is being asked about: entries that come meanwhile wait for that too. */
  readonly #asked = new Map<string, Promise<void>>();
  readonly #lookUp: LookUp;

  constructor(lookUp: LookUp) {
    this.#lookUp = lookUp;
  }

  /** Who made these entries; asks for those not met before. */
  async of(deviceIds: readonly Uint8Array[]): Promise<(deviceId: Uint8Array) => Known | undefined> {
    const missing = new Map(
      deviceIds.map((id) => [mapKey(id), id] as const)
        .filter(([key]) => !this.#known.has(key) && !this.#asked.has(key)),
    );
    if (missing.size > 0) {
      const asking = this.#ask(missing);
      for (const key of missing.keys()) this.#asked.set(key, asking);
    }
    await Promise.all(new Set(deviceIds.map((id) => this.#asked.get(mapKey(id)))));
    return (id) => this.#known.get(mapKey(id));
  }

  async #ask(missing: ReadonlyMap<string, Uint8Array>): Promise<void> {
    try {
      for (const person of await this.#lookUp([...missing.values()])) await this.learn(person);
      for (const key of missing.keys()) {
        if (!this.#known.has(key)) this.#known.set(key, undefined);
      }
    } finally {
      for (const key of missing.keys()) this.#asked.delete(key);
    }
  }

  /** Takes what is said of a device, if its keys bear it out. */
  async learn(person: Person): Promise<void> {
    const { keys, deviceId } = person;
    if (!keys) return void this.#known.set(mapKey(deviceId), { person, verifier: undefined });
    const isGenuine = equal(deviceIdOf(keys.device), deviceId) &&
      await verifyCertificate(keys.user, keys.device, keys.certificate);
    const verifier = isGenuine ? await importVerifier(keys.device) : undefined;
    if (verifier) this.#known.set(mapKey(deviceId), { person, verifier });
  }
}

/** MUST accept no gap, no repetition, no change and no entry that the server does not vouch for. */
export class RoomLog {
  readonly id: Uint8Array;
  readonly #server: Verifier;
  readonly #serverId: Uint8Array;
  readonly #authors: Authors;
  /** Where the reader stands; undefined before the first attach. */
  cursor: Cursor | undefined;

  /**
   * @param server checks the server's signatures
   * @param serverKey its identity: events are by it
   */
  constructor(
    id: Uint8Array,
    server: Verifier,
    serverKey: Uint8Array,
    authors: Authors,
    cursor: Cursor | undefined,
  ) {
    this.id = id;
    this.#server = server;
    this.#serverId = deviceIdOf(serverKey);
    this.#authors = authors;
    this.cursor = cursor;
  }

  /** The server says that it goes on from elsewhere. */
  reset(cursor: Cursor): void {
    this.cursor = cursor;
  }

  /**
   * The entries of a batch, checked.
   *
   * @throws {ProtocolError} broken_log, when it does not follow on what came before
   */
  async accept(batch: Batch): Promise<CheckedEntry[]> {
    const { cursor } = this;
    if (!cursor) throw broken("sent entries before it said where they belong");
    if (batch.firstSeq !== cursor.seq + 1) throw broken("left out entries or repeated some");
    const entries = timely(decodeRows(batch.rows, batch.firstSeq, batch.timeMs));
    const payloadHashes = entries.map(payloadHashOf);
    const hashes = chain(cursor.hash, entries, payloadHashes);
    const hash = hashes.at(-1)!;
    if (!equal(hash, batch.hash)) throw broken("changed entries");
    const seq = cursor.seq + entries.length;
    await this.#checkHead(seq, batch);
    const checked = await this.#checkAuthors(entries, hashes, payloadHashes);
    this.cursor = { seq, hash };
    return checked;
  }

  /**
   * Entries that stand right before a known one, checked.
   *
   * @param before the known one's seq, and the chain's hash before it, which is all that vouches for them
   * @throws {ProtocolError} broken_log, when they do not lead to it
   */
  async checkEarlier(earlier: Earlier, before: Cursor): Promise<CheckedEntry[]> {
    const entries = timely(decodeRows(earlier.rows, earlier.firstSeq, earlier.timeMs));
    if (earlier.firstSeq + entries.length !== before.seq) throw broken("left out entries");
    const payloadHashes = entries.map(payloadHashOf);
    const hashes = chain(earlier.before, entries, payloadHashes);
    if (!equal(hashes.at(-1)!, before.hash)) throw broken("changed entries");
    return await this.#checkAuthors(entries, hashes, payloadHashes);
  }

  async #checkHead(seq: number, { hash, signature }: Batch): Promise<void> {
    const seqBytes = new Uint8Array(8);
    writeU64(seqBytes, 0, seq);
    if (!await this.#server(label.head, [this.id, seqBytes, hash], signature)) {
      throw new ProtocolError(
        "broken_log",
        "A message arrived that the server did not sign: somebody forges messages in this room.",
      );
    }
  }

  /**
   * @param hashes the chain's before each of them
   * @param payloadHashes of each: hashing a large one costs more than all the rest
   */
  async #checkAuthors(
    entries: readonly Entry[],
    hashes: readonly Uint8Array[],
    payloadHashes: readonly Uint8Array[],
  ): Promise<CheckedEntry[]> {
    for (const entry of entries) {
      if (entry.core.content === Content.joined && this.#isEvent(entry) && !entry.isErased) {
        await this.#authors.learn(personPayload.decode(entry.core.payload));
      }
    }
    const spoken = entries.filter((entry) => !this.#isEvent(entry));
    const authorOf = await this.#authors.of(spoken.map(({ deviceId }) => deviceId));
    return await Promise.all(
      entries.map((entry, at) => this.#check(entry, hashes[at]!, payloadHashes[at]!, authorOf)),
    );
  }

  async #check(
    entry: Entry,
    previous: Uint8Array,
    payloadHash: Uint8Array,
    authorOf: (deviceId: Uint8Array) => Known | undefined,
  ): Promise<CheckedEntry> {
    if (this.#isEvent(entry)) {
      return { ...entry, previous, ...readEvent(entry), verified: "signed" };
    }
    const known = authorOf(entry.deviceId);
    const verified = await this.#verdict(entry, payloadHash, known);
    return { ...entry, previous, author: known?.person, verified };
  }

  async #verdict(
    entry: Entry,
    payloadHash: Uint8Array,
    known: Known | undefined,
  ): Promise<Verified> {
    const { core, deviceId } = entry;
    // Events are the server's; nobody else may make things up about others.
    if (core.content >= contentEventsFrom) return "failed";
    if (core.proof === Proof.unverified) return known?.verifier ? "failed" : "unverified";
    if (!core.signature || !known?.verifier) return "failed";
    const fields = signedFields(this.id, deviceId, core.signed, core.payload, payloadHash);
    return await known.verifier(label.entry, fields, core.signature) ? "signed" : "failed";
  }

  #isEvent({ core, deviceId }: Entry): boolean {
    return core.content >= contentEventsFrom && equal(deviceId, this.#serverId);
  }
}

/** What an event tells; those of later versions tell nothing. */
function readEvent({ core: { content, payload }, isErased }: Entry) {
  if (isErased) return { author: undefined };
  switch (content) {
    case Content.joined:
    case Content.left:
      return { author: personPayload.decode(payload) };
    case Content.changed:
      return { author: undefined, change: readChange(payload) };
    default:
      return { author: undefined };
  }
}

/** The payload of an entry that says what has changed. */
export function readChange(payload: Uint8Array): Change {
  const result = change.safeParse(parseJson(payload));
  if (!result.success) throw new ProtocolError("bad_message");
  return result.data;
}

/** The chain's hash before each of some entries, and after the last. */
function chain(
  hash: Uint8Array,
  entries: readonly Entry[],
  payloadHashes: readonly Uint8Array[],
): Uint8Array[] {
  const hashes = [hash];
  for (const [at, entry] of entries.entries()) {
    hashes.push(chainEntry(hashes[at]!, entry, payloadHashes[at]));
  }
  return hashes;
}

/** The last moment that has a date. */
const timeMsMax = 8.64e15;

/** @throws {ProtocolError} broken_log, where an entry has a time that is none */
function timely(entries: readonly Entry[]): readonly Entry[] {
  if (entries.some(({ timeMs }) => timeMs > timeMsMax)) {
    throw broken("gave an entry a time that is none");
  }
  return entries;
}

function broken(what: string): ProtocolError {
  return new ProtocolError("broken_log", `The server ${what}. If it stays so, do not trust it.`);
}
