/**
 * What admins do about the whole server.
 *
 * @module
 */

import type { Args, Result } from "../../protocol/command.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { historyCount, textCharsMax } from "../../protocol/limits.ts";
import { isSelf, mayActOn, noted, optional } from "../moderation/acting.ts";
import { fitting } from "../answer_rows.ts";
import type { Asked } from "../asked.ts";
import type { User } from "../people.ts";
import { newestThatFit } from "./moderation.ts";

/** The users whose names have a text in them. */
export function users(
  { services: { people } }: Asked,
  { like = "" }: Args<"users">,
): Result<"users"> {
  const wanted = like.toLowerCase();
  const found = [...people.all()].filter(({ name }) => name.toLowerCase().includes(wanted));
  const rows = found.map(({ name, isAdmin, sessions, lastSeenMs }) => ({
    name,
    isHere: sessions > 0,
    isAdmin,
    ...(sessions === 0 && { lastSeenMs }),
  }));
  return { users: fitting(rows), total: found.length };
}

/** Makes somebody an admin, or no longer. */
export async function admin(
  asked: Asked,
  { user: given, isOn }: Args<"admin">,
): Promise<Result<"admin">> {
  const { actor, services: { people } } = asked;
  const user = people.named(given);
  if (!user.key) {
    throw new ProtocolError("forbidden", "A guest of the original protocol has no key.");
  }
  if (user.isAdmin === isOn && people.isKept(user)) return {};
  if (!isOn && actor.user && isLastAdmin(asked, user)) {
    throw new ProtocolError("forbidden", "You are the last admin. Make somebody else admin first.");
  }
  const act = { act: "admin", whom: user.name, value: isOn ? "on" : "off" };
  await noted(asked, act, [people.setAdmin(user, isOn)]);
  return {};
}

/** Forgets a user: out of all rooms, and the name is free. A room's last owner leaves an heir. */
export async function forget(
  asked: Asked,
  { user: given, why }: Args<"forget">,
): Promise<Result<"forget">> {
  const { actor, services: { people, hub, invitations, connected } } = asked;
  const user = people.named(given);
  mayActOn(asked, user);
  if (!user.key) throw new ProtocolError("forbidden", "A guest is forgotten on leaving.");
  const reason = `${actor.name} had you forgotten here${why ? `: ${why}` : "."}`;
  const text = reason.slice(0, textCharsMax);
  const left = hub.forget(user, text);
  for (const connection of connected.all()) {
    if (connection.user === user) connection.fail("forbidden", text);
  }
  const act = { act: "forget", whom: user.name, ...optional("why", why) };
  await noted(asked, act, [
    left,
    invitations.endThoseOf(user.id, undefined),
    people.forget(user),
  ]);
  return {};
}

/** Says how strangers become users. */
export async function registration(
  asked: Asked,
  { mode }: Args<"registration">,
): Promise<Result<"registration">> {
  const { services: { gate } } = asked;
  await noted(asked, { act: "registration", value: mode }, [gate.setRegistration(mode)]);
  return {};
}

/** Who changed what on this server, the newest last. */
export async function log(
  { services: { audit } }: Asked,
  { count = historyCount }: Args<"log">,
): Promise<Result<"log">> {
  return { changes: newestThatFit(await audit.newest(count)) };
}

/** How the server is doing. */
export function stats({ services }: Asked): Result<"stats"> {
  const { clock, people, hub, gate, health } = services;
  return {
    upMs: Math.max(0, clock.now() - health.sinceMs),
    connections: health.connections,
    users: people.size,
    rooms: hub.size,
    memoryBytes: health.memoryBytes(),
    isReadOnly: health.isReadOnly,
    isDraining: gate.isDraining,
  };
}

/** Lets nobody new in, or again everybody. */
export async function drain(asked: Asked, { isOn }: Args<"drain">): Promise<Result<"drain">> {
  asked.services.gate.isDraining = isOn;
  await noted(asked, { act: "drain", value: isOn ? "on" : "off" }, []);
  return {};
}

/** Whether it is the actor, and no other admin would be left. */
function isLastAdmin(asked: Asked, user: User): boolean {
  const admins = [...asked.services.people.all()].filter(({ isAdmin }) => isAdmin);
  return isSelf(asked, user) && admins.length === 1;
}
