/**
 * The ratchet tree: its hash, and whether one that a stranger hands us is sound (RFC 9420, sections
 * 4.1, 7.8, 7.9 and 12.4.3.1).
 *
 * ts-mls's own check refuses sound trees in which a leaf is unmerged below a path that somebody has
 * renewed since, which is every larger room; so joining is checked here.
 *
 * @module
 */

import { encode } from "ts-mls/codec/tlsEncoder.js";
import { verifyLeafNodeSignature, verifyLeafNodeSignatureKeyPackage } from "ts-mls/leafNode.js";
import type { LeafNode } from "ts-mls/leafNode.js";
import { parentHashInputEncoder } from "ts-mls/parentHash.js";
import type { ParentNode } from "ts-mls/parentNode.js";
import {
  filteredDirectPath,
  getHpkePublicKey,
  type Node,
  type RatchetTree,
} from "ts-mls/ratchetTree.js";
import { leafNodeHashInputEncoder, parentNodeHashInputEncoder } from "ts-mls/treeHash.js";
import {
  directPath,
  isLeaf,
  leafWidth,
  left,
  right,
  rootFromNodeWidth,
  toLeafIndex,
  toNodeIndex,
} from "ts-mls/treemath.js";
import type { UpdatePath } from "ts-mls/updatePath.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { isSame } from "./bytes.ts";
import { GroupError } from "./error.ts";
import { type CredentialChecks, type LeafIdentity, readLeaf } from "./leaf.ts";
import { devicesMax } from "./policy.ts";
import { verifyingSuite } from "./suite.ts";
import { isSealableKey } from "./x_wing.ts";

/** The leaves of a tree that are not blank, with their places. */
export function leavesOf(tree: RatchetTree): { leaf: number; node: LeafNode }[] {
  return tree.flatMap((node, at) =>
    node?.nodeType === "leaf" ? [{ leaf: at / 2, node: node.leaf }] : []
  );
}

/** The leaf at a place, if it is not blank. */
export function leafAt(tree: RatchetTree, leaf: number): LeafNode | undefined {
  const node = tree[leaf * 2];
  return node?.nodeType === "leaf" ? node.leaf : undefined;
}

/**
 * Checks a tree that somebody else made.
 *
 * @throws {GroupError} invalid, when it is not sound
 */
export async function checkTree(
  tree: RatchetTree,
  groupId: Uint8Array,
  checks: CredentialChecks,
): Promise<void> {
  checkShape(tree);
  checkKeys(tree);
  await Promise.all(leavesOf(tree).map(({ leaf, node }) => checkLeaf(node, leaf, groupId, checks)));
  checkParents(tree);
}

/**
 * Checks a leaf by itself: how it is written, its credential and its signature.
 *
 * @throws {GroupError} invalid
 */
export async function checkLeaf(
  leaf: LeafNode,
  place: number,
  groupId: Uint8Array,
  checks: CredentialChecks,
): Promise<LeafIdentity> {
  const identity = readLeaf(leaf);
  if (leaf.leafNodeSource === "update") throw unsound("a leaf came by an update");
  const [isSigned, isCredible] = await Promise.all([
    leaf.leafNodeSource === "key_package"
      ? verifyLeafNodeSignatureKeyPackage(leaf, verifyingSuite.signature)
      : verifyLeafNodeSignature(leaf, groupId, place, verifyingSuite.signature),
    checks.validateCredential(leaf.credential, leaf.signaturePublicKey),
  ]);
  if (!isSigned) throw unsound("a leaf is not signed by its device");
  if (!isCredible) throw unsound("a leaf's device is not certified by its user");
  return identity;
}

function checkShape(tree: RatchetTree): void {
  if (leafWidth(tree.length) > devicesMax) throw unsound("it is too large");
  tree.forEach((node, at) => {
    const isAtLeaf = isLeaf(toNodeIndex(at));
    if (node && (node.nodeType === "leaf") !== isAtLeaf) throw unsound("a node is out of place");
  });
}

