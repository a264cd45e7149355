/**
 * Coming into a room by an invitation, which a login carries.
 *
 * @module
 */

import { mapKey } from "../../protocol/bytes.ts";
import type { Person } from "../../protocol/message.ts";
import type { Invitation } from "../moderation/invitations.ts";
import type { User } from "../people.ts";
import type { Services } from "../services.ts";

/** Somebody who logs in. */
export interface Invitee {
  readonly user: User;
  readonly person: Person;
  /** They became a user by this login. */
  readonly registered: boolean;
  readonly remote: string;
}

/**
 * Whether an invitation is used by a login. A client shows it at every login: who has come by it before
 * is not let in again, or nobody could leave a room or be sent out of it for good.
 */
export function mayComeInBy(
  { hub, bans }: Services,
  { room: id, cameIn }: Invitation,
  { user, registered, remote }: Invitee,
): boolean {
  const room = hub.find(id);
  if (!room) return false;
  if (registered) return true;
  const { name, key } = user;
  return !cameIn.has(mapKey(user.id)) && !hub.membership(room, user) && hub.hasRoomFor(user) &&
    !bans.find(id, { name, key, remote });
}

/** Counts the use and puts the user into the room; both are kept together with what this turn keeps. */
export async function comeIn(
  { hub, bans, invitations }: Services,
  invitation: Invitation,
  { user, person, remote }: Invitee,
): Promise<void> {
  const room = hub.room(invitation.room);
  const { name, key } = user;
  const isBanned = bans.find(room.id, { name, key, remote }) !== undefined;
  await Promise.all([
    invitations.use(invitation, user.id),
    isBanned ? undefined : hub.admit(room, user, person),
  ]);
}

/** What could not be kept has not been. */
export function takeBack({ hub }: Services, { room: id }: Invitation, user: User): void {
  const room = hub.find(id);
  if (room) hub.dismiss(room, user, undefined).catch(() => {});
}
