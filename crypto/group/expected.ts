/**
 * Whether a group, or something of a group, is the one that it must be.
 *
 * @module
 */

import { sha256 } from "@noble/hashes/sha2.js";
import type { GroupContext } from "ts-mls/groupContext.js";
import { isSame } from "./bytes.ts";
import { GroupError } from "./error.ts";
import type { GroupMember, Standing } from "./policy.ts";
import { readGroupId } from "./warrant.ts";

/** Which group it must be. */
export interface Expected {
  readonly room: Uint8Array;
  readonly server: Uint8Array;
  /** A user key, or its SHA-256, that must be in the tree. */
  readonly inviter?: Uint8Array;
  /** User keys, of whom one must have signed what lets us in: others' leaves anybody can copy. */
  readonly vouchers?: readonly Uint8Array[];
  readonly generation?: number;
}

/** Which epoch of which group something is of. */
export type About = Pick<GroupContext, "groupId" | "epoch">;

/**
 * @param signer the leaf of who signed what lets us in
 * @throws {GroupError} stranger, when it is another group
 */
export function checkExpected(
  { members, rules }: Standing,
  { groupId }: Pick<GroupContext, "groupId">,
  expected: Expected,
  signer: number,
): void {
  const { room, generation } = readGroupId(groupId);
  const { inviter, vouchers } = expected;
  if (
    !isSame(room, expected.room) || generation !== (expected.generation ?? generation)
  ) throw new GroupError("stranger", "This is the group of another room.");
  if (!isSame(rules.server, expected.server)) {
    throw new GroupError("stranger", "This is a room of another server.");
  }
  const isInviter = ({ userKey }: GroupMember) =>
    isSame(userKey, inviter) || isSame(sha256(userKey), inviter);
  if (inviter && !members.some(isInviter)) {
    throw new GroupError("stranger", "Who invited us is not in this group.");
  }
  const voucher = members.find(({ leaf }) => leaf === signer);
  if (vouchers && !vouchers.some((key) => voucher && isSame(key, voucher.userKey))) {
    throw new GroupError("stranger", "Nobody whom we know vouches for this group.");
  }
}

/**
 * Log order makes it certain what epoch something is of, so only the current one will do.
 *
 * @throws {GroupError} old, early, stranger
 */
export function checkEpoch(what: string, of: About, here: About): void {
  const [theirs, ours] = [readGroupId(of.groupId), readGroupId(here.groupId)];
  if (!isSame(theirs.room, ours.room)) {
    throw new GroupError("stranger", `The ${what} is of another room.`);
  }
  const order = theirs.generation - ours.generation || Number(of.epoch - here.epoch);
  if (order < 0) throw new GroupError("old", `The ${what} is of an epoch that is over.`);
  if (order > 0) throw new GroupError("early", `The ${what} is of an epoch that is to come.`);
}
