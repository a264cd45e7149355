import { formatDuration } from "../../protocol/answer_text.ts";
import { equal } from "../../protocol/bytes.ts";
import {
  Content,
  contentEventsFrom,
  decodeCore,
  type Entry,
  epochOf,
  messageIdOf,
  partsOf,
  payloadStart,
  Proof,
} from "../../protocol/entry.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { reactionBytesMax } from "../../protocol/limits.ts";
import { whoMay } from "../../protocol/may.ts";
import { encodeControl, type Publish } from "../../protocol/message.ts";
import { standingOf } from "../asked.ts";
import type { PeopledRoom } from "../peopled_room.ts";
import type { Member } from "../member.ts";
import type { User } from "../people.ts";
import { can } from "../roles.ts";
import type { Publication } from "../room.ts";
import type { Services } from "../services.ts";

/** Puts what a member says into the room's log. A refusal names the message. */
export function publish(member: Member, { room: id, core }: Publish): void {
  const payloadAt = payloadStart(core); // Throws where it is no core.
  const messageId = messageIdOf(core);
  const { awaited } = member;
  const room = member.services.hub.find(id);
  if (!room || !member.rooms.has(room)) {
    // A full room holds up those who are in it, and would not hold up others.
    const text = "Join the room before you say something in it.";
    if (room) awaited.remove(room, messageId);
    return refuse(member, room, messageId, new ProtocolError("forbidden", text));
  }
  const number = numberOf(member, room, messageId);
  const refusal = refusalOf(member, room, core, payloadAt);
  if (refusal && !member.publishes.wasTaken(messageId)) {
    if (refusal.retryAfterMs === undefined) awaited.remove(room, messageId);
    return refuse(member, room, messageId, refusal);
  }
  const staleness = stalenessOf(room, core);
  const examine = refusal
    ? repetition(member, room, core, refusal)
    : examination(member, room, core);
  room.room.publish({
    deviceId: member.person.deviceId,
    core,
    ...(examine && { examine }),
    ...(staleness && { author: member, refusal: staleness }),
    onRepeated(seq) {
      awaited.remove(room, messageId);
      member.send(encodeControl("stored", { room: id, messageId, seq }));
    },
    onRefused(error) {
      if (error.retryAfterMs === undefined) awaited.remove(room, messageId);
      else awaited.add(room, messageId, number, error.code === "stale_epoch");
      refuse(member, room, messageId, error);
    },
  });
}

/**
 * What is waited for keeps its place before what came behind it, and may be refused after it comes again.
 * What was taken before it comes again before it: its author does not know that it was taken.
 */
function numberOf(member: Member, room: PeopledRoom, messageId: Uint8Array): number {
  const first = member.awaited.first(room);
  if (!first) return ++member.published;
  const refused = member.awaited.find(room, messageId);
  if (refused) return refused.number;
  const isEarlier = member.publishes.wasTakenBefore(messageId, first.messageId);
  return isEarlier ? first.number - 1 : ++member.published;
}

function refuse(
  member: Member,
  room: PeopledRoom | undefined,
  messageId: Uint8Array,
  refusal: ProtocolError,
): void {
  const { code, message: text, retryAfterMs = 0 } = refusal;
  const awaited = room && member.awaited.find(room, messageId);
  if (awaited) awaited.isTold = true;
  member.send(encodeControl("error", { code, text, messageId, retryAfterMs }));
}

/** What speaks against a sealed message at its turn: the log has reached another epoch than its own. */
function stalenessOf({ group }: PeopledRoom, core: Uint8Array): Publication["refusal"] {
  const epoch = group && epochOf(core);
  if (!epoch) return undefined;
  // It is waited for, as what comes too fast is: its author seals it again, and sends it again.
  return () =>
    group.isAt(epoch)
      ? undefined
      : new ProtocolError("stale_epoch", undefined, { retryAfterMs: 0 });
}

/** What speaks against a publish now. */
function refusalOf(
  member: Member,
  room: PeopledRoom,
  core: Uint8Array,
  payloadAt: number,
): ProtocolError | undefined {
  const unfit = unfitnessOf(room, core);
  if (unfit) return new ProtocolError("forbidden", unfit);
  const isShort = room.isSealed || core.length - payloadAt <= reactionBytesMax;
  if (core[2] === Content.reaction && !isShort) {
    return new ProtocolError("too_large", "A reaction is an emoji or a short word.");
  }
  return silenceOf(member, room) ?? hurryOf(member, room, messageIdOf(core));
}

/** Why nobody may publish this in a room of its kind. */
function unfitnessOf({ isSealed }: PeopledRoom, core: Uint8Array): string | undefined {
  if (core[2] === Content.commit) return "A commit does not come as a message.";
  const isVouchedFor = isSealed
    ? core[1] === Proof.mls && epochOf(core) !== undefined
    : core[1] === Proof.signature;
  if (isVouchedFor && core[2]! < contentEventsFrom) return undefined;
  return isSealed
    ? "This room is sealed: only what its group has sealed may be published here."
    : "Only signed messages may be published here.";
}

/** Why somebody may not write in a room at all. */
function silenceOf(member: Member, room: PeopledRoom): ProtocolError | undefined {
  const { services, user } = member;
  const standing = standingOf(services, member, room);
  if (!can(standing, "member")) return new ProtocolError("forbidden", whoMay("member"));
  if (room.isAnnounce && !can(standing, "moderator")) {
    const text = `This room is for announcements. ${whoMay("moderator")}`;
    return new ProtocolError("forbidden", text);
  }
  return muteOf(services, user, room);
}

