/**
 * What acts on rooms and people have in common: who may act on whom, and that each act is shown and kept.
 *
 * @module
 */

import { equal, mapKey } from "../../protocol/bytes.ts";
import type { Change } from "../../protocol/command.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { textCharsMax } from "../../protocol/limits.ts";
import { type Asked, type AskedInRoom, standingOf } from "../asked.ts";
import type { Membership, PeopledRoom } from "../peopled_room.ts";
import type { User } from "../people.ts";
import { mustOutrank } from "../roles.ts";

/** What was done; who did it is known. */
export type Act = Omit<Change, "by">;

/**
 * Shows an act to the room, and notes it. MUST be called in the turn of the change: then the store keeps
 * both together or none. Resolves when all is kept.
 *
 * @param kept what has been asked of the store for it
 * @param shown what the room is shown of it, where that is less
 */
export async function actedInRoom(
  asked: AskedInRoom,
  act: Act,
  kept: readonly Promise<unknown>[],
  shown: Act = act,
): Promise<void> {
  const { actor, room, services: { hub } } = asked;
  hub.announce(room, { by: actor.name, ...shown });
  await noted(asked, act, kept, room);
}

/** Notes an act, as {@link actedInRoom} does, without showing it to anybody. */
export async function noted(
  { actor, services: { audit } }: Asked,
  act: Act,
  kept: readonly Promise<unknown>[],
  room?: Pick<PeopledRoom, "id" | "name">,
): Promise<void> {
  await Promise.all([
    ...kept,
    audit.record({ by: actor.name, ...act }, actor.user?.id, room),
  ]);
}

/** Whether it is the actor's own user. */
export function isSelf({ actor }: Asked, user: User): boolean {
  return actor.user !== undefined && equal(actor.user.id, user.id);
}

/**
 * Refuses to act on oneself, and on somebody who is as much or more in the room.
 *
 * @throws {ProtocolError} forbidden
 */
export function mayActOn(asked: Asked & { readonly room?: PeopledRoom }, user: User): void {
  if (isSelf(asked, user)) {
    throw new ProtocolError("forbidden", "You may not do that to yourself.");
  }
  mustOutrank(asked.standing, standingOf(asked.services, { user }, asked.room));
}

/** A field that is there only where it says something. */
export function optional<const Key extends string, Value>(
  key: Key,
  value: Value | undefined,
): { readonly [K in Key]?: Value } {
  return value === undefined ? {} : { [key]: value } as { readonly [K in Key]?: Value };
}

/**
 * Somebody who is in the room.
 *
 * @throws {ProtocolError} no_such_user
 */
export function memberNamed(
  { room, services: { hub, people } }: AskedInRoom,
  name: string,
): { user: User; membership: Membership } {
  const user = people.named(name);
  const membership = hub.membership(room, user);
  if (membership) return { user, membership };
  throw new ProtocolError("no_such_user", `${user.name} is not in ${room.name}.`);
}

/** Takes somebody out of the room, and from the list of who may come in; what has to be kept of that. */
export function sendOut(asked: AskedInRoom, user: User, reason: string): Promise<unknown>[] {
  const { room, services: { hub, invitations } } = asked;
  const wasAllowed = room.allowed.delete(mapKey(user.id));
  return [
    hub.dismiss(room, user, reason.slice(0, textCharsMax)),
    invitations.endThoseOf(user.id, room.id),
    ...(wasAllowed ? [hub.changed(room)] : []),
  ];
}

/**
 * Refuses what makes no sense in a room that everybody is in.
 *
 * @throws {ProtocolError} forbidden
 */
export function notInLobby({ room }: AskedInRoom, what: string): void {
  if (!room.isLobby) return;
  throw new ProtocolError(
    "forbidden",
    `Nobody can be ${what} from the lobby: everybody is in it. /mute silences somebody there, and ` +
      "admins /exclude from the whole server.",
  );
}

/**
 * Refuses what would leave a room to nobody. An empty room needs no owner: who comes next is it.
 *
 * @param users whose roles go, or who go themselves
 * @throws {ProtocolError} forbidden
 */
export function mustLeaveAnOwner(
  { room, services: { hub } }: AskedInRoom,
  users: readonly User[],
  doTheyStay = false,
): void {
  if (hub.hasOwnerWithout(room, users, doTheyStay)) return;
  const owner = users.find((user) => hub.membership(room, user)?.role === "owner");
  throw new ProtocolError(
    "forbidden",
    `${owner?.name} is the last owner of ${room.name}. Make somebody else owner first, with ` +
      "/role WHO owner, or /close the room.",
  );
}
