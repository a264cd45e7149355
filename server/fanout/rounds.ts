/**
 * Who is written what, and when. A room is flushed in rounds: a round comes by each reader once, some
 * at a time, and writes those who are idle all that is there by then; the next one starts when nearly
 * all have got theirs, or some milliseconds later, and goes on where the one before left off, so that
 * nobody is always last. Batching is clocked by the room and adapts by itself. Work is per reader and
 * write, never per reader and message.
 *
 * @module
 */

import type { Clock } from "../../protocol/clock.ts";
import {
  laggardMs,
  laggardsMs,
  roundMs,
  roundQuorum,
  roundWritesPerTurn,
  stuckMs,
} from "../../protocol/limits.ts";
import type { Mark, Segment, Tail } from "./tail.ts";
import type { Source, Writer } from "./writer.ts";

/** The end of a frame, and where in the log a reader stands there. */
export type Start = Pick<Mark, "position" | "seq" | "hash">;

/** One reader's place in a tail: what lies between it and its goal is the reader's to get. */
export class Place implements Source {
  readonly writer: Writer;
  readonly #rounds: Rounds;
  /** Where it began: position, and where in the log that is. */
  readonly start: Start;
  /** Up to here everything is written. */
  position: number;
  /** Where the write under way will bring it; its position when there is none. */
  goesTo: number;
  segment: Segment | undefined;
  /** Index among the room's places, so that removal needs no search. */
  index = -1;
  /** Up to here it is to be written, since a round came by last: the tail's end then. */
  goal = 0;
  /** The last round that came by. */
  round = 0;
  /** That round waits for it to reach its goal. */
  isAwaited = false;
  /** Its socket takes nothing: no round waits for it until it moves again. */
  isStuck = false;

  constructor(writer: Writer, rounds: Rounds, start: Start) {
    this.writer = writer;
    this.#rounds = rounds;
    this.start = start;
    this.position = this.goesTo = start.position;
  }

  view(): Uint8Array | undefined {
    const view = this.#rounds.view(this);
    if (view) this.goesTo = this.position + view.length;
    return view;
  }

  written(bytes: number): void {
    this.position += bytes;
    this.#rounds.arrived(this);
  }
}

