/**
 * What was said, in whichever room, and is not in a log yet. The server knows each message by its id, so
 * nothing is said twice.
 *
 * @module
 */

import { mapKey } from "../protocol/bytes.ts";
import type { Clock } from "../protocol/clock.ts";
import { messageIdOf } from "../protocol/entry.ts";
import { outboxBytesMax, outboxWindowMax } from "../protocol/limits.ts";
import { RoomQueue, type Send } from "./room_queue.ts";
import type { OwnMessage } from "./store/store.ts";

/** A message that waits, and where. */
interface Waiting {
  readonly message: OwnMessage;
  readonly queue: RoomQueue;
}

/** MUST keep the order in each room; MUST forget nothing that is neither in the log nor given up. */
export class Outbox {
  readonly #clock: Clock;
  /** By room. */
  readonly #queues = new Map<string, RoomQueue>();
  /** By message id, in the order said. */
  readonly #unacknowledged = new Map<string, Waiting>();
  /** Of these, and of what is about to be added. */
  #bytes = 0;
  #send: Send | undefined;
  #waiting: { until: () => boolean; resolve: () => void }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Messages that are not in the log yet. */
  get size(): number {
    return this.#unacknowledged.size;
  }

  /** The rooms that something waits for. */
  get rooms(): Uint8Array[] {
    return [...this.#queues.values()].flatMap(({ messages }) => messages[0]?.room ?? []);
  }

  /** Whether there is a session. */
  get isOpen(): boolean {
    return this.#send !== undefined;
  }

  /** This message, if it is ours and not settled. */
  find(messageId: Uint8Array): OwnMessage | undefined {
    return this.#unacknowledged.get(mapKey(messageId))?.message;
  }

  /** Whether this message is ours and not settled. */
  has(messageId: Uint8Array): boolean {
    return this.#unacknowledged.has(mapKey(messageId));
  }

  /** So many bytes are about to be added; the returned function takes that back. */
  reserve(bytes: number): () => void {
    this.#bytes += bytes;
    return () => {
      this.#bytes -= bytes;
      this.#tellWaiting();
    };
  }

  /** Says something. */
  add(message: OwnMessage): void {
    const queue = this.#queue(message.room);
    this.#unacknowledged.set(mapKey(messageIdOf(message.core)), { message, queue });
    this.#bytes += message.core.length;
    queue.add(message);
  }

  /** A session is there: all that is not in a log goes out, from the oldest on. */
  open(send: Send): void {
    this.#send = send;
    for (const queue of this.#queues.values()) queue.open(send);
  }

  /** A room's log goes on elsewhere, so an acknowledgement may have been left out: ask again for all. */
  sendAgain(room: Uint8Array): void {
    this.#queues.get(mapKey(room))?.sendAgain();
  }

  /** The session is gone. */
  close(): void {
    this.#send = undefined;
    for (const queue of this.#queues.values()) queue.close();
  }

  /** A message is in the log, or given up; false when it was none of ours. */
  settle(messageId: Uint8Array): boolean {
    const key = mapKey(messageId);
    const waiting = this.#unacknowledged.get(key);
    if (!waiting) return false;
    const { message, queue } = waiting;
    this.#unacknowledged.delete(key);
    this.#bytes -= message.core.length;
    queue.settle(message);
    this.#pump();
    this.#tellWaiting();
    return true;
  }

  /** Gives up what waits for a room: what that was. */
  drop(room: Uint8Array): OwnMessage[] {
    const queue = this.#queues.get(mapKey(room));
    const dropped = queue?.messages ?? [];
    for (const { core } of dropped) this.settle(messageIdOf(core));
    queue?.close();
    this.#queues.delete(mapKey(room));
    return dropped;
  }

  /**
   * The server took neither this message nor those behind it in its room: again in a while.
   *
   * @returns whether it is the one that the server means, and not one behind it
   */
  slowDown(messageId: Uint8Array, retryAfterMs?: number): boolean {
    const waiting = this.#unacknowledged.get(mapKey(messageId));
    return waiting !== undefined && waiting.queue.slowDown(waiting.message, retryAfterMs);
  }

  /** Resolves when everything is in the log. */
  empty(): Promise<void> {
    return this.#wait(() => this.size === 0);
  }

  /** Resolves when more may be said. */
  hasRoom(): Promise<void> {
    return this.#wait(() => this.#bytes < outboxBytesMax);
  }

  /** A room's queue; it stays, because how gently the server is asked stays too. */
  #queue(room: Uint8Array): RoomQueue {
    const key = mapKey(room);
    let queue = this.#queues.get(key);
    if (!queue) {
      this.#queues.set(key, queue = new RoomQueue(this.#clock, () => this.#pump()));
      if (this.#send) queue.open(this.#send);
    }
    return queue;
  }

  /** The server remembers so many of what it took: more are not under way, in all rooms together. */
  #pump(): void {
    let underWay = 0;
    for (const queue of this.#queues.values()) underWay += queue.underWay;
    for (const queue of this.#queues.values()) {
      const before = queue.underWay;
      queue.pump(outboxWindowMax - underWay);
      underWay += queue.underWay - before;
    }
  }

  #wait(until: () => boolean): Promise<void> {
    if (until()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ until, resolve }));
  }

  #tellWaiting(): void {
    this.#waiting = this.#waiting.filter(({ until, resolve }) => {
      if (!until()) return true;
      resolve();
      return false;
    });
  }
}
