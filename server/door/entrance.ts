/**
 * A connection before it has logged in: what it may be told, and how it ends. It is told in the clear
 * until the handshake is done, sealed from then on.
 *
 * @module
 */

import type { SealingChannel } from "../../crypto/channel.ts";
import { type Clock, pause } from "../../protocol/clock.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { frame } from "../../protocol/framer.ts";
import { encodeRefusal } from "../../protocol/hello.ts";
import { classicNameTimeoutMs, lingerMs } from "../../protocol/limits.ts";
import { type Link, writeAll } from "../../protocol/link.ts";
import { encodeControl } from "../../protocol/message.ts";

/** MUST have one write under way at most. */
export class Entrance {
  readonly #link: Link;
  readonly #clock: Clock;
  #written: Promise<void> = Promise.resolve();
  #sealing: SealingChannel | undefined;
  #cancelDeadline: () => void = () => {};
  readonly #startedMs: number;
  #isMute = false;
  #isOver = false;

  constructor(link: Link, clock: Clock) {
    this.#link = link;
    this.#clock = clock;
    this.#startedMs = clock.now();
  }

  /** It is a client of ours, or may be one: it has so long to log in, counted from its first moment. */
  ours(loginTimeoutMs: number): void {
    this.#isMute = false;
    this.#deadline(loginTimeoutMs - (this.#clock.now() - this.#startedMs));
  }

  /** It is logged in: what the session writes goes through its writer from now on. */
  passed(): void {
    this.#cancelDeadline();
    this.#isOver = true;
  }

  /** It is a person at a classic client, who has longer and could not read our frames. */
  classic(): void {
    this.#isMute = true;
    this.#deadline(classicNameTimeoutMs);
  }

  /** Whether it is logged in, or at its end. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Seals what it is told from now on. */
  secure(sealing: SealingChannel): void {
    this.#sealing = sealing;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#written = this.#written.then(() => writeAll(this.#link, bytes));
  }

  /** Tells the peer why, gives it a moment to read that, and closes. */
  async end(error: ProtocolError): Promise<void> {
    this.#cancelDeadline();
    if (this.#isOver) return;
    this.#isOver = true;
    if (!this.#isMute) {
      // Closing at once would reset the connection where bytes of the peer's are still unread. The
      // write is not waited for: a peer that takes nothing is not to be kept.
      this.write(await this.#encode(error)).catch(() => this.#link.close());
      await pause(this.#clock, lingerMs);
    }
    this.#link.close();
  }

  /** Ends the connection in so long, unless another deadline is set. */
  #deadline(ms: number): void {
    this.#cancelDeadline();
    if (this.#isOver) return;
    this.#cancelDeadline = this.#clock.timer(
      Math.max(0, ms),
      () => void this.end(new ProtocolError("login_timeout")),
    );
  }

  async #encode({ code, message: text, retryAfterMs }: ProtocolError): Promise<Uint8Array> {
    const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
    if (!this.#sealing) return frame(encodeRefusal({ code, text, ...wait }));
    const message = encodeControl("error", { code, text, fatal: true, ...wait });
    return frame(...await this.#sealing.seal(message));
  }
}
