/** A modified client: it commits whatever it is told, whether the rules allow it or not. */

import type { Commit } from "ts-mls/commit.js";
import { createContentCommitSignature } from "ts-mls/framedContent.js";
import type { KeyPackage } from "ts-mls/keyPackage.js";
import type { LeafNode } from "ts-mls/leafNode.js";
import { protectPublicMessage } from "ts-mls/messageProtectionPublic.js";
import type { Proposal } from "ts-mls/proposal.js";
import type { PublicMessage } from "ts-mls/publicMessage.js";
import type { Sender } from "ts-mls/sender.js";
import type { Group, GroupRules } from "../../crypto/group.ts";
import { makeCommit } from "../../crypto/group/commit.ts";
import { decodeEpoch, type Epoch, noSigningKey } from "../../crypto/group/epoch.ts";
import { checkGroupInfo, makeEntry } from "../../crypto/group/joining.ts";
import { makeKeyPackage } from "../../crypto/group/key_package.ts";
import { CredentialChecks } from "../../crypto/group/leaf.ts";
import { suiteOf } from "../../crypto/group/suite.ts";
import { encodeWarrants } from "../../crypto/group/warrant.ts";
import { contextExtensions, readMessage, writeMessage } from "../../crypto/group/wire.ts";
import type { Identity } from "../../crypto/identity.ts";

/** All that the client of a group knows. */
export function epochIn(group: Group): Epoch {
  return decodeEpoch(group.save())!;
}

export interface Forgery {
  readonly proposals?: readonly Proposal[];
  readonly warrants?: readonly Uint8Array[];
  /** Another tree, say. */
  readonly epoch?: Epoch;
}

/** A commit that is right but for what it proposes. */
export async function forge(
  identity: Identity,
  group: Group,
  { proposals = [], warrants = [], epoch = epochIn(group) }: Forgery,
): Promise<Uint8Array> {
  const data = encodeWarrants(new Map(warrants.entries()));
  const checks = new CredentialChecks();
  const { message } = await makeCommit(epoch, proposals, data, suiteOf(identity.device), checks);
  return write(message);
}

/** A commit with its content changed, and signed again. */
export async function alter(
  identity: Identity,
  group: Group,
  commit: Uint8Array,
  change: (commit: Commit, sender: Sender) => { commit: Commit; sender: Sender },
): Promise<Uint8Array> {
  const { publicMessage } = readMessage("The commit", "mls_public_message", commit);
  const { content, auth } = publicMessage;
  if (content.contentType !== "commit" || auth.contentType !== "commit") throw new Error();
  const changed = change(content.commit, content.sender);
  const { context, schedule } = epochIn(group);
  const suite = suiteOf(identity.device);
  const { framedContent, signature } = await createContentCommitSignature(
    context,
    "mls_public_message",
    changed.commit,
    changed.sender,
    content.authenticatedData,
    noSigningKey,
    suite.signature,
  );
  return write(
    await protectPublicMessage(schedule.membershipKey, context, {
      wireformat: "mls_public_message",
      content: framedContent,
      auth: { ...auth, signature },
    }, suite),
  );
}

/** An external commit by a leaf of one's choice. */
export async function forgeEntry(
  identity: Identity,
  groupInfo: Uint8Array,
  { leaf, former, warrants = [] }: {
    readonly leaf?: LeafNode;
    readonly former?: number;
    readonly warrants?: readonly Uint8Array[];
  },
): Promise<Uint8Array> {
  const { groupInfo: info } = readMessage("The group info", "mls_group_info", groupInfo);
  const suite = suiteOf(identity.device);
  const tree = await checkGroupInfo(info, suite, new CredentialChecks());
  const own = leaf ?? (await makeKeyPackage(identity)).keyPackage.leafNode;
  const data = encodeWarrants(new Map(warrants.entries()));
  const { message } = await makeEntry(info, tree, own, former, data, suite);
  return write(message);
}

/** A leaf that names an invitation. */
export async function leafBy(identity: Identity, invitation: Uint8Array): Promise<LeafNode> {
  return (await makeKeyPackage(identity, invitation)).keyPackage.leafNode;
}

export function addOf(keyPackage: Uint8Array): Proposal {
  return {
    proposalType: "add",
    add: { keyPackage: readMessage("", "mls_key_package", keyPackage).keyPackage as KeyPackage },
  };
}

export function removeOf(leaf: number): Proposal {
  return { proposalType: "remove", remove: { removed: leaf } };
}

export function rulesOf(rules: GroupRules): Proposal {
  return {
    proposalType: "group_context_extensions",
    groupContextExtensions: { extensions: contextExtensions(rules) },
  };
}

function write(publicMessage: PublicMessage): Uint8Array {
  return writeMessage({ version: "mls10", wireformat: "mls_public_message", publicMessage });
}
