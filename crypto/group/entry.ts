/**
 * As whom somebody comes into a group by themselves: by an invitation, or as who they were.
 *
 * @module
 */

import type { GroupContext } from "ts-mls/groupContext.js";
import type { LeafNode } from "ts-mls/leafNode.js";
import type { Bytes } from "../aes_gcm.ts";
import { type Identity, importSigningKey } from "../identity.ts";
import { isSame } from "./bytes.ts";
import { GroupError } from "./error.ts";
import { makeKeyPackage } from "./key_package.ts";
import type { GroupMember, Standing } from "./policy.ts";
import { encodeWarrants, readGroupId, warrant } from "./warrant.ts";

/** What an entry consists of. */
export interface Entry {
  /** Names who it is; its keys are replaced. */
  readonly leaf: LeafNode;
  /** To be taken out. */
  readonly former?: GroupMember;
  readonly authenticatedData: Bytes;
}

/**
 * Who is there with this very device comes back, whatever they bring; so does, without an invitation,
 * who is there with another device, and the first of those goes.
 *
 * @param secret of an invitation
 * @throws {GroupError} policy, when they are not there and bring none
 */
export async function prepareEntry(
  identity: Identity,
  { members }: Standing,
  { groupId }: GroupContext,
  secret: Uint8Array | undefined,
): Promise<Entry> {
  const deviceKey = identity.device.publicKey;
  const userKey = identity.user.publicKey;
  const ours = members.filter((member) => isSame(member.userKey, userKey));
  const former = ours.find((member) => isSame(member.deviceKey, deviceKey)) ??
    (secret ? undefined : ours[0]);
  if (former) {
    const { keyPackage } = await makeKeyPackage(identity, former.invitation);
    return { leaf: keyPackage.leafNode, former, authenticatedData: new Uint8Array(0) };
  }
  if (!secret) throw new GroupError("policy", "Only who is in the group comes back uninvited.");
  const { room, generation } = readGroupId(groupId);
  const signed = await warrant(secret, room, generation, { userKey, deviceKey });
  const { publicKey } = await importSigningKey(secret as Bytes);
  const { keyPackage } = await makeKeyPackage(identity, publicKey);
  return { leaf: keyPackage.leafNode, authenticatedData: encodeWarrants(new Map([[0, signed]])) };
}
