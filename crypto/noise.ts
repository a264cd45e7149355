/**
 * The handshake `Noise_NX_25519_AESGCM_SHA256` (The Noise Protocol Framework, revision 34, sections 5
 * and 7.5):
 *
 * ```
 * -> e
 * <- e, ee, s, es
 * ```
 *
 * The client is anonymous to it, the server sends its static key; who both are is proven inside.
 *
 * @module
 */

import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { type Bytes, importKey, nonce, open, seal, tagBytes } from "./aes_gcm.ts";
import { pairChannel } from "./channel.ts";

const protocolName = "Noise_NX_25519_AESGCM_SHA256";
/** Bytes of an X25519 public key. */
export const dhBytes = 32;

/** An X25519 key pair; the public half also as bytes. */
export interface DhKeyPair {
  readonly publicKey: Bytes;
  readonly privateKey: CryptoKey;
}

/** A handshake that did not work out: a forged, cut or foreign message. */
export class HandshakeError extends Error {
  override readonly name = "HandshakeError";
}

/** What both sides have in the end. */
export interface HandshakeResult {
  /** The key of what the client sends, 32 bytes. */
  readonly clientKey: Uint8Array;
  /** The key of what the server sends. */
  readonly serverKey: Uint8Array;
  /** The handshake's hash, the same on both sides: signatures over it are good for this session only. */
  readonly hash: Uint8Array;
}

/** The client's side. */
export interface Initiator {
  /** `[e][payload]`, in the clear. */
  readonly message: Bytes;
  /**
   * Takes the server's answer.
   *
   * @throws {HandshakeError} when it does not verify
   */
  finish(answer: Uint8Array): Promise<
    HandshakeResult & { readonly payload: Uint8Array; readonly serverStatic: Uint8Array }
  >;
}

/** A new X25519 key pair. */
export async function generateDhKeyPair(): Promise<DhKeyPair> {
  const pair = await crypto.subtle.generateKey("X25519", false, ["deriveBits"]) as CryptoKeyPair;
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  return { publicKey, privateKey: pair.privateKey };
}

/**
 * Begins a handshake.
 *
 * @param prologue what both sides must agree on beforehand
 * @param payload goes in the clear
 * @param ephemeral only tests give one
 */
export async function initiate(
  prologue: Uint8Array,
  payload: Uint8Array,
  ephemeral?: DhKeyPair,
): Promise<Initiator> {
  const e = ephemeral ?? await generateDhKeyPair();
  const state = new SymmetricState(prologue);
  state.mixHash(e.publicKey);
  const sent = await state.encryptAndHash(payload);
  const message = join(e.publicKey, sent);
  return {
    message,
    async finish(answer) {
      if (answer.length < 2 * dhBytes + 2 * tagBytes) {
        throw new HandshakeError("The server's answer is too short.");
      }
      const re = answer.slice(0, dhBytes);
      state.mixHash(re);
      await state.mixKey(await diffieHellman(e.privateKey, re));
      const staticEnd = dhBytes + dhBytes + tagBytes;
      const serverStatic = await state.decryptAndHash(answer.subarray(dhBytes, staticEnd));
      await state.mixKey(await diffieHellman(e.privateKey, serverStatic));
      const answered = await state.decryptAndHash(answer.subarray(staticEnd));
      return { ...state.split(), payload: answered, serverStatic };
    },
  };
}

/** The bytes and keys that answer a client's first message. */
export interface Response extends HandshakeResult {
  /** `[e][s, sealed][payload, sealed]`. */
  readonly message: Bytes;
}

/**
 * Answers a client's first message.
 *
 * @param answer gives the payload, which goes encrypted, from the client's
 * @throws {HandshakeError} when the message is none
 */
export async function respond(
  prologue: Uint8Array,
  staticKey: DhKeyPair,
  message: Uint8Array,
  answer: (payload: Uint8Array) => Uint8Array,
  ephemeral?: DhKeyPair,
): Promise<Response> {
  if (message.length < dhBytes) throw new HandshakeError("The client's hello is too short.");
  const state = new SymmetricState(prologue);
  const re = message.slice(0, dhBytes);
  state.mixHash(re);
  const payload = answer(await state.decryptAndHash(message.subarray(dhBytes)));
  const e = ephemeral ?? await generateDhKeyPair();
  state.mixHash(e.publicKey);
  await state.mixKey(await diffieHellman(e.privateKey, re));
  const sealedStatic = await state.encryptAndHash(staticKey.publicKey);
  await state.mixKey(await diffieHellman(staticKey.privateKey, re));
  const sealedPayload = await state.encryptAndHash(payload);
  return { ...state.split(), message: join(e.publicKey, sealedStatic, sealedPayload) };
}

/** Section 5.2: chaining key, hash, and the cipher of the handshake itself. */
class SymmetricState {
  #chainingKey: Uint8Array;
  #hash: Uint8Array;
  #key: Uint8Array | undefined;
  #counter = 0;

  constructor(prologue: Uint8Array) {
    const name = new TextEncoder().encode(protocolName);
    this.#hash = new Uint8Array(32);
    this.#hash.set(name); // 28 bytes: no longer than a hash, so it is padded, not hashed.
    this.#chainingKey = this.#hash;
    this.mixHash(prologue);
  }

  mixHash(data: Uint8Array): void {
    this.#hash = sha256(join(this.#hash, data));
  }

  mixKey(secret: Uint8Array): void {
    const output = hkdf(sha256, secret, this.#chainingKey, undefined, 64);
    this.#chainingKey = output.subarray(0, 32);
    this.#key = output.subarray(32);
    this.#counter = 0;
  }

  async encryptAndHash(plaintext: Uint8Array): Promise<Uint8Array> {
    let sent = plaintext;
    if (this.#key) {
      const key = await importKey(this.#key, "encrypt");
      sent = await seal(key, nonce(pairChannel, this.#counter++), plaintext, this.#hash);
    }
    this.mixHash(sent);
    return sent;
  }

  async decryptAndHash(received: Uint8Array): Promise<Uint8Array> {
    let plaintext = received;
    if (this.#key) {
      const key = await importKey(this.#key, "decrypt");
      try {
        plaintext = await open(key, nonce(pairChannel, this.#counter++), received, this.#hash);
      } catch (cause) {
        throw new HandshakeError("The handshake does not verify.", { cause });
      }
    }
    this.mixHash(received);
    return plaintext;
  }

  split(): HandshakeResult {
    const keys = hkdf(sha256, new Uint8Array(0), this.#chainingKey, undefined, 64);
    return { clientKey: keys.slice(0, 32), serverKey: keys.slice(32), hash: this.#hash };
  }
}

/** X25519; a public key of small order gives all zeros, and is refused. */
async function diffieHellman(privateKey: CryptoKey, publicKey: Uint8Array): Promise<Uint8Array> {
  try {
    const key = await crypto.subtle.importKey("raw", publicKey as Bytes, "X25519", false, []);
    const bits = await crypto.subtle.deriveBits({ name: "X25519", public: key }, privateKey, 256);
    const secret = new Uint8Array(bits);
    if (secret.every((byte) => byte === 0)) throw new Error("all zeros");
    return secret;
  } catch (cause) {
    throw new HandshakeError("The peer's key is not a usable X25519 key.", { cause });
  }
}

function join(...parts: Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
