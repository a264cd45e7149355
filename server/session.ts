/**
 * One logged-in connection: reads and opens its frames, does what they ask for, and watches that it
 * stays alive.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { ChannelError } from "../crypto/channel.ts";
import type { Clock } from "../protocol/clock.ts";
import { type ErrorCode, errorCodes, ProtocolError } from "../protocol/errors.ts";
import {
  channelBytesMax,
  channelFramesMax,
  flushTimeoutMs,
  pingAfterMs,
  sessionMs,
  silenceMaxMs,
} from "../protocol/limits.ts";
import type { Link } from "../protocol/link.ts";
import { decodeMessages, encodeControl, type Message, type Person } from "../protocol/message.ts";
import type { TokenBucket } from "./bucket.ts";
import { handlerOf } from "./commands.ts";
import type { Hub, PeopledRoom } from "./hub.ts";
import type { Pair } from "./login.ts";
import type { Member } from "./member.ts";
import type { People } from "./people.ts";
import { Writer } from "./writer.ts";

const log = getLogger(["broadcast", "session"]);

/** What a session takes from outside. */
export interface SessionOptions {
  readonly link: Link;
  readonly clock: Clock;
  readonly pair: Pick<Pair, "opening" | "sealing">;
  readonly person: Person;
  readonly hub: Hub;
  readonly people: People;
  readonly publishes: TokenBucket;
  /** Frames and bytes that it may send. */
  readonly budgets: { readonly frames: TokenBucket; readonly bytes: TokenBucket };
}

/** MUST handle messages in the order sent; MUST leave its rooms when it ends, however it ends. */
export class Session implements Member {
  readonly person: Person;
  readonly hub: Hub;
  readonly people: People;
  readonly publishes: TokenBucket;
  readonly rooms = new Set<PeopledRoom>();
  readonly writer: Writer;
  isLeaving = false;
  owed: Uint8Array | undefined;
  readonly #options: SessionOptions;
  readonly #startedMs: number;
  #heardMs: number;
  #pingedMs = 0;
  #isEnding = false;

  constructor(options: SessionOptions) {
    const { link, clock, pair } = options;
    this.#options = options;
    this.person = options.person;
    this.hub = options.hub;
    this.people = options.people;
    this.publishes = options.publishes;
    this.#startedMs = this.#heardMs = clock.now();
    this.writer = new Writer(link, (messages) => pair.sealing.seal(messages), clock, (cause) => {
      log.debug("write failed: {cause}", { cause });
      link.close();
    });
  }

  /**
   * Reads until the peer ends, breaks a rule, or is told to go. Never throws.
   *
   * @param early frames that were read already
   */
  async run(
    frames: ReadableStreamDefaultReader<Uint8Array[]>,
    early: readonly Uint8Array[],
  ): Promise<void> {
    try {
      await this.#take(early);
      for (let next = await frames.read(); !next.done; next = await frames.read()) {
        if (this.#isEnding) continue;
        this.#heardMs = this.#options.clock.now();
        await this.#take(next.value);
      }
    } catch (cause) {
      await this.#endBecause(cause);
    } finally {
      this.#leaveRooms();
      this.writer.close();
      this.#options.link.close();
    }
  }

  send(message: Uint8Array): void {
    if (!this.writer.send(message)) this.fail("too_slow");
  }

  end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    const { clock, link } = this.#options;
    const cancel = clock.timer(flushTimeoutMs, () => link.close());
    void this.writer.idle().then(() => {
      cancel();
      link.close();
    });
  }

  /** Tells the peer why, then ends. */
  fail(code: ErrorCode, text?: string, retryAfterMs?: number): void {
    if (this.#isEnding) return;
    log.debug("session ends: {code}", { code });
    const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
    const error = { code, text: text ?? errorCodes[code].text, fatal: true, ...wait };
    this.writer.send(encodeControl("error", error));
    this.end();
  }

  /** Looks whether the peer is alive and the session within its bounds; called now and then. */
  inspect(nowMs: number): void {
    const { sealing, opening } = this.#options.pair;
    const stalledMs = this.writer.stalledMs(nowMs);
    const silentMs = nowMs - this.#heardMs;
    if (stalledMs > silenceMaxMs) {
      this.#options.link.close(); // There is no telling who takes nothing.
    } else if (silentMs > silenceMaxMs + pingAfterMs && stalledMs === 0) {
      this.fail("silent");
    } else if (silentMs > pingAfterMs && this.#pingedMs < this.#heardMs) {
      this.#pingedMs = nowMs;
      this.send(encodeControl("ping", {}));
    }
    const isUsedUp = sealing.counter >= channelFramesMax || opening.counter >= channelFramesMax ||
      sealing.bytes >= channelBytesMax || opening.bytes >= channelBytesMax ||
      nowMs - this.#startedMs > sessionMs;
    if (isUsedUp) this.fail("session_ended");
  }

  /** Opens the frames of one read side by side, and handles their messages in order. */
  async #take(bodies: readonly Uint8Array[]): Promise<void> {
    const { pair, budgets } = this.#options;
    const opened = bodies.map((body) => pair.opening.open(body));
    for (const opening of opened) opening.catch(() => {}); // The first failure is thrown below.
    let bytes = 0;
    for (const opening of opened) {
      const messages = await opening;
      bytes += messages.length;
      for (const message of decodeMessages(messages)) this.#handle(message);
    }
    await this.#rest(Math.max(budgets.frames.take(bodies.length), budgets.bytes.take(bytes)));
    for (const { room } of this.rooms) if (room.isCongested) await room.drained();
  }

  #handle(message: Message): void {
    if (this.#isEnding) return;
    const handler = handlerOf(message);
    if (!handler) {
      throw new ProtocolError("bad_message", `A client may not send "${message.type}".`);
    }
    try {
      handler(this, message);
    } catch (error) {
      if (!(error instanceof ProtocolError) || !("request" in message)) throw error;
      const { code, message: text } = error;
      this.send(encodeControl("error", { code, text, request: message.request! }));
    }
  }

  #rest(ms: number): Promise<void> | undefined {
    if (ms <= 0) return;
    return new Promise((resolve) => this.#options.clock.timer(ms, resolve));
  }

  async #endBecause(cause: unknown): Promise<void> {
    if (cause instanceof ProtocolError) this.fail(cause.code, cause.message);
    else if (cause instanceof ChannelError) this.fail("bad_frame", cause.message);
    else log.debug("read failed: {cause}", { cause });
    if (this.#isEnding) await this.writer.idle();
  }

  #leaveRooms(): void {
    for (const peopled of this.rooms) {
      peopled.room.leave(this);
      this.hub.depart(peopled, this.person.userId, this.isLeaving);
    }
  }
}
