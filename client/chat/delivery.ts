/**
 * What was said, until it is in its room: who says something is told when that takes long, or will never be.
 *
 * @module
 */

import { formatDuration } from "../../protocol/answer_text.ts";
import type { Clock } from "../../protocol/clock.ts";
import type { Client } from "../reconnect.ts";
import type { RoomView } from "./room_views.ts";
import { isAllowed } from "./slash.ts";
import type { SayOptions } from "../speaker.ts";
import { ClientStoreError } from "../store/store.ts";
import { notice, type Ui } from "./ui.ts";

/** For so long nobody minds that the server has not confirmed anything. */
const unconfirmedMs = 3_000;
/** What is shown of a text that was not delivered. */
const shownChars = 40;

/** MUST NOT resolve {@link Delivery.finish} before all that was said is in the log or given up. */
export class Delivery {
  readonly #ui: Ui;
  readonly #clock: Pick<Clock, "timer">;
  #undelivered = 0;
  /** How many of our messages the log has. */
  #confirmed = 0;
  #cancelReminder: (() => void) | undefined;

  constructor(ui: Ui, clock: Pick<Clock, "timer">) {
    this.#ui = ui;
    this.#clock = clock;
  }

  /** Messages that the server would not have. */
  get undelivered(): number {
    return this.#undelivered;
  }

  /** So many messages of ours are in the log now. */
  confirm(count: number): void {
    this.#confirmed += count;
  }

  /** It is known why nothing arrives: once is enough. */
  explain(why: string): void {
    this.#cancelReminder?.();
    this.#cancelReminder = undefined;
    this.#notice(why);
  }

  /**
   * Something will never be in the log.
   *
   * @param said what that was, where it has a text, and in which room, while we are in that
   */
  giveUp(why: string, said?: { readonly text: string; readonly room?: string | undefined }): void {
    this.#undelivered++;
    const where = said?.room === undefined ? "" : ` (${said.room})`;
    const what = said ? `"${shortened(said.text)}"${where}. ` : "";
    this.#notice(`Not delivered: ${what}${why}`);
  }

  /** Says something, and tells when nothing of it arrives. */
  async say(client: Client, view: RoomView, text: string, options: SayOptions): Promise<void> {
    if (client.sealedRoom(view.room.id)?.isAlone) {
      const who = view.name.replace(/^@/, "");
      return this.#notice(
        `Not sent: only you have the keys of ${view.name}. Try /msg ${who} TEXT.`,
      );
    }
    if (!client.isConnected) this.#notice(`Sent as soon as the connection is back: ${text}`);
    await client.hasRoom();
    this.sayIn(client, view, text, options);
    this.#remindLater(client, view);
  }

  /** Says something; it is sent in the order said. */
  sayIn(
    client: Client,
    { room: { id }, name: room }: RoomView,
    text: string,
    options: SayOptions,
  ): void {
    client.say(id, text, options).catch((error) => {
      if (error instanceof ClientStoreError) return; // The client ends by it, and says so.
      const why = error instanceof Error ? error.message : String(error);
      this.giveUp(why, text === "" ? undefined : { text, room });
    });
  }

  /** Tells when nothing of what was said arrives. */
  #remindLater(client: Client, view: RoomView): void {
    const before = this.#confirmed;
    this.#cancelReminder ??= this.#clock.timer(unconfirmedMs, () => {
      this.#cancelReminder = undefined;
      if (client.undelivered === 0) return;
      if (this.#confirmed !== before) return this.#remindLater(client, view);
      if (client.isConnected) this.#notice(waitingText(client, view));
    });
  }

  /** Waits until all is delivered, and says so when that takes long. */
  async finish(client: Client): Promise<void> {
    const cancel = this.#clock.timer(unconfirmedMs / 3, () => {
      const out = this.#ui.hasCommands ? " Ctrl-C leaves without that." : "";
      this.#notice(`Still to be delivered: ${messages(client)}.${out}`);
    });
    await client.delivered();
    cancel();
    this.#cancelReminder?.();
  }

  #notice(text: string): void {
    notice(this.#ui, text);
  }
}

/** Enough of a text to know which one it is. */
function shortened(text: string): string {
  const chars = [...text.replaceAll(/\s+/g, " ")];
  return chars.length > shownChars
    ? `${chars.slice(0, shownChars).join("").trimEnd()}…`
    : chars.join("");
}

/** Why what was said is not in its room yet. */
function waitingText(client: Client, { name, room: { info } }: RoomView): string {
  const isFree = isAllowed("moderator", { role: info.role, isAdmin: client.welcome.isAdmin });
  if (info.slowMs === 0 || isFree) {
    return `The server has not confirmed ${messages(client)} yet; still trying.`;
  }
  return `${name} is slow: one message each ${formatDuration(info.slowMs)}. ` +
    `Still waiting: ${messages(client)}.`;
}

function messages({ undelivered }: Client): string {
  return undelivered === 1 ? "1 message" : `${undelivered} messages`;
}
