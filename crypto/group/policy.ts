/**
 * Who may do what to a group. All that is asked is in the tree, in the rules before the commit and in
 * the log, which are the same for everybody; so all come to the same verdict.
 *
 * @module
 */

import { isSame } from "./bytes.ts";
import {
  type GroupInvitation,
  type GroupRole,
  groupRoles,
  type GroupRules,
  isSameRules,
} from "./rules.ts";

/** Devices in a room. */
export const devicesMax = 256;

/** A device in the tree. */
export interface GroupMember {
  /** Its place in the tree. */
  readonly leaf: number;
  readonly userKey: Uint8Array;
  readonly deviceKey: Uint8Array;
  readonly deviceId: Uint8Array;
  readonly role: GroupRole;
  /** The public key of the invitation that it came by. */
  readonly invitation?: Uint8Array;
}

/** A device that is to come in. */
export interface Newcomer {
  readonly userKey: Uint8Array;
  readonly deviceKey: Uint8Array;
  readonly invitation?: Uint8Array;
  /** Whether the commit has a warrant for it by the invitation that it names. */
  readonly isWarranted: boolean;
}

/** What the log says when the commit's entry is reached. */
export interface Circumstances {
  /** Of the commit's entry. */
  readonly timeMs: number;
  /**
   * Whether the log says that this user has left (true) or was sent out ("sent out": then the
   * invitation by which they came ends too). "unknown" where that was before the part of the log that
   * we have: the others know, so what they do is taken for right.
   */
  readonly departed: (userKey: Uint8Array) => boolean | "sent out" | "unknown";
}

/** A group before a commit. */
export interface Standing {
  readonly members: readonly GroupMember[];
  readonly rules: GroupRules;
}

/** What a commit would do. */
export interface Proposed {
  /** Whose commit it is; undefined when the newcomer commits for themselves. */
  readonly committer: GroupMember | undefined;
  readonly newcomers: readonly Newcomer[];
  readonly removed: readonly GroupMember[];
  /** The rules that it sets, if it does. */
  readonly rules: GroupRules | undefined;
}

/** Why a commit is refused; undefined when it is fine. */
export function refusal(
  standing: Standing,
  proposed: Proposed,
  circumstances: Circumstances,
): string | undefined {
  return refusedCrowd(standing, proposed) ??
    (proposed.committer
      ? refusedMember(standing, proposed, proposed.committer, circumstances)
      : refusedStranger(standing, proposed, circumstances));
}

/** What a user is, by their key and the invitation that they came by. */
export function roleOf(
  { userKey, invitation }: { readonly userKey: Uint8Array; readonly invitation?: Uint8Array },
  rules: GroupRules,
): GroupRole {
  return rules.roles.find(({ user }) => isSame(user, userKey))?.role ??
    invitationOf(invitation, rules)?.role ?? "member";
}

/**
 * The rules that follow from a commit, where nobody wants others: without the roles of users who are
 * gone and the invitations that they made; without the invitations by which those came who were sent
 * out; with a use less where somebody left who had come by one.
 */
export function rulesAfter(
  { members, rules }: Standing,
  { newcomers, removed }: Pick<Proposed, "newcomers" | "removed">,
  { departed }: Circumstances,
): GroupRules {
  const stay = staying(members, removed, newcomers);
  const isGone = (user: Uint8Array) =>
    removed.some(({ userKey }) => isSame(userKey, user)) &&
    !stay.some(({ userKey }) => isSame(userKey, user));
  const gone = removed.filter(({ userKey }) => isGone(userKey));
  const sentOut = gone.filter(({ userKey }) => [false, "sent out"].includes(departed(userKey)));
  const invitations = rules.invitations.flatMap((invitation) => {
    const isBy = ({ invitation: by }: { readonly invitation?: Uint8Array }) =>
      isSame(by, invitation.key);
    if (isGone(invitation.by) || sentOut.some(isBy)) return [];
    return withUsesLess(invitation, gone.filter(isBy).length);
  });
  const roles = rules.roles.filter(({ user }) => !isGone(user));
  return withReaders({ server: rules.server, roles, invitations }, rules, stay);
}

function withUsesLess(invitation: GroupInvitation, used: number): GroupInvitation[] {
  if (invitation.uses === undefined || used === 0) return [invitation];
  return invitation.uses > used ? [{ ...invitation, uses: invitation.uses - used }] : [];
}

/**
 * Who came by an invitation for readers stays a reader when the invitation ends: from then on by
 * name.
 */
export function withReaders(
  after: GroupRules,
  before: GroupRules,
  stay: readonly { readonly userKey: Uint8Array; readonly invitation?: Uint8Array }[],
): GroupRules {
  const roles = [...after.roles];
  for (const { userKey, invitation } of stay) {
    const isNamed = roles.some(({ user }) => isSame(user, userKey));
    const ended = invitationOf(invitation, before)?.role === "reader" &&
      !invitationOf(invitation, after);
    if (ended && !isNamed) roles.push({ user: userKey, role: "reader" });
  }
  return { ...after, roles };
}

/** Who is in the tree after a commit. */
export function staying(
  members: readonly GroupMember[],
  removed: readonly GroupMember[],
  newcomers: readonly Newcomer[],
): readonly { readonly userKey: Uint8Array; readonly invitation?: Uint8Array }[] {
  return [...members.filter((member) => !removed.includes(member)), ...newcomers];
}

function refusedCrowd(
  { members }: Standing,
  { newcomers, removed }: Proposed,
): string | undefined {
  if (members.length - removed.length + newcomers.length > devicesMax) {
    return `A room has at most ${devicesMax} devices.`;
  }
  const stay = members.filter((member) => !removed.includes(member));
  const isTwice = ({ deviceKey }: Newcomer) =>
    stay.some((member) => isSame(member.deviceKey, deviceKey)) ||
    newcomers.filter((newcomer) => isSame(newcomer.deviceKey, deviceKey)).length > 1;
  if (newcomers.some(isTwice)) return "A device would be in the room twice.";
  return undefined;
}

