/**
 * Bans from a room, which its moderators decide, and from the whole server, which admins decide.
 *
 * @module
 */

import { mapKey } from "../../protocol/bytes.ts";
import type { Args, Result } from "../../protocol/command.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import {
  actedInRoom,
  mayActOn,
  mustLeaveAnOwner,
  noted,
  notInLobby,
  optional,
  sendOut,
} from "../moderation/acting.ts";
import { type AddressRange, coversLoopback, isTooWide } from "../moderation/address_range.ts";
import { fitting } from "../answer_rows.ts";
import { type Asked, type AskedInRoom, standingOf } from "../asked.ts";
import {
  type Ban,
  banText,
  formatTarget,
  isHit,
  parseTarget,
  type Target,
} from "../moderation/bans.ts";
import type { People, User } from "../people.ts";
import { can } from "../roles.ts";

/** Sends somebody out, and lets them in no more until the ban ends. */
export async function ban(
  asked: AskedInRoom,
  { who, forMs, why = "" }: Args<"ban">,
): Promise<Result<"ban">> {
  notInLobby(asked, "banned");
  const { actor, room, services: { bans, clock, people } } = asked;
  const target = parseTarget(who, (name) => people.named(name));
  if (target.kind === "range") mayBanRange(asked, target.range);
  if (target.kind === "name") mayActOn(asked, people.named(target.name));
  const hit = membersHit(asked, target);
  if (target.kind !== "range") { for (const user of hit) mayActOn(asked, user); }
  mustLeaveAnOwner(asked, hit);
  const ban = { target, by: actor.name, why, untilMs: endOf(clock.now(), forMs) };
  const kept = bans.add(room.id, ban);
  const reason = banText(ban, `from ${room.name} by ${actor.name}`);
  const out = hit.flatMap((user) => sendOut(asked, user, reason));
  const act = toAct("ban", ban);
  await actedInRoom(asked, act, [kept, ...out], { ...act, whom: shownTarget(target) });
  return {};
}

/** Ends a ban. */
export async function unban(
  asked: AskedInRoom,
  { who }: Args<"unban">,
): Promise<Result<"unban">> {
  const { room, services: { bans, people } } = asked;
  const target = parseTarget(who, (name) => people.find(name));
  const found = bans.naming(room.id, target);
  if (found.length === 0) throw notBanned(target);
  const act = { act: "unban", whom: formatTarget(target) };
  const kept = bans.lift(room.id, found);
  await actedInRoom(asked, act, [kept], { ...act, whom: shownTarget(target) });
  return {};
}

/** Who may not come into a room. */
export function bans({ room, services: { bans } }: AskedInRoom): Result<"bans"> {
  return { bans: fitting(bans.list(room.id).map(toRow)) };
}

/** Bans from the whole server, and ends the connections of those who are hit. */
export async function exclude(
  asked: Asked,
  { who, forMs, why = "" }: Args<"exclude">,
): Promise<Result<"exclude">> {
  const { actor, services: { bans, clock, people, connected, invitations } } = asked;
  // Who is not known may come some day.
  const target = parseTarget(who, (name) => people.find(name));
  if (target.kind === "range") mayBanRange(asked, target.range);
  const hit = target.kind === "range" ? [] : hitByName(people, target, people.all());
  for (const user of hit) mayActOn(asked, user);
  const ban = { target, by: actor.name, why, untilMs: endOf(clock.now(), forMs) };
  const kept = bans.add(undefined, ban);
  const ended = hit.map((user) => invitations.endThoseOf(user.id, undefined));
  const text = banText(ban, "from this server");
  for (const connection of connected.all()) {
    const { user, remote } = connection;
    if (hit.includes(user) || isHit(target, { remote })) connection.fail("banned", text);
  }
  await noted(asked, toAct("exclude", ban), [kept, ...ended]);
  return {};
}

/** Ends a ban from the whole server. */
export async function readmit(
  asked: Asked,
  { who }: Args<"readmit">,
): Promise<Result<"readmit">> {
  const { services: { bans, people } } = asked;
  const target = parseTarget(who, (name) => people.find(name));
  const found = bans.naming(undefined, target);
  if (found.length === 0) throw notBanned(target);
  const act = { act: "readmit", whom: formatTarget(target) };
  await noted(asked, act, [bans.lift(undefined, found)]);
  return {};
}

/** Who is banned from the whole server. */
export function excluded(
  { services: { bans } }: Asked,
  { like = "" }: Args<"excluded">,
): Result<"excluded"> {
  const rows = bans.list(undefined).map(toRow);
  const isLike = ({ who }: { who: string }) => who.toLowerCase().includes(like.toLowerCase());
  return { bans: fitting(rows.filter(isLike)) };
}

/** A ban as lists show it. */
function toRow({ target, by, why, untilMs }: Ban): Result<"bans">["bans"][number] {
  return { who: formatTarget(target), by, why, ...optional("untilMs", untilMs) };
}

function toAct(act: string, { target, why, untilMs }: Ban) {
  return {
    act,
    whom: formatTarget(target),
    ...optional("why", why || undefined),
    ...optional("untilMs", untilMs),
  };
}

/** Undefined: never. */
function endOf(nowMs: number, forMs: number | undefined): number | undefined {
  return forMs === undefined ? undefined : nowMs + forMs;
}

/** What a room is shown of a target: addresses are nobody's business. */
function shownTarget(target: Target): string {
  return target.kind === "range" ? "a range of addresses" : formatTarget(target);
}

function notBanned(target: Target): ProtocolError {
  return new ProtocolError("no_such_user", `${formatTarget(target)} is not banned here.`);
}

/**
 * Refuses a range that hits people whom nobody meant, or the actor.
 *
 * @throws {ProtocolError} forbidden
 */
function mayBanRange({ actor }: Asked, range: AddressRange): void {
  if (!actor.user) return; // The operator is at the machine itself.
  if (isTooWide(range)) {
    throw new ProtocolError(
      "forbidden",
      "This range is too wide: at most a /8, or a /32 of IPv6. Only the operator may ban more.",
    );
  }
  if (coversLoopback(range)) {
    throw new ProtocolError(
      "forbidden",
      "This is the server itself. Only the operator may do that.",
    );
  }
  if (isHit({ kind: "range", range }, { remote: actor.remote })) {
    throw new ProtocolError("forbidden", "You are in this range yourself.");
  }
}

/**
 * Members of a room whom a ban hits. One of a range hits those who are connected from there, and spares
 * who may ban: else their addresses could be found by trying ranges.
 */
function membersHit({ room, services }: AskedInRoom, target: Target): User[] {
  const { people, connected } = services;
  if (target.kind === "range") {
    return connected.users(({ user, remote }) =>
      room.members.has(mapKey(user.id)) && isHit(target, { remote }) &&
      !can(standingOf(services, { user }, room), "moderator")
    );
  }
  const members = [...room.members.values()].flatMap((one) => people.withId(one.userId) ?? []);
  return hitByName(people, target, members);
}

/** Those of some users whom a ban hits: who is named, and whoever has the key. */
function hitByName(people: People, target: Target, users: Iterable<User>): User[] {
  const named = target.kind === "name" ? people.find(target.name) : undefined;
  const hit: User[] = [];
  for (const user of users) {
    // Names are not compared one by one: telling look-alikes apart costs too much for that.
    if (user === named || isHit(target, { key: user.key })) hit.push(user);
  }
  return hit;
}
