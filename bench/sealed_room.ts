/**
 * The sealed room that is measured: it is for anyone, and its group, which is made up, is in its first
 * epoch. A server never looks into what is sealed, so neither does the load generator.
 *
 * @module
 */

import { toBase64Url, writeU32 } from "../protocol/bytes.ts";
import { encodeCore, Proof } from "../protocol/entry.ts";
import { hashBytes, idBytes, signatureBytes } from "../protocol/limits.ts";
import { toRecord } from "../server/records.ts";
import type { StoredRecord } from "../server/store/store.ts";
import { messageBytes, newMessage } from "./message.ts";

/** What it is called; in it is who joins. */
export const sealedRoomName = "sealed";
export const sealedRoomId = new Uint8Array(idBytes).fill(9);

const epoch = { generation: 0, epoch: 1 };

/** With so much behind the message an entry is as long as one of an open room, which is signed. */
const paddingBytes = signatureBytes - 12;

/** What a store has of it. */
export function sealedRoomRecords(): StoredRecord[] {
  const key = toBase64Url(sealedRoomId);
  return [
    toRecord("room", key, {
      name: sealedRoomName,
      topic: "",
      access: "anyone",
      slowMs: 0,
      isAnnounce: false,
      sinceMs: 1,
      allowed: [],
      sealed: true,
    }),
    toRecord("group", key, {
      commit: new Uint8Array(idBytes),
      seq: 1,
      ...epoch,
      groupInfo: { hash: new Uint8Array(hashBytes), bytes: 1 },
      welcomes: [],
    }),
  ];
}

/** The core of message number `id`. */
export function sealedCore(id: number): Uint8Array {
  const messageId = new Uint8Array(idBytes);
  writeU32(messageId, 0, id);
  const payload = new Uint8Array(messageBytes + paddingBytes);
  payload.set(newMessage(id));
  return encodeCore({ proof: Proof.mls, content: 0, messageId, epoch, payload });
}
