/**
 * A client that stays: it keeps a session alive, reconnects with backoff and jitter, goes on from its
 * cursor, and sends again what was not acknowledged.
 *
 * @module
 */

import { label, sign } from "../crypto/identity.ts";
import { equal, mapKey } from "../protocol/bytes.ts";
import { type Clock, pause } from "../protocol/clock.ts";
import { encodeCore, encodeCoreHead, Proof, signedFields } from "../protocol/entry.ts";
import { mayRetry, ProtocolError } from "../protocol/errors.ts";
import { idBytes, reconnectMs, reconnectMsMax } from "../protocol/limits.ts";
import type { Control, Cursor } from "../protocol/message.ts";
import { Refused, type SecureLink, UnprovenRefusal } from "./handshake.ts";
import { inTime } from "./in_time.ts";
import { Outbox } from "./outbox.ts";
import { ServerIdentityError } from "./pins.ts";
import type { CheckedEntry } from "./room_log.ts";
import { type Login, logIn, type Session } from "./session.ts";

/** An entry, and whether this client said it, by the connection it has or one before. */
export interface ClientEntry extends CheckedEntry {
  readonly isOwn: boolean;
}

/** What a client tells the one who uses it, in order. */
export type ClientEvent =
  | { readonly kind: "entries"; readonly entries: readonly ClientEntry[] }
  /** The log goes on elsewhere: something may be missing here. */
  | { readonly kind: "reset"; readonly reason: string }
  | { readonly kind: "disconnected"; readonly reason: string }
  | { readonly kind: "reconnected" }
  /** The server will not have this message. */
  | { readonly kind: "undelivered"; readonly text: string };

/** What a client takes from outside. */
export interface ClientOptions {
  /** Makes a link and shakes hands over it. */
  readonly dial: () => Promise<SecureLink>;
  readonly login: Login;
  readonly clock: Clock;
  /** From 0 up to 1: the jitter. */
  readonly random: () => number;
  /** How long to try to get back in; for ever where it is not given. */
  readonly giveUpMs?: number;
  readonly onEvent: (event: ClientEvent) => void;
}

/** MUST show each entry once and in order, over however many connections. */
export class Client {
  readonly #options: ClientOptions;
  readonly #outbox: Outbox;
  #session: Session | undefined;
  #welcome: Control<"welcome"> | undefined;
  #room: { id: Uint8Array; cursor: Cursor | undefined } | undefined;
  /** Messages that the server said it has, before their entries came. */
  readonly #stored = new Set<string>();
  /** Signing is asynchronous; what is said keeps its order. */
  #signed: Promise<void> = Promise.resolve();
  /** How long the next reconnect waits; short again after a session that lasted. */
  #waitMs = reconnectMs;
  #isClosing = false;
  #cancelLeave: () => void = () => {};
  readonly #closing = Promise.withResolvers<void>();

  private constructor(options: ClientOptions) {
    this.#options = options;
    this.#outbox = new Outbox(options.clock);
  }

  /**
   * Logs in for the first time.
   *
   * @throws {Refused | ProtocolError} and whatever dialing throws
   */
  static async open(options: ClientOptions, first?: SecureLink): Promise<Client> {
    const client = new Client(options);
    await client.#logIn(first ?? await options.dial());
    return client;
  }

  /** What the server said of us when we last logged in. */
  get welcome(): Control<"welcome"> {
    return this.#welcome!;
  }

  /** Whether there is a session; what is said without one is sent later. */
  get isConnected(): boolean {
    return this.#session !== undefined;
  }

  /** Messages said that are not in the log yet. */
  get undelivered(): number {
    return this.#outbox.size;
  }

