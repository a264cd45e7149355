/**
 * The conversation between a client and whoever uses it: lines in, messages out.
 *
 * @module
 */

import { equal } from "../protocol/bytes.ts";
import { Content } from "../protocol/entry.ts";
import { helpText, parseInput } from "./input.ts";
import type { Client, ClientEvent } from "./reconnect.ts";
import type { Shown } from "./render.ts";
import type { CheckedEntry } from "./room_log.ts";
import type { Ui } from "./ui.ts";

/** How a conversation ended. */
export interface Outcome {
  /** Messages that the server would not have, or that were too long. */
  readonly undelivered: number;
}

/** What a conversation needs beside client and user. */
export interface ChatOptions {
  readonly payloadBytesMax: number;
  /** Stays when the input ends, and shows what comes. */
  readonly follow: boolean;
}

/** MUST NOT end before all that was said is in the log or given up. */
export class Chat {
  readonly #ui: Ui;
  readonly #options: ChatOptions;
  /** Our own user id. */
  #self: Uint8Array | undefined;
  #undelivered = 0;

  constructor(ui: Ui, options: ChatOptions) {
    this.#ui = ui;
    this.#options = options;
  }

  /** Shows what a client tells. */
  readonly onEvent = (event: ClientEvent): void => {
    switch (event.kind) {
      case "entries":
        for (const entry of event.entries) this.#showEntry(entry);
        return;
      case "reset":
        return this.#notice(`-- Something may be missing here. ${event.reason}`);
      case "disconnected":
        return this.#notice(`-- Disconnected: ${event.reason} Reconnecting …`);
      case "reconnected":
        return this.#notice("-- Connected again.");
      case "undelivered":
        this.#undelivered++;
        return this.#notice(`-- Not delivered: ${event.text}`);
    }
  };

  /** Says the user's lines until the input ends or the user quits, and waits until all is delivered. */
  async run(client: Client): Promise<Outcome> {
    this.#self = client.welcome.userId;
    const isEnded = await this.#takeLines(client);
    if (isEnded && this.#options.follow) await new Promise(() => {}); // Until a signal or an error.
    await client.delivered();
    client.close();
    return { undelivered: this.#undelivered };
  }

  /** True at the end of input, false when the user quit. */
  async #takeLines(client: Client): Promise<boolean> {
    for await (const line of this.#ui.lines) {
      if (!this.#ui.hasCommands) await this.#pipe(client, line);
      else if (!await this.#type(client, line)) return false;
    }
    return true;
  }

  /** A script's line is said as it is. */
  async #pipe(client: Client, text: string): Promise<void> {
    if (text === "") return;
    const { payloadBytesMax } = this.#options;
    const { length } = new TextEncoder().encode(text);
    if (length > payloadBytesMax) {
      this.#undelivered++;
      return this.#notice(`-- Not sent: a line of ${length} bytes; at most ${payloadBytesMax}.`);
    }
    await client.hasRoom();
    void client.say(text, Content.text);
  }

  /** A person's line; false when it says to quit. */
  async #type(client: Client, line: string): Promise<boolean> {
    const intent = parseInput(line, this.#options.payloadBytesMax);
    this.#ui.takeBack(line);
    switch (intent.kind) {
      case "say":
        await client.hasRoom();
        void client.say(intent.text, Content.text);
        break;
      case "action":
        await client.hasRoom();
        void client.say(intent.text, Content.action);
        break;
      case "who":
        await this.#who(client);
        break;
      case "help":
        this.#notice(helpText());
        break;
      case "mistake":
      case "too_long":
        this.#notice(`-- ${intent.hint}`);
        break;
      case "quit":
        return false;
      case "nothing":
        break;
    }
    return true;
  }

  async #who(client: Client): Promise<void> {
    try {
      const { names, total } = await client.who();
      const more = total > names.length ? ` and ${total - names.length} more` : "";
      this.#notice(`-- ${total} here: ${names.join(", ")}${more}`);
    } catch (error) {
      this.#notice(`-- ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** What we did ourselves is known here; but on a terminal our words appear in their place. */
  #showEntry(entry: CheckedEntry): void {
    const shown = toShown(entry);
    const isOwn = entry.author && this.#self && equal(entry.author.userId, this.#self);
    const isEcho = isOwn && (shown?.kind !== "message" || !this.#ui.hasCommands);
    if (shown && !isEcho) this.#ui.show(shown);
  }

  #notice(text: string): void {
    this.#ui.show({ kind: "notice", text });
  }
}

/** How an entry is shown; entries of later versions are not. */
function toShown({ core, author, verified, timeMs }: CheckedEntry): Shown | undefined {
  const name = author?.name ?? "unknown";
  switch (core.content) {
    case Content.joined:
      return { kind: "joined", name };
    case Content.left:
      return { kind: "left", name };
    case Content.text:
    case Content.action:
      return {
        kind: "message",
        name,
        text: new TextDecoder().decode(core.payload),
        action: core.content === Content.action,
        verified,
        time: timeMs,
      };
    default:
      return undefined;
  }
}
