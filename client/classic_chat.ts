/**
 * The conversation with an original server: lines in, lines out; it confirms nothing.
 *
 * @module
 */

import { classicRefusals } from "../protocol/classic.ts";
import { type Clock, pause } from "../protocol/clock.ts";
import { payloadBytesMax } from "../protocol/limits.ts";
import { ClassicEndError, type ClassicEvent, type ClassicSession } from "./classic.ts";
import { parseInput } from "./chat/input.ts";
import { notice, type Ui } from "./chat/ui.ts";

/** The name is taken, and there is nobody to ask for another. */
export class ClassicNameError extends Error {
  override readonly name = "ClassicNameError";
}

/** What a conversation needs beside session and user. */
export interface ClassicChatOptions {
  readonly clock: Clock;
  /** The name that the session was joined with. */
  readonly name: string;
  /** Stays when the input ends, and shows what comes. */
  readonly follow: boolean;
}

const prompt = "lobby (original)> ";
const namePrompt = "Enter your username:";

const unknownHere = "An original server knows nothing of that. /help says what there is.";

/** Closing at once could take back what is on its way to the server. */
const lingerMs = 200;

/**
 * Sends the user's lines and shows the others', until the input ends, the user quits, or the server
 * ends it.
 *
 * @throws {ClassicNameError} when the name is refused and no person is there to choose another
 * @throws {ClassicEndError} when the server ends it
 */
export async function classicChat(
  session: ClassicSession,
  ui: Ui,
  options: ClassicChatOptions,
): Promise<void> {
  try {
    ui.prompt(prompt);
    const chat = new ClassicChat(session, ui, options);
    await Promise.race([chat.speak(), chat.listen()]);
  } finally {
    session.close();
  }
}

class ClassicChat {
  readonly #session: ClassicSession;
  readonly #ui: Ui;
  readonly #options: ClassicChatOptions;
  #name: string;
  #isRefused = false;

  constructor(session: ClassicSession, ui: Ui, options: ClassicChatOptions) {
    this.#session = session;
    this.#ui = ui;
    this.#options = options;
    this.#name = options.name;
  }

  async listen(): Promise<void> {
    for await (const event of this.#session.events) this.#take(event);
  }

  async speak(): Promise<void> {
    const isEnded = await this.#takeLines();
    if (this.#isRefused) return;
    if (isEnded && this.#options.follow) await this.#ui.outputGone;
    await this.#session.sent();
    await pause(this.#options.clock, lingerMs);
  }

  #take(event: ClassicEvent): void {
    switch (event.kind) {
      case "line":
        return this.#ui.show(event);
      case "refused":
        return this.#askAgain(classicRefusals[event.reason]);
      case "closed":
        throw new ClassicEndError(event.text);
      case "accepted":
        return;
    }
  }

  #askAgain(reason: string): void {
    if (!this.#ui.hasCommands) throw new ClassicNameError(reason);
    this.#isRefused = true;
    this.#notice(reason);
    this.#ui.prompt(namePrompt);
  }

  /** True at the end of input, false when the user quit. */
  async #takeLines(): Promise<boolean> {
    for await (const line of this.#ui.lines) {
      if (this.#isRefused) await this.#rename(line.trim());
      else if (!this.#ui.hasCommands) await this.#pipe(line);
      else if (!this.#type(line)) return false;
    }
    return true;
  }

  async #rename(name: string): Promise<void> {
    try {
      await this.#session.rename(name);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return this.#notice(error.message);
    }
    this.#isRefused = false;
    this.#name = name;
    this.#ui.prompt(prompt);
  }

  async #pipe(line: string): Promise<void> {
    if (line !== "") await this.#session.send(line);
  }

  /** A person's line; false when it says to quit. */
  #type(line: string): boolean {
    const intent = parseInput(line, payloadBytesMax);
    switch (intent.kind) {
      case "say":
        this.#say(intent.text);
        break;
      case "me":
        this.#say(`* ${intent.text}`);
        break;
      case "quit":
        return false;
      case "help":
        this.#notice("/me TEXT says what you do, /quit leaves, // begins a line with a slash.");
        break;
      case "command":
        this.#notice(
          intent.name === "who" ? "An original server does not tell who is here." : unknownHere,
        );
        break;
      case "mistake":
      case "too_long":
        this.#notice(intent.hint);
        break;
      case "nothing":
        break;
      default:
        this.#notice(unknownHere);
    }
    return true;
  }

  /** The server sends nobody their own words. */
  #say(text: string): void {
    this.#session.send(text).then(() => {
      if (this.#ui.takesLines) this.#ui.show({ kind: "line", text: `[${this.#name}]: ${text}` });
    }, () => this.#notice(`Not sent: ${text}`));
  }

  #notice(text: string): void {
    notice(this.#ui, text);
  }
}
