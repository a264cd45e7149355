/**
 * Rooms for the bench: who is in which. Always the same, so that the server can find them in its store
 * and the load generator can log in as their members.
 *
 * @module
 */

import { certify, type Identity, importSigningKey } from "../crypto/identity.ts";

export const roomCount = 10_000;
export const membersEach = 3;
/** So many that none is in more rooms than a user may be. */
export const userCount = 304;

/** The users of a room. */
export function membersOf(room: number): number[] {
  return Array.from({ length: membersEach }, (_, at) => (room * membersEach + at) % userCount);
}

/** A user's keys. */
export async function identityOf(user: number): Promise<Identity> {
  const key = (kind: number) => {
    const secret = new Uint8Array(32).fill(kind);
    new DataView(secret.buffer).setUint32(0, user);
    return importSigningKey(secret);
  };
  return await certify(await key(3), await key(4));
}

/** 16 bytes that say which user or room it is. */
export function idOf(kind: "user" | "room", number: number): Uint8Array {
  const id = new Uint8Array(16).fill(kind === "user" ? 5 : 6);
  new DataView(id.buffer).setUint32(0, number);
  return id;
}
