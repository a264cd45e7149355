/**
 * A device's leaf in the tree: who it is, by a basic credential `[32 user key][64 certificate]` whose
 * signature key is the device key; and by which invitation it came, in an extension of its own.
 *
 * @module
 */

import { encodeCapabilities } from "ts-mls/capabilities.js";
import type { Capabilities } from "ts-mls/capabilities.js";
import { type Credential, encodeCredential } from "ts-mls/credential.js";
import { encodeExtension, type Extension } from "ts-mls/extension.js";
import type { LeafNode } from "ts-mls/leafNode.js";
import type { Lifetime } from "ts-mls/lifetime.js";
import { deviceIdOf, type Identity, identityKeyBytes, isUsablePublicKey } from "../identity.ts";
import { verifyCertificate } from "../identity.ts";
import { concat, isSame } from "./bytes.ts";
import { GroupError } from "./error.ts";
import { suiteName } from "./suite.ts";

/** Extension types of private use (RFC 9420, section 17.3). */
export const rulesExtension = 0xf0b1;
export const invitationExtension = 0xf0b2;

const signatureBytes = 64;

/** What every leaf can do; no more, so that no newer feature creeps in. */
export const capabilities: Capabilities = {
  versions: ["mls10"],
  ciphersuites: [suiteName],
  extensions: [rulesExtension, invitationExtension],
  proposals: [],
  credentials: ["basic"],
};

/**
 * Key packages do not end by themselves: nobody's clock is asked, so that all come to the same
 * verdict. The server hands each out once and drops old ones, and invitations have ends.
 */
export const lifetime: Lifetime = { notBefore: 0n, notAfter: 2n ** 63n - 1n };

/** Whom a leaf names. */
export interface LeafIdentity {
  readonly userKey: Uint8Array;
  readonly deviceKey: Uint8Array;
  readonly deviceId: Uint8Array;
  readonly certificate: Uint8Array;
  /** The public key of the invitation that it came by. */
  readonly invitation?: Uint8Array;
}

export function credentialOf(identity: Identity): Credential {
  return {
    credentialType: "basic",
    identity: concat(identity.user.publicKey, identity.certificate),
  };
}

export function leafExtensions(invitation: Uint8Array | undefined): Extension[] {
  return invitation ? [{ extensionType: invitationExtension, extensionData: invitation }] : [];
}

/**
 * Whom a leaf names; its signatures are checked elsewhere.
 *
 * @throws {GroupError} invalid, when it is not written as ours are
 */
export function readLeaf(leaf: LeafNode): LeafIdentity {
  const { credential, signaturePublicKey: deviceKey, extensions } = leaf;
  if (
    credential.credentialType !== "basic" ||
    credential.identity.length !== identityKeyBytes + signatureBytes
  ) throw new GroupError("invalid", "A member's credential is not one of ours.");
  const [extension, ...others] = extensions;
  const isInvitation = !extension ||
    extension.extensionType === invitationExtension &&
      extension.extensionData.length === identityKeyBytes;
  if (!isInvitation || others.length > 0) {
    throw new GroupError("invalid", "A member's leaf says what is not known.");
  }
  if (!isSame(encodeCapabilities(leaf.capabilities), encodeCapabilities(capabilities))) {
    throw new GroupError("invalid", "A member's leaf has other capabilities than ours.");
  }
  return {
    userKey: credential.identity.subarray(0, identityKeyBytes),
    certificate: credential.identity.subarray(identityKeyBytes),
    deviceKey,
    deviceId: deviceIdOf(deviceKey),
    ...(extension && { invitation: extension.extensionData }),
  };
}

/** Whether two leaves name the same device, with the same certificate, come by the same invitation. */
export function isSameIdentity(a: LeafNode, b: LeafNode): boolean {
  return isSame(a.signaturePublicKey, b.signaturePublicKey) &&
    isSame(encodeCredential(a.credential), encodeCredential(b.credential)) &&
    isSame(encodeExtensions(a), encodeExtensions(b));
}

function encodeExtensions({ extensions }: LeafNode): Uint8Array {
  return concat(...extensions.map(encodeExtension));
}

/** Remembers which credentials were good: the same ones come back with every commit. */
export class CredentialChecks {
  readonly #good = new Set<string>();

  /** Whether the credential's certificate is for this device key, and both keys can be trusted. */
  readonly validateCredential = async (
    credential: Credential,
    deviceKey: Uint8Array,
  ): Promise<boolean> => {
    if (credential.credentialType !== "basic" || !isUsablePublicKey(deviceKey)) return false;
    const { identity } = credential;
    if (identity.length !== identityKeyBytes + signatureBytes) return false;
    const name = identity.toHex() + deviceKey.toHex();
    if (this.#good.has(name)) return true;
    const userKey = identity.subarray(0, identityKeyBytes);
    const certificate = identity.subarray(identityKeyBytes);
    const isGood = await verifyCertificate(userKey, deviceKey, certificate);
    if (this.#good.size >= rememberedMax) this.#good.clear();
    if (isGood) this.#good.add(name);
    return isGood;
  };
}

const rememberedMax = 1024;
