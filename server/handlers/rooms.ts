import { mapKey } from "../../protocol/bytes.ts";
import type { Args, Result, Role } from "../../protocol/command.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { historyCount, pageBytesMax } from "../../protocol/limits.ts";
import { nameFor } from "../hub.ts";
import { isSelf, mustLeaveAnOwner } from "../moderation/acting.ts";
import { fitting } from "../answer_rows.ts";
import { removeIfSealedOff } from "../empty_rooms.ts";
import type { Asked, AskedInRoom } from "../asked.ts";
import { banText } from "../moderation/bans.ts";
import type { PeopledRoom } from "../peopled_room.ts";
import type { User } from "../people.ts";

/** The rooms that somebody may see: those that are for anyone, and their own. Of direct ones only the two. */
export function rooms({ actor: { user }, services: { hub } }: Asked): Result<"rooms"> {
  const own = new Set(user && hub.roomsOf(user));
  const seen = [...hub.all()].filter((room) =>
    own.has(room) || !room.direct && (!user || user.isAdmin || room.access === "anyone")
  );
  const rows = seen.map((room) => ({
    name: user ? nameFor(room, user) : room.name,
    topic: room.topic,
    members: room.isLobby ? room.presence.size : room.members.size,
    access: room.access,
    sealed: room.isSealed,
    isJoined: own.has(room),
  }));
  return { rooms: fitting(rows), total: seen.length };
}

/** Lets somebody into a room, or makes it. */
export async function join(
  asked: Asked,
  { name, open = false }: Args<"join">,
): Promise<Result<"join">> {
  const { actor: { user, person }, services: { hub, budgets } } = asked;
  if (!user || !person) throw new ProtocolError("forbidden", "Only a user can be in a room.");
  const known = hub.named(name);
  if (known && known.name !== name.normalize("NFKC").toLowerCase()) {
    throw new ProtocolError(
      "name_lookalike",
      `There is a room "${known.name}". Did you mean that?`,
    );
  }
  if (known) mayComeIn(asked, known, user);
  else budgets.spendRoom(user);
  const room = known ?? await hub.create(name, user, !open);
  if (known) await hub.admit(known, user, person);
  // Others may have been faster meanwhile; of that they were told.
  if (hub.find(room.id) !== room || !hub.membership(room, user)) {
    throw new ProtocolError("forbidden", "You were sent out again, or the room was closed.");
  }
  hub.welcome(room, user.id);
  return { room: hub.info(room, user), isNew: !known };
}

/** Lets two users into the room of the two, or makes it. */
export async function direct(
  asked: Asked,
  { user: name }: Args<"direct">,
): Promise<Result<"direct">> {
  const { actor: { user, person }, services: { hub, people } } = asked;
  if (!user || !person) throw new ProtocolError("forbidden", "Only a user can be in a room.");
  const other = people.named(name);
  const theirs = people.lastDeviceOf(other);
  if (isSelf(asked, other)) throw new ProtocolError("forbidden", "That is you.");
  if (!other.key || !user.key || !theirs) {
    throw new ProtocolError("forbidden", "A guest of the original protocol stays in the lobby.");
  }
  const made = await hub.direct({ user, person }, { user: other, person: theirs });
  const { room, isNew } = made;
  if (hub.find(room.id) !== room || !hub.membership(room, user)) {
    throw new ProtocolError("forbidden", "You left again, or are known here no more.");
  }
  for (const { id } of [user, other]) hub.welcome(room, id);
  await room.room.flushed();
  return { room: hub.info(room, user), isNew, seq: await room.room.reached() };
}

/** @throws {ProtocolError} banned; forbidden, where a room is for the invited */
function mayComeIn({ actor, services: { bans } }: Asked, room: PeopledRoom, user: User): void {
  // Admins come in everywhere.
  const { name, key: userKey } = user;
  const ban = user.isAdmin || room.members.has(mapKey(user.id))
    ? undefined
    : bans.find(room.id, { name, key: userKey, remote: actor.remote });
  if (ban) throw new ProtocolError("banned", banText(ban, `from ${room.name}`));
  const key = mapKey(user.id);
  const isInvited = room.access === "anyone" || room.members.has(key) || room.allowed.has(key);
  if (isInvited || user.isAdmin) return;
  throw new ProtocolError(
    "forbidden",
    "This room is for who is invited. Ask a moderator of it for an invitation, or to /allow you.",
  );
}

/** Takes somebody out of a room, as they wish. */
export async function part(asked: AskedInRoom): Promise<Result<"part">> {
  const { actor: { user }, room, services } = asked;
  if (!user) throw new ProtocolError("forbidden", "Only a user can be in a room.");
  if (room.isLobby) {
    throw new ProtocolError("forbidden", "Everybody is in the lobby. /quit leaves the server.");
  }
  mustLeaveAnOwner(asked, [user]);
  await services.hub.dismiss(room, user, undefined);
  await removeIfSealedOff(services, room);
  return {};
}

/** Who is in a room. */
export function who({ room, services: { hub, people, clock } }: AskedInRoom): Result<"who"> {
  const ids = room.isLobby
    ? room.presence.userIds()
    : room.members.values().map(({ userId }) => userId);
  const users = [...ids].flatMap((id) => people.withId(id) ?? []);
  const order = (user: User) => (room.presence.has(user.id) ? 0 : 1);
  const rows = users
    .sort((a, b) => order(a) - order(b) || (a.name < b.name ? -1 : 1))
    .map((user) => {
      const { role = "member" as Role, mutedUntilMs = 0 } = hub.membership(room, user) ?? {};
      return {
        name: user.name,
        role,
        isHere: room.presence.has(user.id),
        ...(user.away !== undefined && { away: user.away }),
        ...(mutedUntilMs > clock.now() && { mutedUntilMs }),
      };
    });
  return { members: fitting(rows), total: users.length, here: room.presence.size };
}

/** Sets a room's topic. */
export async function topic(asked: AskedInRoom, { text }: Args<"topic">): Promise<Result<"topic">> {
  const { actor, room, services: { hub } } = asked;
  room.topic = text;
  // The room's own log says who did it: a topic is no act on anybody, and the audit log is for ever.
  hub.announce(room, { by: actor.name, act: "topic", value: text });
  await hub.changed(room);
  return {};
}

/** Up to where each member has the log. */
export function receipts({ room, services: { people } }: AskedInRoom): Result<"receipts"> {
  const members = [...room.members.values()].flatMap(({ userId, delivered, read }) => {
    const user = people.withId(userId);
    return user ? [{ name: user.name, delivered, read }] : [];
  });
  return { members: fitting(members), total: members.length };
}

/** What was said before. */
export async function history(
  { room, services: { store } }: AskedInRoom,
  { count = historyCount, before }: Args<"history">,
): Promise<Result<"history">> {
  const from = before ?? (await store.end(room.id)).seq + 1;
  const page = await store.readBack(room.id, from, count, pageBytesMax);
  if (!page) return {};
  const { firstSeq, timeMs, rows, before: beforeHash, end: { hash } } = page;
  return { firstSeq, timeMs, rows, before: beforeHash, hash };
}
