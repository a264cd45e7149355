/**
 * What moderators do about the people in their room.
 *
 * @module
 */

import { mapKey } from "../../protocol/bytes.ts";
import type { Args, Result, Role } from "../../protocol/command.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { historyCount } from "../../protocol/limits.ts";
import { whoMay } from "../../protocol/may.ts";
import {
  actedInRoom,
  isSelf,
  mayActOn,
  memberNamed,
  mustLeaveAnOwner,
  notInLobby,
  optional,
  sendOut,
} from "../moderation/acting.ts";
import { fitting } from "../answer_rows.ts";
import type { AskedInRoom } from "../asked.ts";
import type { Act } from "../moderation/audit.ts";
import type { Membership } from "../peopled_room.ts";
import type { User } from "../people.ts";
import { isAbove } from "../roles.ts";

/** A time that never comes. */
const neverMs = Number.MAX_SAFE_INTEGER;

/** Gives somebody a role: one below one's own, or an owner's by an owner. */
export async function role(
  asked: AskedInRoom,
  { user: given, role }: Args<"role">,
): Promise<Result<"role">> {
  const { room, services: { hub } } = asked;
  const { user, membership } = memberNamed(asked, given);
  if (!user.key) {
    throw new ProtocolError("forbidden", "A guest of the original protocol has no role.");
  }
  if (membership.role === role && hub.isKept(room, membership)) return {};
  if (!isSelf(asked, user)) mayActOn(asked, user);
  mayGive(asked, role);
  if (role !== "owner") mustLeaveAnOwner(asked, [user], true);
  membership.role = role;
  const act = { act: "role", whom: user.name, value: role };
  await actedInRoom(asked, act, [hub.memberChanged(room, membership)]);
  return {};
}

/** Sends somebody out of a room; with them go the invitations that they made into it. */
export async function kick(
  asked: AskedInRoom,
  { user: given, why }: Args<"kick">,
): Promise<Result<"kick">> {
  notInLobby(asked, "kicked");
  const { user } = memberNamed(asked, given);
  mayActOn(asked, user);
  mustLeaveAnOwner(asked, [user]);
  const { actor, room } = asked;
  const reason = `${actor.name} sent you out of ${room.name}${why ? `: ${why}` : "."}`;
  const act = { act: "kick", whom: user.name, ...optional("why", why) };
  await actedInRoom(asked, act, sendOut(asked, user, reason));
  return {};
}

/** Lets somebody read, but not write. */
export async function mute(
  asked: AskedInRoom,
  { user: given, forMs, why }: Args<"mute">,
): Promise<Result<"mute">> {
  const { clock } = asked.services;
  const { user, membership } = memberNamed(asked, given);
  mayActOn(asked, user);
  const untilMs = forMs === undefined ? undefined : clock.now() + forMs;
  const act = {
    act: "mute",
    whom: user.name,
    ...optional("why", why),
    ...optional("untilMs", untilMs),
  };
  membership.mutedUntilMs = untilMs ?? neverMs;
  await actedInRoom(asked, act, [keepMembership(asked, user, membership)]);
  return {};
}

/** Lets somebody write again. */
export async function unmute(
  asked: AskedInRoom,
  { user: given }: Args<"unmute">,
): Promise<Result<"unmute">> {
  const { user, membership } = memberNamed(asked, given);
  mayActOn(asked, user);
  if (membership.mutedUntilMs <= asked.services.clock.now()) {
    throw new ProtocolError("no_such_user", `${user.name} is not muted here.`);
  }
  membership.mutedUntilMs = 0;
  const act = { act: "unmute", whom: user.name };
  await actedInRoom(asked, act, [keepMembership(asked, user, membership)]);
  return {};
}

/** Who changed what in a room, the newest last. */
export async function audit(
  { room, services: { audit } }: AskedInRoom,
  { count = historyCount }: Args<"audit">,
): Promise<Result<"audit">> {
  return { changes: newestThatFit(await audit.newest(count, room.id)) };
}

/** As many of the newest acts as one answer takes, the newest last. */
export function newestThatFit(acts: readonly Act[]): Act[] {
  return fitting(acts.toReversed()).reverse();
}

/** A guest's place is kept for as long as the guest is there. */
function keepMembership(
  { room, services: { hub } }: AskedInRoom,
  user: User,
  membership: Membership,
): Promise<void> {
  if (user.key) return hub.memberChanged(room, membership);
  room.members.set(mapKey(user.id), membership);
  return Promise.resolve();
}

/** @throws {ProtocolError} forbidden */
function mayGive({ standing }: AskedInRoom, role: Role): void {
  if (isAbove(standing, role) || standing === "owner") return;
  throw new ProtocolError("forbidden", `You may not make anybody ${role}. ${whoMay("owner")}`);
}
