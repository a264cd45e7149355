/**
 * Rooms that nobody is in: they stay for a while, since people come back and invitations are under way, and
 * are then removed with their logs. Else one user could fill the server with rooms and leave them.
 *
 * @module
 */

import { emptyRoomMs } from "../protocol/limits.ts";
import type { PeopledRoom } from "./peopled_room.ts";
import type { Services } from "./services.ts";

const why = "Nobody was in it any more.";

/**
 * Removes the rooms that nobody has been in for long enough; never the lobby.
 *
 * @param isOver asked before each: whether the server is about to end
 */
export async function removeEmptyRooms(services: Services, isOver = () => false): Promise<void> {
  const { hub, clock } = services;
  for (const room of [...hub.all()]) {
    if (isOver()) return;
    if (!isEmpty(room) || clock.now() - room.sinceMs < emptyRoomMs) continue;
    if (clock.now() - await lastMs(services, room) < emptyRoomMs) continue;
    if (!isEmpty(room) || hub.find(room.id) !== room) continue; // Somebody was faster.
    await remove(services, room);
  }
}

/** Removes a room that the last one has left if nobody else could come in: it would only hold its name. */
export async function removeIfSealedOff(services: Services, room: PeopledRoom): Promise<void> {
  const { hub, invitations } = services;
  const { isSealed, direct, access, allowed } = room;
  const mayAnybodyCome = !isSealed || direct !== undefined || access === "anyone" ||
    allowed.size > 0 || invitations.of(room.id).length > 0;
  if (mayAnybodyCome || !isEmpty(room) || hub.find(room.id) !== room) return;
  await remove(services, room);
}

async function remove(
  { hub, bans, invitations, audit }: Services,
  room: PeopledRoom,
): Promise<void> {
  await hub.close(
    room,
    why,
    () =>
      Promise.all([
        audit.record({ by: "server", act: "close", whom: room.name, why }, undefined, undefined),
        bans.drop(room.id),
        invitations.drop(room.id),
        audit.drop(room.id),
      ]),
  );
}

function isEmpty({ isLobby, members }: PeopledRoom): boolean {
  return !isLobby && members.size === 0;
}

/** When the last one left: that is the last thing that a room's log tells. */
async function lastMs({ store }: Services, room: PeopledRoom): Promise<number> {
  await room.flushed();
  const { seq } = await store.end(room.id);
  return (await store.readBack(room.id, seq + 1, 1, 1))?.timeMs ?? room.sinceMs;
}
