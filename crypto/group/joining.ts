/**
 * Coming into a group: by a welcome, or by oneself (RFC 9420, sections 12.4.3.1 and 12.4.3.2).
 *
 * @module
 */

import { exportSecret, nextEpochContext } from "ts-mls/clientState.js";
import type { CiphersuiteImpl } from "ts-mls/crypto/ciphersuite.js";
import { createConfirmationTag, createContentCommitSignature } from "ts-mls/framedContent.js";
import {
  type GroupInfo,
  ratchetTreeFromExtension,
  verifyGroupInfoConfirmationTag,
  verifyGroupInfoSignature,
} from "ts-mls/groupInfo.js";
import { makeKeyPackageRef } from "ts-mls/keyPackage.js";
import { deriveKeySchedule } from "ts-mls/keySchedule.js";
import type { LeafNode } from "ts-mls/leafNode.js";
import { protectPublicMessage } from "ts-mls/messageProtectionPublic.js";
import { pathToPathSecrets, pathToRoot } from "ts-mls/pathSecrets.js";
import { mergePrivateKeyPaths, toPrivateKeyPath, updateLeafKey } from "ts-mls/privateKeyPath.js";
import type { Proposal } from "ts-mls/proposal.js";
import type { RatchetTree } from "ts-mls/ratchetTree.js";
import { addLeafNode, removeLeafNode } from "ts-mls/ratchetTree.js";
import { leafToNodeIndex, nodeToLeafIndex, toLeafIndex } from "ts-mls/treemath.js";
import { createUpdatePath, firstCommonAncestor } from "ts-mls/updatePath.js";
import { decryptGroupInfo, decryptGroupSecrets, type Welcome } from "ts-mls/welcome.js";
import { isSame } from "./bytes.ts";
import { commitSecretOf, type MadeCommit, secretsAfter } from "./commit.ts";
import { type Epoch, epochOfSecrets, noSigningKey, wipe } from "./epoch.ts";
import { GroupError } from "./error.ts";
import type { OwnKeyPackage } from "./key_package.ts";
import type { CredentialChecks } from "./leaf.ts";
import { hashBytes, suiteName } from "./suite.ts";
import { checkTree, leafAt, leavesOf, treeHashOf } from "./tree.ts";

/**
 * Checks a group info, and the tree in it: whole, and signed by somebody who is in the tree.
 *
 * @throws {GroupError} invalid
 */
export async function checkGroupInfo(
  info: GroupInfo,
  suite: CiphersuiteImpl,
  checks: CredentialChecks,
): Promise<RatchetTree> {
  const { groupContext: context, signer } = info;
  if (context.cipherSuite !== suiteName) {
    throw new GroupError("invalid", "The group is of another cipher suite.");
  }
  const tree = ratchetTreeFromExtension(info);
  if (!tree) throw new GroupError("invalid", "The group's tree is missing.");
  const signerLeaf = leafAt(tree, signer);
  if (!signerLeaf) throw new GroupError("invalid", "The group info is by nobody in the group.");
  const [isSigned] = await Promise.all([
    verifyGroupInfoSignature(info, signerLeaf.signaturePublicKey, suite.signature),
    checkTree(tree, context.groupId, checks),
  ]);
  if (!isSigned) throw new GroupError("invalid", "The group info is not signed by its signer.");
  if (!isSame(treeHashOf(tree), context.treeHash)) {
    throw new GroupError("invalid", "The group's tree is not the one that its members have.");
  }
  return tree;
}

