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
  /** What secrets of each kind are bound to, place aside: there are many of a kind. */
  readonly #heads = new Map<string, Uint8Array>();

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
    cipher.setAAD(this.#bind(kind, place));
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
    decipher.setAAD(this.#bind(kind, place));
    decipher.setAuthTag(sealed.subarray(tagAt));
    try {
      const secret = decipher.update(sealed.subarray(nonceBytes, tagAt));
      decipher.final();
      return new Uint8Array(secret); // A copy: the slice of a Buffer is none.
    } catch (cause) {
      throw unopened(kind, cause);
    }
  }

  #bind(kind: string, place: readonly Part[]): Uint8Array {
    let head = this.#heads.get(kind);
    if (!head) this.#heads.set(kind, head = boundTo([...this.#owner, kind]));
    return boundTo(place, head);
  }
}

function unopened(kind: string, cause?: unknown): ClientStoreError {
  return new ClientStoreError(
    `What is kept in your folder (${kind}) is damaged, or was put there from elsewhere. Put the ` +
      `folder back from a backup, or choose another: --home FOLDER`,
    { cause },
  );
}

/** Parts as additional data, behind others: no two lists of parts give the same. */
export function boundTo(parts: readonly Part[], head: Uint8Array = new Uint8Array(0)): Uint8Array {
  const texts = parts.map((part) => typeof part === "string" ? encoder.encode(part) : part);
  const lengths = texts.map((part) => typeof part === "number" ? 8 : part.length);
  const bound = new Uint8Array(lengths.reduce((sum, length) => sum + 4 + length, head.length));
  bound.set(head);
  let at = head.length;
  for (const [index, part] of texts.entries()) {
    writeU32(bound, at, lengths[index]!);
    if (typeof part === "number") writeU64(bound, at + 4, part);
    else bound.set(part, at + 4);
    at += 4 + lengths[index]!;
  }
  return bound;
}

const encoder = new TextEncoder();
