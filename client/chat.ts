/**
 * The conversation between a client and whoever uses it: lines in, messages out.
 *
 * @module
 */

import { equal } from "../protocol/bytes.ts";
import type { Clock } from "../protocol/clock.ts";
import { Content } from "../protocol/entry.ts";
import { helpText, parseInput } from "./input.ts";
import type { Client, ClientEntry, ClientEvent } from "./reconnect.ts";
import type { Shown } from "./render.ts";
import { notice, type Ui } from "./ui.ts";

/** What a conversation needs beside client and user. */
export interface ChatOptions {
  readonly clock: Pick<Clock, "timer">;
  readonly payloadBytesMax: number;
  /** Stays when the input ends, and shows what comes. */
  readonly follow: boolean;
}

/** For so long nobody minds that the server has not confirmed anything. */
const unconfirmedMs = 3_000;

const room = "lobby (open)";
const prompt = `${room}> `;
const offlinePrompt = "lobby (not connected)> ";

/** MUST NOT end before all that was said is in the log or given up. */
export class Chat {
  readonly #ui: Ui;
  readonly #options: ChatOptions;
  #client: Client | undefined;
  #undelivered = 0;
  /** How many of our messages the log has. */
  #confirmed = 0;
  #cancelReminder: (() => void) | undefined;

  constructor(ui: Ui, options: ChatOptions) {
    this.#ui = ui;
    this.#options = options;
  }

  /** Messages that the server would not have. */
  get undelivered(): number {
    return this.#undelivered;
  }

  /** Shows what a client tells. */
  readonly onEvent = (event: ClientEvent): void => {
    switch (event.kind) {
      case "entries":
        for (const entry of event.entries) this.#showEntry(entry);
        return;
      case "reset":
        return this.#notice(`Something may be missing here. ${event.reason}`);
      case "disconnected":
        this.#notice(`Disconnected, reconnecting by itself. ${event.reason}`);
        return this.#ui.prompt(offlinePrompt);
      case "reconnected":
        this.#notice("Connected again.");
        return this.#ui.prompt(prompt);
      case "undelivered":
        this.#undelivered++;
        return this.#notice(`Not delivered: ${event.text}`);
    }
  };

  /** Says the user's lines until the input ends or the user quits, and until all is delivered. */
  async run(client: Client): Promise<void> {
    this.#client = client;
    this.#ui.prompt(prompt);
    void this.#greet(client);
    const isEnded = await this.#takeLines(client);
    if (isEnded && this.#options.follow) await this.#ui.outputGone;
    await this.#deliverRest(client);
    client.close();
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
    await client.hasRoom();
    void client.say(text, Content.text);
  }

  /** A person's line; false when it says to quit. */
  async #type(client: Client, line: string): Promise<boolean> {
    const intent = parseInput(line, this.#options.payloadBytesMax);
    switch (intent.kind) {
      case "say":
        await this.#say(client, intent.text, Content.text);
        break;
      case "action":
        await this.#say(client, intent.text, Content.action);
        break;
      case "who":
        await this.#who(client);
        break;
      case "help":
        for (const row of helpText().split("\n")) this.#notice(row);
        break;
      case "mistake":
      case "too_long":
        this.#notice(intent.hint);
        break;
      case "quit":
        return false;
      case "nothing":
        break;
    }
    return true;
  }

  async #say(client: Client, text: string, content: Content): Promise<void> {
    if (!client.isConnected) this.#notice(`Sent as soon as the connection is back: ${text}`);
    await client.hasRoom();
    void client.say(text, content);
    this.#remindLater(client);
  }

  /** Tells when nothing of what was said arrives. */
  #remindLater(client: Client): void {
    const before = this.#confirmed;
    this.#cancelReminder ??= this.#options.clock.timer(unconfirmedMs, () => {
      this.#cancelReminder = undefined;
      if (client.undelivered === 0) return;
      if (this.#confirmed !== before) return this.#remindLater(client);
      if (client.isConnected) {
        this.#notice(`The server has not confirmed ${messages(client)} yet; still trying.`);
      }
    });
  }

  /** Waits until all is delivered, and says so when that takes long. */
  async #deliverRest(client: Client): Promise<void> {
    const cancel = this.#options.clock.timer(unconfirmedMs / 3, () => {
      const out = this.#ui.hasCommands ? " Ctrl-C leaves without that." : "";
      this.#notice(`Still to be delivered: ${messages(client)}.${out}`);
    });
    await client.delivered();
    cancel();
    this.#cancelReminder?.();
  }

  /** When this has been said, all that is said from then on is heard. */
  async #greet(client: Client): Promise<void> {
    try {
      const who = await client.who();
      if (!this.#ui.hasCommands) return this.#notice(`You are ${client.welcome.name} in ${room}.`);
      const here = who.total === 1 ? "Nobody else is here." : whoText(who);
      this.#notice(`You are ${client.welcome.name}. ${here} /help lists the commands.`);
    } catch {
      // The connection broke already, which is told elsewhere.
    }
  }

  async #who(client: Client): Promise<void> {
    try {
      this.#notice(whoText(await client.who()));
    } catch (error) {
      this.#notice(error instanceof Error ? error.message : String(error));
    }
  }

  /** What we did ourselves is known here; but on a terminal our words appear in their place. */
  #showEntry(entry: ClientEntry): void {
    if (entry.isOwn) this.#confirmed++;
    const shown = toShown(entry);
    if (!shown) return;
    const isEcho = shown.kind === "message"
      ? entry.isOwn && !this.#ui.takesLines
      : entry.author && this.#client && equal(entry.author.userId, this.#client.welcome.userId);
    if (!isEcho) this.#ui.show(shown);
  }

  #notice(text: string): void {
    notice(this.#ui, text);
  }
}

function messages({ undelivered }: Client): string {
  return undelivered === 1 ? "1 message" : `${undelivered} messages`;
}

function whoText({ names, total }: { names: readonly string[]; total: number }): string {
  const more = total > names.length ? ` and ${total - names.length} more` : "";
  return `${total} here: ${names.join(", ")}${more}.`;
}

/** How an entry is shown; entries of later versions are not. */
function toShown({ core, author, verified, timeMs }: ClientEntry): Shown | undefined {
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