/** The group that a welcome opens to who has the key package. */
export async function openWelcome(
  welcome: Welcome,
  own: OwnKeyPackage,
  suite: CiphersuiteImpl,
  checks: CredentialChecks,
  accept: (info: GroupInfo, tree: RatchetTree) => void,
): Promise<Epoch> {
  const { keyPackage, initKey, leafKey } = own;
  const secrets = await decryptGroupSecrets(
    await suite.hpke.importPrivateKey(initKey),
    await makeKeyPackageRef(keyPackage, suite.hash),
    welcome,
    suite.hpke,
  );
  if (!secrets) throw new GroupError("invalid", "The welcome cannot be read.");
  const { joinerSecret, pathSecret, psks } = secrets;
  if (psks.length > 0) throw new GroupError("policy", "The welcome wants a key that nobody has.");
  const noPsk = new Uint8Array(hashBytes);
  const info = await decryptGroupInfo(welcome, joinerSecret, noPsk, suite);
  if (!info) throw new GroupError("invalid", "The welcome's group cannot be read.");
  const tree = await checkGroupInfo(info, suite, checks);
  accept(info, tree);
  const { groupContext: context, confirmationTag } = info;
  if (!await verifyGroupInfoConfirmationTag(info, joinerSecret, noPsk, suite)) {
    throw new GroupError("invalid", "The welcome's secrets do not fit its group.");
  }
  const place = placeOf(tree, keyPackage.leafNode);
  const ownLeaf = {
    leafIndex: place,
    privateKeys: { [leafToNodeIndex(place)]: leafKey },
  };
  const path = pathSecret
    ? mergePrivateKeyPaths(
      await toPrivateKeyPath(
        await pathToRoot(
          tree,
          firstCommonAncestor(tree, place, toLeafIndex(info.signer)),
          pathSecret,
          suite.kdf,
        ),
        place,
        suite,
      ),
      ownLeaf,
    )
    : ownLeaf;
  const [keySchedule, encryptionSecret] = await deriveKeySchedule(
    joinerSecret,
    noPsk,
    context,
    suite.kdf,
  );
  const welcomeSecret = new Uint8Array(0);
  return epochOfSecrets(
    context,
    tree,
    path,
    { keySchedule, encryptionSecret, joinerSecret, welcomeSecret },
    confirmationTag,
  );
}

function placeOf(tree: RatchetTree, { hpkePublicKey, signature }: LeafNode) {
  const own = leavesOf(tree).find(({ node }) =>
    isSame(node.hpkePublicKey, hpkePublicKey) && isSame(node.signature, signature)
  );
  if (!own) throw new GroupError("invalid", "The welcome is to a group in which we are not.");
  return toLeafIndex(own.leaf);
}

/**
 * Commits for who comes in by themselves.
 *
 * @param leaf names who it is; its keys are replaced
 * @param former the leaf to take out, of who comes back
 */
export async function makeEntry(
  info: GroupInfo,
  tree: RatchetTree,
  leaf: LeafNode,
  former: number | undefined,
  authenticatedData: Uint8Array,
  suite: CiphersuiteImpl,
): Promise<MadeCommit> {
  const { groupContext: context } = info;
  const externalKey = info.extensions.find(({ extensionType }) => extensionType === "external_pub");
  if (!externalKey) throw new GroupError("invalid", "The group info lets nobody in.");
  const { enc, secret: initSecret } = await exportSecret(externalKey.extensionData, suite);
  const without = former === undefined ? tree : removeLeafNode(tree, toLeafIndex(former));
  const [withOwn, node] = addLeafNode(without, leaf);
  const place = nodeToLeafIndex(node);
  const [nextTree, path, pathSecrets, leafKey] = await createUpdatePath(
    withOwn,
    place,
    context,
    noSigningKey,
    suite,
  );
  const proposals: Proposal[] = [{
    proposalType: "external_init",
    externalInit: { kemOutput: enc },
  }];
  if (former !== undefined) {
    proposals.unshift({ proposalType: "remove", remove: { removed: former } });
  }
  const { framedContent, signature } = await createContentCommitSignature(
    context,
    "mls_public_message",
    {
      proposals: proposals.map((proposal) => ({ proposalOrRefType: "proposal", proposal })),
      path,
    },
    { senderType: "new_member_commit" },
    authenticatedData,
    noSigningKey,
    suite.signature,
  );
  const nextContext = await nextEpochContext(
    context,
    "mls_public_message",
    framedContent,
    signature,
    treeHashOf(nextTree),
    info.confirmationTag,
    suite.hash,
  );
  const commitSecret = await commitSecretOf(nextTree, pathSecrets, suite);
  const secrets = await secretsAfter(initSecret, commitSecret, nextContext, suite);
  wipe(initSecret);
  const { confirmationKey, membershipKey } = secrets.keySchedule;
  const confirmationTag = await createConfirmationTag(
    confirmationKey,
    nextContext.confirmedTranscriptHash,
    suite.hash,
  );
  const message = await protectPublicMessage(membershipKey, context, {
    wireformat: "mls_public_message",
    content: framedContent,
    auth: { contentType: "commit", signature, confirmationTag },
  }, suite);
  const privatePath = updateLeafKey(
    await toPrivateKeyPath(pathToPathSecrets(pathSecrets), place, suite),
    await suite.hpke.exportPrivateKey(leafKey),
  );
  wipe(...pathSecrets.map(({ secret }) => secret));
  return {
    message,
    next: epochOfSecrets(nextContext, nextTree, privatePath, secrets, confirmationTag),
  };
}
