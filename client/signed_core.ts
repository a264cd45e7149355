/**
 * What a device says in its own name, laid out and signed.
 *
 * @module
 */

import { deviceIdOf, label, sign, type SigningKey } from "../crypto/identity.ts";
import { type Draft, encodeCore, encodeCoreHead, signedFields } from "../protocol/entry.ts";
import { idBytes } from "../protocol/limits.ts";
import { messageIdAt } from "./message_id.ts";

/** A message id that was not used before, and sorts by time. */
export function newMessageId(nowMs: number): Uint8Array {
  return messageIdAt(nowMs, crypto.getRandomValues(new Uint8Array(idBytes)));
}

/** A core (protocol/entry.ts) with the device's signature. */
export async function signCore(
  device: SigningKey,
  room: Uint8Array,
  draft: Draft,
): Promise<Uint8Array> {
  const deviceId = deviceIdOf(device.publicKey);
  const fields = signedFields(room, deviceId, encodeCoreHead(draft), draft.payload);
  return encodeCore(draft, await sign(device, label.entry, fields));
}
