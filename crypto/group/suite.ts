/**
 * The cipher suite `MLS_256_XWING_AES256GCM_SHA512_Ed25519` as ts-mls wants it.
 *
 * Hashing and HKDF are @noble's, at once: by WebCrypto each of the thousands of calls that a commit
 * takes would be a task of its own. AES-GCM, X25519 and Ed25519 are WebCrypto's, ML-KEM is @noble's.
 * Signing is a function of the identity, so that no signing key is in a group's state.
 *
 * @module
 */

import { expand, extract } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha512 } from "@noble/hashes/sha2.js";
import type { CiphersuiteImpl, CiphersuiteName } from "ts-mls/crypto/ciphersuite.js";
import type { Hash } from "ts-mls/crypto/hash.js";
import type { Hpke, PrivateKey, PublicKey } from "ts-mls/crypto/hpke.js";
import type { Kdf } from "ts-mls/crypto/kdf.js";
import type { Signature } from "ts-mls/crypto/signature.js";
import { type Bytes, importKey, keyBytes, nonceBytes, open, seal } from "../aes_gcm.ts";
import { isUsablePublicKey, type SigningKey } from "../identity.ts";
import { concat } from "./bytes.ts";
import { decapsulate, derivePublicKey, encapsulate, seedBytes, seedFrom } from "./x_wing.ts";

export const suiteName: CiphersuiteName = "MLS_256_XWING_AES256GCM_SHA512_Ed25519";

/** Bytes of a hash and of a secret. */
export const hashBytes = 64;

/** The suite of who signs with this key. */
export function suiteOf(device: SigningKey): CiphersuiteImpl {
  return {
    ...verifyingSuite,
    signature: { ...signature, sign: (_, input) => sign(device, input) },
  };
}

async function sign(device: SigningKey, input: Uint8Array): Promise<Bytes> {
  if (device.signNow) return device.signNow(input);
  return new Uint8Array(
    await crypto.subtle.sign("Ed25519", device.privateKey, input as Bytes),
  );
}

const signature: Signature = {
  sign: () => Promise.reject(new Error("This suite only checks signatures.")),
  keygen: () => Promise.reject(new Error("Keys for signing are made by crypto/identity.ts.")),
  async verify(publicKey, message, signed) {
    if (!isUsablePublicKey(publicKey)) return false;
    const key = await crypto.subtle.importKey("raw", publicKey as Bytes, "Ed25519", false, [
      "verify",
    ]);
    return await crypto.subtle.verify("Ed25519", key, signed as Bytes, message as Bytes);
  },
};

/** HKDF-Expand of RFC 5869; at once. */
export function expandNow(secret: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  return expand(sha512, secret, info, length);
}

const kdf: Kdf = {
  size: hashBytes,
  extract: (salt, input) => Promise.resolve(extract(sha512, input, salt)),
  expand: (secret, info, length) => Promise.resolve(expandNow(secret, info, length)),
};

const hash: Hash = {
  digest: (data) => Promise.resolve(sha512(data)),
  mac: (key, data) => Promise.resolve(hmac(sha512, key, data)),
  verifyMac: (key, mac, data) => Promise.resolve(isSameSecret(hmac(sha512, key, data), mac)),
};

/** In a time that does not depend on where they differ. */
function isSameSecret(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  return a.reduce((difference, byte, at) => difference | (byte ^ b[at]!), 0) === 0;
}

/** What stands behind the library's opaque key types: the secret, or a public key's bytes. */
type OwnPrivateKey = { readonly seed: Uint8Array };
type OwnPublicKey = { readonly raw: Uint8Array } | OwnPrivateKey;

const toPrivate = (key: OwnPrivateKey) => key as unknown as PrivateKey;
const toPublic = (key: OwnPublicKey) => key as unknown as PublicKey;
const seedOf = (key: PrivateKey) => (key as unknown as OwnPrivateKey).seed;

/** A public key is worked out when it is asked for: most derived pairs are for the private half. */
async function rawOf(key: PublicKey): Promise<Bytes> {
  const own = key as unknown as OwnPublicKey;
  return "raw" in own ? own.raw as Bytes : await derivePublicKey(own.seed);
}

