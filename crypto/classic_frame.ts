/**
 * The cryptography of the original protocol's frames: AES-256-GCM with a new random key and nonce
 * for each. The key is sent with the frame, so this protects nothing; it exists to be understood by
 * original clients and servers. Where the parts go in the frame is told by `protocol/classic.ts`.
 *
 * @module
 */

const algorithm = "AES-GCM";

/** The parts of one frame; `ciphertext` ends with the tag. */
export interface SealedClassicFrame {
  /** 32 bytes. */
  readonly key: Uint8Array<ArrayBuffer>;
  /** 12 bytes. */
  readonly nonce: Uint8Array<ArrayBuffer>;
  readonly ciphertext: Uint8Array<ArrayBuffer>;
}

/** Seals `plaintext` under a key and a nonce of its own. */
export async function sealClassicFrame(
  plaintext: Uint8Array<ArrayBuffer>,
): Promise<SealedClassicFrame> {
  const key = crypto.getRandomValues(new Uint8Array(32));
  const nonce = crypto.getRandomValues(new Uint8Array(12));
  const sealed = await crypto.subtle.encrypt(
    { name: algorithm, iv: nonce },
    await importKey(key, "encrypt"),
    plaintext,
  );
  return { key, nonce, ciphertext: new Uint8Array(sealed) };
}

/** The plaintext, or undefined when the tag does not fit: the frame was damaged or made up. */
export async function openClassicFrame(
  { key, nonce, ciphertext }: SealedClassicFrame,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const opener = await importKey(key, "decrypt");
  try {
    const opened = await crypto.subtle.decrypt({ name: algorithm, iv: nonce }, opener, ciphertext);
    return new Uint8Array(opened);
  } catch (error) {
    if (error instanceof DOMException && error.name === "OperationError") return undefined;
    throw error;
  }
}

function importKey(key: Uint8Array<ArrayBuffer>, use: "encrypt" | "decrypt"): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", key, algorithm, false, [use]);
}
