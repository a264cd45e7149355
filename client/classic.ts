/**
 * Talks to an original server, in the clear for whoever listens. That server accepts a name without
 * an answer, and takes for a name whatever one read gives it, so that a message close behind would
 * become part of it. Therefore a name counts as accepted when no refusal came for a while.
 *
 * @module
 */

import { sealClassicFrame } from "../crypto/classic_frame.ts";
import { type ClassicRefusal, encodeClassicFrame, encodeClassicName } from "../protocol/classic.ts";
import { type ClassicOutput, ClassicServerReader } from "../protocol/classic_server_reader.ts";
import type { Clock } from "../protocol/clock.ts";
import { type Link, writeAll } from "../protocol/link.ts";

/** What happens in a session. */
export type ClassicEvent =
  /** The name is ours, as far as one can know; messages go out. */
  | { readonly kind: "accepted" }
  /** The name is not ours: {@link ClassicSession.rename} tries another. */
  | { readonly kind: "refused"; readonly reason: ClassicRefusal }
  /** A line of the chat, as received: it is not safe to show yet. */
  | { readonly kind: "line"; readonly text: string }
  /** It is over, and not by us; `text` says why. The last event. */
  | { readonly kind: "closed"; readonly text: string };

/** The connection ended, or cannot be used; the message says why. */
export class ClassicEndError extends Error {
  override readonly name = "ClassicEndError";
}

/** What a session needs from outside, and how patient it is. */
export interface ClassicOptions {
  readonly clock: Pick<Clock, "timer">;
  /** How long the prompt may take. */
  readonly promptTimeoutMs?: number;
  /** How long a refusal may take; longer than the way there and back. */
  readonly settleMs?: number;
}

/**
 * One connection to an original server.
 *
 * MUST send no frame before a name is accepted, nor together with a name; MUST keep the order of
 * {@link send}.
 *
 * @example
 * ```ts ignore
 * const session = await ClassicSession.join(link, "Alice", { clock });
 * await session.send("Hello everyone!");
 * for await (const event of session.events) console.log(event);
 * ```
 */
export class ClassicSession {
  /** What happens, in order. Leaving the loop closes the session. */
  readonly events: ReadableStream<ClassicEvent>;

  readonly #link: Link;
  readonly #settleMs: number;
  readonly #clock: Pick<Clock, "timer">;
  readonly #reader = new ClassicServerReader();
  readonly #prompted = Promise.withResolvers<void>();
  #controller!: ReadableStreamDefaultController<ClassicEvent>;
  #state: "joining" | "pending" | "accepted" | "refused" | "closed" = "joining";
  #stateChanged = Promise.withResolvers<void>();
  #stopTimer = () => {};
  /** Whether a message has gone out under the name. */
  #spoken = false;
  #listening = true;
  #lastSend: Promise<void> = Promise.resolve();