/** An external commit: by who has a warrant, or by who comes back. */
function refusedStranger(
  standing: Standing,
  proposed: Proposed,
  circumstances: Circumstances,
): string | undefined {
  const { newcomers, removed, rules } = proposed;
  const [newcomer, ...others] = newcomers;
  if (!newcomer || others.length > 0) return "Who comes in by themselves comes in alone.";
  if (rules) return "Who comes in by themselves cannot change the rules.";
  const [former, ...more] = removed;
  if (!former) return refusedNewcomer(standing, newcomer, proposed, circumstances);
  if (more.length > 0 || !isSame(former.userKey, newcomer.userKey)) {
    return "Who comes in by themselves cannot take out anybody else.";
  }
  if (!isSame(former.invitation, newcomer.invitation)) {
    return "Who comes back keeps the invitation that they came by.";
  }
  const departed = circumstances.departed(newcomer.userKey);
  if (departed && departed !== "unknown") return "Who has left cannot come back in this way.";
  return undefined;
}

function refusedMember(
  standing: Standing,
  proposed: Proposed,
  committer: GroupMember,
  circumstances: Circumstances,
): string | undefined {
  const { newcomers, removed } = proposed;
  for (const member of removed) {
    if (!mayRemove(committer, member, circumstances)) return "A member is taken out without right.";
  }
  if (!isAtLeast(committer, "moderator")) {
    for (const newcomer of newcomers) {
      const refused = refusedNewcomer(standing, newcomer, proposed, circumstances);
      if (refused) return refused;
    }
  }
  return refusedRules(standing, proposed, committer, circumstances);
}

function mayRemove(
  committer: GroupMember,
  member: GroupMember,
  { departed }: Circumstances,
): boolean {
  return isSame(committer.userKey, member.userKey) ||
    Boolean(departed(member.userKey)) ||
    isAtLeast(committer, "moderator") && rank(member.role) < rank(committer.role);
}

/** Who comes by a warrant: the invitation must be there, in time, and have a use left. */
export function refusedNewcomer(
  { members, rules }: Standing,
  newcomer: Newcomer,
  { newcomers, removed }: Pick<Proposed, "newcomers" | "removed">,
  { timeMs }: Circumstances,
): string | undefined {
  if (!newcomer.invitation || !newcomer.isWarranted) return "A newcomer has no warrant.";
  const invitation = invitationOf(newcomer.invitation, rules);
  if (!invitation) return "The invitation has been revoked, or was never made.";
  const { untilMs = Infinity, uses = Infinity } = invitation;
  if (timeMs > untilMs) return "The invitation is over.";
  const used = staying(members, removed, newcomers)
    .filter(({ invitation: by }) => isSame(by, invitation.key)).length;
  if (used > uses) return "The invitation has been used as often as it may be.";
  return undefined;
}

function refusedRules(
  standing: Standing,
  proposed: Proposed,
  committer: GroupMember,
  circumstances: Circumstances,
): string | undefined {
  const due = rulesAfter(standing, proposed, circumstances);
  const after = proposed.rules ?? standing.rules;
  if (isSameRules(after, due)) return undefined;
  if (!isSame(after.server, due.server)) return "The server of a room does not change.";
  if (!isAtLeast(committer, "moderator")) {
    return "The rules after the commit are not those that follow from it.";
  }
  const refused = refusedInvitations(after, due, standing.rules, committer);
  if (refused) return refused;
  const hasRole = ({ roles }: GroupRules, key: Uint8Array) =>
    roles.some(({ user }) => isSame(user, key));
  const ended = standing.rules.roles.filter(({ user }) => !hasRole(due, user));
  if (ended.some(({ user }) => hasRole(after, user))) {
    return "A role stays that ends with who is taken out.";
  }
  if (committer.role === "owner") return undefined;
  const stay = staying(standing.members, proposed.removed, proposed.newcomers);
  const dueRoles = withReaders({ ...after, roles: due.roles }, standing.rules, stay);
  return isSameRules(after, dueRoles) ? undefined : "Only an owner changes roles.";
}

/** A moderator ends invitations, and makes new ones in their own name. */
function refusedInvitations(
  after: GroupRules,
  due: GroupRules,
  before: GroupRules,
  committer: GroupMember,
): string | undefined {
  for (const invitation of after.invitations) {
    const kept = invitationOf(invitation.key, due);
    if (!kept && invitationOf(invitation.key, before)) {
      return "An invitation stays that ends with who is taken out.";
    }
    if (kept && (kept.role ?? "member") !== (invitation.role ?? "member")) {
      return "What an invitation makes of people does not change.";
    }
    const isAsBefore = kept && isSameInvitation(kept, invitation);
    if (!isAsBefore && !isSame(invitation.by, committer.userKey)) {
      return "An invitation is made in somebody else's name.";
    }
  }
  return undefined;
}

function isSameInvitation(a: GroupInvitation, b: GroupInvitation): boolean {
  return isSame(a.by, b.by) && a.untilMs === b.untilMs && a.uses === b.uses;
}

function invitationOf(key: Uint8Array | undefined, rules: GroupRules): GroupInvitation | undefined {
  return key && rules.invitations.find((invitation) => isSame(invitation.key, key));
}

function isAtLeast({ role }: GroupMember, least: GroupRole): boolean {
  return rank(role) >= rank(least);
}

function rank(role: GroupRole): number {
  return groupRoles.indexOf(role);
}
