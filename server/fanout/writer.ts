/**
 * One connection's only writer. It finishes the write that is under way, then sends channel 0, then
 * what rooms have: a room that waits alone gets all that is there, several take turns.
 *
 * @module
 */

import { concat } from "../../protocol/bytes.ts";
import type { Clock } from "../../protocol/clock.ts";
import { frame } from "../../protocol/framer.ts";
import { controlBytesMax, frameMessagesBytesMax } from "../../protocol/limits.ts";
import type { Link } from "../../protocol/link.ts";

/** Seals the messages of one frame for this connection: the parts of its body. */
export type Seal = (messages: Uint8Array) => Promise<readonly Uint8Array[]>;

/** Where a writer gets a room's bytes: whole frames, until there are none. */
export interface Source {
  view(): Uint8Array | undefined;
  /** So many bytes of the views are with the kernel; frames are never left half-written. */
  written(bytes: number): void;
}

/** MUST have one write under way at most; MUST NOT change the order of channel 0. */
export class Writer {
  readonly #link: Link;
  readonly #seal: Seal;
  readonly #clock: Clock;
  readonly #onFailure: (cause: unknown) => void;
  /** Called once when nothing is left to write. */
  #onIdle: (() => void) | undefined;
  #messages: Uint8Array[] = [];
  #messagesBytes = 0;
  #sealed: Uint8Array | undefined;
  #sealing = false;
  readonly #ready: Source[] = [];
  /** What is left of the write under way, and whose it is. */
  #left: Uint8Array | undefined;
  #source: Source | undefined;
  #viewBytes = 0;
  #closed = false;
  /** When the kernel last took bytes, or was last given some after a rest. */
  #progressMs: number;

  constructor(link: Link, seal: Seal, clock: Clock, onFailure: (cause: unknown) => void) {
    this.#link = link;
    this.#seal = seal;
    this.#clock = clock;
    this.#onFailure = onFailure;
    this.#progressMs = clock.now();
  }

  /** For how long the kernel has taken nothing of the write under way; 0 when there is none. */
  stalledMs(nowMs: number): number {
    return this.#left ? nowMs - this.#progressMs : 0;
  }

  /** When something was last written. */
  get progressMs(): number {
    return this.#progressMs;
  }

  /** Whether nothing is left to write. */
  get isIdle(): boolean {
    return !this.#left && !this.#sealing && !this.#sealed && this.#messages.length === 0 &&
      this.#ready.length === 0;
  }

  /**
   * Queues a message on channel 0; false when the peer has left too much lying.
   *
   * @param isLast it says why nothing follows: there is always room for it
   */
  send(message: Uint8Array, isLast = false): boolean {
    if (this.#closed) return true;
    if (!isLast && this.#messagesBytes + message.length > controlBytesMax) return false;
    this.#messages.push(message);
    this.#messagesBytes += message.length;
    this.#next();
    return true;
  }

  /** A source has something to be written. */
  wake(source: Source): void {
    if (this.#closed || this.#source === source) return;
    if (this.isIdle) { // The usual case, and the one that has to be quick.
      const view = source.view();
      if (view) this.#write(view, source);
    } else if (!this.#ready.includes(source)) {
      this.#ready.push(source);
      this.#next();
    }
  }

  /** A source will be asked no more; a view of it that is under way is finished. */
  forget(source: Source): void {
    const at = this.#ready.indexOf(source);
    if (at >= 0) this.#ready.splice(at, 1);
    if (this.#source === source) this.#source = undefined;
  }

  /** Resolves when nothing is left to write, or the connection is closed. */
  idle(): Promise<void> {
    if (this.#closed || this.isIdle) return Promise.resolve();
    return new Promise((resolve) => {
      const before = this.#onIdle;
      this.#onIdle = () => {
        before?.();
        resolve();
      };
    });
  }

  /** Writes no more; what is under way fails with the link. */
  close(): void {
    this.#closed = true;
    this.#messages = [];
    this.#ready.length = 0;
    this.#becameIdle();
  }

  #next(): void {
    if (this.#closed || this.#sealing || this.#left) return;
    if (this.#sealed) {
      const sealed = this.#sealed;
      this.#sealed = undefined;
      this.#write(sealed, undefined);
    } else if (this.#messages.length > 0) {
      this.#sealMessages();
    } else {
      this.#nextRoom();
    }
  }

  #nextRoom(): void {
    for (let source = this.#ready.shift(); source; source = this.#ready.shift()) {
      const view = source.view();
      if (view) return this.#write(view, source);
    }
    this.#becameIdle();
  }

  /** Seals as many of the waiting messages as one frame takes. */
  #sealMessages(): void {
    let count = 0;
    let bytes = 0;
    while (count < this.#messages.length) {
      bytes += this.#messages[count]!.length;
      if (count > 0 && bytes > frameMessagesBytesMax) break;
      count++;
    }
    const taken = this.#messages.splice(0, count);
    this.#sealing = true;
    this.#seal(taken.length === 1 ? taken[0]! : concat(taken)).then((body) => {
      this.#sealing = false;
      this.#messagesBytes -= taken.reduce((sum, message) => sum + message.length, 0);
      this.#sealed = frame(...body);
      this.#next();
    }, this.#failed);
  }

  #write(view: Uint8Array, source: Source | undefined): void {
    this.#source = source;
    this.#viewBytes = view.length;
    this.#left = view;
    this.#progressMs = this.#clock.now();
    this.#link.write(view).then(this.#written, this.#failed);
  }

  readonly #written = (bytes: number): void => {
    const left = this.#left!;
    if (bytes < left.length) {
      this.#progressMs = this.#clock.now();
      this.#left = left.subarray(bytes);
      this.#link.write(this.#left).then(this.#written, this.#failed);
      return;
    }
    this.#left = undefined;
    const source = this.#source;
    this.#source = undefined;
    if (source) {
      source.written(this.#viewBytes);
      this.wake(source); // Control goes first, other rooms next; a room alone goes on at once.
      if (this.isIdle) this.#becameIdle();
    } else {
      this.#next();
    }
  };

  readonly #failed = (cause: unknown): void => {
    this.#left = undefined;
    if (this.#closed) return;
    this.close();
    this.#onFailure(cause);
  };

  #becameIdle(): void {
    const resolve = this.#onIdle;
    this.#onIdle = undefined;
    resolve?.();
  }
}
