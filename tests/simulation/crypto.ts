/**
 * WebCrypto as an event of the simulation. Its real completions come from other threads, whenever
 * they like; here each comes at a time that the seed decides, so also in another order than asked.
 *
 * By default a stand-in takes the place of the ciphers and curves: keyed, so that a wrong key, nonce,
 * order or changed byte fails as it would, but no secret to anybody, and about 20 times cheaper. The
 * real thing can be had for comparison; it is tested elsewhere.
 *
 * @module
 */

import { settled } from "../fixtures/fake_clock.ts";
import type { Random } from "./random.ts";
import { Stream, type World } from "./world.ts";
import { replaceMethod, undoAll } from "./wrap.ts";

/** Whether the real algorithms are used. */
export type CryptoMode = "stand-in" | "real";

/** How completions come: in the order asked, or in any. */
export type CompletionOrder = "asked" | "any";

const methods = [
  "encrypt",
  "decrypt",
  "sign",
  "verify",
  "importKey",
  "exportKey",
  "generateKey",
  "deriveBits",
] as const;

type Method = (typeof methods)[number];
type AnyFunction = (...args: never[]) => unknown;

/** What an operation takes: as long as real ones do. */
const completionMs = 0.05;

/**
 * Puts the world in charge of WebCrypto. The returned function undoes it, after it has completed what
 * is under way: the core bounds how much that may be.
 */
export function ownCrypto(
  world: World,
  mode: CryptoMode,
  order: CompletionOrder,
): () => Promise<void> {
  const subtle = SubtleCrypto.prototype as unknown as Record<Method, AnyFunction>;
  const bytes = world.random(Stream.bytes);
  const standIn = new StandIn(bytes);
  const random = world.random(Stream.crypto);
  const underWay = new Set<() => unknown>();
  const ownMethod = (method: Method, real: AnyFunction) =>
    function (this: SubtleCrypto, ...args: never[]): Promise<unknown> {
      const result = attempt(() =>
        mode === "real"
          ? real.apply(this, args)
          : standIn[method](...args as [never, never, never, never])
      );
      result.catch(() => {}); // Told when it completes.
      const ms = order === "asked" ? completionMs : completionMs * random.scale(0.1, 10);
      return new Promise((resolve, reject) => {
        const complete = () => {
          underWay.delete(complete);
          return result.then(resolve, reject);
        };
        underWay.add(complete);
        world.after(ms, complete);
      });
    };
  const undo = undoAll([
    ...methods.map((method) => replaceMethod(subtle, method, (real) => ownMethod(method, real))),
    replaceMethod(
      Crypto.prototype,
      "getRandomValues",
      () =>
        function <T extends ArrayBufferView | null>(array: T): T {
          if (array) bytes.fill(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
          return array;
        },
    ),
  ]);
  return async () => {
    while (underWay.size > 0) {
      for (const complete of underWay) await complete();
      await settled();
    }
    undo();
  };
}

/** The result or the failure, in a promise that nobody has to look at. */
async function attempt(act: () => unknown): Promise<unknown> {
  return await act();
}

/** A key of the stand-in. */
interface Key {
  readonly bytes: Uint8Array;
}

/** The same shape as WebCrypto, at the places where this project uses it. */
class StandIn {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  encrypt({ iv, additionalData }: AesGcmParams, key: Key, plaintext: Uint8Array): ArrayBuffer {
    const sealed = new Uint8Array(plaintext.length + 16);
    sealed.set(mask(plaintext));
    sealed.set(digest(16, key.bytes, iv, additionalData, plaintext), plaintext.length);
    return sealed.buffer;
  }

  decrypt({ iv, additionalData }: AesGcmParams, key: Key, sealed: Uint8Array): ArrayBuffer {
    const plaintext = mask(sealed.subarray(0, -16));
    const tag = digest(16, key.bytes, iv, additionalData, plaintext);
    if (!isSame(tag, sealed.subarray(-16))) throw new DOMException("no", "OperationError");
    return plaintext.buffer;
  }

  sign(_algorithm: string, key: Key, input: Uint8Array): ArrayBuffer {
    return digest(64, key.bytes, input).buffer;
  }

  verify(_algorithm: string, key: Key, signature: Uint8Array, input: Uint8Array): boolean {
    return isSame(signature, digest(64, key.bytes, input));
  }

  /** The private key of a signature is its public one: it is the stand-in's business to be cheap. */
  importKey(format: string, bytes: Uint8Array): Key {
    if (format !== "pkcs8") return { bytes: bytes.slice() };
    const publicKey = digest(32, bytes);
    publicKey[31] = 0x11; // Written the canonical way.
    return { bytes: publicKey };
  }

  exportKey(format: string, key: Key): unknown {
    if (format !== "jwk") return key.bytes.slice().buffer;
    return { x: key.bytes.toBase64({ alphabet: "base64url", omitPadding: true }) };
  }

  generateKey(): unknown {
    const bytes = new Uint8Array(32);
    this.#random.fill(bytes);
    return { publicKey: { bytes }, privateKey: { bytes } };
  }

  deriveBits({ public: theirs }: { public: Key }, ours: Key): ArrayBuffer {
    const both = ours.bytes.map((byte, at) => byte ^ theirs.bytes[at]!);
    return digest(32, both).buffer;
  }
}

interface AesGcmParams {
  readonly iv: Uint8Array;
  readonly additionalData: Uint8Array;
}

/** What is worked on, as bytes and as words: what comes lies anywhere, and words are quicker. */
let scratch = new Uint8Array(512 * 1024);
let words = new Uint32Array(scratch.buffer);

/** Puts bytes into the scratch, with zeros behind them; how many words they are. */
function load(bytes: Uint8Array): number {
  const count = (bytes.length + 3) >>> 2;
  if (count > words.length) {
    scratch = new Uint8Array(8 * count);
    words = new Uint32Array(scratch.buffer);
  }
  if (count > 0) words[count - 1] = 0;
  scratch.set(bytes);
  return count;
}

/** Changes all bytes, and changes them back. */
function mask(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const count = load(bytes);
  for (let at = 0; at < count; at++) words[at]! ^= 0xa5c35a3c;
  return scratch.slice(0, bytes.length);
}

/** So many bytes that depend on every byte of every part, and on where parts begin. */
function digest(length: number, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let a = 0x9e3779b9;
  let b = 0x85ebca6b;
  for (const part of parts) {
    const count = load(part);
    a ^= part.length;
    for (let at = 0; at < count; at++) {
      a = Math.imul(a ^ words[at]!, 0x01000193);
      b = Math.imul((b ^ a) + (a >>> 15), 0xc2b2ae35);
    }
  }
  const result = new Uint32Array(length / 4);
  for (let at = 0; at < result.length; at++) {
    a = Math.imul(a ^ (b >>> 13), 0x85ebca6b) + at;
    b = Math.imul(b ^ (a >>> 16), 0xc2b2ae35) + 1;
    result[at] = a ^ b;
  }
  return new Uint8Array(result.buffer);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