/** Why somebody may not write in a room who could otherwise. */
export function muteOf(
  { hub, clock }: Services,
  user: User,
  room: PeopledRoom,
): ProtocolError | undefined {
  const mutedMs = (hub.membership(room, user)?.mutedUntilMs ?? 0) - clock.now();
  if (mutedMs <= 0) return undefined;
  const text = mutedMs > 365 * 24 * 3600_000
    ? "You may read here, but not write: a moderator has muted you."
    : `A moderator has muted you here for another ${formatDuration(Math.max(mutedMs, 1000))}.`;
  return new ProtocolError("forbidden", text);
}

/** Why somebody has to wait. */
function hurryOf(
  member: Member,
  room: PeopledRoom,
  messageId: Uint8Array,
): ProtocolError | undefined {
  const { publishes, awaited, published } = member;
  awaited.skipInVain(room, messageId);
  const waitedFor = awaited.first(room);
  const isNext = !waitedFor || equal(waitedFor.messageId, messageId);
  // The pause of a slow room was kept before it was sealed too late.
  const retryAfterMs = isNext
    ? !waitedFor?.isStale && slownessOf(member, room) || publishes.tryTakeMessage(messageId)
    : publishes.waitMs();
  if (isNext && retryAfterMs === 0) {
    if (room.slowMs > 0) noteSaid(member, room);
    awaited.remove(room, messageId);
    return undefined;
  }
  if (!waitedFor) awaited.add(room, messageId, published);
  else if (isNext) awaited.renewFirst(room);
  else if (!publishes.wasTakenBefore(messageId, waitedFor.messageId)) {
    awaited.noteBehind(room, messageId, publishes.wasTaken(messageId) ? undefined : published);
  }
  return new ProtocolError("slow_down", undefined, { retryAfterMs });
}

/** How long somebody still has to wait where there is a pause between two messages. */
function slownessOf({ services, user }: Member, room: PeopledRoom): number {
  const { clock, hub } = services;
  const membership = room.slowMs > 0 ? hub.membership(room, user) : undefined;
  if (!membership || can(standingOf(services, { user }, room), "moderator")) return 0;
  const passedMs = clock.now() - membership.saidMs;
  // Less than none: the clock was set back.
  return passedMs < 0 ? 0 : Math.max(0, room.slowMs - passedMs);
}

function noteSaid({ services: { hub, clock }, user }: Member, room: PeopledRoom): void {
  const membership = hub.membership(room, user);
  if (membership) membership.saidMs = clock.now();
}

/**
 * What was taken before is not refused when it comes again, because the log may have it: that is looked
 * at first. Nothing else is let in by the id of something said before, in another room say, or by another
 * device of the user.
 */
function repetition(
  member: Member,
  room: PeopledRoom,
  core: Uint8Array,
  refusal: ProtocolError,
): Publication["examine"] {
  return async () => await isInLog(member, room, core) ? {} : refusal;
}

/** Whether the log has this device's copy of a message. */
export async function isInLog(
  { services: { store }, person }: Pick<Member, "services" | "person">,
  room: PeopledRoom,
  core: Uint8Array,
): Promise<boolean> {
  return await store.find(room.id, person.deviceId, messageIdOf(core)) !== undefined;
}

/** What has to be looked at in the log first: whose entry it is that is edited or deleted. */
function examination(
  member: Member,
  room: PeopledRoom,
  core: Uint8Array,
): Publication["examine"] {
  const content = core[2]!;
  if (content !== Content.edit && content !== Content.deletion) return undefined;
  const { target } = decodeCore(core);
  return async () => {
    const entry = target && await entryAt(member, room, target);
    const found = effectOn(entry, content, member, room);
    const isRepeated = found instanceof ProtocolError && await isInLog(member, room, core);
    return isRepeated ? {} : found;
  };
}

function entryAt(
  { services: { store } }: Member,
  room: PeopledRoom,
  target: Uint8Array,
): Promise<Entry | undefined> {
  const { deviceId, messageId } = partsOf(target);
  return store.find(room.id, deviceId, messageId);
}

/** What an edit or a deletion does to an entry, or what speaks against it. */
function effectOn(
  entry: Entry | undefined,
  content: number,
  { services, user }: Member,
  room: PeopledRoom,
): Pick<Publication, "erases"> | ProtocolError {
  const refused = (text: string) => new ProtocolError("forbidden", text);
  if (!entry) return refused("What you mean is no longer kept here.");
  if (entry.core.content >= contentEventsFrom) {
    return refused("Nobody said this: it is the server's own account.");
  }
  if (entry.core.content === Content.commit) {
    return refused("Nobody can follow this room any more without this commit: it stays.");
  }
  const author = services.people.behind(entry.deviceId);
  const isOwn = author && equal(author.userId, user.id);
  if (content === Content.edit) {
    if (entry.isErased) return refused("What you mean has been deleted.");
    const { content: of } = entry.core;
    if (of !== Content.text && of !== Content.action) {
      return refused("Only a message can be edited.");
    }
    return isOwn ? {} : refused("You may edit only what you said.");
  }
  const mayErase = isOwn || can(standingOf(services, { user }, room), "moderator");
  if (mayErase) return { erases: entry.seq };
  return refused(`You may delete only what you said. ${whoMay("moderator")}`);
}
