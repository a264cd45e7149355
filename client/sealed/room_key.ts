/**
 * What a link into a sealed room holds beside what the server knows.
 *
 * ```
 * key   [secret 32][inviter 32]
 * ```
 *
 * @module
 */

import { concat } from "../../protocol/bytes.ts";

/** See above. */
export interface RoomKey {
  /** From which the invitation's key pair grows. */
  readonly secret: Uint8Array;
  /** SHA-256 of the inviter's user key: whoever has no such member is not the room. */
  readonly inviter: Uint8Array;
}

const partBytes = 32;

export function encodeRoomKey({ secret, inviter }: RoomKey): Uint8Array {
  return concat([secret, inviter]);
}

/** @throws {RangeError} when these bytes are none */
export function decodeRoomKey(key: Uint8Array): RoomKey {
  if (key.length !== 2 * partBytes) throw new RangeError("The link is damaged behind the '#'.");
  return { secret: key.slice(0, partBytes), inviter: key.slice(partBytes) };
}