  /**
   * Keeps the session alive. Resolves after {@link close}.
   *
   * @throws {Refused} when the server will not have us back
   */
  async run(): Promise<void> {
    while (true) {
      const reason = await this.#serve();
      if (this.#isClosing) return;
      throwIfFinal(reason);
      this.#options.onEvent({ kind: "disconnected", reason: describe(reason) });
      await this.#reconnect();
      if (this.#isClosing && !this.#session) return;
    }
  }

  /** Says something in the room; it is sent as soon as there is a session. */
  say(text: string, content: number): Promise<void> {
    return this.#signed = this.#signed.then(async () => {
      const { identity: { device } } = this.#options.login;
      const draft = {
        proof: Proof.signature,
        content,
        messageId: crypto.getRandomValues(new Uint8Array(idBytes)),
        payload: new TextEncoder().encode(text),
      };
      const { deviceId } = this.welcome;
      const fields = signedFields(this.#room!.id, deviceId, encodeCoreHead(draft), draft.payload);
      this.#outbox.add(encodeCore(draft, await sign(device, label.entry, fields)));
    });
  }

  /** Resolves when more may be said without piling up. */
  async hasRoom(): Promise<void> {
    await this.#signed;
    await this.#outbox.hasRoom();
  }

  /** Resolves when all that was said is in the log, or was refused. */
  async delivered(): Promise<void> {
    await this.#signed;
    await this.#outbox.empty();
  }

  /** Who is in the room now. */
  who(): Promise<Control<"whoAnswer">> {
    if (!this.#session) return Promise.reject(new Refused("offline", "Not connected right now."));
    return this.#session.who(this.#room!.id);
  }

  /** Leaves; the others see it at once. */
  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#closing.resolve();
    const session = this.#session;
    session?.leave();
    // The server closes the connection; if it does not, we do.
    this.#cancelLeave = this.#options.clock.timer(leaveTimeoutMs, () => session?.close());
  }

  async #logIn(secure: SecureLink): Promise<void> {
    const { login, clock, onEvent } = this.#options;
    let isAttached = false;
    const session = await inTime(
      secure.link,
      clock,
      logIn(secure, login, clock, {
        entries: (_room, entries, cursor) => {
          this.#room!.cursor = cursor;
          onEvent({ kind: "entries", entries: entries.map((entry) => this.#settle(entry)) });
        },
        reset: (_room, reason, cursor) => {
          this.#room!.cursor = cursor;
          onEvent({ kind: "reset", reason });
          this.#outbox.sendAgain();
        },
        stored: (messageId) => {
          if (this.#outbox.settle(messageId)) this.#stored.add(mapKey(messageId));
        },
        refused: (messageId, error) => this.#refused(messageId, error),
        attached: (_room, cursor) => {
          this.#room!.cursor = cursor;
          if (isAttached) return; // A new key, or back in the tail.
          isAttached = true;
          this.#outbox.open((core) => session.publish(this.#room!.id, core));
        },
      }),
    );
    this.#session = session;
    this.#welcome = session.welcome;
    const lobby = session.welcome.rooms.find(({ name }) => name === "lobby");
    if (!lobby) throw new Refused("no_such_room", "The server has no lobby.");
    this.#room ??= { id: lobby.id, cursor: undefined };
    session.join(this.#room.id, this.#room.cursor);
  }

  /** What we said is acknowledged by its entry. */
  #settle(entry: CheckedEntry): ClientEntry {
    const { deviceId, core: { messageId } } = entry;
    const isOwn = equal(deviceId, this.welcome.deviceId) &&
      (this.#outbox.settle(messageId) || this.#stored.delete(mapKey(messageId)));
    return { ...entry, isOwn };
  }

  #refused(messageId: Uint8Array, { code, text, retryAfterMs = 0 }: Control<"error">): void {
    if (code === "slow_down") return this.#outbox.slowDown(messageId, retryAfterMs);
    if (this.#outbox.settle(messageId)) this.#options.onEvent({ kind: "undelivered", text });
  }

  /** Runs the session there is to its end: why it ended. */
  async #serve(): Promise<unknown> {
    const session = this.#session!;
    const startedMs = this.#options.clock.now();
    try {
      await session.run();
      return new ProtocolError("shutting_down", "The server closed the connection.");
    } catch (cause) {
      return cause;
    } finally {
      this.#cancelLeave();
      this.#session = undefined;
      this.#outbox.close();
      const livedMs = this.#options.clock.now() - startedMs;
      if (livedMs > reconnectMsMax) this.#waitMs = reconnectMs;
    }
  }

  /** Tries until there is a session again, or it has been closed. */
  async #reconnect(): Promise<void> {
    const { clock, random, dial, onEvent, giveUpMs = Infinity } = this.#options;
    const lostMs = clock.now();
    let isWarned = false;
    while (!this.#isClosing) {
      const waitMs = this.#waitMs * (0.5 + random() / 2);
      this.#waitMs = Math.min(2 * this.#waitMs, reconnectMsMax);
      await Promise.race([pause(clock, waitMs), this.#closing.promise]);
      if (this.#isClosing) return;
      try {
        const dialing = dial();
        const secure = await Promise.race([dialing, this.#closing.promise]);
        if (!secure) return void dialing.then(({ link }) => link.close(), () => {});
        await this.#logIn(secure);
        return onEvent({ kind: "reconnected" });
      } catch (cause) {
        throwIfFinal(cause);
        if (cause instanceof ServerIdentityError && !isWarned) {
          isWarned = true;
          onEvent({ kind: "disconnected", reason: cause.message });
        }
        if (clock.now() - lostMs > giveUpMs) throw cause;
      }
    }
  }
}

/** How long the server may take to let us go. */
const leaveTimeoutMs = 1_000;

/**
 * Throws what trying again does not mend: the server's own word. A refusal in the clear and a frame that
 * is not as it should be can come from anybody on the way, and must not end a client for good.
 */
function throwIfFinal(cause: unknown): void {
  if (cause instanceof Refused && !(cause instanceof UnprovenRefusal) && !mayRetry(cause.code)) {
    throw cause;
  }
}

function describe(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
