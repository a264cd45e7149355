/**
 * The message keys of one epoch (RFC 9420, section 9). Everybody's ratchet grows from one secret; it
 * is grown when its owner is first heard, and every secret is dropped once what comes of it is there.
 *
 * Commits are public messages, so there are no handshake ratchets. Of a message that was skipped only
 * its own key is kept, not the secret from which later ones grow.
 *
 * @module
 */

import type { Bytes } from "../aes_gcm.ts";
import { keyBytes, nonceBytes } from "../aes_gcm.ts";
import { concat } from "./bytes.ts";
import { GroupError } from "./error.ts";
import { expandNow, hashBytes } from "./suite.ts";

/** The key and nonce of one message. */
export interface MessageKey {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
}

/** How many messages of one sender may be missing before the next one that can be opened. */
export const aheadMax = 1000;
/** How many keys of missing messages of one sender are kept. */
export const skippedMax = 32;

interface Ratchet {
  readonly secret: Uint8Array;
  /** Of the next message. */
  readonly generation: number;
  readonly skipped: ReadonlyMap<number, MessageKey>;
}

/** HKDF-Expand; tests count its calls. */
export type Expand = (secret: Uint8Array, info: Uint8Array, length: number) => Uint8Array;

export class SecretTree {
  readonly #expand: Expand;
  /** Leaves that there is room for: a power of two. */
  readonly #width: number;
  /** Secrets of nodes of which nothing has grown yet. */
  readonly #secrets: Map<number, Uint8Array>;
  /** By leaf. */
  readonly #ratchets: Map<number, Ratchet>;

  private constructor(
    width: number,
    secrets: Map<number, Uint8Array>,
    ratchets: Map<number, Ratchet>,
    expand: Expand,
  ) {
    this.#width = width;
    this.#secrets = secrets;
    this.#ratchets = ratchets;
    this.#expand = expand;
  }

  /** Of an epoch's encryption secret, which is copied. */
  static create(width: number, encryptionSecret: Uint8Array, expand = expandNow): SecretTree {
    return new SecretTree(
      width,
      new Map([[rootOf(width), encryptionSecret.slice()]]),
      new Map(),
      expand,
    );
  }

  /** The key of our next message; it is given out once. */
  next(leaf: number): MessageKey & { readonly generation: number } {
    const { secret, generation, skipped } = this.#ratchetOf(leaf);
    const key = this.#keyOf(secret, generation);
    const after = this.#derive(secret, "secret", u32(generation), hashBytes);
    this.#replace(leaf, { secret: after, generation: generation + 1, skipped });
    return { ...key, generation };
  }

  /**
   * The key of somebody's message, and what to call once the message has been opened: until then
   * nothing has changed.
   *
   * @throws {GroupError} invalid, when the key was used already or is too far ahead
   */
  find(leaf: number, generation: number): { key: MessageKey; use: () => void } {
    const ratchet = this.#ratchetOf(leaf);
    if (generation < ratchet.generation) return this.#findSkipped(leaf, ratchet, generation);
    if (generation - ratchet.generation > aheadMax) {
      throw new GroupError("invalid", "The message is too far ahead of its sender's last one.");
    }
    const skipped = new Map(ratchet.skipped);
    let secret = ratchet.secret;
    for (let at = ratchet.generation; at < generation; at++) {
      if (generation - at <= skippedMax) skipped.set(at, this.#keyOf(secret, at));
      secret = this.#derive(secret, "secret", u32(at), hashBytes);
    }
    for (const old of [...skipped.keys()].slice(0, -skippedMax)) skipped.delete(old);
    const key = this.#keyOf(secret, generation);
    const after = this.#derive(secret, "secret", u32(generation), hashBytes);
    return {
      key,
      use: () => this.#replace(leaf, { secret: after, generation: generation + 1, skipped }),
    };
  }

  #findSkipped(
    leaf: number,
    ratchet: Ratchet,
    generation: number,
  ): { key: MessageKey; use: () => void } {
    const key = ratchet.skipped.get(generation);
    if (!key) throw new GroupError("invalid", "The message was opened already, or is too old.");
    const skipped = new Map(ratchet.skipped);
    skipped.delete(generation);
    return { key, use: () => this.#ratchets.set(leaf, { ...ratchet, skipped }) };
  }

  #replace(leaf: number, ratchet: Ratchet): void {
    this.#ratchets.get(leaf)?.secret.fill(0);
    this.#ratchets.set(leaf, ratchet);
  }

