/**
 * A room's newest frames in memory, and the readers' places in them.
 *
 * Frames lie back to back in segments: contiguous bytes, linked forward. What a reader has not got is
 * one view of a segment: nothing is copied per reader, and readers at the same place are handed the
 * very same view. Positions count bytes since the room began, so they can be compared.
 *
 * @module
 */

import { writeU32 } from "../../protocol/bytes.ts";
import {
  lengthBytes,
  segmentBytesMax,
  segmentBytesMin,
  tailBytesMax,
} from "../../protocol/limits.ts";

/** Where a frame ends, and where in the log a reader stands who has read it. */
export interface Mark {
  readonly position: number;
  readonly seq: number;
  readonly hash: Uint8Array;
  /** The channel and the counter of a frame that follows on the same key. */
  readonly channel: number;
  readonly counter: number;
}

/** Contiguous whole frames. */
export class Segment {
  readonly bytes: Uint8Array;
  /** The position of its first byte. */
  readonly start: number;
  used = 0;
  next: Segment | undefined;
  /** How many places are in it. */
  readers = 0;
  /** The view handed out last: readers of one round ask for the same one. */
  #view: Uint8Array | undefined;
  #viewFrom = 0;

  constructor(start: number, length: number) {
    this.start = start;
    this.bytes = new Uint8Array(length);
  }

  get end(): number {
    return this.start + this.used;
  }

  /** Its bytes between two positions. */
  view(from: number, to: number): Uint8Array {
    if (!this.#view || this.#viewFrom !== from || this.#view.length !== to - from) {
      this.#view = this.bytes.subarray(from - this.start, to - this.start);
      this.#viewFrom = from;
    }
    return this.#view;
  }
}

/**
 * MUST hold whole frames only; MUST NOT hold more than `tailBytesMax`; MUST NOT drop a segment that a
 * place is in (the room moves laggards out first).
 */
export class Tail {
  #first: Segment | undefined;
  #last: Segment | undefined;
  #end = 0;
  #marks: Mark[] = [];
  #segmentBytes = segmentBytesMin;
  /** Called when the last reader has left the oldest segment. */
  onRoom: () => void = () => {};

  /** The position behind the last frame. */
  get end(): number {
    return this.#end;
  }

  /** Whether a body of this length fits; drops segments that nobody is in, oldest first. */
  hasRoomFor(bodyBytes: number): boolean {
    const needed = bodyBytes + lengthBytes;
    while (this.#first) {
      const held = this.#end - this.#first.start;
      if (held + needed <= tailBytesMax) return true;
      if (this.#first.readers > 0) return false;
      this.#dropFirst();
    }
    return true;
  }

  /** Adds a frame. The mark's position is where it ends. */
  append(body: readonly Uint8Array[], mark: Omit<Mark, "position">): void {
    const length = body.reduce((sum, part) => sum + part.length, 0);
    const segment = this.#segmentFor(lengthBytes + length);
    writeU32(segment.bytes, segment.used, length);
    segment.used += lengthBytes;
    for (const part of body) {
      segment.bytes.set(part, segment.used);
      segment.used += part.length;
    }
    this.#end += lengthBytes + length;
    this.#marks.push({ ...mark, position: this.#end });
  }

  /** The segment that holds what follows `position`, if anything does. */
  segmentAt(position: number): Segment | undefined {
    let segment = this.#first;
    while (segment && segment.end <= position) segment = segment.next;
    return segment;
  }

  /** Whether this is the segment to be dropped next. */
  isOldest(segment: Segment): boolean {
    return segment === this.#first;
  }

  /** A place has left a segment. */
  left(segment: Segment): void {
    segment.readers--;
    if (segment.readers === 0 && segment === this.#first) this.onRoom();
  }

  /** The mark at a position, while the tail holds the frame that ends there. */
  markAt(position: number): Mark | undefined {
    let low = 0;
    let high = this.#marks.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const mark = this.#marks[middle]!;
      if (mark.position === position) return mark;
      if (mark.position < position) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  /** The last mark at or below `seq`: how far back the tail reaches decides whether there is one. */
  markBelow(seq: number): Mark | undefined {
    return this.#marks.findLast((mark) => mark.seq <= seq);
  }

  /** Drops all segments: everybody has everything. */
  clear(): void {
    this.#first = this.#last = undefined;
    this.#segmentBytes = segmentBytesMin;
    this.#marks = this.#marks.slice(-1);
  }

  #segmentFor(bytes: number): Segment {
    if (this.#last && this.#last.bytes.length - this.#last.used >= bytes) return this.#last;
    const segment = new Segment(this.#end, Math.max(bytes, this.#segmentBytes));
    this.#segmentBytes = Math.min(2 * this.#segmentBytes, segmentBytesMax);
    if (this.#last) this.#last.next = segment;
    else this.#first = segment;
    this.#last = segment;
    return segment;
  }

  #dropFirst(): void {
    const dropped = this.#first!;
    this.#first = dropped.next;
    if (!this.#first) this.#last = undefined;
    const kept = this.#marks.findIndex((mark) => mark.position >= dropped.end);
    this.#marks = kept < 0 ? [] : this.#marks.slice(kept);
  }
}
