/**
 * The conversation between a client and whoever uses it: lines in, messages out.
 *
 * @module
 */

import { equal } from "../../protocol/bytes.ts";
import type { Clock } from "../../protocol/clock.ts";
import { decodeCore } from "../../protocol/entry.ts";
import { type LinkOf, whoText } from "./answers.ts";
import { complete, type Completion } from "./completion.ts";
import { carryOut, madeText } from "./deeds.ts";
import { Delivery } from "./delivery.ts";
import type { ClientEvent } from "../events.ts";
import { Refused } from "../handshake.ts";
import { parseInput } from "./input.ts";
import { patiently } from "./patience.ts";
import type { Client } from "../reconnect.ts";
import type { RoomView } from "./room_views.ts";
import type { Scene } from "./scene.ts";
import { textOf } from "../store/kept.ts";
import { notice, type Ui } from "./ui.ts";
import { Watch } from "./watch.ts";

/** What a conversation needs beside client and user. */
export interface ChatOptions {
  readonly clock: Pick<Clock, "timer">;
  readonly payloadBytesMax: number;
  /** Stays when the input ends, and shows what comes. */
  readonly follow: boolean;
  /** The room to begin in; the lobby where none is given. */
  readonly room?: string | undefined;
  /** Whether it is open where we make it. */
  readonly isOpen?: boolean;
  /** Whether the link that we came by has an invitation. */
  readonly isInvited: boolean;
  /** The link that lets somebody in by an invitation. */
  readonly linkOf: LinkOf;
}

/** The room that was asked for cannot be talked in. */
export class RoomError extends Error {
  override readonly name = "RoomError";
}

/** How long to wait before a room is asked for again, and how often. */
const joinAgainMs = 1_000;
const joinTriesMax = 5;

/** Who has mistyped a room's name would talk to nobody, and not know. */
const madeByPipeText = (room: string) =>
  `There was no room ${room}, so it was made. Nobody else is in it yet.`;

/** MUST NOT end before all that was said is in the log or given up. */
export class Chat {
  readonly #ui: Ui;
  readonly #options: ChatOptions;
  readonly #watch: Watch;
  readonly #delivery: Delivery;
  readonly #knownRooms = new Set<string>();
  #client: Client | undefined;

  constructor(ui: Ui, options: ChatOptions) {
    this.#ui = ui;
    this.#options = options;
    this.#watch = new Watch(ui, options.clock);
    this.#delivery = new Delivery(ui, options.clock);
  }

  /** Messages that the server would not have. */
  get undelivered(): number {
    return this.#delivery.undelivered;
  }

  /** Shows what a client tells. */
  readonly onEvent = (event: ClientEvent): void => {
    if (event.kind === "undelivered") this.#delivery.giveUp(event.text, this.#saidIn(event));
    else if (event.kind === "delayed") this.#delivery.explain(event.reason);
    else {
      if (event.kind === "entries") {
        this.#delivery.confirm(event.entries.filter(({ isOwn }) => isOwn).length);
      }
      this.#watch.take(event);
    }
    if (this.#client) this.#watch.drawPrompt();
  };

  #saidIn({ core, room: id }: Extract<ClientEvent, { kind: "undelivered" }>) {
    const text = textOf({ core: decodeCore(core), isErased: false });
    if (text === undefined) return undefined;
    const room = this.#client?.rooms.find((one) => equal(one.id, id))?.info.name;
    return { text, room };
  }

  /** Shows a person what was said last, as far as it is kept; then what was missed can come. */
  begin(client: Client): void {
    this.#client = client;
    this.#watch.begin(client, this.#options.room, this.#options.isInvited);
  }

