import { contentEventsFrom, messageIdOf, payloadStart, Proof } from "../../protocol/entry.ts";
import { equal } from "../../protocol/bytes.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { type Control, encodeControl, type Publish } from "../../protocol/message.ts";
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
  const { room } = member.hub.room(id);
  payloadStart(core); // Throws where it is no core.
  const refusal = refusalOf(member, core);
  const messageId = messageIdOf(core);
  if (refusal) {
    const { code, message: text, retryAfterMs = 0 } = refusal;
    return member.send(encodeControl("error", { code, text, messageId, retryAfterMs }));
  }
  room.publish({
    deviceId: member.person.deviceId,
    core,
    onRepeated: (seq) => member.send(encodeControl("stored", { room: id, messageId, seq })),
  });
}

/** What speaks against a publish now. */
function refusalOf(member: Member, core: Uint8Array): ProtocolError | undefined {
  if (core[1] !== Proof.signature || core[2]! >= contentEventsFrom) {
    return new ProtocolError("forbidden", "Only signed messages may be published here.");
  }
  const messageId = messageIdOf(core);
  const isNext = !member.owed || equal(member.owed, messageId);
  const retryAfterMs = isNext ? member.publishes.tryTake() : member.publishes.waitMs();
  if (isNext && retryAfterMs === 0) {
    member.owed = undefined;
    return undefined;
  }
  member.owed ??= messageId.slice();
  return new ProtocolError("slow_down", undefined, { retryAfterMs });
}