/**
 * @throws {GroupError} invalid, when two nodes have a key in common, or two leaves a device, or when
 *   nobody can seal for a key
 */
export function checkKeys(tree: RatchetTree): void {
  const keys = new Set<string>();
  const add = (key: Uint8Array): void => {
    const name = key.toHex();
    if (keys.has(name)) throw unsound("a key stands there twice");
    keys.add(name);
  };
  for (const node of tree) {
    if (!node) continue;
    const key = getHpkePublicKey(node);
    if (!sealable.has(node) && !isSealableKey(key)) throw unsound("a key is none");
    sealable.add(node);
    add(key);
    if (node.nodeType === "leaf") add(node.leaf.signaturePublicKey);
  }
}

/** Nodes whose keys have been looked at: they are never changed. */
const sealable = new WeakSet<Node>();

/** Every parent must come from the leaf or parent below that vouches for it by its parent hash. */
function checkParents(tree: RatchetTree): void {
  tree.forEach((node, at) => {
    if (node?.nodeType !== "parent") return;
    checkUnmerged(tree, at, node.parent);
    const children = [left(toNodeIndex(at)), right(toNodeIndex(at))] as const;
    const vouched = children.filter((child, side) =>
      isVouched(tree, node.parent, child, children[1 - side]!)
    );
    if (vouched.length !== 1) throw unsound("nobody vouches for one of its keys");
  });
}

/** Unmerged leaves are below the node, and every parent in between lists them too. */
function checkUnmerged(tree: RatchetTree, at: number, { unmergedLeaves }: ParentNode): void {
  if (new Set(unmergedLeaves).size !== unmergedLeaves.length) throw unsound("a leaf is twice new");
  for (const leaf of unmergedLeaves) {
    if (!leafAt(tree, leaf)) throw unsound("a new leaf is blank");
    const path = directPath(toNodeIndex(leaf * 2), leafWidth(tree.length));
    const place = path.indexOf(toNodeIndex(at));
    if (place < 0) throw unsound("a new leaf is elsewhere");
    for (const between of path.slice(0, place)) {
      const node = tree[between];
      if (node?.nodeType === "parent" && !node.parent.unmergedLeaves.includes(leaf)) {
        throw unsound("a new leaf is new in part of the tree only");
      }
    }
  }
}

function isVouched(tree: RatchetTree, parent: ParentNode, child: number, other: number): boolean {
  const hash = hashForChildren(tree, parent, other);
  const below = resolution(tree, child);
  const voucher = below.find((at) => isSame(parentHashAt(tree, at), hash));
  if (voucher === undefined) return false;
  return below.every((at) =>
    at === voucher || isLeaf(toNodeIndex(at)) && parent.unmergedLeaves.includes(at / 2)
  );
}

/** What the child that a parent comes from says of it (RFC 9420, section 7.9). */
function hashForChildren(tree: RatchetTree, parent: ParentNode, other: number): Uint8Array {
  return sha512(
    encode(parentHashInputEncoder)({
      encryptionKey: parent.hpkePublicKey,
      parentHash: parent.parentHash,
      originalSiblingTreeHash: treeHash(tree, other, new Set(parent.unmergedLeaves)),
    }),
  );
}

function parentHashAt(tree: RatchetTree, at: number): Uint8Array | undefined {
  const node = tree[at];
  if (node?.nodeType === "parent") return node.parent.parentHash;
  return node?.leaf.leafNodeSource === "commit" ? node.leaf.parentHash : undefined;
}

/** The nodes whose keys reach all below a node (RFC 9420, section 4.1.1). */
function resolution(tree: RatchetTree, at: number): number[] {
  const node = tree[at];
  if (isLeaf(toNodeIndex(at))) return node ? [at] : [];
  if (node?.nodeType === "parent") {
    return [at, ...node.parent.unmergedLeaves.map((leaf) => leaf * 2)];
  }
  const index = toNodeIndex(at);
  return [...resolution(tree, left(index)), ...resolution(tree, right(index))];
}

