/**
 * From one epoch to the next: making commits and following those of others (RFC 9420, section 12.4).
 *
 * ts-mls's own `createCommit` gives a commit that only adds no path, which leaves a thief of its
 * author's state in the group, and its `processPublicMessage` overlooks that an external commit may
 * take out who processes it. So both are put together here, from its parts.
 *
 * @module
 */

import { applyProposals, nextEpochContext } from "ts-mls/clientState.js";
import { applyUpdatePathSecret, createGroupInfoWithRatchetTree } from "ts-mls/createCommit.js";
import type { CiphersuiteImpl } from "ts-mls/crypto/ciphersuite.js";
import { deriveSecret } from "ts-mls/crypto/kdf.js";
import {
  createConfirmationTag,
  createContentCommitSignature,
  verifyConfirmationTag,
} from "ts-mls/framedContent.js";
import type { GroupContext } from "ts-mls/groupContext.js";
import type { KeyPackage } from "ts-mls/keyPackage.js";
import { makeKeyPackageRef } from "ts-mls/keyPackage.js";
import { type EpochSecrets, initializeEpoch } from "ts-mls/keySchedule.js";
import { protectPublicMessage, unprotectPublicMessage } from "ts-mls/messageProtectionPublic.js";
import { getCommitSecret, pathToPathSecrets, pathToRoot } from "ts-mls/pathSecrets.js";
import { mergePrivateKeyPaths, toPrivateKeyPath, updateLeafKey } from "ts-mls/privateKeyPath.js";
import type { PrivateKeyPath } from "ts-mls/privateKeyPath.js";
import type { Proposal } from "ts-mls/proposal.js";
import { emptyPskIndex } from "ts-mls/pskIndex.js";
import type { PublicMessage } from "ts-mls/publicMessage.js";
import { addLeafNode, type RatchetTree } from "ts-mls/ratchetTree.js";
import {
  type LeafIndex,
  leafToNodeIndex,
  root,
  toLeafIndex,
  toNodeIndex,
} from "ts-mls/treemath.js";
import { leafWidth, nodeToLeafIndex } from "ts-mls/treemath.js";
import type { NodeIndex } from "ts-mls/treemath.js";
import { createUpdatePath, firstCommonAncestor, type PathSecret } from "ts-mls/updatePath.js";
import type { UpdatePath } from "ts-mls/updatePath.js";
import { encryptGroupInfo, encryptGroupSecrets, type Welcome } from "ts-mls/welcome.js";
import { isSame } from "./bytes.ts";
import { type Epoch, epochOfSecrets, noSigningKey, toClientState, wipe } from "./epoch.ts";
import { GroupError } from "./error.ts";
import type { CredentialChecks } from "./leaf.ts";
import { hashBytes } from "./suite.ts";
import { applyPath, checkKeys, checkLeaf, leafAt, treeHashOf } from "./tree.ts";

/** A commit, and what follows from it. */
export interface MadeCommit {
  readonly message: PublicMessage;
  readonly next: Epoch;
  readonly welcome?: Welcome;
}

/** Makes a commit, always with new keys for its author. */
export async function makeCommit(
  epoch: Epoch,
  proposals: readonly Proposal[],
  authenticatedData: Uint8Array,
  suite: CiphersuiteImpl,
  checks: CredentialChecks,
): Promise<MadeCommit> {
  const { context, schedule } = epoch;
  const own = toLeafIndex(epoch.path.leafIndex);
  const list = proposals.map((proposal) => ({ proposalOrRefType: "proposal" as const, proposal }));
  const state = toClientState(epoch, checks);
  const applied = await applyProposals(state, list, own, emptyPskIndex, false, suite);
  if (applied.additionalResult.kind !== "memberCommit") {
    throw new Error("This cannot be committed.");
  }
  const { addedLeafNodes, extensions } = applied.additionalResult;
  const changed = extensions.length > 0 ? { ...context, extensions } : context;
  const [tree, path, pathSecrets, leafKey] = await createUpdatePath(
    applied.tree,
    own,
    changed,
    noSigningKey,
    suite,
    addedLeafNodes.map(([leaf]) => leafToNodeIndex(leaf)),
  );
  const { framedContent, signature } = await createContentCommitSignature(
    context,
    "mls_public_message",
    { proposals: list, path },
    { senderType: "member", leafIndex: own },
    authenticatedData,
    noSigningKey,
    suite.signature,
  );
  const nextContext = await nextEpochContext(
    changed,
    "mls_public_message",
    framedContent,
    signature,
    treeHashOf(tree),
    epoch.confirmationTag,
    suite.hash,
  );
  const secrets = await secretsAfter(
    schedule.initSecret,
    await commitSecretOf(tree, pathSecrets, suite),
    nextContext,
    suite,
  );
  const confirmationTag = await createConfirmationTag(
    secrets.keySchedule.confirmationKey,
    nextContext.confirmedTranscriptHash,
    suite.hash,
  );
  const message = await protectPublicMessage(schedule.membershipKey, context, {
    wireformat: "mls_public_message",
    content: framedContent,
    auth: { contentType: "commit", signature, confirmationTag },
  }, suite);
  const welcome = addedLeafNodes.length === 0 ? undefined : await makeWelcome(
    { ...epoch, context: nextContext, tree, confirmationTag },
    addedLeafNodes,
    secrets,
    pathSecrets,
    suite,
  );
  const leafPath = updateLeafKey(epoch.path, await suite.hpke.exportPrivateKey(leafKey));
  const privateKeys = await toPrivateKeyPath(pathToPathSecrets(pathSecrets), own, suite);
  wipe(...pathSecrets.map(({ secret }) => secret));
  const next = epochOfSecrets(
    nextContext,
    tree,
    mergePrivateKeyPaths(leafPath, privateKeys),
    secrets,
    confirmationTag,
  );
  return { message, next, ...(welcome && { welcome }) };
}

