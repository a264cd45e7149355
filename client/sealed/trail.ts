/**
 * Where in the log somebody stood who says something: it is sealed with what they say. Whoever has
 * another log up to there was told another story by the server, or they were.
 *
 * ```
 * sealed   [u64 seq][the chain's hash after that entry 32][payload]
 * ```
 *
 * @module
 */

import { type Bytes, concat, equal, readU64, writeU64 } from "../../protocol/bytes.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { hashBytes, trailMax } from "../../protocol/limits.ts";
import type { Cursor } from "../../protocol/message.ts";

const headBytes = 8 + hashBytes;

/** What is to be sealed of who stands here. */
export function encodeSaid({ seq, hash }: Cursor, payload: Uint8Array): Bytes {
  const head = new Uint8Array(8);
  writeU64(head, 0, seq);
  return concat([head, hash, payload]);
}

/** @throws {ProtocolError} bad_message */
export function decodeSaid(
  said: Uint8Array,
): { readonly at: Cursor; readonly payload: Uint8Array } {
  if (said.length < headBytes) throw new ProtocolError("bad_message");
  const at = { seq: readU64(said, 0), hash: said.subarray(8, headBytes) };
  return { at, payload: said.subarray(headBytes) };
}

/** The last part of a log as we were told it. */
export class Trail {
  /** The chain's hashes, by seq. */
  readonly #hashes = new Map<number, Uint8Array>();
  #end: Cursor | undefined;

  /** Where we stand; undefined before anything was read. */
  get end(): Cursor | undefined {
    return this.#end;
  }

  /** We read on from here. */
  begin({ seq, hash }: Cursor): void {
    if (this.#end?.seq === seq && equal(this.#end.hash, hash)) return;
    this.#hashes.clear();
    this.add({ seq, hash });
  }

  /** The log has the next entry, behind which we stand here. */
  add({ seq, hash }: Cursor): void {
    this.#end = { seq, hash: hash.slice() };
    this.#hashes.set(seq, this.#end.hash);
    this.#hashes.delete(seq - trailMax);
  }

  /**
   * Whether somebody who stood there and whose entry comes next was told otherwise; false where we do not
   * know any more. Nobody can have read what is still to come.
   */
  contradicts({ seq, hash }: Cursor): boolean {
    const known = this.#hashes.get(seq);
    return known ? !equal(known, hash) : seq > (this.#end?.seq ?? 0);
  }
}
