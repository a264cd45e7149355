/**
 * What a client tells of itself in passing: up to where entries have come and were read, and that its
 * user is typing. Neither often, for each costs others something; and no more often is it kept up to
 * where a room was read.
 *
 * @module
 */

import { mapKey } from "../protocol/bytes.ts";
import type { Clock } from "../protocol/clock.ts";
import { seenMs, seenRoomsMax, typingMs } from "../protocol/limits.ts";
import type { ClientRoom } from "./events.ts";
import type { Session } from "./session.ts";

/** What receipts take from outside. */
export interface ReceiptsOptions {
  /** Keeps up to where a room was read. */
  readonly keep: (room: ClientRoom) => void;
  /** Whether what comes in a room can be read: of what has come sealed for others nothing is told. */
  readonly canRead: (room: ClientRoom) => boolean;
}

/** MUST tell the newest state of each room in the end; MUST NOT tell one room's twice a second. */
export class Receipts {
  readonly #clock: Clock;
  readonly #options: ReceiptsOptions;
  readonly #keptSeqs = new Map<string, number>();
  #session: Session | undefined;
  /** Rooms of which there is something to tell, the one that waits longest first. */
  readonly #waiting = new Map<string, ClientRoom>();
  /** What was told last in this session, by room. */
  #told = new Map<string, string>();
  #typedMs = new Map<string, number>();
  #cancelPause: (() => void) | undefined;

  constructor(clock: Clock, options: ReceiptsOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** A session is there. */
  open(session: Session): void {
    this.#session = session;
    this.#told = new Map();
    this.#typedMs = new Map();
  }

  /** The session is gone. */
  close(): void {
    this.#session = undefined;
    for (const [key, room] of this.#waiting) this.#keepRead(key, room);
    this.#waiting.clear(); // What is to be told is told anew in the next session.
    this.#cancelPause?.();
    this.#cancelPause = undefined;
  }

  /** Something has come to a room, or was read there. */
  note(room: ClientRoom): void {
    this.#waiting.set(mapKey(room.id), room);
    if (!this.#cancelPause) this.#tell();
  }

  /** We are in a room no more. */
  forget({ id }: ClientRoom): void {
    this.#waiting.delete(mapKey(id));
  }

  /** The user is typing. */
  typing({ id }: ClientRoom): void {
    const key = mapKey(id);
    const nowMs = this.#clock.now();
    if (nowMs - (this.#typedMs.get(key) ?? -Infinity) < typingMs) return;
    if (!this.#session) return;
    this.#typedMs.set(key, nowMs);
    this.#session.sendTyping(id);
  }

  #tell(): void {
    this.#cancelPause = undefined;
    let count = 0;
    for (const [key, room] of this.#waiting) {
      if (count === seenRoomsMax) break;
      this.#waiting.delete(key);
      const isKept = this.#keepRead(key, room);
      if (this.#send(key, room) || isKept) count++;
    }
    if (count > 0) this.#cancelPause = this.#clock.timer(seenMs, () => this.#tell());
  }

  /** Whether there was something to tell. */
  #send(key: string, room: ClientRoom): boolean {
    const { id, cursor, readSeq } = room;
    const state = `${cursor?.seq} ${readSeq}`;
    if (!this.#session || !cursor || this.#told.get(key) === state) return false;
    if (!this.#options.canRead(room)) return false;
    this.#told.set(key, state);
    this.#session.seen(id, cursor.seq, readSeq);
    return true;
  }

  /** Whether there was something to keep. */
  #keepRead(key: string, room: ClientRoom): boolean {
    const keptSeq = this.#keptSeqs.get(key);
    this.#keptSeqs.set(key, room.readSeq);
    if (keptSeq === room.readSeq) return false;
    this.#options.keep(room);
    return true;
  }
}
