/**
 * X-Wing, the key encapsulation of X25519 and ML-KEM-768 together (draft-connolly-cfrg-xwing-kem,
 * RFC 9180 code 0x647a): broken only when both are. A private key is a seed of 32 bytes.
 *
 * @module
 */

import { sha3_256, shake256 } from "@noble/hashes/sha3.js";
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";
import type { Bytes } from "../aes_gcm.ts";
import { concat } from "./bytes.ts";

export const seedBytes = 32;
const kemPublicBytes = 1184;
/** Coefficients of 12 bits, which a public key begins with. */
const kemVectorBytes = 1152;
const modulus = 3329;
const kemCiphertextBytes = 1088;
const dhBytes = 32;
export const publicKeyBytes = kemPublicBytes + dhBytes;

/** `\.//^\` */
const combinerLabel = new TextEncoder().encode("\\.//^\\");
const basePoint = new Uint8Array(dhBytes);
basePoint[0] = 9;
/** PKCS #8 around an X25519 secret (RFC 8410, section 7). */
const pkcs8Prefix = Uint8Array.fromHex("302e020100300506032b656e04220420");

/**
 * Whether one may seal for this key: its length is right, and all coefficients are below the modulus
 * (FIPS 203, section 7.2). Another key in a tree could keep everybody from committing.
 */
export function isSealableKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== publicKeyBytes) return false;
  for (let at = 0; at < kemVectorBytes; at += 3) {
    const [a, b, c] = [publicKey[at]!, publicKey[at + 1]!, publicKey[at + 2]!];
    if ((a | (b & 0xf) << 8) >= modulus || (b >> 4 | c << 4) >= modulus) return false;
  }
  return true;
}

/** The seed that grows from keying material (RFC 9180 DeriveKeyPair). */
export function seedFrom(material: Uint8Array): Uint8Array {
  return shake256(material, { dkLen: seedBytes });
}

/** The public key of a seed. */
export async function derivePublicKey(seed: Uint8Array): Promise<Bytes> {
  const { kem, dhPublic } = await expandSeed(seed);
  return concat(kem.publicKey, dhPublic);
}

/** A new secret, and what brings it to whom the public key is. */
export async function encapsulate(
  publicKey: Uint8Array,
): Promise<{ enc: Bytes; secret: Uint8Array }> {
  if (publicKey.length !== publicKeyBytes) throw new Error("A public key has 1216 bytes.");
  const dhPublic = publicKey.subarray(kemPublicBytes);
  const ephemeral = await importDh(crypto.getRandomValues(new Uint8Array(dhBytes)));
  const [ours, shared] = await Promise.all([dh(ephemeral, basePoint), dh(ephemeral, dhPublic)]);
  const kem = ml_kem768.encapsulate(publicKey.subarray(0, kemPublicBytes));
  return {
    enc: concat(kem.cipherText, ours),
    secret: combine(kem.sharedSecret, shared, ours, dhPublic),
  };
}

/** The secret that `enc` brings. */
export async function decapsulate(seed: Uint8Array, enc: Uint8Array): Promise<Uint8Array> {
  if (enc.length !== kemCiphertextBytes + dhBytes) throw new Error("It has 1120 bytes.");
  const { kem, dhPrivate, dhPublic } = await expandSeed(seed);
  const theirs = enc.subarray(kemCiphertextBytes);
  const shared = await dh(dhPrivate, theirs);
  const kemSecret = ml_kem768.decapsulate(enc.subarray(0, kemCiphertextBytes), kem.secretKey);
  return combine(kemSecret, shared, theirs, dhPublic);
}

async function expandSeed(
  seed: Uint8Array,
): Promise<
  {
    kem: { publicKey: Uint8Array; secretKey: Uint8Array };
    dhPrivate: CryptoKey;
    dhPublic: Uint8Array;
  }
> {
  const expanded = shake256(seed, { dkLen: 96 });
  const dhPrivate = await importDh(expanded.subarray(64));
  const dhPublic = await dh(dhPrivate, basePoint);
  return { kem: ml_kem768.keygen(expanded.slice(0, 64)), dhPrivate, dhPublic };
}

function combine(
  kemSecret: Uint8Array,
  dhSecret: Uint8Array,
  dhCiphertext: Uint8Array,
  dhPublic: Uint8Array,
): Uint8Array {
  return sha3_256(concat(kemSecret, dhSecret, dhCiphertext, dhPublic, combinerLabel));
}

function importDh(secret: Uint8Array): Promise<CryptoKey> {
  const pkcs8 = concat(pkcs8Prefix, secret);
  return crypto.subtle.importKey("pkcs8", pkcs8, "X25519", false, ["deriveBits"]);
}

/**
 * X25519. A point of small order gives zeros, which WebCrypto refuses and X-Wing takes: its owner has
 * chosen to rely on ML-KEM alone, and must not be able to keep others from sealing.
 */
async function dh(privateKey: CryptoKey, publicKey: Uint8Array): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey("raw", publicKey as Bytes, "X25519", false, []);
  try {
    const bits = await crypto.subtle.deriveBits({ name: "X25519", public: key }, privateKey, 256);
    return new Uint8Array(bits);
  } catch {
    return new Uint8Array(dhBytes);
  }
}