  private constructor(link: Link, options: ClassicOptions) {
    this.#link = link;
    this.#settleMs = options.settleMs ?? 500;
    this.#clock = options.clock;
    this.events = new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => this.#read(),
      cancel: () => {
        this.#listening = false;
        this.close();
      },
    }, { highWaterMark: eventsWaitingMax });
  }

  /**
   * Waits for the prompt and sends the name. Whether it is accepted, an event tells.
   *
   * @throws {RangeError} for a name that cannot be sent
   * @throws {ClassicEndError} when this is no original server, or the connection ends
   */
  static async join(link: Link, name: string, options: ClassicOptions): Promise<ClassicSession> {
    const line = encodeClassicName(name);
    const session = new ClassicSession(link, options);
    const ms = options.promptTimeoutMs ?? 10_000;
    session.#stopTimer = session.#clock.timer(ms, () => session.#end("it did not ask for a name"));
    await session.#prompted.promise;
    await session.#sendName(line);
    return session;
  }

  /**
   * Tries another name after a refusal. Messages that wait go out once it is accepted.
   *
   * @throws {RangeError} for a name that cannot be sent
   */
  async rename(name: string): Promise<void> {
    const line = encodeClassicName(name);
    if (this.#state !== "refused") {
      throw new Error("Cannot change the name because the server takes one only after a refusal.");
    }
    await this.#sendName(line);
  }

  /**
   * Sends a message when the name is accepted; done when it is written, the server confirms nothing.
   *
   * @throws {Error} when the session is over
   */
  send(text: string): Promise<void> {
    this.#lastSend = this.#lastSend.catch(() => {}).then(() => this.#sendFrame(text));
    return this.#lastSend;
  }

  /** Resolves when all that was to be sent is written, or has failed. */
  sent(): Promise<void> {
    return this.#lastSend.catch(() => {});
  }

  /** Ends the session; messages that wait fail. */
  close(): void {
    this.#end(undefined);
  }

  async #sendName(line: Uint8Array): Promise<void> {
    if (this.#state === "closed") throw new ClassicEndError(closedText);
    this.#setState("pending");
    try {
      await writeAll(this.#link, line);
    } catch (error) {
      this.#end(reasonOf(error), error);
      throw new ClassicEndError(closedText, { cause: error });
    }
    if (this.#state !== "pending") return;
    this.#stopTimer = this.#clock.timer(this.#settleMs, () => this.#accepted());
  }

  async #sendFrame(text: string): Promise<void> {
    const sealed = await sealClassicFrame(new TextEncoder().encode(text));
    while (this.#state !== "accepted") {
      if (this.#state === "closed") throw new ClassicEndError(closedText);
      await this.#stateChanged.promise;
    }
    this.#spoken = true;
    await writeAll(this.#link, encodeClassicFrame(sealed));
  }

  /** Reads until there is an event or the end; called when there is room for events. */
  async #read(): Promise<void> {
    const into = new Uint8Array(readBytes);
    const room = this.#controller.desiredSize!;
    try {
      while (this.#state !== "closed" && this.#controller.desiredSize! >= room) {
        const count = await this.#link.read(into);
        const outputs = count === null
          ? this.#reader.end()
          : this.#reader.push(into.subarray(0, count));
        for (const output of outputs) this.#take(output);
        if (count === null) this.#end("the server closed the connection");
      }
    } catch (error) {
      this.#end(reasonOf(error), error);
    }
  }

  #take(output: ClassicOutput): void {
    if (this.#state === "closed") return;
    if (this.#state === "joining") this.#takeFirst(output);
    else if (output.kind === "refusal") this.#refused(output.reason);
    else if (output.kind === "line") {
      this.#accepted(); // Only those whose name is accepted are sent lines.
      this.#controller.enqueue(output);
    }
  }

  /** An original server begins with the prompt. */
  #takeFirst(output: ClassicOutput): void {
    if (output.kind !== "prompt") return this.#end("it does not speak the original protocol");
    this.#stopTimer();
    this.#prompted.resolve();
  }

  #accepted(): void {
    this.#stopTimer();
    if (this.#state !== "pending") return;
    this.#setState("accepted");
    this.#controller.enqueue({ kind: "accepted" });
  }

  #refused(reason: ClassicRefusal): void {
    this.#stopTimer();
    if (this.#spoken) {
      // It has taken our frame for a name by now.
      return this.#end("the name was refused after the first message was sent; try another name");
    }
    this.#setState("refused");
    this.#controller.enqueue({ kind: "refused", reason });
  }

  /** Ends it all; without a reason it was us. */
  #end(reason: string | undefined, cause?: unknown): void {
    if (this.#state === "closed") return;
    const what = this.#state === "joining" ? "Cannot join" : "Cannot stay with";
    const text = `${what} ${this.#link.remote} because ${reason ?? "we left"}.`;
    this.#stopTimer();
    this.#setState("closed");
    this.#prompted.reject(new ClassicEndError(text, { cause }));
    this.#link.close();
    if (!this.#listening) return;
    if (reason !== undefined) this.#controller.enqueue({ kind: "closed", text });
    this.#controller.close();
  }

  #setState(state: "pending" | "accepted" | "refused" | "closed"): void {
    this.#state = state;
    this.#stateChanged.resolve();
    this.#stateChanged = Promise.withResolvers<void>();
  }
}

/** Events that may wait for the listener before the connection is not read any more. */
const eventsWaitingMax = 256;

const readBytes = 16 * 1024;

const closedText = "Cannot send because the connection is closed.";

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
