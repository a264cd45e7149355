/**
 * The members and rules of a group, as its tree and context say.
 *
 * @module
 */

import type { GroupContext } from "ts-mls/groupContext.js";
import type { LeafNode } from "ts-mls/leafNode.js";
import type { RatchetTree } from "ts-mls/ratchetTree.js";
import { GroupError } from "./error.ts";
import { type LeafIdentity, readLeaf } from "./leaf.ts";
import { type GroupMember, roleOf, type Standing } from "./policy.ts";
import type { GroupRules } from "./rules.ts";
import { leavesOf } from "./tree.ts";
import { readContextExtensions } from "./wire.ts";

/** @throws {GroupError} invalid, when the context holds no rules */
export function standingOf(
  { extensions }: Pick<GroupContext, "extensions">,
  tree: RatchetTree,
): Standing {
  const rules = readContextExtensions(extensions);
  return { rules, members: membersOf(tree, rules) };
}

/** Everybody in a tree, with the roles that these rules give. */
export function membersOf(tree: RatchetTree, rules: GroupRules): GroupMember[] {
  return leavesOf(tree).map(({ leaf, node }) => {
    const identity = identityOf(node);
    const { userKey, deviceKey, deviceId, invitation } = identity;
    const role = roleOf(identity, rules);
    return { leaf, userKey, deviceKey, deviceId, role, ...(invitation && { invitation }) };
  });
}

/** Leaves are never changed, and most stay from epoch to epoch. */
const identities = new WeakMap<LeafNode, LeafIdentity>();

function identityOf(leaf: LeafNode): LeafIdentity {
  const known = identities.get(leaf) ?? readLeaf(leaf);
  identities.set(leaf, known);
  return known;
}

/** @throws {GroupError} invalid, when nobody is there */
export function memberAt({ members }: Standing, leaf: number): GroupMember {
  const member = members.find((one) => one.leaf === leaf);
  if (!member) throw new GroupError("invalid", "There is no such member.");
  return member;
}
