/**
 * The file of a vault's key: JSON, with the key as it is, or under a passphrase.
 *
 * ```
 * {"version":1,"id":…,"key":…}
 * {"version":1,"id":…,"argon2id":{"memoryKiB":65536,"passes":3,"lanes":1,"salt":…},"wrapped":…}
 * ```
 *
 * Bytes are base64url. `wrapped` is nonce, ciphertext and tag of the key by AES-256-GCM, under what
 * Argon2id (RFC 9106) makes of the passphrase, bound to all that stands before it.
 *
 * @module
 */

import { argon2id } from "hash-wasm";
import { z } from "zod";
import { importKey, open, seal } from "../../crypto/aes_gcm.ts";
import { type Bytes, concat, fromBase64Url, toBase64Url } from "../../protocol/bytes.ts";
import { idBytes, keyBytes, nonceBytes, tagBytes } from "../../protocol/limits.ts";
import { boundTo } from "./vault.ts";

/** What a passphrase costs who tries one: RFC 9106, the second of its two choices, with one lane. */
const cost = { memoryKiB: 64 * 1024, passes: 3, lanes: 1 } as const;
const saltBytes = 16;
const wrappedBytes = nonceBytes + keyBytes + tagBytes;

const base64Url = (bytes: number) =>
  z.string().regex(/^[\w-]*$/).length(Math.ceil(bytes * 8 / 6)).transform(fromBase64Url);
const whole = (min: number, max: number) => z.number().int().min(min).max(max);

const head = { version: z.literal(1), id: base64Url(idBytes) };
const openFile = z.strictObject({ ...head, key: base64Url(keyBytes) });
const wrappedFile = z.strictObject({
  ...head,
  argon2id: z.strictObject({
    // Whoever can write the file must not be able to make us use up the machine.
    memoryKiB: whole(8 * 1024, 1024 * 1024),
    passes: whole(1, 16),
    lanes: whole(1, 4),
    salt: base64Url(saltBytes),
  }),
  wrapped: base64Url(wrappedBytes),
});

/** A key as it is. */
export type OpenKey = z.output<typeof openFile>;
/** A key under a passphrase. */
export type WrappedKey = z.output<typeof wrappedFile>;
/** What such a file holds. The id tells keys apart, and is no secret. */
export type KeyFile = OpenKey | WrappedKey;

/** It is not the passphrase. */
export class WrongPassphraseError extends Error {
  override readonly name = "WrongPassphraseError";
}

/** A new key. */
export function newKey(): OpenKey {
  const random = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes));
  return { version: 1, id: random(idBytes), key: random(keyBytes) };
}

/** A key, put under a passphrase. */
export async function wrapKey({ id, key }: OpenKey, passphrase: string): Promise<WrappedKey> {
  const salt = crypto.getRandomValues(new Uint8Array(saltBytes));
  const argon2id = { ...cost, salt };
  const nonce = crypto.getRandomValues(new Uint8Array(nonceBytes));
  const wrapping = await importKey(await stretch(passphrase, argon2id), "encrypt");
  const ciphertext = await seal(wrapping, nonce, key, headOf(id, argon2id));
  return { version: 1, id, argon2id, wrapped: concat([nonce, ciphertext]) };
}

/**
 * The key that is under a passphrase.
 *
 * @throws {WrongPassphraseError}
 */
export async function unwrapKey(file: WrappedKey, passphrase: string): Promise<OpenKey> {
  const { id, argon2id, wrapped } = file;
  if (passphrase === "") {
    throw new WrongPassphraseError("There is a passphrase, and it is not empty.");
  }
  const wrapping = await importKey(await stretch(passphrase, argon2id), "decrypt");
  const [nonce, ciphertext] = [wrapped.slice(0, nonceBytes), wrapped.subarray(nonceBytes)];
  try {
    const key = await open(wrapping, nonce, ciphertext, headOf(id, argon2id));
    return { version: 1, id, key };
  } catch (cause) {
    if (!(cause instanceof DOMException)) throw cause;
    throw new WrongPassphraseError("This is not the passphrase.", { cause });
  }
}

/** The text of a file. */
export function encodeKeyFile(file: KeyFile): string {
  const text = (_: string, value: unknown) =>
    value instanceof Uint8Array ? toBase64Url(value) : value;
  return `${JSON.stringify(file, text)}\n`;
}

/** What a text holds; undefined when it is damaged, or asks for more than it may. */
export function decodeKeyFile(text: string): KeyFile | undefined {
  try {
    return z.union([openFile, wrappedFile]).parse(JSON.parse(text));
  } catch {
    return undefined; // Cut off, or changed.
  }
}

type Stretching = WrappedKey["argon2id"];

async function stretch(passphrase: string, how: Stretching): Promise<Bytes> {
  const { memoryKiB, passes, lanes, salt } = how;
  const key = await argon2id({
    // However its letters are put together: keyboards differ in that.
    password: new TextEncoder().encode(passphrase.normalize("NFC")),
    salt,
    memorySize: memoryKiB,
    iterations: passes,
    parallelism: lanes,
    hashLength: keyBytes,
    outputType: "binary",
  });
  return new Uint8Array(key);
}

function headOf(id: Uint8Array, { memoryKiB, passes, lanes, salt }: Stretching): Uint8Array {
  return boundTo(["broadcast/2 key file", id, memoryKiB, passes, lanes, salt]);
}
