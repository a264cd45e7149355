/**
 * Keeps secrets in the client's file unreadable: AES-256-GCM under one key, each secret bound to what it
 * is and whose, so that none can stand in for another.
 *
 * ```
 * sealed   [nonce 12, random][ciphertext][tag 16]
 * bound to each part with its length in front as a u32: owner, kind, place; a number is a u64
 * ```
 *
 * It is synchronous, by `node:crypto`: what is kept is changed in SQLite transactions, which must not
 * wait for anything (docs/adr/0008-local-secrets.md).
 *
 * @module
 */

import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { concat, writeU32, writeU64 } from "../../protocol/bytes.ts";
import { keyBytes, nonceBytes, tagBytes } from "../../protocol/limits.ts";
import { ClientStoreError } from "./store.ts";

const algorithm = "aes-256-gcm";

/** What a secret is bound to, one of several. */
export type Part = string | number | Uint8Array;

/** MUST NOT show its key. */
export class Vault {
  readonly #key: Uint8Array;
  readonly #owner: readonly Part[];

  /** @param owner whose secrets it seals and opens */
  constructor(key: Uint8Array, owner: readonly Part[] = []) {
    if (key.length !== keyBytes) throw new TypeError("Cannot seal because the key is too short");
    this.#key = key;
    this.#owner = owner;
  }

  /** The same for secrets of this owner. */
  of(...owner: Part[]): Vault {
    return new Vault(this.#key, owner);
  }

  /**
   * Seals a secret.
   *
   * @param kind what it is
   * @param place which of that kind
   */
  seal(secret: Uint8Array, kind: string, ...place: Part[]): Uint8Array {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(algorithm, this.#key, nonce, { authTagLength: tagBytes });
    cipher.setAAD(boundTo([...this.#owner, kind, ...place]));
    const ciphertext = cipher.update(secret);
    cipher.final();
    return concat([nonce, ciphertext, cipher.getAuthTag()]);
  }

  /**
   * Opens what was sealed.
   *
   * @throws {ClientStoreError} when it is not what was sealed as this
   */
  open(sealed: Uint8Array, kind: string, ...place: Part[]): Uint8Array {
    if (sealed.length < nonceBytes + tagBytes) throw unopened(kind);
    const nonce = sealed.subarray(0, nonceBytes);
    const tagAt = sealed.length - tagBytes;
    const decipher = createDecipheriv(algorithm, this.#key, nonce, { authTagLength: tagBytes });
    decipher.setAAD(boundTo([...this.#owner, kind, ...place]));
    decipher.setAuthTag(sealed.subarray(tagAt));
    try {
      const secret = decipher.update(sealed.subarray(nonceBytes, tagAt));
      decipher.final();
      return new Uint8Array(secret); // A copy: the slice of a Buffer is none.
    } catch (cause) {
      throw unopened(kind, cause);
    }
  }
}

function unopened(kind: string, cause?: unknown): ClientStoreError {
  return new ClientStoreError(
    `What is kept in your folder (${kind}) is damaged, or was put there from elsewhere. Put the ` +
      `folder back from a backup, or choose another: --home FOLDER`,
    { cause },
  );
}

/** Parts as additional data: no two lists of parts give the same. */
export function boundTo(parts: readonly Part[]): Uint8Array {
  return concat(parts.flatMap((part) => {
    const bytes = toBytes(part);
    const length = new Uint8Array(4);
    writeU32(length, 0, bytes.length);
    return [length, bytes];
  }));
}

function toBytes(part: Part): Uint8Array {
  if (typeof part === "string") return new TextEncoder().encode(part);
  if (typeof part !== "number") return part;
  const bytes = new Uint8Array(8);
  writeU64(bytes, 0, part);
  return bytes;
}
