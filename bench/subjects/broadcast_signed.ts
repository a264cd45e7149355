/**
 * Messages signed before a run: a signature costs the load generator more than all the rest of a
 * message. They are always the same, so they are kept between runs, in a file of their own.
 *
 * @module
 */

import { certify, type Identity, importSigningKey, label, sign } from "../../crypto/identity.ts";
import { concat, writeU32 } from "../../protocol/bytes.ts";
import { encodeCore, encodeCoreHead, Proof, signedFields } from "../../protocol/entry.ts";
import { idBytes, signatureBytes } from "../../protocol/limits.ts";
import { newMessage } from "../message.ts";

/** Where the signatures are kept; the first bytes say for which room and device. */
export const signedFile = ".tmp/bench-signatures";

/** The user who publishes: always the same, so that the signatures are. */
export async function publisherIdentity(): Promise<Identity> {
  const [user, device] = await Promise.all([key(1), key(2)]);
  return await certify(user, device);
}

function key(seed: number) {
  return importSigningKey(new Uint8Array(32).fill(seed));
}

/** The cores of the bench's messages. */
export class Signed {
  readonly #identity: Identity;
  readonly #room: Uint8Array;
  readonly #deviceId: Uint8Array;
  #signatures: Uint8Array;

  private constructor(
    identity: Identity,
    room: Uint8Array,
    deviceId: Uint8Array,
    signatures: Uint8Array,
  ) {
    this.#identity = identity;
    this.#room = room;
    this.#deviceId = deviceId;
    this.#signatures = signatures;
  }

  /** With the signatures of the file, if it is for this room and device. */
  static async open(room: Uint8Array, deviceId: Uint8Array): Promise<Signed> {
    const header = new Uint8Array([...room, ...deviceId]);
    const kept = await Deno.readFile(signedFile).catch(() => new Uint8Array(0));
    const isOurs = header.every((byte, at) => byte === kept[at]);
    const signatures = isOurs ? kept.subarray(header.length) : new Uint8Array(0);
    return new Signed(await publisherIdentity(), room, deviceId, signatures);
  }

  /** Signs the first `count` messages and keeps the signatures. */
  async ahead(count: number): Promise<void> {
    if (this.#signatures.length >= count * signatureBytes) return;
    const signatures = new Uint8Array(count * signatureBytes);
    for (let id = 0; id < count; id++) signatures.set(await this.#sign(id), id * signatureBytes);
    this.#signatures = signatures;
    await Deno.writeFile(signedFile, concat([this.#room, this.#deviceId, signatures]));
  }

  /** The core of message number `id`. */
  async core(id: number): Promise<Uint8Array> {
    const at = id * signatureBytes;
    const kept = at + signatureBytes <= this.#signatures.length;
    const signature = kept
      ? this.#signatures.subarray(at, at + signatureBytes)
      : await this.#sign(id);
    return encodeCore(draft(id), signature);
  }

  async #sign(id: number): Promise<Uint8Array> {
    const message = draft(id);
    const fields = signedFields(
      this.#room,
      this.#deviceId,
      encodeCoreHead(message),
      message.payload,
    );
    return await sign(this.#identity.device, label.entry, fields);
  }
}

function draft(id: number) {
  const messageId = new Uint8Array(idBytes);
  writeU32(messageId, 0, id);
  return { proof: Proof.signature, content: 0, messageId, payload: newMessage(id) };
}
