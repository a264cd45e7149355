import { errorCodes } from "../../protocol/errors.ts";
import { typingMsMin } from "../../protocol/limits.ts";
import { type Control, encodeControl } from "../../protocol/message.ts";
import { standingOf } from "../asked.ts";
import { type Ban, banText } from "../moderation/bans.ts";
import type { PeopledRoom } from "../peopled_room.ts";
import type { Member } from "../member.ts";
import { can } from "../roles.ts";

/** Lets a session read a room that its user is in. */
export function join(member: Member, { room: id, cursor }: Control<"join">): void {
  const { hub } = member.services;
  const room = hub.find(id);
  if (!room || !hub.membership(room, member.user)) {
    // It may just have been closed, or they were sent out. Nobody else is told whether it is there.
    const reason = errorCodes.no_such_room.text;
    return member.send(encodeControl("removed", { room: id, name: "that room", reason }));
  }
  if (member.rooms.has(room)) return;
  const ban = banOf(member, room);
  if (ban) {
    // Kept out as who is banned while they are here; a full disk is told where it matters.
    void hub.dismiss(room, member.user, banText(ban, `from ${room.name}`)).catch(() => {});
    return;
  }
  member.rooms.add(room);
  room.room.join(member, cursor);
  room.presence.arrive(member.person);
}

/** The ban that keeps a member out who was not here when it was made. Who may ban is spared. */
function banOf({ services, user, remote }: Member, room: PeopledRoom): Ban | undefined {
  if (can(standingOf(services, { user }, room), "moderator")) return undefined;
  return services.bans.find(room.id, { remote });
}

/** Tells who reads along that somebody types. */
export function typing(member: Member, { room: id }: Control<"typing">): void {
  const { clock } = member.services;
  const room = readRoom(member, id);
  if (!room || Math.abs(clock.now() - member.typedMs) < typingMsMin) return;
  member.typedMs = clock.now();
  room.room.pass(encodeControl("typing", { room: id, name: member.user.name }));
}

/** Notes how far a session has a room's log, which is not beyond its end. */
export function seen(member: Member, { room: id, delivered, read }: Control<"seen">): void {
  const { hub, watermarks } = member.services;
  const room = readRoom(member, id);
  const membership = room && hub.membership(room, member.user);
  if (!membership) return;
  room.room.reached().then((seq) => {
    watermarks.rise(room, membership, Math.min(delivered, seq), Math.min(read, seq));
  }, () => {}); // Who reads the room is told why.
}

/** A room that the session reads; it may have been sent out of it meanwhile. */
function readRoom(member: Member, id: Uint8Array): PeopledRoom | undefined {
  const room = member.services.hub.find(id);
  return room && member.rooms.has(room) ? room : undefined;
}
