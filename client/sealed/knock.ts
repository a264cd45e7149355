/**
 * What somebody puts into a sealed room's log who wants to be let in: the key package that a member can
 * add, and the warrant that entitles every member to do so.
 *
 * ```
 * knock   [u32 length][key package][warrant, which may be missing]
 * ```
 *
 * @module
 */

import { type Bytes, concat, readU32, writeU32 } from "../../protocol/bytes.ts";
import { ProtocolError } from "../../protocol/errors.ts";

/** A wish to be let in. */
export interface Knock {
  readonly keyPackage: Uint8Array;
  readonly warrant?: Uint8Array;
}

export function encodeKnock({ keyPackage, warrant = new Uint8Array(0) }: Knock): Bytes {
  const length = new Uint8Array(4);
  writeU32(length, 0, keyPackage.length);
  return concat([length, keyPackage, warrant]);
}

/** @throws {ProtocolError} bad_message */
export function decodeKnock(payload: Uint8Array): Knock {
  if (payload.length < 4) throw new ProtocolError("bad_message");
  const end = 4 + readU32(payload, 0);
  if (end > payload.length) throw new ProtocolError("bad_message");
  const keyPackage = payload.subarray(4, end);
  return end === payload.length ? { keyPackage } : { keyPackage, warrant: payload.subarray(end) };
}
