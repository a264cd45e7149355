/**
 * A warrant lets one device into one group: an invitation's signature over group, user and device.
 *
 * The warrants of a commit stand in its authenticated data, each with the place of the newcomer that
 * it is for: `[u16 place][64 signature]…`, in ascending order. Whose invitation it is, the newcomer's
 * leaf says.
 *
 * @module
 */

import type { Bytes } from "../aes_gcm.ts";
import { importSigningKey, label, sign, verify } from "../identity.ts";
import { concat } from "./bytes.ts";
import { GroupError } from "./error.ts";

/** Bytes of a warrant. */
export const warrantBytes = 64;
/** Bytes of a room's id. */
export const roomBytes = 16;

/** Whom a warrant is for. */
export interface Warranted {
  readonly userKey: Uint8Array;
  readonly deviceKey: Uint8Array;
}

/** A group's id: `[16 room][u32 generation]`. */
export function groupIdOf(room: Uint8Array, generation: number): Bytes {
  if (room.length !== roomBytes) throw new GroupError("policy", "A room's id has 16 bytes.");
  if (!Number.isInteger(generation) || generation < 0 || generation > 0xffffffff) {
    throw new GroupError("policy", "A generation is a number of 32 bits.");
  }
  const id = new Uint8Array(roomBytes + 4);
  id.set(room);
  new DataView(id.buffer).setUint32(roomBytes, generation);
  return id;
}

/** A group's id in its parts. */
export function readGroupId(id: Uint8Array): { room: Bytes; generation: number } {
  if (id.length !== roomBytes + 4) throw new GroupError("invalid", "This is no group of a room.");
  const generation = new DataView(id.buffer, id.byteOffset).getUint32(roomBytes);
  return { room: id.slice(0, roomBytes), generation };
}

/** Signs with an invitation's secret, of 32 bytes, for a device to come in. */
export async function warrant(
  invitationSecret: Uint8Array,
  room: Uint8Array,
  generation: number,
  { userKey, deviceKey }: Warranted,
): Promise<Bytes> {
  const key = await importSigningKey(invitationSecret as Bytes);
  return await sign(key, label.warrant, [groupIdOf(room, generation), userKey, deviceKey]);
}

/** Whether an invitation's key says so. */
export function isWarranted(
  invitation: Uint8Array,
  groupId: Uint8Array,
  { userKey, deviceKey }: Warranted,
  signature: Uint8Array,
): Promise<boolean> {
  return verify(invitation, label.warrant, [groupId, userKey, deviceKey], signature);
}

/** Warrants by the place of their newcomer. */
export type Warrants = ReadonlyMap<number, Uint8Array>;

export function encodeWarrants(warrants: Warrants): Bytes {
  const places = [...warrants].toSorted(([a], [b]) => a - b);
  return concat(...places.map(([place, signature]) => {
    if (signature.length !== warrantBytes) {
      throw new GroupError("invalid", "A warrant has 64 bytes.");
    }
    return concat(new Uint8Array([place >> 8, place & 0xff]), signature);
  }));
}

/** @throws {GroupError} invalid */
export function decodeWarrants(bytes: Uint8Array): Warrants {
  const warrants = new Map<number, Uint8Array>();
  const size = 2 + warrantBytes;
  if (bytes.length % size !== 0) throw new GroupError("invalid", "A warrant is cut short.");
  let last = -1;
  for (let at = 0; at < bytes.length; at += size) {
    const place = bytes[at]! * 256 + bytes[at + 1]!;
    if (place <= last) throw new GroupError("invalid", "Warrants are out of order.");
    warrants.set(place, bytes.slice(at + 2, at + size));
    last = place;
  }
  return warrants;
}
