/**
 * What a member has of one epoch of a group: its context, tree and secrets.
 *
 * @module
 */

import { defaultKeyPackageEqualityConfig } from "ts-mls/keyPackageEqualityConfig.js";
import type { ClientState } from "ts-mls/clientState.js";
import { contramapBufferEncoders, encode } from "ts-mls/codec/tlsEncoder.js";
import { mapDecoders } from "ts-mls/codec/tlsDecoder.js";
import { decodeVarLenData, varLenDataEncoder } from "ts-mls/codec/variableLength.js";
import { createGroupInfoWithExternalPubAndRatchetTree } from "ts-mls/createCommit.js";
import type { CiphersuiteImpl } from "ts-mls/crypto/ciphersuite.js";
import { deriveSecret } from "ts-mls/crypto/kdf.js";
import { createConfirmationTag } from "ts-mls/framedContent.js";
import { decodeGroupContext, type GroupContext, groupContextEncoder } from "ts-mls/groupContext.js";
import type { GroupInfo } from "ts-mls/groupInfo.js";
import {
  decodeKeySchedule,
  initializeKeySchedule,
  keyScheduleEncoder,
} from "ts-mls/keySchedule.js";
import type { EpochSecrets, KeySchedule } from "ts-mls/keySchedule.js";
import type { LeafNode } from "ts-mls/leafNode.js";
import {
  decodePrivateKeyPath,
  type PrivateKeyPath,
  privateKeyPathEncoder,
} from "ts-mls/privateKeyPath.js";
import { decodeRatchetTree, type RatchetTree, ratchetTreeEncoder } from "ts-mls/ratchetTree.js";
import { directPath, leafWidth, toNodeIndex } from "ts-mls/treemath.js";
import type { Bytes } from "../aes_gcm.ts";
import type { CredentialChecks } from "./leaf.ts";
import type { GroupRules } from "./rules.ts";
import { SecretTree } from "./secret_tree.ts";
import { hashBytes, suiteName } from "./suite.ts";
import { treeHashOf } from "./tree.ts";
import { contextExtensions } from "./wire.ts";

export interface Epoch {
  readonly context: GroupContext;
  readonly schedule: KeySchedule;
  readonly secrets: SecretTree;
  readonly tree: RatchetTree;
  /** Our place, and the private keys of the nodes above it that we know. */
  readonly path: PrivateKeyPath;
  readonly confirmationTag: Uint8Array;
}

/** Signing keys are the suite's; the library only hands this through. */
export const noSigningKey = new Uint8Array(0);

/** The first epoch of a new group. */
export async function firstEpoch(
  groupId: Uint8Array,
  rules: GroupRules,
  leaf: LeafNode,
  privateKey: Uint8Array,
  suite: CiphersuiteImpl,
): Promise<Epoch> {
  const tree: RatchetTree = [{ nodeType: "leaf", leaf }];
  const context: GroupContext = {
    version: "mls10",
    cipherSuite: suiteName,
    epoch: 0n,
    treeHash: treeHashOf(tree),
    groupId,
    extensions: contextExtensions(rules),
    confirmedTranscriptHash: new Uint8Array(0),
  };
  const epochSecret = suite.rng.randomBytes(hashBytes);
  const schedule = await initializeKeySchedule(epochSecret, suite.kdf);
  const encryptionSecret = await deriveSecret(epochSecret, "encryption", suite.kdf);
  const secrets = SecretTree.create(1, encryptionSecret);
  wipe(epochSecret, encryptionSecret);
  return {
    context,
    schedule,
    secrets,
    tree,
    path: { leafIndex: 0, privateKeys: { 0: privateKey } },
    confirmationTag: await createConfirmationTag(
      schedule.confirmationKey,
      context.confirmedTranscriptHash,
      suite.hash,
    ),
  };
}

/** An epoch of these secrets, of which those are wiped that nobody needs any more. */
export function epochOfSecrets(
  context: GroupContext,
  tree: RatchetTree,
  path: PrivateKeyPath,
  { keySchedule, encryptionSecret, joinerSecret, welcomeSecret }: EpochSecrets,
  confirmationTag: Uint8Array,
): Epoch {
  const secrets = SecretTree.create(leafWidth(tree.length), encryptionSecret);
  wipe(encryptionSecret, joinerSecret, welcomeSecret);
  return {
    context,
    schedule: keySchedule,
    secrets,
    tree,
    path: ownPath(path, tree),
    confirmationTag,
  };
}

