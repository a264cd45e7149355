/**
 * What a person's lines work on.
 *
 * @module
 */

import type { Clock } from "../../protocol/clock.ts";
import type { LinkOf } from "./answers.ts";
import type { Client } from "../reconnect.ts";
import type { RoomView, RoomViews, Self } from "./room_views.ts";
import type { SayOptions } from "../speaker.ts";
import type { Ui } from "./ui.ts";

/** What deeds work on. */
export interface Scene {
  readonly client: Client;
  readonly ui: Ui;
  readonly views: RoomViews;
  readonly self: Self;
  readonly clock: Pick<Clock, "timer">;
  /** Names of rooms that there are, as far as was heard. */
  readonly knownRooms: Set<string>;
  readonly linkOf: LinkOf;
  notice(text: string): void;
  say(view: RoomView, text: string, options: SayOptions): Promise<void>;
  /** Puts a room on the screen. */
  show(view: RoomView): void;
}

/** It cannot be done so; the text says how it can. */
export class Hint extends Error {}