/** The rounds of one room. */
export class Rounds {
  readonly #clock: Clock;
  readonly #tail: Tail;
  readonly #places: Place[] = [];
  /** Those in no segment: there was nothing that they had not got. */
  readonly #outside = new Set<Place>();
  #round = 0;
  /** Where the tail ended when the round began. */
  #begunAt = 0;
  /** Places that have yet to reach their goal before the round is over. */
  #waitingFor = 0;
  #stuck = 0;
  /** The next place to come by, and how many are left to come by in this round. */
  #cursor = 0;
  #left = 0;
  /** A turn is under way, or will be. */
  #isTurning = false;
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, tail: Tail) {
    this.#clock = clock;
    this.#tail = tail;
  }

  get places(): readonly Place[] {
    return this.#places;
  }

  /** Whether everything that the tail holds has been handed out to nearly all. */
  get isOver(): boolean {
    return this.#waitingFor <= 0;
  }

  /** Adds a reader. */
  add(writer: Writer, start: Start): Place {
    const place = new Place(writer, this, start);
    place.index = this.#places.length;
    place.round = this.#round;
    place.goal = this.#tail.end;
    this.#places.push(place);
    if (!this.#enter(place)) this.#outside.add(place);
    writer.wake(place);
    return place;
  }

  /**
   * Who a full tail waits for in vain: those in its oldest segment whose socket takes nothing. A few
   * are given up soon; where many wait, the receivers are busy, and more patience is due.
   */
  laggards(): Place[] {
    const nowMs = this.#clock.now();
    const last = this.#places.filter(({ segment }) => segment && this.#tail.isOldest(segment));
    const areFew = last.length <= Math.max(1, this.#places.length * (1 - roundQuorum));
    const patienceMs = areFew ? laggardMs : laggardsMs;
    return last.filter(({ writer }) => writer.stalledMs(nowMs) >= patienceMs);
  }

  /** Lets go of segments that are to be dropped. */
  rest(): void {
    for (const place of this.#places) {
      this.#leave(place);
      this.#outside.add(place);
    }
  }

  /** Ends its timer. */
  close(): void {
    this.#cancelTimer?.();
  }

  /** Whether every reader has everything. */
  get isAtRest(): boolean {
    return this.#places.every(({ position }) => position === this.#tail.end);
  }

  /** Removes a reader; the last place takes its index. */
  remove(place: Place): void {
    if (place.index < 0) return;
    const moved = this.#places.pop()!;
    if (moved !== place) {
      this.#places[place.index] = moved;
      moved.index = place.index;
      this.#comeBy(moved); // The turns may have passed this index already.
    }
    place.index = -1;
    place.writer.forget(place);
    this.#leave(place);
    this.#outside.delete(place);
    if (place.isStuck) this.#stuck--;
    else if (place.isAwaited || place.round !== this.#round) this.#countDown();
  }

  /** The tail has grown. */
  announce(): void {
    this.#letIn();
    if (this.isOver) this.#start();
    else this.#cancelTimer ??= this.#clock.timer(roundMs, () => this.#start());
  }

  /** What a place gets next: up to its goal, within one segment. */
  view(place: Place): Uint8Array | undefined {
    if (place.position >= place.goal || place.index < 0) return undefined;
    const segment = this.#enter(place);
    return segment?.view(place.position, Math.min(place.goal, segment.end));
  }

  /** A place has moved on. */
  arrived(place: Place): void {
    if (place.index < 0) return;
    if (place.position < place.goal || place.segment?.next) this.#enter(place);
    if (place.position < place.goal) return;
    if (place.isStuck) this.#unstick(place);
    else if (place.isAwaited && place.round === this.#round) this.#countDown();
    place.isAwaited = false;
  }

  #start(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#begunAt = this.#tail.end;
    this.#round++;
    this.#waitingFor = Math.ceil((this.#places.length - this.#stuck) * roundQuorum);
    this.#left = this.#places.length;
    if (!this.#isTurning) this.#turn();
  }

  /** Comes by some places, then lets the event loop read before it goes on. */
  #turn(): void {
    this.#isTurning = true;
    const nowMs = this.#clock.now();
    this.#left = Math.min(this.#left, this.#places.length);
    for (let count = Math.min(this.#left, roundWritesPerTurn); count > 0; count--) {
      if (this.#cursor >= this.#places.length) this.#cursor = 0;
      const place = this.#places[this.#cursor++]!;
      this.#left--;
      this.#comeBy(place);
      if (!place.isStuck && place.writer.stalledMs(nowMs) > stuckMs) this.#stick(place);
    }
    this.#isTurning = this.#left > 0;
    if (this.#isTurning) this.#clock.turn(() => this.#turn());
  }

  /** Has a place written all that is there now. */
  #comeBy(place: Place): void {
    const isFirst = place.round !== this.#round;
    place.round = this.#round;
    place.goal = this.#tail.end;
    const isThere = place.position >= place.goal;
    if (isFirst && !place.isStuck) {
      place.isAwaited = !isThere;
      if (isThere) this.#countDown();
    }
    if (!isThere) place.writer.wake(place);
  }

  #stick(place: Place): void {
    place.isStuck = true;
    this.#stuck++;
    if (place.isAwaited) this.#countDown();
    place.isAwaited = false;
  }

  #unstick(place: Place): void {
    place.isStuck = false;
    this.#stuck--;
  }

  #countDown(): void {
    this.#waitingFor--;
    if (this.#waitingFor === 0 && this.#begunAt < this.#tail.end) this.#start();
  }

  /** Who was in no segment gets into the one with its next bytes before that could be dropped. */
  #letIn(): void {
    for (const place of this.#outside) if (this.#enter(place)) this.#outside.delete(place);
  }

  /** Puts a place into the segment that holds its next bytes. */
  #enter(place: Place): Segment | undefined {
    const { segment } = place;
    if (segment && place.position < segment.end) return segment;
    const next = segment?.next ?? this.#tail.segmentAt(place.position);
    if (!next || next === segment) return segment;
    next.readers++;
    this.#leave(place);
    place.segment = next;
    return next;
  }

  #leave(place: Place): void {
    if (place.segment) this.#tail.left(place.segment);
    place.segment = undefined;
  }
}