  /** Says the user's lines until the input ends or the user quits, and until all is delivered. */
  async run(client: Client): Promise<void> {
    const { outputGone } = this.#ui;
    try {
      this.#watch.open();
      if (!this.#here) await this.#enterFirst(client);
      this.#watch.drawPrompt();
      this.#ui.attend({
        complete: (line) => this.#complete(line),
        typed: (line) => this.#typed(line),
      });
      void this.#greet(client);
      const isEnded = await this.#takeLines(client);
      if (isEnded && this.#options.follow) await Promise.race([outputGone, this.#watch.lost]);
      await this.#delivery.finish(client);
    } finally {
      client.close();
      this.#watch.close();
    }
    if (!this.#ui.hasCommands && !this.#here) throw new RoomError("The room is gone.");
  }

  /** Goes into the room that was asked for, over however many connections. */
  async #enterFirst(client: Client): Promise<void> {
    const { clock, room: name = "", isOpen: open = false } = this.#options;
    this.#watch.moving = name;
    for (let tries = 1; !this.#here; tries++) {
      try {
        const join = () => client.join(name, { open });
        const { room, isNew } = await patiently(clock, (text) => this.#notice(text), join);
        this.#watch.enter(this.#watch.views.of(room));
        if (isNew) this.#notice(this.#ui.hasCommands ? madeText : madeByPipeText(room.info.name));
      } catch (error) {
        if (error instanceof Refused && error.code !== "offline") {
          throw new RoomError(`Cannot go into ${name}. ${error.message}`, { cause: error });
        }
        // The connection broke, and comes back by itself; or the server gives up on us, and run() says so.
        if (!client.isConnected) tries = 0;
        else if (tries === joinTriesMax) throw error;
        await new Promise<void>((resolve) => clock.timer(joinAgainMs, resolve));
      }
    }
    this.#watch.moving = undefined;
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
    if (this.#here) this.#delivery.sayIn(client, this.#here, text, {});
    else this.#delivery.giveUp("The room is gone.", { text });
  }

  /** A person's line; false when it says to quit. */
  async #type(client: Client, line: string): Promise<boolean> {
    const intent = parseInput(line, this.#options.payloadBytesMax);
    this.#watch.moving = intent.kind === "join"
      ? intent.name.toLowerCase()
      : intent.kind === "msg"
      ? `@${intent.name}`
      : intent.kind === "part" && intent.name !== undefined
      ? this.#watch.views.named(intent.name)?.name
      : intent.kind === "part" || intent.kind === "close"
      ? this.#here?.name
      : undefined;
    const isStaying = await carryOut(this.#scene(client), intent);
    this.#watch.drawPrompt();
    return isStaying;
  }

  #scene(client: Client): Scene {
    return {
      client,
      ui: this.#ui,
      views: this.#watch.views,
      self: this.#watch.self,
      clock: this.#options.clock,
      knownRooms: this.#knownRooms,
      linkOf: this.#options.linkOf,
      notice: (text) => this.#notice(text),
      say: (view, text, options) => this.#delivery.say(client, view, text, options),
      show: (view) => this.#watch.enter(view),
    };
  }

  /** Others see that somebody types; not which command. */
  #typed(line: string): void {
    const here = this.#here;
    if (here && line.trim() !== "" && !line.startsWith("/")) this.#client?.typing(here.room.id);
  }

  #complete(line: string): Completion {
    const { here, all } = this.#watch.views;
    const ownRooms = all.map(({ name }) => name);
    return complete(line, {
      role: here?.room.info.role,
      isAdmin: this.#client!.welcome.isAdmin,
      rooms: [...ownRooms, ...this.#knownRooms],
      ownRooms,
      people: [...here?.people ?? []],
    });
  }

  /** When this has been said, all that is said from then on is heard. */
  async #greet(client: Client): Promise<void> {
    const here = this.#here;
    if (!here) return;
    const { name } = this.#watch.self;
    try {
      const who = await client.command("who", {}, here.room.id);
      if (!this.#ui.hasCommands) {
        return this.#notice(
          `You are ${name} in ${here.name} (${here.room.info.sealed ? "sealed" : "open"}).`,
        );
      }
      const present = who.here === 1 && who.total === 1 ? "Nobody else is here." : whoText(who);
      const names = this.#watch.views.all.map((view) => view.name);
      const rooms = names.length > 1 ? ` Your rooms: ${names.join(", ")}.` : "";
      this.#notice(`You are ${name}. ${present}${rooms} /help lists the commands.`);
      const { rooms: known } = await client.command("rooms", {});
      for (const room of known) this.#knownRooms.add(room.name);
    } catch {
      // The connection broke already, which is told elsewhere.
    }
  }

  /** The room that is talked in. */
  get #here(): RoomView | undefined {
    return this.#watch.views.here;
  }

  #notice(text: string): void {
    notice(this.#ui, text);
  }
}
