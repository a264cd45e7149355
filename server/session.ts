/**
 * One logged-in connection: reads and opens its frames, does what they ask for, and watches that it
 * stays alive.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { ChannelError } from "../crypto/channel.ts";
import { type Clock, pause } from "../protocol/clock.ts";
import { type ErrorCode, errorCodes, ProtocolError } from "../protocol/errors.ts";
import {
  channelBytesMax,
  channelFramesMax,
  flushTimeoutMs,
  lingerMs,
  pingAfterMs,
  requestsAheadMsMax,
  requestsBurst,
  requestsPerSecond,
  sessionMs,
  silenceMaxMs,
} from "../protocol/limits.ts";
import type { Link } from "../protocol/link.ts";
import { decodeMessages, encodeControl, type Message, type Person } from "../protocol/message.ts";
import { AwaitedMessages } from "./awaited.ts";
import { TokenBucket } from "./bucket.ts";
import type { PeopledRoom } from "./peopled_room.ts";
import type { Pair } from "./door/login.ts";
import type { Member } from "./member.ts";
import { handlerOf } from "./messages.ts";
import type { User } from "./people.ts";
import type { PublishBudget } from "./publish_budget.ts";
import type { Services } from "./services.ts";
import { Writer } from "./fanout/writer.ts";
import { Uploads } from "./uploads.ts";

const log = getLogger(["broadcast", "session"]);

/** What a session takes from outside. */
export interface SessionOptions {
  readonly link: Link;
  readonly clock: Clock;
  readonly pair: Pick<Pair, "opening" | "sealing">;
  readonly user: User;
  readonly person: Person;
  readonly services: Services;
  readonly publishes: PublishBudget;
  /** Frames and bytes that it may send. */
  readonly budgets: { readonly frames: TokenBucket; readonly bytes: TokenBucket };
}

/** What a message counts of the requests that a session may make; publishes have a budget of their own. */
function costOf(message: Message): number {
  if (message.type === "publish") return 0;
  return message.type === "people" ? 1 + message.devices.length / devicesPerRequest : 1;
}

/** Whether it is a fault of the program's own, and not of the connection. */
function isFault(cause: unknown): boolean {
  return cause instanceof TypeError || cause instanceof RangeError ||
    cause instanceof ReferenceError;
}

/** So many people cost as much as another request. */
const devicesPerRequest = 8;

/** MUST handle messages in the order sent; MUST leave its rooms when it ends, however it ends. */
export class Session implements Member {
  readonly user: User;
  readonly person: Person;
  readonly remote: string;
  readonly services: Services;
  readonly publishes: PublishBudget;
  readonly rooms = new Set<PeopledRoom>();
  readonly writer: Writer;
  isLeaving = false;
  typedMs = 0;
  readonly awaited = new AwaitedMessages();
  published = 0;
  readonly #options: SessionOptions;
  #uploads: Uploads | undefined;
  /** What it may ask for. A refused publish asks for an answer too, but costs little. */
  readonly #requests: TokenBucket;
  readonly #startedMs: number;
  #heardMs: number;
  #pingedMs = 0;
  /** Set once it is to end; resolves when it has been told why, and the connection is closed. */
  #ending: Promise<void> | undefined;
  /** Ends the pause that reading makes. */
  #readOn: () => void = () => {};

  constructor(options: SessionOptions) {
    const { link, clock, pair } = options;
    this.#options = options;
    this.user = options.user;
    this.person = options.person;
    this.remote = link.remote;
    this.services = options.services;
    this.publishes = options.publishes;
    this.#requests = new TokenBucket(clock, requestsPerSecond, requestsBurst);
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
        if (this.#ending) continue;
        this.#heardMs = this.#options.clock.now();
        await this.#take(next.value);
      }
    } catch (cause) {
      this.#endBecause(cause);
    } finally {
      await this.#ending;
      this.#leaveRooms();
      this.#uploads?.clear();
      this.writer.close();
      this.#options.link.close();
    }
  }

  /** Made when they are needed: most sessions never bring an object. */
  get uploads(): Uploads {
    return this.#uploads ??= new Uploads(this.services.staging);
  }

  /** Resolves when all that it has been sent is written, or it has ended. */
  written(): Promise<void> {
    return this.writer.idle();
  }

  send(message: Uint8Array): void {
    if (!this.writer.send(message)) this.fail("too_slow");
  }

  end(): void {
    this.#ending ??= this.#flush(0);
  }

  /** Tells the peer why, then ends. */
  fail(code: ErrorCode, text?: string, retryAfterMs?: number): void {
    if (this.#ending) return;
    log.debug("session ends: {code}", { code });
    const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
    const error = { code, text: text ?? errorCodes[code].text, fatal: true, ...wait };
    this.writer.send(encodeControl("error", error), true);
    // Closing at once would reset the connection where bytes of the peer's are still unread.
    this.#ending = this.#flush(lingerMs);
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
    const restMs = Math.max(
      budgets.frames.take(bodies.length),
      budgets.bytes.take(bytes),
      this.#requests.take(0),
    );
    if (restMs > 0) await this.#wait((resolve) => this.#options.clock.timer(restMs, resolve));
    for (const { room } of this.rooms) {
      if (room.isCongested) await this.#wait((resolve) => void room.drained().then(resolve));
    }
  }

  #handle(message: Message): void {
    if (this.#ending) return;
    if (this.#requests.take(costOf(message)) > requestsAheadMsMax) {
      throw new ProtocolError("slow_down");
    }
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

  /** Waits, but not longer than the session lasts. */
  #wait(begin: (resolve: () => void) => (() => void) | void): Promise<void> {
    if (this.#ending) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = begin(resolve);
      this.#readOn = () => {
        cancel?.();
        resolve();
      };
    });
  }

  #endBecause(cause: unknown): void {
    if (cause instanceof ProtocolError) this.fail(cause.code, cause.message);
    else if (cause instanceof ChannelError) this.fail("bad_frame", cause.message);
    else if (isFault(cause)) {
      log.error("a session failed: {cause}", { cause });
      this.fail("internal");
    } else log.debug("read failed: {cause}", { cause });
  }

  /** Writes what is queued, but not for ever, and closes the connection. */
  async #flush(lingeringMs: number): Promise<void> {
    const { clock, link } = this.#options;
    const cancel = clock.timer(flushTimeoutMs, () => link.close());
    this.#readOn();
    await Promise.resolve(); // A room may be in the middle of sending to this session.
    this.#leaveRooms(); // Else a busy room would always have something more to write.
    await this.writer.idle();
    if (lingeringMs > 0) await pause(clock, lingeringMs);
    cancel();
    link.close();
  }

  #leaveRooms(): void {
    const rooms = [...this.rooms];
    this.rooms.clear();
    for (const { room, presence } of rooms) {
      room.leave(this);
      // To be shown at once costs as much as a message: who comes and goes all the time is not.
      presence.depart(this.person, this.isLeaving && this.publishes.tryTake() === 0);
    }
  }
}