/**
 * The tree with a committer's new path.
 *
 * @param tree with the committer's leaf in its place
 * @throws {GroupError} invalid, when the path does not fit it
 */
export function applyPath(tree: RatchetTree, leaf: number, path: UpdatePath): RatchetTree {
  const filtered = filteredDirectPath(toLeafIndex(leaf), tree);
  if (filtered.length !== path.nodes.length) throw unsound("a new path has a wrong length");
  const next = tree.slice();
  for (const at of directPath(toNodeIndex(leaf * 2), leafWidth(tree.length))) next[at] = undefined;
  let parentHash: Uint8Array = new Uint8Array(0);
  for (let level = filtered.length - 1; level >= 0; level--) {
    const at = filtered[level]!;
    const { hpkePublicKey } = path.nodes[level]!;
    const parent: ParentNode = { hpkePublicKey, parentHash, unmergedLeaves: [] };
    next[at] = { nodeType: "parent", parent };
    const below = filtered[level - 1] ?? leaf * 2;
    const other = below < at ? right(at) : left(at);
    parentHash = hashForChildren(next, parent, other);
  }
  if (!isSame(parentHash, path.leafNode.parentHash)) throw unsound("a new path is not its leaf's");
  next[leaf * 2] = { nodeType: "leaf", leaf: path.leafNode };
  return next;
}

/** The hash of a whole tree. */
export function treeHashOf(tree: RatchetTree): Uint8Array {
  return treeHash(tree, rootFromNodeWidth(tree.length), nobody);
}

const nobody: ReadonlySet<number> = new Set();

/** Hashes of subtrees, by what they are of: nodes are never changed, so most come back. */
const leafHashes = new WeakMap<object, { place: number; hash: Uint8Array }>();
const parentHashes = new WeakMap<
  object,
  { left: Uint8Array; right: Uint8Array; hash: Uint8Array }
>();

/** The hash of a subtree as it was before these leaves came. */
function treeHash(tree: RatchetTree, at: number, without: ReadonlySet<number>): Uint8Array {
  const index = toNodeIndex(at);
  const node = tree[at];
  if (isLeaf(index)) {
    const place = at / 2;
    if (node?.nodeType !== "leaf" || without.has(place)) return hashLeaf(place, undefined);
    const known = leafHashes.get(node.leaf);
    if (known?.place === place) return known.hash;
    const hash = hashLeaf(place, node.leaf);
    leafHashes.set(node.leaf, { place, hash });
    return hash;
  }
  const leftHash = treeHash(tree, left(index), without);
  const rightHash = treeHash(tree, right(index), without);
  if (node?.nodeType !== "parent") return hashParent(undefined, leftHash, rightHash);
  const { parent } = node;
  const isCut = parent.unmergedLeaves.some((leaf) => without.has(leaf));
  const known = isCut ? undefined : parentHashes.get(parent);
  if (known && isSame(known.left, leftHash) && isSame(known.right, rightHash)) return known.hash;
  const unmergedLeaves = parent.unmergedLeaves.filter((leaf) => !without.has(leaf));
  const hash = hashParent({ ...parent, unmergedLeaves }, leftHash, rightHash);
  if (!isCut) parentHashes.set(parent, { left: leftHash, right: rightHash, hash });
  return hash;
}

function hashLeaf(leafIndex: number, leafNode: LeafNode | undefined): Uint8Array {
  return sha512(encode(leafNodeHashInputEncoder)({ nodeType: "leaf", leafIndex, leafNode }));
}

function hashParent(
  parentNode: ParentNode | undefined,
  leftHash: Uint8Array,
  rightHash: Uint8Array,
): Uint8Array {
  return sha512(
    encode(parentNodeHashInputEncoder)({ nodeType: "parent", parentNode, leftHash, rightHash }),
  );
}

function unsound(why: string): GroupError {
  return new GroupError("invalid", `The group's tree is not sound: ${why}.`);
}
