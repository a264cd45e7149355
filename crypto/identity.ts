/**
 * Who somebody is: an Ed25519 identity key, and a device key that it certifies. Every kind of
 * signature has a label of its own, so that none can pass for another.
 *
 * @module
 */

import { sha256 } from "@noble/hashes/sha2.js";
import type { Bytes } from "./aes_gcm.ts";

/** Bytes of a public key and of the secret that a private key grows from. */
export const identityKeyBytes = 32;

/** The labels, one for each kind of signature. */
export const label = {
  /** By a server's identity: its noise static key. */
  serverKey: "broadcast/2 server key",
  /** By a server's identity: room id, last seq, chain hash. */
  head: "broadcast/2 head",
  /** By a user's identity: a device key. */
  device: "broadcast/2 device",
  /** By a device: handshake hash, server identity, user key, device key, name. */
  login: "broadcast/2 login",
  /** By a device: see protocol/entry.ts. */
  entry: "broadcast/2 entry",
  /** By an invitation: group id, user key, device key. */
  warrant: "broadcast/2 warrant",
} as const;
export type Label = (typeof label)[keyof typeof label];

/** An Ed25519 key pair; the public half as bytes. */
export interface SigningKey {
  readonly publicKey: Bytes;
  readonly privateKey: CryptoKey;
  /** Signs at once, where there is such a way: for who signs often. */
  readonly signNow?: (input: Uint8Array) => Bytes;
}

/** A user's keys on one device. */
export interface Identity {
  readonly user: SigningKey;
  readonly device: SigningKey;
  /** The user key's signature over the device key. */
  readonly certificate: Bytes;
}

/** What of a {@link SigningKey} is kept on disk: the 32-byte secret of RFC 8032. */
export type Secret = Bytes;

/** PKCS #8 around an Ed25519 secret (RFC 8410, section 7): WebCrypto imports no bare one. */
const pkcs8Prefix = Uint8Array.fromHex("302e020100300506032b657004220420");

/** A new key pair, and the secret to keep. */
export async function generateSigningKey(): Promise<{ key: SigningKey; secret: Secret }> {
  const secret = crypto.getRandomValues(new Uint8Array(identityKeyBytes));
  return { key: await importSigningKey(secret), secret };
}

/** The key pair that grows from a secret. */
export async function importSigningKey(secret: Secret): Promise<SigningKey> {
  const pkcs8 = toPkcs8(secret);
  const exportable = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", true, ["sign"]);
  const jwk = await crypto.subtle.exportKey("jwk", exportable);
  const publicKey = Uint8Array.fromBase64(jwk.x!, { alphabet: "base64url" });
  const privateKey = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", false, ["sign"]);
  return { publicKey, privateKey };
}

/** A secret as others can import it. */
export function toPkcs8(secret: Secret): Bytes {
  const pkcs8 = new Uint8Array(pkcs8Prefix.length + secret.length);
  pkcs8.set(pkcs8Prefix);
  pkcs8.set(secret, pkcs8Prefix.length);
  return pkcs8;
}

/** A user's new identity with its first device, and the secrets to keep. */
export async function generateIdentity(): Promise<
  { identity: Identity; userSecret: Secret; deviceSecret: Secret }
> {
  const [user, device] = await Promise.all([generateSigningKey(), generateSigningKey()]);
  const identity = await certify(user.key, device.key);
  return { identity, userSecret: user.secret, deviceSecret: device.secret };
}

/** The identity of a user key and a device key. */
export async function certify(user: SigningKey, device: SigningKey): Promise<Identity> {
  return { user, device, certificate: await sign(user, label.device, [device.publicKey]) };
}

/** Whether `certificate` says that `deviceKey` is a device of the user with `userKey`. */
export function verifyCertificate(
  userKey: Uint8Array,
  deviceKey: Uint8Array,
  certificate: Uint8Array,
): Promise<boolean> {
  return verify(userKey, label.device, [deviceKey], certificate);
}

/** A device's id: it names the key, so nobody can claim another's. */
export function deviceIdOf(deviceKey: Uint8Array): Uint8Array {
  return sha256(deviceKey).subarray(0, 16);
}

/** A key as people compare it: base64url of its SHA-256, 43 characters. */
export function fingerprint(key: Uint8Array): string {
  return sha256(key).toBase64({ alphabet: "base64url", omitPadding: true });
}

/** An Ed25519 signature over a label and fields. */
export async function sign(
  key: SigningKey,
  kind: Label,
  fields: readonly Uint8Array[],
): Promise<Bytes> {
  const input = signingInput(kind, fields);
  if (key.signNow) return key.signNow(input);
  return new Uint8Array(await crypto.subtle.sign("Ed25519", key.privateKey, input));
}

/** Whether the signature holds; false for keys and signatures that are none. */
export async function verify(
  publicKey: Uint8Array,
  kind: Label,
  fields: readonly Uint8Array[],
  signature: Uint8Array,
): Promise<boolean> {
  const verifier = await importVerifier(publicKey);
  return verifier ? await verifier(kind, fields, signature) : false;
}

/** Checks the signatures of one key. */
export type Verifier = (
  kind: Label,
  fields: readonly Uint8Array[],
  signature: Uint8Array,
) => Promise<boolean>;

/** A verifier for many signatures by one key; undefined for a key that must not be trusted. */
export async function importVerifier(publicKey: Uint8Array): Promise<Verifier | undefined> {
  if (!isUsablePublicKey(publicKey)) return undefined;
  let key: CryptoKey;
  try {
    key = await crypto.subtle.importKey("raw", publicKey as Bytes, "Ed25519", false, ["verify"]);
  } catch {
    return undefined; // Not a point of the curve.
  }
  return (kind, fields, signature) =>
    crypto.subtle.verify("Ed25519", key, signature as Bytes, signingInput(kind, fields));
}

const labelBytes = Object.fromEntries(
  Object.values(label).map((kind) => [kind, new TextEncoder().encode(kind)]),
) as Record<Label, Bytes>;

/** Label and fields, each with its length in front as a big-endian u32. */
function signingInput(kind: Label, fields: readonly Uint8Array[]): Bytes {
  const parts = [labelBytes[kind], ...fields];
  const input = new Uint8Array(parts.reduce((sum, part) => sum + 4 + part.length, 0));
  const view = new DataView(input.buffer);
  let at = 0;
  for (const part of parts) {
    view.setUint32(at, part.length);
    input.set(part, at + 4);
    at += 4 + part.length;
  }
  return input;
}

/** The y coordinates, little-endian, of the eight points whose order divides 8. */
const smallOrder = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
];

/**
 * Whether a public key has 32 bytes, is written the one canonical way (y below 2^255 - 19) and is not
 * of small order, under which some signatures hold for every message. WebCrypto does not ask.
 */
export function isUsablePublicKey(key: Uint8Array): boolean {
  if (key.length !== identityKeyBytes) return false;
  const y = key.slice();
  y[31]! &= 0x7f; // The top bit is the sign of x.
  return isBelowPrime(y) && !smallOrder.includes(y.toHex());
}

/** Whether a little-endian number of 255 bits is below 2^255 - 19. */
function isBelowPrime(y: Uint8Array): boolean {
  if (y[31] !== 0x7f || y[0]! < 0xed) return true;
  return y.subarray(1, 31).some((byte) => byte !== 0xff);
}
