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
import {
  chainEntry,
  Content,
  contentEventsFrom,
  decodeRows,
  type Entry,
  Proof,
  signedFields,
} from "../protocol/entry.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { type Batch, type Cursor, type Person, personPayload } from "../protocol/message.ts";

/** How sure one can be of an entry's author. */
export type Verified = "signed" | "unverified" | "failed";

/** An entry that fits its log, with who made it. */
export interface CheckedEntry extends Entry {
  /** Undefined when the server does not know the device any more. */
  readonly author: Person | undefined;
  readonly verified: Verified;
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
  readonly #lookUp: LookUp;

  constructor(lookUp: LookUp) {
    this.#lookUp = lookUp;
  }

  /** Who made these entries; asks for those not met before. */
  async of(deviceIds: readonly Uint8Array[]): Promise<(deviceId: Uint8Array) => Known | undefined> {
    const missing = new Map(
      deviceIds.filter((id) => !this.#known.has(mapKey(id))).map((id) => [mapKey(id), id]),
    );
    if (missing.size > 0) {
      for (const key of missing.keys()) this.#known.set(key, undefined);
      for (const person of await this.#lookUp([...missing.values()])) await this.learn(person);
    }
    return (id) => this.#known.get(mapKey(id));
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
    const entries = decodeRows(batch.rows, batch.firstSeq, batch.timeMs);
    const hash = entries.reduce((hash, entry) => chainEntry(hash, entry), cursor.hash);
    if (!equal(hash, batch.hash)) throw broken("changed entries");
    const seq = cursor.seq + entries.length;
    await this.#checkHead(seq, batch);
    const checked = await this.#checkAuthors(entries);
    this.cursor = { seq, hash };
    return checked;
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

  async #checkAuthors(entries: readonly Entry[]): Promise<CheckedEntry[]> {
    for (const entry of entries) {
      if (entry.core.content === Content.joined && this.#isEvent(entry)) {
        await this.#authors.learn(personPayload.decode(entry.core.payload));
      }
    }
    const spoken = entries.filter((entry) => !this.#isEvent(entry));
    const authorOf = await this.#authors.of(spoken.map(({ deviceId }) => deviceId));
    return await Promise.all(entries.map((entry) => this.#check(entry, authorOf)));
  }

  async #check(
    entry: Entry,
    authorOf: (deviceId: Uint8Array) => Known | undefined,
  ): Promise<CheckedEntry> {
    const { core, deviceId } = entry;
    if (this.#isEvent(entry)) {
      return { ...entry, author: personPayload.decode(core.payload), verified: "signed" };
    }
    const known = authorOf(deviceId);
    return { ...entry, author: known?.person, verified: await this.#verdict(entry, known) };
  }

  async #verdict({ core, deviceId }: Entry, known: Known | undefined): Promise<Verified> {
    // Events are the server's; nobody else may make things up about others.
    if (core.content >= contentEventsFrom) return "failed";
    if (core.proof === Proof.unverified) return known?.verifier ? "failed" : "unverified";
    if (!core.signature || !known?.verifier) return "failed";
    const fields = signedFields(this.id, deviceId, core.signed, core.payload);
    return await known.verifier(label.entry, fields, core.signature) ? "signed" : "failed";
  }

  #isEvent({ core, deviceId }: Entry): boolean {
    return core.content >= contentEventsFrom && equal(deviceId, this.#serverId);
  }
}

function broken(what: string): ProtocolError {
  return new ProtocolError("broken_log", `The server ${what}. If it stays so, do not trust it.`);
}
