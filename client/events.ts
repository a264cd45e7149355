/**
 * What a client tells the one who uses it.
 *
 * @module
 */

import type { RoomInfo } from "../protocol/command.ts";
import type { Control, Cursor } from "../protocol/message.ts";
import type { CheckedEntry } from "./room_log.ts";
import type { KeysHappening } from "./sealed/happenings.ts";

/** An entry, and whether this client said it, by the connection it has or one before. */
export interface ClientEntry extends CheckedEntry {
  readonly isOwn: boolean;
}

/** A room that the user is in, as it is now. */
export interface ClientRoom {
  readonly id: Uint8Array;
  readonly info: RoomInfo;
  /** Where the reader stands; undefined before the server has said so for the first time. */
  readonly cursor: Cursor | undefined;
  /** Up to here it was read; what stood there before we came counts as read. */
  readonly readSeq: number;
  /** The first entry that was not read; undefined when there is none. */
  readonly firstUnreadSeq: number | undefined;
}

/** Who has come and who has gone; `more` of either are not named. */
export type Presence = Omit<Control<"presence">, "room">;

/** What a client tells, in order. */
export type ClientEvent =
  | {
    readonly kind: "entries";
    readonly room: ClientRoom;
    readonly entries: readonly ClientEntry[];
  }
  /**
   * The log goes on elsewhere: something may be missing here, and of what was shown the last `dropped`
   * that were kept are not in it any more.
   */
  | {
    readonly kind: "reset";
    readonly room: ClientRoom;
    readonly reason: string;
    readonly dropped: number;
  }
  | ({ readonly kind: "presence"; readonly room: ClientRoom } & Presence)
  | { readonly kind: "typing"; readonly room: ClientRoom; readonly name: string }
  /** We are in this room, new or not, which is so now. */
  | { readonly kind: "room"; readonly room: ClientRoom; readonly isNew: boolean }
  /** We are in this room no more. */
  | {
    readonly kind: "removed";
    readonly room: Uint8Array;
    readonly name: string;
    readonly reason: string;
  }
  /** Something happened to the keys of a sealed room. */
  | { readonly kind: "keys"; readonly room: ClientRoom; readonly happening: KeysHappening }
  /** Another key goes with this name than before. */
  | { readonly kind: "changed_key"; readonly name: string }
  | { readonly kind: "disconnected"; readonly reason: string }
  | { readonly kind: "reconnected" }
  /** The server takes nothing just now; what was said is sent again by itself. */
  | { readonly kind: "delayed"; readonly reason: string }
  /** The server will not have this message. */
  | {
    readonly kind: "undelivered";
    readonly room: Uint8Array;
    readonly messageId: Uint8Array;
    /** What was said (protocol/entry.ts). */
    readonly core: Uint8Array;
    /** Why not. */
    readonly text: string;
  };
