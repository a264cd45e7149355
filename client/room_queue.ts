/**
 * What was said in one room and is not in its log yet. It is sent in order, again after a reconnect, and
 * slower when the server asks for that: a room that is slow holds up no other.
 *
 * @module
 */

import { mapKey } from "../protocol/bytes.ts";
import type { Clock } from "../protocol/clock.ts";
import { messageIdOf } from "../protocol/entry.ts";
import { outboxWindowMax, refusedMs } from "../protocol/limits.ts";
import type { OwnMessage } from "./store/store.ts";

/** Sends a message to its room. */
export type Send = (message: OwnMessage) => void;

/** MUST keep the order; MUST forget nothing that is neither in the log nor given up. */
export class RoomQueue {
  readonly #clock: Clock;
  readonly #onReady: () => void;
  /** By message id, in the order said. */
  readonly #unacknowledged = new Map<string, OwnMessage>();
  /** Those of them that are to be sent, or sent again. */
  #toSend = new Set<OwnMessage>();
  /** How many copies of a message are under way, as far as we know: the server has not refused them. */
  #copies = new Map<OwnMessage, number>();
  #send: Send | undefined;
  /** How many may be under way. */
  #window = outboxWindowMax;
  #cancelPause: (() => void) | undefined;

  /** @param onReady called when there may be something to {@link pump} */
  constructor(clock: Clock, onReady: () => void) {
    this.#clock = clock;
    this.#onReady = onReady;
  }

  /** In the order said. */
  get messages(): OwnMessage[] {
    return [...this.#unacknowledged.values()];
  }

  /** How many have been sent and are not in the log yet. */
  get underWay(): number {
    return this.#unacknowledged.size - this.#toSend.size;
  }

  add(message: OwnMessage): void {
    this.#unacknowledged.set(mapKey(messageIdOf(message.core)), message);
    this.#toSend.add(message);
    this.#onReady();
  }

  /** A session is there: all that is not in the log goes out, from the oldest on. */
  open(send: Send): void {
    this.#send = send;
    this.#window = outboxWindowMax;
    this.#toSend = new Set(this.#unacknowledged.values());
    this.#copies.clear();
    this.#resume();
  }

  /** The log goes on elsewhere, so an acknowledgement may have been left out: ask again for all. */
  sendAgain(): void {
    this.#toSend = new Set(this.#unacknowledged.values());
    this.#copies.clear(); // Of some we hear nothing any more.
    this.#onReady();
  }

  /** The session is gone. */
  close(): void {
    this.#send = undefined;
    this.#cancelPause?.();
    this.#cancelPause = undefined;
  }

  /** A message is in the log, or given up. */
  settle(message: OwnMessage): void {
    this.#unacknowledged.delete(mapKey(messageIdOf(message.core)));
    this.#toSend.delete(message);
    this.#copies.delete(message);
    this.#window = Math.min(this.#window + 1, outboxWindowMax);
  }

  /**
   * The server took neither this message nor those behind it: again in a while, and gently. Where a later
   * copy is still under way, what becomes of that counts: sent again now, this message would show the
   * server that we do not wait for what stands before it.
   *
   * @returns whether it is the one that the server means, and not one behind it
   */
  slowDown(refused: OwnMessage, retryAfterMs = refusedMs): boolean {
    const copies = Math.max(0, (this.#copies.get(refused) ?? 0) - 1);
    this.#copies.set(refused, copies);
    if (copies > 0 || this.#toSend.has(refused)) return false;
    const all = this.messages;
    this.#toSend = new Set(all.slice(all.indexOf(refused)));
    this.#window = 1;
    this.#cancelPause ??= this.#clock.timer(retryAfterMs, () => this.#resume());
    return true;
  }

  /** Sends what may be sent, `most` at most. */
  pump(most: number): void {
    if (!this.#send || this.#cancelPause) return;
    let free = Math.min(most, this.#window - this.underWay);
    for (const message of this.#toSend) {
      if (free-- <= 0) return;
      this.#toSend.delete(message);
      this.#copies.set(message, (this.#copies.get(message) ?? 0) + 1);
      this.#send(message);
    }
  }

  #resume(): void {
    this.#cancelPause?.();
    this.#cancelPause = undefined;
    this.#onReady();
  }
}