  #keyOf(secret: Uint8Array, generation: number): MessageKey {
    return {
      key: this.#derive(secret, "key", u32(generation), keyBytes),
      nonce: this.#derive(secret, "nonce", u32(generation), nonceBytes),
    };
  }

  #ratchetOf(leaf: number): Ratchet {
    const known = this.#ratchets.get(leaf);
    if (known) return known;
    const node = leaf * 2;
    const leafSecret = this.#grow(node);
    const secret = this.#derive(leafSecret, "application", none, hashBytes);
    leafSecret.fill(0);
    this.#secrets.delete(node);
    const ratchet: Ratchet = { secret, generation: 0, skipped: new Map() };
    this.#ratchets.set(leaf, ratchet);
    return ratchet;
  }

  /** The secret of a leaf's node; on the way down every parent's is replaced by its children's. */
  #grow(node: number): Uint8Array {
    let at = rootOf(this.#width);
    for (let level = levelOf(at); level >= 0; level--) {
      const secret = this.#secrets.get(at);
      if (secret && at === node) return secret;
      if (level === 0) break;
      const [left, right] = [at - 2 ** (level - 1), at + 2 ** (level - 1)];
      if (secret) {
        this.#secrets.set(left, this.#derive(secret, "tree", leftLabel, hashBytes));
        this.#secrets.set(right, this.#derive(secret, "tree", rightLabel, hashBytes));
        secret.fill(0);
        this.#secrets.delete(at);
      }
      at = node < at ? left : right;
    }
    throw new GroupError("invalid", "There is no such member.");
  }

  /** ExpandWithLabel (RFC 9420, section 8). */
  #derive(secret: Uint8Array, label: string, context: Uint8Array, length: number): Uint8Array {
    const name = ascii.encode(`MLS 1.0 ${label}`);
    const size = new Uint8Array([length >> 8, length & 0xff, name.length]);
    const info = concat(size, name, new Uint8Array([context.length]), context);
    return this.#expand(secret, info, length);
  }

  /** Overwrites all secrets. */
  forget(): void {
    for (const secret of this.#secrets.values()) secret.fill(0);
    for (const ratchet of this.#ratchets.values()) {
      ratchet.secret.fill(0);
      for (const { key } of ratchet.skipped.values()) key.fill(0);
    }
    this.#secrets.clear();
    this.#ratchets.clear();
  }

  /**
   * ```
   * [u32 width][u32 secrets] each [u32 node][64 secret]
   * [u32 ratchets] each [u32 leaf][u32 generation][64 secret]
   *   [u32 skipped] each [u32 generation][32 key][12 nonce]
   * ```
   */
  encode(): Bytes {
    const parts: Uint8Array[] = [u32(this.#width), u32(this.#secrets.size)];
    for (const [node, secret] of this.#secrets) parts.push(u32(node), secret);
    parts.push(u32(this.#ratchets.size));
    for (const [leaf, { generation, secret, skipped }] of this.#ratchets) {
      parts.push(u32(leaf), u32(generation), secret, u32(skipped.size));
      for (const [of, { key, nonce }] of skipped) parts.push(u32(of), key, nonce);
    }
    return concat(...parts);
  }

  /** @throws {GroupError} invalid */
  static decode(bytes: Uint8Array, expand = expandNow): SecretTree {
    let at = 0;
    const take = (length: number): Bytes => {
      if (at + length > bytes.length) throw new GroupError("invalid", "The keys are cut short.");
      at += length;
      return bytes.slice(at - length, at);
    };
    const number = (): number => new DataView(take(4).buffer).getUint32(0);
    const width = number();
    const secrets = new Map<number, Uint8Array>();
    for (let left = number(); left > 0; left--) secrets.set(number(), take(hashBytes));
    const ratchets = new Map<number, Ratchet>();
    for (let left = number(); left > 0; left--) {
      const [leaf, generation, secret] = [number(), number(), take(hashBytes)];
      const skipped = new Map<number, MessageKey>();
      for (let keys = number(); keys > 0; keys--) {
        skipped.set(number(), { key: take(keyBytes), nonce: take(nonceBytes) });
      }
      ratchets.set(leaf, { secret, generation, skipped });
    }
    if (at !== bytes.length) throw new GroupError("invalid", "Something follows the keys.");
    return new SecretTree(width, secrets, ratchets, expand);
  }
}

const none = new Uint8Array(0);
const ascii = new TextEncoder();
const leftLabel = ascii.encode("left");
const rightLabel = ascii.encode("right");

function rootOf(width: number): number {
  return width - 1;
}

function levelOf(node: number): number {
  return Math.log2(node + 1);
}

function u32(value: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}
