/**
 * What a client in a browser would be made of, but for its face and its store.
 *
 * @module
 */

export { Client } from "../../client/reconnect.ts";
export { shakeHands } from "../../client/handshake.ts";
export * from "../../client/sealed/acts.ts";
export { decodeRoomKey } from "../../client/sealed/room_key.ts";
export { generateIdentity } from "../../crypto/identity.ts";
export { safetyNumber } from "../../crypto/safety_number.ts";
