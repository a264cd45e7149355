/**
 * What was said and is not in the log yet. It is sent in order, again after a reconnect, and slower
 * when the server asks for that; the server knows each message by its id, so nothing is said twice.
 *
 * @module
 */

import { mapKey } from "../protocol/bytes.ts";
import type { Clock } from "../protocol/clock.ts";
import { messageIdOf } from "../protocol/entry.ts";
import { outboxBytesMax, outboxWindowMax } from "../protocol/limits.ts";

/** Sends a core to the room. */
export type Send = (core: Uint8Array) => void;

/** MUST keep the order; MUST forget nothing that is neither in the log nor given up. */
export class Outbox {
  readonly #clock: Clock;
  /** By message id, in the order said. */
  readonly #unacknowledged = new Map<string, Uint8Array>();
  #bytes = 0;
  /** Those of them that are to be sent, or sent again. */
  #toSend = new Set<Uint8Array>();
  #send: Send | undefined;
  /** How many may be under way. */
  #window = outboxWindowMax;
  #cancelPause: (() => void) | undefined;
  #waiting: { until: () => boolean; resolve: () => void }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Messages that are not in the log yet. */
  get size(): number {
    return this.#unacknowledged.size;
  }

  /** Says something. */
  add(core: Uint8Array): void {
    this.#unacknowledged.set(mapKey(messageIdOf(core)), core);
    this.#bytes += core.length;
    this.#toSend.add(core);
    this.#pump();
  }

  /** A session is there: all that is not in the log goes out, from the oldest on. */
  open(send: Send): void {
    this.#send = send;
    this.#toSend = new Set(this.#unacknowledged.values());
    this.#window = outboxWindowMax;
    this.#resume();
  }

  /** The log goes on elsewhere, so an acknowledgement may have been left out: ask again for all. */
  sendAgain(): void {
    this.#toSend = new Set(this.#unacknowledged.values());
    this.#pump();
  }

  /** The session is gone. */
  close(): void {
    this.#send = undefined;
    this.#cancelPause?.();
    this.#cancelPause = undefined;
  }

  /** A message is in the log, or given up; false when it was none of ours. */
  settle(messageId: Uint8Array): boolean {
    const key = mapKey(messageId);
    const core = this.#unacknowledged.get(key);
    if (!core) return false;
    this.#unacknowledged.delete(key);
    this.#bytes -= core.length;
    this.#toSend.delete(core);
    this.#window = Math.min(this.#window + 1, outboxWindowMax);
    this.#pump();
    this.#tellWaiting();
    return true;
  }

  /** The server took neither this message nor those behind it: again in a while, and gently. */
  slowDown(messageId: Uint8Array, retryAfterMs: number): void {
    const refused = this.#unacknowledged.get(mapKey(messageId));
    if (!refused || this.#toSend.has(refused)) return;
    const all = [...this.#unacknowledged.values()];
    this.#toSend = new Set(all.slice(all.indexOf(refused)));
    this.#window = 1;
    this.#cancelPause ??= this.#clock.timer(retryAfterMs, () => this.#resume());
  }

  /** Resolves when everything is in the log. */
  empty(): Promise<void> {
    return this.#wait(() => this.size === 0);
  }

  /** Resolves when more may be said. */
  hasRoom(): Promise<void> {
    return this.#wait(() => this.#bytes < outboxBytesMax);
  }

  #resume(): void {
    this.#cancelPause?.();
    this.#cancelPause = undefined;
    this.#pump();
  }

  #pump(): void {
    if (!this.#send || this.#cancelPause) return;
    let free = this.#window - (this.#unacknowledged.size - this.#toSend.size);
    for (const core of this.#toSend) {
      if (free-- <= 0) return;
      this.#toSend.delete(core);
      this.#send(core);
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
