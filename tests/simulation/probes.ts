/**
 * Looks into the core while it runs: counts the situations that matter, and checks the bounds that
 * nobody sees from outside. It only looks.
 *
 * @module
 */

import { Outbox } from "../../client/outbox.ts";
import { OpeningChannel } from "../../crypto/channel.ts";
import { segmentBytesMax, tailBytesMax } from "../../protocol/limits.ts";
import { MemoryStore } from "../../server/store/memory.ts";
import { Room } from "../../server/room.ts";
import { Rounds } from "../../server/rounds.ts";
import { type Segment, Tail } from "../../server/tail.ts";
import type { Coverage } from "./coverage.ts";
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
    replaceMethod(
      MemoryStore.prototype,
      "append",
      (append) =>
        async function (this: MemoryStore, ...args) {
          const appended = await append.apply(this, args);
          const { seqs, rows, firstSeq, end } = appended;
          coverage.repeated += seqs.length - (rows.length > 0 ? end.seq - firstSeq + 1 : 0);
          return appended;
        },
    ),
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
          slowDown.call(this, messageId, retryAfterMs);
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