/**
 * The secret that a new path gives. Who is alone has no path to give it to, so nobody else must be
 * able to work it out: any secret will do, as long as it is new.
 */
export async function commitSecretOf(
  tree: RatchetTree,
  pathSecrets: readonly PathSecret[],
  suite: CiphersuiteImpl,
): Promise<Uint8Array> {
  const last = pathSecrets.at(-1);
  if (!last) return suite.rng.randomBytes(hashBytes);
  return await getCommitSecret(tree, toNodeIndex(last.nodeIndex), last.secret.slice(), suite.kdf);
}

/** The next epoch's secrets; the commit secret is wiped. */
export async function secretsAfter(
  initSecret: Uint8Array,
  commitSecret: Uint8Array,
  context: GroupContext,
  suite: CiphersuiteImpl,
): Promise<EpochSecrets> {
  const noPsk = new Uint8Array(hashBytes);
  const secrets = await initializeEpoch(initSecret, commitSecret, context, noPsk, suite.kdf);
  wipe(commitSecret);
  return secrets;
}

async function makeWelcome(
  epoch: Pick<Epoch, "context" | "schedule" | "tree" | "path" | "confirmationTag" | "secrets">,
  added: readonly (readonly [LeafIndex, KeyPackage])[],
  { joinerSecret, welcomeSecret }: EpochSecrets,
  pathSecrets: readonly PathSecret[],
  suite: CiphersuiteImpl,
): Promise<Welcome> {
  const { context, tree, confirmationTag } = epoch;
  const own = toLeafIndex(epoch.path.leafIndex);
  const groupInfo = await createGroupInfoWithRatchetTree(
    context,
    confirmationTag,
    toClientState(epoch),
    tree,
    [],
    suite,
  );
  const encryptedGroupInfo = await encryptGroupInfo(groupInfo, welcomeSecret, suite);
  const secrets = await Promise.all(added.map(async ([leaf, keyPackage]) => {
    const meeting = firstCommonAncestor(tree, leaf, own);
    const pathSecret = pathSecrets.find(({ nodeIndex }) => nodeIndex === meeting)?.secret;
    const { enc, ct } = await encryptGroupSecrets(
      await suite.hpke.importPublicKey(keyPackage.initKey),
      encryptedGroupInfo,
      { joinerSecret, pathSecret, psks: [] },
      suite.hpke,
    );
    return {
      newMember: await makeKeyPackageRef(keyPackage, suite.hash),
      encryptedGroupSecrets: { kemOutput: enc, ciphertext: ct },
    };
  }));
  return { cipherSuite: context.cipherSuite, secrets, encryptedGroupInfo };
}

/** Where a commit of somebody else's leads. */
export interface Followed {
  readonly tree: RatchetTree;
  /** The author's place in it. */
  readonly author: number;
  /** Undefined when we are out. */
  readonly next: Epoch | undefined;
}

/**
 * Follows a commit whose proposals and author have been found to be right.
 *
 * @throws what the library throws, or a GroupError, when it does not verify
 */
