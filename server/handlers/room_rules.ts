/**
 * What counts for everybody in a room: how fast and whether they may write, and who may come in.
 *
 * @module
 */

import { formatDuration } from "../../protocol/answer_text.ts";
import { mapKey } from "../../protocol/bytes.ts";
import type { Args, Result } from "../../protocol/command.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { roomAllowedMax } from "../../protocol/limits.ts";
import { actedInRoom, noted } from "../moderation/acting.ts";
import type { AskedInRoom } from "../asked.ts";

/** Lets everybody wait between two messages. */
export async function slow(
  asked: AskedInRoom,
  { everyMs }: Args<"slow">,
): Promise<Result<"slow">> {
  const { room, services: { hub } } = asked;
  room.slowMs = everyMs;
  const act = { act: "slow", value: everyMs === 0 ? "off" : formatDuration(everyMs) };
  await actedInRoom(asked, act, [hub.changed(room)]);
  return {};
}

/** Lets only moderators write, or everybody again. */
export async function announce(
  asked: AskedInRoom,
  { isOn }: Args<"announce">,
): Promise<Result<"announce">> {
  const { room, services: { hub } } = asked;
  room.isAnnounce = isOn;
  const act = { act: "announce", value: isOn ? "on" : "off" };
  await actedInRoom(asked, act, [hub.changed(room)]);
  return {};
}

/** Says who may come in. */
export async function access(
  asked: AskedInRoom,
  { access }: Args<"access">,
): Promise<Result<"access">> {
  const { room, services: { hub } } = asked;
  if (room.isLobby) throw new ProtocolError("forbidden", "Everybody is in the lobby.");
  room.access = access;
  await actedInRoom(asked, { act: "access", value: access }, [hub.changed(room)]);
  return {};
}

/** Lets somebody in whether invited or not. */
export async function allow(
  asked: AskedInRoom,
  { user: given }: Args<"allow">,
): Promise<Result<"allow">> {
  const { room, services: { hub, people } } = asked;
  const user = people.named(given);
  if (!user.key) {
    throw new ProtocolError("forbidden", "A guest of the original protocol stays in the lobby.");
  }
  const isAllowed = room.allowed.has(mapKey(user.id));
  if (isAllowed && hub.isKept(room)) return {};
  if (!isAllowed && room.allowed.size >= roomAllowedMax) throw new ProtocolError("too_many");
  room.allowed.add(mapKey(user.id));
  await noted(asked, { act: "allow", whom: user.name }, [hub.changed(room)], room);
  return {};
}

/** Takes that back. */
export async function disallow(
  asked: AskedInRoom,
  { user: given }: Args<"disallow">,
): Promise<Result<"disallow">> {
  const { room, services: { hub, people } } = asked;
  const user = people.named(given);
  if (!room.allowed.delete(mapKey(user.id))) {
    throw new ProtocolError("no_such_user", `${user.name} was not allowed here.`);
  }
  await noted(asked, { act: "disallow", whom: user.name }, [hub.changed(room)], room);
  return {};
}

/** Ends a room for everybody. What was done in it stays in the server's audit log. */
export async function close(asked: AskedInRoom): Promise<Result<"close">> {
  const { actor, room, services: { hub, bans, invitations, audit } } = asked;
  await hub.close(
    room,
    `${actor.name} closed ${room.name}.`,
    () =>
      noted(asked, { act: "close", whom: room.name }, [
        bans.drop(room.id),
        invitations.drop(room.id),
        audit.drop(room.id),
      ]),
  );
  return {};
}
