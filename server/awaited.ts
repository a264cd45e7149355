import { equal, mapKey } from "../protocol/bytes.ts";
import { outboxWindowMax } from "../protocol/limits.ts";
import type { PeopledRoom } from "./peopled_room.ts";

/** A message that was refused for now, and the how-manieth of the session it was. */
export interface Awaited {
  readonly messageId: Uint8Array;
  readonly number: number;
  /** It was sealed for an epoch that had passed; nothing else spoke against it. */
  readonly isStale: boolean;
  /** Its author knows that it was refused, and so sends it again before anything behind it … */
  isTold: boolean;
  /** … unless it has turned up in the log: then one of these comes again, which have come since. */
  readonly inVain: Set<string>;
}

/**
 * Messages of one session that were refused as too fast, or as sealed for an epoch that has passed. MUST
 * be taken in the order in which they were said: nothing of a room is taken before its first has come
 * again, and then the next is waited for, because what was taken may be refused later than what came
 * behind it.
 */
export class AwaitedMessages {
  /** The oldest first. */
  #byRoom: Map<PeopledRoom, Awaited[]> | undefined;

  /** What is waited for in a room. */
  first(room: PeopledRoom): Awaited | undefined {
    return this.#byRoom?.get(room)?.[0];
  }

  /** What is waited for by this id, first or later. */
  find(room: PeopledRoom, messageId: Uint8Array): Awaited | undefined {
    return this.#byRoom?.get(room)?.find((awaited) => equal(awaited.messageId, messageId));
  }

  /** Waits for a message. It may have come twice: its first place counts. */
  add(room: PeopledRoom, messageId: Uint8Array, number: number, isStale = false): void {
    const place = Math.min(number, this.find(room, messageId)?.number ?? number);
    this.remove(room, messageId);
    this.#byRoom ??= new Map();
    const ofRoom = this.#byRoom.get(room) ?? [];
    this.#byRoom.set(room, ofRoom);
    const later = ofRoom.findIndex((awaited) => awaited.number > place);
    const at = later < 0 ? ofRoom.length : later;
    if (at > outboxWindowMax) return; // Nobody has so many under way.
    const told = { isStale, isTold: false, inVain: new Set<string>() };
    ofRoom.splice(at, 0, { messageId: messageId.slice(), number: place, ...told });
  }

  /** A message has come, or needs no waiting for; the next is waited for, if there is one. */
  remove(room: PeopledRoom, messageId: Uint8Array): void {
    const ofRoom = this.#byRoom?.get(room);
    const at = ofRoom?.findIndex((awaited) => equal(awaited.messageId, messageId)) ?? -1;
    if (at < 0) return;
    ofRoom!.splice(at, 1);
    if (ofRoom!.length === 0) this.#byRoom!.delete(room);
  }

  /** The first has come again, and was refused again. */
  renewFirst(room: PeopledRoom): void {
    const first = this.first(room)!;
    first.isTold = false;
    first.inVain.clear();
  }

  /**
   * Something came behind the first, and was refused with it. Where the first has turned up in the log,
   * what comes behind is waited for next.
   *
   * @param number its place, where it is new
   */
  noteBehind(room: PeopledRoom, messageId: Uint8Array, number: number | undefined): void {
    const { isTold, inVain } = this.first(room)!;
    if (isTold && inVain.size < outboxWindowMax) inVain.add(mapKey(messageId));
    if (number === undefined || this.#byRoom!.get(room)!.length > 1) return;
    this.add(room, messageId, number);
    this.find(room, messageId)!.isTold = true;
  }

  /**
   * Waits no more for the first if this has come in vain behind it, and comes again without it: its author
   * has it from the log by now, where it was taken earlier and is no longer kept, and will not send it.
   */
  skipInVain(room: PeopledRoom, messageId: Uint8Array): void {
    const first = this.first(room);
    if (first?.inVain.has(mapKey(messageId))) this.remove(room, first.messageId);
  }
}