export async function followCommit(
  epoch: Epoch,
  message: PublicMessage,
  suite: CiphersuiteImpl,
  checks: CredentialChecks,
): Promise<Followed> {
  const { context, schedule, tree } = epoch;
  const { content, auth } = await unprotectPublicMessage(
    schedule.membershipKey,
    context,
    tree,
    message,
    suite,
  );
  if (content.contentType !== "commit" || auth.contentType !== "commit" || !content.commit.path) {
    throw new GroupError("invalid", "The commit gives its author no new keys.");
  }
  const { path, proposals } = content.commit;
  const sender = content.sender.senderType === "member"
    ? toLeafIndex(content.sender.leafIndex)
    : undefined;
  const state = toClientState(epoch, checks);
  const applied = await applyProposals(state, proposals, sender, emptyPskIndex, false, suite);
  const { additionalResult } = applied;
  if (additionalResult.kind === "reinit") throw new GroupError("policy", "A group is not renewed.");
  const isExternal = additionalResult.kind === "externalCommit";
  if (isExternal !== (sender === undefined)) {
    throw new GroupError("invalid", "The commit's author is not whom it says.");
  }
  const [withAuthor, author] = sender === undefined
    ? addAuthor(applied.tree, path)
    : [applied.tree, sender];
  await checkLeaf(path.leafNode, author, context.groupId, checks);
  if (
    sender !== undefined &&
    isSame(leafAt(tree, sender)?.hpkePublicKey, path.leafNode.hpkePublicKey)
  ) throw new GroupError("invalid", "The commit's author keeps an old key.");
  const nextTree = applyPath(withAuthor, author, path);
  checkKeys(nextTree);
  if (isOut(epoch, proposals.map((one) => "proposal" in one ? one.proposal : undefined))) {
    return { tree: nextTree, author, next: undefined };
  }
  const changed = !isExternal && additionalResult.extensions.length > 0
    ? { ...context, extensions: additionalResult.extensions }
    : context;
  const treeHash = treeHashOf(nextTree);
  const newcomers = isExternal
    ? [leafToNodeIndex(author)]
    : additionalResult.addedLeafNodes.map(([leaf]) => leafToNodeIndex(leaf));
  const [privatePath, commitSecret] = await openPath(
    epoch,
    nextTree,
    author,
    { ...changed, treeHash, epoch: context.epoch + 1n },
    path,
    newcomers,
    suite,
  );
  const nextContext = await nextEpochContext(
    changed,
    "mls_public_message",
    content,
    auth.signature,
    treeHash,
    epoch.confirmationTag,
    suite.hash,
  );
  const initSecret = isExternal ? additionalResult.externalInitSecret : schedule.initSecret;
  const secrets = await secretsAfter(initSecret, commitSecret, nextContext, suite);
  const isConfirmed = await verifyConfirmationTag(
    secrets.keySchedule.confirmationKey,
    auth.confirmationTag,
    nextContext.confirmedTranscriptHash,
    suite.hash,
  );
  if (!isConfirmed) throw new GroupError("invalid", "The commit's secrets do not fit it.");
  return {
    tree: nextTree,
    author,
    next: epochOfSecrets(nextContext, nextTree, privatePath, secrets, auth.confirmationTag),
  };
}

function addAuthor(tree: RatchetTree, { leafNode }: UpdatePath): [RatchetTree, LeafIndex] {
  const [withAuthor, node] = addLeafNode(tree, leafNode);
  return [withAuthor, nodeToLeafIndex(node)];
}

function isOut({ path }: Epoch, proposals: readonly (Proposal | undefined)[]): boolean {
  return proposals.some((proposal) =>
    proposal?.proposalType === "remove" && "remove" in proposal &&
    proposal.remove.removed === path.leafIndex
  );
}

/** Our new private keys and the commit secret, from the part of the path that is sealed for us. */
async function openPath(
  epoch: Epoch,
  tree: RatchetTree,
  author: LeafIndex,
  context: GroupContext,
  path: UpdatePath,
  newcomers: NodeIndex[],
  suite: CiphersuiteImpl,
): Promise<[PrivateKeyPath, Uint8Array]> {
  const opened = await applyUpdatePathSecret(
    tree,
    epoch.path,
    author,
    context,
    path,
    newcomers,
    suite,
  );
  const pathSecrets = await pathToRoot(
    tree,
    toNodeIndex(opened.nodeIndex),
    opened.pathSecret,
    suite.kdf,
  );
  const ours = await toPrivateKeyPath(pathSecrets, epoch.path.leafIndex, suite);
  const rootSecret = pathSecrets[root(leafWidth(tree.length))];
  if (!rootSecret) throw new GroupError("invalid", "The commit's path does not reach the root.");
  const commitSecret = await deriveSecret(rootSecret, "path", suite.kdf);
  wipe(...Object.values(pathSecrets));
  return [mergePrivateKeyPaths(epoch.path, ours), commitSecret];
}
