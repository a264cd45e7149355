/**
 * What a commit proposes, as the policy judges it: only additions, removals and rules are known, and
 * nobody's leaf changes but for its keys.
 *
 * @module
 */

import type { LeafNode } from "ts-mls/leafNode.js";
import type { Proposal } from "ts-mls/proposal.js";
import type { PublicMessage } from "ts-mls/publicMessage.js";
import { foreignNow, GroupError } from "./error.ts";
import { isSameIdentity, type LeafIdentity, readLeaf } from "./leaf.ts";
import type { GroupMember, Newcomer, Proposed, Standing } from "./policy.ts";
import type { GroupRules } from "./rules.ts";
import { leafAt } from "./tree.ts";
import { decodeWarrants, isWarranted } from "./warrant.ts";
import type { Epoch } from "./epoch.ts";
import { readContextExtensions } from "./wire.ts";

/** A commit in its parts; nothing of it has been verified. */
export interface ReadCommit {
  /** The author's leaf; undefined when they come in by it. */
  readonly sender: number | undefined;
  readonly author: LeafNode;
  readonly added: readonly LeafNode[];
  readonly removed: readonly number[];
  readonly rules: GroupRules | undefined;
  readonly authenticatedData: Uint8Array;
}

/**
 * Takes a commit apart.
 *
 * @throws {GroupError} policy, when it proposes what nobody may; invalid, when it is no commit
 */
export function readCommit({ content }: PublicMessage): ReadCommit {
  if (content.contentType !== "commit") throw new GroupError("invalid", "This is no commit.");
  const { proposals, path } = content.commit;
  if (!path) throw new GroupError("policy", "The commit gives its author no new keys.");
  const added: LeafNode[] = [];
  const removed: number[] = [];
  const contexts: GroupRules[] = [];
  let entries = 0;
  for (const proposed of proposals) {
    if (proposed.proposalOrRefType !== "proposal") throw unknown();
    const { proposal } = proposed;
    if (isOf(proposal, "add")) added.push(proposal.add.keyPackage.leafNode);
    else if (isOf(proposal, "remove")) removed.push(proposal.remove.removed);
    else if (isOf(proposal, "external_init")) entries++;
    else if (isOf(proposal, "group_context_extensions")) {
      contexts.push(readContextExtensions(proposal.groupContextExtensions.extensions));
    } else throw unknown();
  }
  const isMember = content.sender.senderType === "member";
  if (!isMember && content.sender.senderType !== "new_member_commit") {
    throw new GroupError("policy", "The commit is by neither a member nor who comes in.");
  }
  if (entries !== (isMember ? 0 : 1) || contexts.length > 1 || (!isMember && added.length > 0)) {
    throw unknown();
  }
  if (new Set(removed).size !== removed.length) throw unknown();
  return {
    sender: content.sender.senderType === "member" ? content.sender.leafIndex : undefined,
    author: path.leafNode,
    added,
    removed,
    rules: contexts[0],
    authenticatedData: content.authenticatedData,
  };
}

/** The commit as the policy judges it. */
export async function toProposed(
  commit: ReadCommit,
  { members }: Standing,
  { tree, context }: Pick<Epoch, "tree" | "context">,
): Promise<Proposed> {
  const memberAt = (leaf: number): GroupMember => {
    const member = members.find((one) => one.leaf === leaf);
    if (!member) throw new GroupError("invalid", "The commit names a member who is not there.");
    return member;
  };
  const { sender, author } = commit;
  const committer = sender === undefined ? undefined : memberAt(sender);
  const identity = foreignNow("The commit", () => readLeaf(author));
  if (committer && !isSameIdentity(leafAt(tree, committer.leaf)!, author)) {
    throw new GroupError("policy", "The commit's author changes their name, device or invitation.");
  }
  const newcomers = committer
    ? commit.added.map((leaf) => foreignNow("A newcomer's leaf", () => readLeaf(leaf)))
    : [identity];
  return {
    committer,
    newcomers: await withWarrants(newcomers, commit.authenticatedData, context.groupId),
    removed: commit.removed.map(memberAt),
    rules: commit.rules,
  };
}

/** Newcomers, and whether there is a warrant for them among these. */
export async function withWarrants(
  newcomers: readonly LeafIdentity[],
  encoded: Uint8Array,
  groupId: Uint8Array,
): Promise<Newcomer[]> {
  const warrants = decodeWarrants(encoded);
  if ([...warrants.keys()].some((place) => place >= newcomers.length)) {
    throw new GroupError("invalid", "A warrant is for nobody.");
  }
  return await Promise.all(newcomers.map(async (newcomer, place) => {
    const { invitation } = newcomer;
    const warrant = warrants.get(place);
    return {
      ...newcomer,
      isWarranted: Boolean(invitation && warrant) &&
        await isWarranted(invitation!, groupId, newcomer, warrant!),
    };
  }));
}

function isOf<T extends Proposal["proposalType"]>(
  proposal: Proposal,
  type: T,
): proposal is Extract<Proposal, { proposalType: T }> {
  return proposal.proposalType === type;
}

function unknown(): GroupError {
  return new GroupError("policy", "The commit proposes what no member of a room may.");
}
