/**
 * Objects that have been brought and that no commit has named yet: in memory, of each session by itself.
 *
 * @module
 */

import { concat, equal, mapKey } from "../protocol/bytes.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { sha256 } from "../protocol/hash.ts";
import { stagedBytesMax, stagedBytesMaxInAll } from "../protocol/limits.ts";

/** What all sessions hold together; shared by them. */
export interface Staging {
  bytes: number;
}

/** An object of which something has come. */
interface Staged {
  /** How long it is to be; so much is counted from its beginning. */
  readonly bytes: number;
  parts: Uint8Array[];
  /** How much has come. */
  length: number;
}

/** A part of an object, as `upload` has it. */
export interface Part {
  readonly hash: Uint8Array;
  readonly bytes: number;
  readonly at: number;
  readonly data: Uint8Array;
}

/** MUST hold no more than {@link stagedBytesMax}; MUST give out nothing whose hash it has not checked. */
export class Uploads {
  readonly #staging: Staging;
  /** By room and hash, the oldest first. */
  readonly #objects = new Map<string, Staged>();
  #bytes = 0;

  constructor(staging: Staging) {
    this.#staging = staging;
  }

  /**
   * Takes a part. One from 0 begins anew.
   *
   * @throws {ProtocolError} bad_message, when it does not fit; busy, when all sessions hold too much
   */
  add(room: Uint8Array, { hash, bytes, at, data }: Part): void {
    const key = keyOf(room, hash);
    if (at === 0) this.#begin(key, bytes);
    const staged = this.#objects.get(key);
    const next = staged?.length ?? 0;
    if (!staged || at !== next || bytes !== staged.bytes) {
      throw new ProtocolError(
        "bad_message",
        `The parts come one after the other: now from ${next}.`,
      );
    }
    if (data.length === 0 || next + data.length > bytes) {
      throw new ProtocolError(
        "bad_message",
        "A part is neither empty nor beyond the object's end.",
      );
    }
    staged.parts.push(data);
    staged.length += data.length;
    if (staged.length < bytes) return;
    staged.parts = [concat(staged.parts)];
    if (equal(sha256(staged.parts[0]!), hash)) return;
    this.#drop(key);
    throw new ProtocolError("bad_message", "The object does not have the hash that it came with.");
  }

  /** An object that has come whole. */
  whole(room: Uint8Array, hash: Uint8Array): Uint8Array | undefined {
    const staged = this.#objects.get(keyOf(room, hash));
    return staged && staged.length === staged.bytes ? staged.parts[0] : undefined;
  }

  /** Forgets an object: it is kept now. */
  drop(room: Uint8Array, hash: Uint8Array): void {
    this.#drop(keyOf(room, hash));
  }

  /** Forgets all: the session has ended. */
  clear(): void {
    for (const key of [...this.#objects.keys()]) this.#drop(key);
  }

  /** The oldest make room: of a commit that came too late nobody has any more use. */
  #begin(key: string, bytes: number): void {
    this.#drop(key);
    for (const oldest of this.#objects.keys()) {
      if (this.#bytes + bytes <= stagedBytesMax) break;
      this.#drop(oldest);
    }
    if (this.#staging.bytes + bytes > stagedBytesMaxInAll) {
      throw new ProtocolError("busy", undefined, { retryAfterMs: busyRetryMs });
    }
    this.#objects.set(key, { bytes, parts: [], length: 0 });
    this.#count(bytes);
  }

  #drop(key: string): void {
    const staged = this.#objects.get(key);
    if (!staged) return;
    this.#objects.delete(key);
    this.#count(-staged.bytes);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#staging.bytes += bytes;
  }
}

/** When who was refused tries again. */
const busyRetryMs = 2_000;

function keyOf(room: Uint8Array, hash: Uint8Array): string {
  return mapKey(room) + mapKey(hash);
}
