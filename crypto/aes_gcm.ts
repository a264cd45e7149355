/**
 * AES-256-GCM by WebCrypto, with the nonce of our frames and of Noise: `[u32 channel][u64 counter]`.
 *
 * @module
 */

/** Bytes over a plain ArrayBuffer, as WebCrypto wants them. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes of a nonce. */
export const nonceBytes = 12;
/** Bytes of a tag, which follows the ciphertext. */
export const tagBytes = 16;
/** Bytes of a key. */
export const keyBytes = 32;

/** One key's sealing and opening; what is ready at once need not be a promise. */
export interface Aead {
  /** Ciphertext and tag. */
  seal(iv: Bytes, plaintext: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** The plaintext; throws, or rejects, when key, nonce or tag do not fit. */
  open(iv: Bytes, sealed: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** Makes that of a raw key. */
export type AeadFactory = (raw: Uint8Array, usage: "encrypt" | "decrypt") => Promise<Aead>;

/** By WebCrypto: wherever it runs. */
export const webAead: AeadFactory = async (
  raw: Uint8Array,
  usage: "encrypt" | "decrypt",
): Promise<Aead> => {
  const key = await importKey(raw, usage);
  return {
    seal: (iv, plaintext) => seal(key, iv, plaintext),
    open: (iv, sealed) => open(key, iv, sealed),
  };
};

/** Imports a raw key; it cannot be exported again. */
export function importKey(raw: Uint8Array, usage: "encrypt" | "decrypt"): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", raw as Bytes, "AES-GCM", false, [usage]);
}

/** The nonce for a counter; big-endian. */
export function nonce(channel: number, counter: number): Bytes {
  const bytes = new Uint8Array(nonceBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, channel);
  view.setUint32(4, Math.floor(counter / 2 ** 32));
  view.setUint32(8, counter % 2 ** 32);
  return bytes;
}

/** Ciphertext and tag. */
export async function seal(
  key: CryptoKey,
  iv: Bytes,
  plaintext: Uint8Array,
  additionalData: Uint8Array = new Uint8Array(0),
): Promise<Bytes> {
  const parameters = { name: "AES-GCM", iv, additionalData: additionalData as Bytes };
  return new Uint8Array(
    await inTurn(() => crypto.subtle.encrypt(parameters, key, plaintext as Bytes)),
  );
}

/**
 * The plaintext.
 *
 * @throws {DOMException} OperationError, when key, nonce, data or tag do not fit
 */
export async function open(
  key: CryptoKey,
  iv: Bytes,
  sealed: Uint8Array,
  additionalData: Uint8Array = new Uint8Array(0),
): Promise<Bytes> {
  const parameters = { name: "AES-GCM", iv, additionalData: additionalData as Bytes };
  return new Uint8Array(
    await inTurn(() => crypto.subtle.decrypt(parameters, key, sealed as Bytes)),
  );
}

/**
 * How many operations may be under way: the runtime gives each a thread of its own, up to 512, and a
 * thousand frames that are sealed in one moment would leave half a thousand threads behind.
 */
const underWayMax = 8;
let underWay = 0;
const waiting: (() => void)[] = [];

/** Starts an operation when it is its turn; those under way end in any order. */
async function inTurn<T>(operation: () => Promise<T>): Promise<T> {
  if (underWay >= underWayMax) await new Promise<void>((resolve) => waiting.push(resolve));
  else underWay++;
  try {
    return await operation();
  } finally {
    const next = waiting.shift();
    if (next) next(); // It takes over this one's place.
    else underWay--;
  }
}
