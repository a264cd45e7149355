/**
 * The runtime's own cryptography for what is short: it answers at once. WebCrypto hands each call to a
 * thread, and on a busy core the way there and back costs more than the work (docs/adr/0006). What is
 * long is left to WebCrypto, whose AES is the faster one.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, createPrivateKey, sign } from "node:crypto";
import { type Aead, type AeadFactory, tagBytes, webAead } from "../crypto/aes_gcm.ts";
import { importSigningKey, type Secret, type SigningKey, toPkcs8 } from "../crypto/identity.ts";

/** Up to here it pays. */
const shortBytesMax = 1024;

const algorithm = "aes-256-gcm";

/** Seals and opens what is short at once. */
export const nativeAead: AeadFactory = (
  raw: Uint8Array,
  usage: "encrypt" | "decrypt",
): Promise<Aead> => {
  let importing: Promise<Aead> | undefined;
  /** Most keys never see anything long. */
  const long = () => importing ??= webAead(raw, usage);
  return Promise.resolve({
    seal(iv, plaintext) {
      if (plaintext.length > shortBytesMax) return long().then((aead) => aead.seal(iv, plaintext));
      const cipher = createCipheriv(algorithm, raw, iv);
      const sealed = new Uint8Array(plaintext.length + tagBytes);
      sealed.set(cipher.update(plaintext));
      cipher.final();
      sealed.set(cipher.getAuthTag(), plaintext.length);
      return sealed;
    },
    open(iv, sealed) {
      if (sealed.length > shortBytesMax) return long().then((aead) => aead.open(iv, sealed));
      const tagAt = sealed.length - tagBytes;
      const decipher = createDecipheriv(algorithm, raw, iv, { authTagLength: tagBytes });
      decipher.setAuthTag(sealed.subarray(tagAt));
      const { buffer, byteOffset, length } = decipher.update(sealed.subarray(0, tagAt));
      decipher.final();
      return new Uint8Array(buffer, byteOffset, length); // The slice of a Buffer is no copy.
    },
  });
};

/** The key pair that grows from a secret; it signs at once. */
export async function nativeSigningKey(secret: Secret): Promise<SigningKey> {
  const key = createPrivateKey({ key: Buffer.from(toPkcs8(secret)), format: "der", type: "pkcs8" });
  return {
    ...await importSigningKey(secret),
    signNow: (input) => new Uint8Array(sign(null, input, key)),
  };
}
