/**
 * Who is written what, and when. A room is flushed in rounds: a round takes the tail's end as its goal
 * and writes each idle reader up to it; the next one starts when nearly all readers are there, or some
 * milliseconds later. What arrives meanwhile goes into the next round, so batching is clocked by the
 * room and adapts by itself. Work is per reader and write, never per reader and message.
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

/** One reader's place in a tail: what lies between it and the round's goal is the reader's to get. */
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
  /** The round whose goal it reached last. */
  round = 0;
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
  #goal = 0;
  /** Places that have yet to reach the goal before the round is over. */
  #waitingFor = 0;
  #stuck = 0;
  /** The next place to wake in this round; there is a turn scheduled while it is below the count. */
  #cursor = 0;
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
      // The turn under way may have passed this index already.
      if (moved.position < this.#goal) moved.writer.wake(moved);
    }
    place.index = -1;
    place.writer.forget(place);
    this.#leave(place);
    this.#outside.delete(place);
    if (place.isStuck) this.#stuck--;
    else if (place.round !== this.#round) this.#countDown();
  }

  /** The tail has grown. */
  announce(): void {
    this.#letIn();
    if (this.isOver) this.#start();
    else this.#cancelTimer ??= this.#clock.timer(roundMs, () => this.#start());
  }

  /** What a place gets next: up to the goal, within one segment. */
  view(place: Place): Uint8Array | undefined {
    if (place.position >= this.#goal || place.index < 0) return undefined;
    const segment = this.#enter(place);
    return segment?.view(place.position, Math.min(this.#goal, segment.end));
  }

  /** A place has moved on. */
  arrived(place: Place): void {
    if (place.index < 0) return;
    if (place.position < this.#goal) {
      this.#enter(place);
    } else if (place.round !== this.#round) {
      place.round = this.#round;
      if (place.segment?.next && place.position === place.segment.end) this.#enter(place);
      if (place.isStuck) this.#unstick(place);
      else this.#countDown();
    }
  }

  #start(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#goal = this.#tail.end;
    this.#round++;
    this.#waitingFor = Math.ceil((this.#places.length - this.#stuck) * roundQuorum);
    this.#cursor = 0;
    this.#turn(this.#round);
  }

  /** Wakes some places, then lets the event loop read before it goes on. */
  #turn(round: number): void {
    const nowMs = this.#clock.now();
    const end = Math.min(this.#cursor + roundWritesPerTurn, this.#places.length);
    while (round === this.#round && this.#cursor < end) {
      const place = this.#places[this.#cursor++]!;
      place.writer.wake(place);
      if (!place.isStuck && place.writer.stalledMs(nowMs) > stuckMs) this.#stick(place);
    }
    if (round !== this.#round) return;
    if (this.#cursor < this.#places.length) this.#clock.turn(() => this.#turn(round));
  }

  #stick(place: Place): void {
    place.isStuck = true;
    this.#stuck++;
    this.#countDown();
  }

  #unstick(place: Place): void {
    place.isStuck = false;
    this.#stuck--;
  }

  #countDown(): void {
    this.#waitingFor--;
    if (this.#waitingFor === 0 && this.#goal < this.#tail.end) this.#start();
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