function pairOf(seed: Uint8Array): { privateKey: PrivateKey; publicKey: PublicKey } {
  return { privateKey: toPrivate({ seed }), publicKey: toPublic({ seed }) };
}

/** RFC 9180, mode base. */
const hpke: Hpke = {
  keyLength: keyBytes,
  nonceLength: nonceBytes,
  async seal(publicKey, plaintext, info, aad) {
    const { enc, secret } = await encapsulate(await rawOf(publicKey));
    const { key, nonce } = keySchedule(secret, info);
    return { enc, ct: await hpke.encryptAead(key, nonce, aad, plaintext) };
  },
  async open(privateKey, enc, ciphertext, info, aad) {
    const { key, nonce } = keySchedule(await decapsulate(seedOf(privateKey), enc), info);
    return await hpke.decryptAead(key, nonce, aad, ciphertext);
  },
  async exportSecret(publicKey, context, length, info) {
    const { enc, secret } = await encapsulate(await rawOf(publicKey));
    return {
      enc,
      secret: labeledExpand(keySchedule(secret, info).exporter, "sec", context, length),
    };
  },
  async importSecret(privateKey, context, enc, length, info) {
    const { exporter } = keySchedule(await decapsulate(seedOf(privateKey), enc), info);
    return labeledExpand(exporter, "sec", context, length);
  },
  importPrivateKey(seed) {
    if (seed.length !== seedBytes) throw new Error("A private key has 32 bytes.");
    return Promise.resolve(toPrivate({ seed }));
  },
  importPublicKey: (raw) => Promise.resolve(toPublic({ raw })),
  exportPublicKey: rawOf,
  exportPrivateKey: (key) => Promise.resolve(seedOf(key).slice()),
  deriveKeyPair: (input) => Promise.resolve(pairOf(seedFrom(input))),
  generateKeyPair: () => Promise.resolve(pairOf(crypto.getRandomValues(new Uint8Array(seedBytes)))),
  async encryptAead(key, nonce, aad, plaintext) {
    return await seal(await importKey(key, "encrypt"), nonce as Bytes, plaintext, aad);
  },
  async decryptAead(key, nonce, aad, ciphertext) {
    return await open(await importKey(key, "decrypt"), nonce as Bytes, ciphertext, aad);
  },
};

const empty = new Uint8Array(0);
const ascii = new TextEncoder();
/** "HPKE", X-Wing, HKDF-SHA512, AES-256-GCM. */
const suiteId = concat(ascii.encode("HPKE"), new Uint8Array([0x64, 0x7a, 0, 3, 0, 2]));
const versionLabel = ascii.encode("HPKE-v1");

function labeledExtract(salt: Uint8Array, label: string, input: Uint8Array): Uint8Array {
  return extract(sha512, concat(versionLabel, suiteId, ascii.encode(label), input), salt);
}

function labeledExpand(
  secret: Uint8Array,
  label: string,
  info: Uint8Array,
  length: number,
): Uint8Array {
  const size = new Uint8Array([length >> 8, length & 0xff]);
  return expandNow(secret, concat(size, versionLabel, suiteId, ascii.encode(label), info), length);
}

const pskIdHash = labeledExtract(empty, "psk_id_hash", empty);

/** RFC 9180, section 5.1, without a PSK. */
function keySchedule(
  shared: Uint8Array,
  info: Uint8Array,
): { key: Uint8Array; nonce: Uint8Array; exporter: Uint8Array } {
  const context = concat(new Uint8Array([0]), pskIdHash, labeledExtract(empty, "info_hash", info));
  const secret = labeledExtract(shared, "secret", empty);
  return {
    key: labeledExpand(secret, "key", context, keyBytes),
    nonce: labeledExpand(secret, "base_nonce", context, nonceBytes),
    exporter: labeledExpand(secret, "exp", context, hashBytes),
  };
}

/** The suite of who only looks. */
export const verifyingSuite: CiphersuiteImpl = {
  name: suiteName,
  hash,
  kdf,
  hpke,
  signature,
  rng: { randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)) },
};
