/** What tests of sealed rooms begin with. */

import { type Circumstances, Group, type GroupRules, type Staged } from "../../crypto/group.ts";
import {
  generateIdentity,
  generateSigningKey,
  type Identity,
  type Secret,
} from "../../crypto/identity.ts";

export const room = new Uint8Array(16).fill(7);
export const server = new Uint8Array(32).fill(9);
export const context = new TextEncoder().encode("room, device, core");
export const expected = { room, server };

/** A log that says nothing. */
export const quiet: Circumstances = { timeMs: 1_000_000, departed: () => false };

/** A log that says that these have left. */
export function left(...users: readonly Uint8Array[]): Circumstances {
  return departed(users, true);
}

/** A log that says that these were sent out. */
export function sentOut(...users: readonly Uint8Array[]): Circumstances {
  return departed(users, "sent out");
}

function departed(users: readonly Uint8Array[], how: true | "sent out"): Circumstances {
  const names = users.map((user) => user.toHex());
  return { ...quiet, departed: (user) => names.includes(user.toHex()) && how };
}

export async function newIdentity(): Promise<Identity> {
  return (await generateIdentity()).identity;
}

/** Rules in which these are owners. */
export function rulesOf(...owners: readonly Identity[]): GroupRules {
  return {
    server,
    roles: owners.map(({ user }) => ({ user: user.publicKey, role: "owner" })),
    invitations: [],
  };
}

/** A new invitation: its public key, and the secret of the link. */
export async function newInvitation(): Promise<{ key: Uint8Array; secret: Secret }> {
  const { key, secret } = await generateSigningKey();
  return { key: key.publicKey, secret };
}

/** A group of one owner. */
export async function newGroup(): Promise<{ owner: Identity; group: Group }> {
  const owner = await newIdentity();
  return { owner, group: await Group.create(owner, room, 1, rulesOf(owner)) };
}

/** All follow a commit; the author's group is replaced by the one that it staged. */
export async function win(
  { commit, group }: Staged,
  others: readonly Group[],
  circumstances = quiet,
): Promise<Group> {
  for (const other of others) await other.accept(commit, circumstances);
  return group;
}

/** A text, as it goes from one to another. */
export async function say(text: string, from: Group, to: Group): Promise<string> {
  const sealed = await from.seal(new TextEncoder().encode(text), context);
  const { plaintext } = await to.open(sealed, context);
  return new TextDecoder().decode(plaintext);
}