/** Copies of the keys of nodes that are above us and not blank; others serve nothing. */
function ownPath({ leafIndex, privateKeys }: PrivateKeyPath, tree: RatchetTree): PrivateKeyPath {
  const leaf = toNodeIndex(leafIndex * 2);
  const above = new Set<number>([leaf, ...directPath(leaf, leafWidth(tree.length))]);
  const kept = Object.entries(privateKeys)
    .filter(([node]) => above.has(Number(node)) && tree[Number(node)])
    .map(([node, key]) => [node, key.slice()]);
  return { leafIndex, privateKeys: Object.fromEntries(kept) };
}

/** What others need to come in by themselves, signed by us. */
export function groupInfoOf(epoch: Epoch, suite: CiphersuiteImpl): Promise<GroupInfo> {
  return createGroupInfoWithExternalPubAndRatchetTree(toClientState(epoch), [], suite);
}

/**
 * The epoch as the library's functions take it. Its secret tree stays out: messages are opened by
 * ours. So do old epochs: nothing of one is ever opened in the next.
 */
export function toClientState(epoch: Epoch, checks?: CredentialChecks): ClientState {
  return {
    groupContext: epoch.context,
    keySchedule: epoch.schedule,
    secretTree: [],
    ratchetTree: epoch.tree,
    privatePath: epoch.path,
    signaturePrivateKey: noSigningKey,
    unappliedProposals: {},
    confirmationTag: epoch.confirmationTag,
    historicalReceiverData: new Map(),
    groupActiveState: { kind: "active" },
    clientConfig: {
      keyRetentionConfig: {
        retainKeysForGenerations: 0,
        retainKeysForEpochs: 3, // 0 would keep all.
        maximumForwardRatchetSteps: 0,
      },
      lifetimeConfig: { maximumTotalLifetime: 2n ** 63n - 1n, validateLifetimeOnReceive: false },
      keyPackageEqualityConfig: defaultKeyPackageEqualityConfig,
      paddingConfig: { kind: "alwaysPad", paddingLength: 0 },
      authService: checks ?? { validateCredential: () => Promise.resolve(false) },
    },
  };
}

/** Overwrites all secrets of an epoch. */
export function forgetEpoch({ schedule, secrets, path }: Epoch): void {
  secrets.forget();
  wipe(...Object.values(schedule), ...Object.values(path.privateKeys));
}

/** Overwrites secrets. */
export function wipe(...secrets: readonly Uint8Array[]): void {
  for (const secret of secrets) secret.fill(0);
}

const version = 1;

const epochEncoder = contramapBufferEncoders([
  groupContextEncoder,
  keyScheduleEncoder,
  ratchetTreeEncoder,
  privateKeyPathEncoder,
  varLenDataEncoder,
  varLenDataEncoder,
], (epoch: Epoch) =>
  [
    epoch.context,
    epoch.schedule,
    epoch.tree,
    epoch.path,
    epoch.confirmationTag,
    epoch.secrets.encode(),
  ] as const);

const decodeEpochParts = mapDecoders([
  decodeGroupContext,
  decodeKeySchedule,
  decodeRatchetTree,
  decodePrivateKeyPath,
  decodeVarLenData,
  decodeVarLenData,
], (context, schedule, tree, path, confirmationTag, secrets): Epoch => ({
  context,
  schedule,
  tree,
  path,
  confirmationTag,
  secrets: SecretTree.decode(secrets),
}));

/** `[u8 version][context][key schedule][tree][private keys][confirmation tag][secret tree]` */
export function encodeEpoch(epoch: Epoch): Bytes {
  const encoded = encode(epochEncoder)(epoch);
  const bytes = new Uint8Array(1 + encoded.length);
  bytes[0] = version;
  bytes.set(encoded, 1);
  wipe(encoded);
  return bytes;
}

/** The epoch in these bytes, which are copied; undefined when they are something else. */
export function decodeEpoch(bytes: Uint8Array): Epoch | undefined {
  if (bytes[0] !== version) return undefined;
  const body = bytes.slice(1);
  const [epoch, length] = decodeEpochParts(body, 0) ?? [];
  return length === body.length ? epoch : undefined;
}
