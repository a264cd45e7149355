/**
 * The payload of a commit, by which the group of a sealed room goes from one epoch to the next:
 *
 * ```
 * [u8 0][MLS bytes]                    where they fit into an entry
 * [u8 1][SHA-256 32][u32 bytes]        else: an object with them, which is to be downloaded
 * ```
 *
 * @module
 */

import { type Bytes, concat, readU32, writeU32 } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import { hashBytes, objectBytesMax, payloadBytesMax } from "./limits.ts";

/** What is kept beside the log, because it is too large for an entry: by what, and how long it is. */
export interface ObjectRef {
  /** The SHA-256 of its bytes. */
  readonly hash: Uint8Array;
  readonly bytes: number;
}

/** A commit: the MLS bytes, or the object that holds them. */
export type CommitPayload = { readonly mls: Uint8Array } | { readonly object: ObjectRef };

/** What the form's byte says. */
const form = { inline: 0, object: 1 } as const;

const objectPayloadBytes = 1 + hashBytes + 4;

/** The longest MLS message that an entry holds itself. */
export const inlineCommitBytesMax = payloadBytesMax - 1;

/** Lays out a commit's payload. */
export function encodeCommit(commit: CommitPayload): Bytes {
  if ("mls" in commit) return concat([Uint8Array.of(form.inline), commit.mls]);
  const payload = new Uint8Array(objectPayloadBytes);
  payload[0] = form.object;
  payload.set(commit.object.hash, 1);
  writeU32(payload, 1 + hashBytes, commit.object.bytes);
  return payload;
}

/**
 * Takes a commit's payload apart; its parts are views.
 *
 * @throws {ProtocolError} bad_message
 */
export function decodeCommit(payload: Uint8Array): CommitPayload {
  if (payload[0] === form.inline && payload.length > 1) return { mls: payload.subarray(1) };
  if (payload[0] !== form.object || payload.length !== objectPayloadBytes) {
    throw new ProtocolError("bad_message", "This is no commit that is known here.");
  }
  const bytes = readU32(payload, 1 + hashBytes);
  if (bytes < 1 || bytes > objectBytesMax) throw new ProtocolError("bad_message");
  return { object: { hash: payload.subarray(1, 1 + hashBytes), bytes } };
}
