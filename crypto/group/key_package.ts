/**
 * Key packages: by one of them a device can be added while it is away.
 *
 * @module
 */

import {
  decodeKeyPackage,
  encodeKeyPackage,
  generateKeyPackageWithKey,
  type KeyPackage,
  verifyKeyPackage,
} from "ts-mls/keyPackage.js";
import type { Bytes } from "../aes_gcm.ts";
import type { Identity } from "../identity.ts";
import { concat, isSame } from "./bytes.ts";
import { wipe } from "./epoch.ts";
import { foreign, foreignNow, GroupError } from "./error.ts";
import {
  capabilities,
  CredentialChecks,
  credentialOf,
  leafExtensions,
  type LeafIdentity,
  lifetime,
} from "./leaf.ts";
import { suiteName, suiteOf, verifyingSuite } from "./suite.ts";
import { checkLeaf } from "./tree.ts";
import { readMessage, writeMessage } from "./wire.ts";
import { isSealableKey, seedBytes } from "./x_wing.ts";

const version = 1;

/** A key package with its private keys. */
export interface OwnKeyPackage {
  readonly keyPackage: KeyPackage;
  readonly initKey: Uint8Array;
  readonly leafKey: Uint8Array;
}

/** Makes one; it names the invitation, by its public key, by which the device comes. */
export async function makeKeyPackage(
  identity: Identity,
  invitation?: Uint8Array,
): Promise<OwnKeyPackage> {
  const { publicPackage, privatePackage } = await generateKeyPackageWithKey(
    credentialOf(identity),
    capabilities,
    lifetime,
    [],
    { signKey: new Uint8Array(0), publicKey: identity.device.publicKey },
    suiteOf(identity.device),
    leafExtensions(invitation),
  );
  return {
    keyPackage: publicPackage,
    initKey: privatePackage.initPrivateKey,
    leafKey: privatePackage.hpkePrivateKey,
  };
}

/** As others get it. */
export function writeKeyPackage(keyPackage: KeyPackage): Bytes {
  return writeMessage({ version: "mls10", wireformat: "mls_key_package", keyPackage });
}

/** As its owner keeps it: `[u8 version][32 init key][32 leaf key][key package]`. */
export function saveKeyPackage({ keyPackage, initKey, leafKey }: OwnKeyPackage): Bytes {
  return concat(new Uint8Array([version]), initKey, leafKey, encodeKeyPackage(keyPackage));
}

/** @throws {GroupError} invalid */
export function restoreKeyPackage(saved: Uint8Array): OwnKeyPackage {
  const body = saved.slice();
  const from = 1 + 2 * seedBytes;
  const [keyPackage, length] = body[0] === version && body.length > from
    ? foreignNow("The key package", () => decodeKeyPackage(body, from)) ?? []
    : [];
  if (!keyPackage || from + length! !== body.length) {
    throw new GroupError("invalid", "The key package cannot be read.");
  }
  return {
    keyPackage,
    initKey: body.subarray(1, 1 + seedBytes),
    leafKey: body.subarray(1 + seedBytes, from),
  };
}

/** Overwrites its private keys. */
export function forgetKeyPackage({ initKey, leafKey }: OwnKeyPackage): void {
  wipe(initKey, leafKey);
}

/**
 * Checks somebody's key package: suite, signatures, certificate, how it is written.
 *
 * @throws {GroupError} invalid
 */
export async function checkKeyPackage(
  bytes: Uint8Array,
  checks = new CredentialChecks(),
): Promise<{ keyPackage: KeyPackage; identity: LeafIdentity }> {
  const { keyPackage } = readMessage("The key package", "mls_key_package", bytes);
  const { leafNode, initKey } = keyPackage;
  if (keyPackage.cipherSuite !== suiteName) {
    throw new GroupError("invalid", "The key package is for another cipher suite.");
  }
  const { notBefore, notAfter } = leafNode.lifetime;
  const isPlain = keyPackage.extensions.length === 0 &&
    notBefore === lifetime.notBefore && notAfter === lifetime.notAfter &&
    isSealableKey(initKey) && isSealableKey(leafNode.hpkePublicKey) &&
    !isSame(initKey, leafNode.hpkePublicKey);
  if (!isPlain) throw new GroupError("invalid", "The key package is not written as ours are.");
  return await foreign("The key package", async () => {
    const [identity, isSigned] = await Promise.all([
      checkLeaf(leafNode, 0, new Uint8Array(0), checks),
      verifyKeyPackage(keyPackage, verifyingSuite.signature),
    ]);
    if (!isSigned) throw new GroupError("invalid", "The key package is not signed by its device.");
    return { keyPackage, identity };
  });
}
