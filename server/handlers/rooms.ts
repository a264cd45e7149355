import { contentEventsFrom, messageIdOf, payloadStart, Proof } from "../../protocol/entry.ts";
import { equal } from "../../protocol/bytes.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { type Control, encodeControl, type Publish } from "../../protocol/message.ts";
import type { PeopledRoom } from "../hub.ts";
import type { Member } from "../member.ts";

/** Lets a session read a room. */
export function join(member: Member, { room: id, cursor }: Control<"join">): void {
  const peopled = member.hub.room(id);
  if (member.rooms.has(peopled)) return;
  member.rooms.add(peopled);
  peopled.room.join(member, cursor);
  member.hub.arrive(peopled, member.person);
}

/** Puts what a member says into the room's log. A refusal names the message. */
export function publish(member: Member, { room: id, core }: Publish): void {
  const peopled = member.hub.room(id);
  const { room } = peopled;
  payloadStart(core); // Throws where it is no core.
  const refusal = refusalOf(member, peopled, core);
  if (refusal) {
    const { code, message: text, retryAfterMs = 0 } = refusal;
    const messageId = messageIdOf(core);
    return member.send(encodeControl("error", { code, text, messageId, retryAfterMs }));
  }
  room.publish({
    deviceId: member.person.deviceId,
    core,
    onRepeated(seq) {
      member.send(encodeControl("stored", { room: id, messageId: messageIdOf(core), seq }));
    },
  });
}

/** What speaks against a publish now. */
function refusalOf(
  member: Member,
  room: PeopledRoom,
  core: Uint8Array,
): ProtocolError | undefined {
  // A full room holds up those who are in it, and would not hold up others.
  if (!member.rooms.has(room)) {
    return new ProtocolError("forbidden", "Join the room before you say something in it.");
  }
  if (core[1] !== Proof.signature || core[2]! >= contentEventsFrom) {
    return new ProtocolError("forbidden", "Only signed messages may be published here.");
  }
  const { publishes } = member;
  const messageId = messageIdOf(core);
  const isNext = !member.owed || equal(member.owed, messageId);
  const retryAfterMs = isNext ? publishes.tryTakeMessage(messageId) : publishes.waitMs();
  if (isNext && retryAfterMs === 0) {
    member.owed = undefined;
    return undefined;
  }
  member.owed ??= messageId.slice();
  return new ProtocolError("slow_down", undefined, { retryAfterMs });
}
