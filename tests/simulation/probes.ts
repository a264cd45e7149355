/**
 * Looks into the core while it runs: counts the situations that matter, and checks the bounds that
 * nobody sees from outside. It only looks.
 *
 * @module
 */

import { Outbox } from "../../client/outbox.ts";
import { OpeningChannel, SealingChannel } from "../../crypto/channel.ts";
import { mapKey } from "../../protocol/bytes.ts";
import { decodeRows } from "../../protocol/entry.ts";
import { segmentBytesMax, tailBytesMax } from "../../protocol/limits.ts";
import { type Control, decodeMessages } from "../../protocol/message.ts";
import { Comings } from "../../server/comings.ts";
import { Room } from "../../server/room.ts";
import { Rounds } from "../../server/fanout/rounds.ts";
import { Session } from "../../server/session.ts";
import { type Segment, Tail } from "../../server/fanout/tail.ts";
import type { Writer } from "../../server/fanout/writer.ts";
import type { Coverage } from "./coverage.ts";
import type { Truth } from "./truth.ts";
import { replaceMethod, undoAll } from "./wrap.ts";
import type { World } from "./world.ts";

/** Starts looking; the returned function ends it. */
export function probe(world: World, coverage: Coverage, tailBytes: number): () => void {
  return undoAll([
    replaceMethod(Tail.prototype, "append", (append) =>
      function (this: Tail, body, mark) {
        append.call(this, body, mark);
        coverage.batches++;
        checkMemory(world, this, tailBytes);
      }),
    replaceMethod(Tail.prototype, "hasRoomFor", (hasRoomFor) =>
      function (this: Tail, bytes) {
        const hasRoom = hasRoomFor.call(this, bytes);
        if (!hasRoom) coverage.fullTails++;
        return hasRoom;
      }),
    replaceMethod(Rounds.prototype, "laggards", (laggards) =>
      function (this: Rounds) {
        const found = laggards.call(this);
        coverage.laggards += found.length;
        return found;
      }),
    replaceMethod(Room.prototype, "drained", (drained) =>
      function (this: Room) {
        if (this.isCongested) coverage.congestions++;
        return drained.call(this);
      }),
    replaceMethod(
      Outbox.prototype,
      "slowDown",
      (slowDown) =>
        function (this: Outbox, messageId, retryAfterMs) {
          coverage.slowDowns++;
          return slowDown.call(this, messageId, retryAfterMs);
        },
    ),
    replaceMethod(
      OpeningChannel,
      "create",
      (create) =>
        function (this: typeof OpeningChannel, id, raw, counter) {
          if (id > 1) coverage.rotations++;
          return create.call(this, id, raw, counter);
        },
    ),
  ]);
}

/**
 * Checks that nobody is served what they may not read: a room that they are not in, by a key that
 * somebody knows who was sent out, or what was erased. MUST come before what is to be found by it.
 */
export function guard(world: World, truth: Truth): () => void {
  /** Who writes to whom, and the keys that each session knows, by room. */
  const sessions = new Map<Writer, Session>();
  const keys = new WeakMap<Session, Map<string, Set<number>>>();
  /** Keys that somebody knows who is no longer in the room: of this server's process. */
  let exposed = new Set<string>();
  /** Which room the rounds are of: who is attached to one is put into its rounds in the same turn. */
  const rooms = new WeakMap<Rounds, string>();
  let attachedTo = "";
  const expose = (session: Session, room: Room) => {
    const known = keys.get(session)?.get(mapKey(room.id));
    for (const channel of known ?? []) exposed.add(`${channel}`);
  };
  return undoAll([
    replaceMethod(Comings.prototype, "resume", (resume) =>
      function (this: Comings, ...args) {
        exposed = new Set(); // A server begins.
        return resume.call(this, ...args);
      }),
    replaceMethod(Room.prototype, "join", (join) =>
      function (this: Room, reader, cursor) {
        const session = reader as Session;
        sessions.set(session.writer, session);
        join.call(this, reader, cursor);
      }),
    replaceMethod(Room.prototype, "dismiss", (dismiss) =>
      function (this: Room, reader) {
        expose(reader as Session, this);
        dismiss.call(this, reader);
      }),
    replaceMethod(Rounds.prototype, "add", (add) =>
      function (this: Rounds, writer, start) {
        rooms.set(this, attachedTo);
        return add.call(this, writer, start);
      }),
    replaceMethod(Rounds.prototype, "announce", (announce) =>
      function (this: Rounds) {
        for (const { writer } of this.places) {
          const session = sessions.get(writer);
          const isIn = [...session?.rooms ?? []].some(({ id }) => mapKey(id) === rooms.get(this));
          world.check(!session || isIn, () => `${session?.user.name} reads on after being removed`);
        }
        announce.call(this);
      }),
    replaceMethod(Session.prototype, "send", (send) =>
      function (this: Session, message) {
        if (message[4] === attachKind) noteAttach(this, message);
        if (message[4] === batchKind) checkPage(this, message);
        if (message[4] === errorKind) noteRefusal(message);
        send.call(this, message);
      }),
    replaceMethod(
      SealingChannel.prototype,
      "seal",
      (seal) =>
        function (this: SealingChannel, messages) {
          world.check(
            !exposed.has(`${this.id}`),
            () => "A key is used that one knows who was removed",
          );
          return seal.call(this, messages);
        },
    ),
  ]);

  function noteAttach(session: Session, message: Uint8Array): void {
    const [attach] = decodeMessages(message) as unknown as [Control<"attach">];
    const known = keys.get(session) ?? new Map<string, Set<number>>();
    keys.set(session, known);
    attachedTo = mapKey(attach.room);
    known.set(attachedTo, (known.get(attachedTo) ?? new Set()).add(attach.channel));
  }

  function noteRefusal(message: Uint8Array): void {
    const [error] = decodeMessages(message) as unknown as [Control<"error">];
    const { code, messageId } = error;
    if (messageId && !passing.includes(code)) truth.refused.add(mapKey(messageId));
  }

  function checkPage(session: Session, message: Uint8Array): void {
    const [batch] = decodeMessages(message);
    if (batch?.type !== "batch") return;
    const isIn = [...session.rooms].some(({ id }) => mapKey(id) === mapKey(batch.room));
    world.check(
      isIn || session.rooms.size === 0,
      () => `${session.user.name} is served a room after being removed`,
    );
    truth.checkServed(batch.room, decodeRows(batch.rows, batch.firstSeq, batch.timeMs));
  }
}

/** Refusals that pass: what was said is sent again. */
const passing = ["slow_down", "read_only", "busy"];

const errorKind = 3;
const attachKind = 7;
const batchKind = 10;

/** A tail holds no more than it may, and its segments not much more than they are filled. */
function checkMemory(world: World, tail: Tail, bytesMax: number): void {
  let used = 0;
  let segments = 0;
  let allocated = 0;
  for (let segment = firstSegment(tail); segment; segment = segment.next) {
    segments++;
    used += segment.used;
    allocated += segment.bytes.length;
  }
  world.check(used <= bytesMax || segments === 1, () => `A tail holds ${used} bytes`);
  const allocatedMax = 2 * tailBytesMax + segmentBytesMax;
  world.check(allocated <= allocatedMax, () => `A tail has allocated ${allocated} bytes`);
}

function firstSegment(tail: Tail): Segment | undefined {
  return tail.segmentAt(-1);
}
