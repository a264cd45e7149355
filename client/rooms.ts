/**
 * The rooms that a client is in, over however many connections.
 *
 * @module
 */

import { mapKey } from "../protocol/bytes.ts";
import type { RoomInfo } from "../protocol/command.ts";
import type { Cursor } from "../protocol/message.ts";
import type { ClientRoom } from "./events.ts";
import { Refused } from "./handshake.ts";
import type { KeptRoom, Profile } from "./store/store.ts";

/** A room that the user is in. */
export class Room implements ClientRoom {
  info: RoomInfo;
  cursor: Cursor | undefined;
  readSeq = 0;
  /** The oldest entry that was met in one go with the newest, and the chain's hash before it. */
  oldest: Cursor | undefined;

  constructor(info: RoomInfo, kept: KeptRoom | undefined) {
    this.info = info;
    if (kept) {
      this.standAt(kept.cursor);
      this.readSeq = kept.readSeq;
    }
  }

  get id(): Uint8Array {
    return this.info.id;
  }

  get firstUnreadSeq(): number | undefined {
    return this.cursor && this.cursor.seq > this.readSeq ? this.readSeq + 1 : undefined;
  }

  /** The log goes on elsewhere. */
  reset(cursor: Cursor): void {
    const readSeq = Math.min(this.readSeq, cursor.seq);
    this.standAt(cursor);
    this.readSeq = readSeq;
  }

  /** The reader begins here: what stands before counts as read. */
  standAt(cursor: Cursor): void {
    this.readSeq = cursor.seq;
    this.cursor = cursor;
    this.oldest = { seq: cursor.seq + 1, hash: cursor.hash };
  }
}

/** MUST know the rooms that the server said we are in, and no others. */
export class Rooms {
  readonly #rooms = new Map<string, Room>();
  /** Rooms of an earlier life, or that we have left, by which they are read on. */
  readonly #kept: Map<string, KeptRoom>;
  readonly #profile: Profile;

  constructor(profile: Profile) {
    this.#profile = profile;
    this.#kept = new Map(profile.rooms().map((room) => [mapKey(room.id), room]));
  }

  /** In the order in which we came to be in them. */
  get all(): readonly Room[] {
    return [...this.#rooms.values()];
  }

  /** Rooms of an earlier life that are not among these: from now on they are none of ours. */
  takeLost(infos: readonly RoomInfo[]): KeptRoom[] {
    const there = new Set(infos.map(({ id }) => mapKey(id)));
    const lost = [...this.#kept].filter(([key, { isGone }]) => !isGone && !there.has(key));
    for (const [key, room] of lost) this.#kept.set(key, { ...room, isGone: true });
    return lost.map(([, room]) => room);
  }

  find(id: Uint8Array): Room | undefined {
    return this.#rooms.get(mapKey(id));
  }

  /** @throws {Refused} when we are not in it */
  get(id: Uint8Array): Room {
    const room = this.find(id);
    if (!room) throw new Refused("no_such_room", "You are not in this room.");
    return room;
  }

  /** We are in this room, which is so now: it, and whether it is new here. */
  put(info: RoomInfo): { room: Room; isNew: boolean } {
    const there = this.find(info.id);
    if (there) {
      there.info = info;
      return { room: there, isNew: false };
    }
    const key = mapKey(info.id);
    const kept = this.#kept.get(key);
    this.#kept.delete(key);
    const room = new Room(info, kept);
    if (kept?.isGone) this.#profile.enter(room.id, info.name, kept.cursor, info.sealed);
    this.#rooms.set(key, room);
    return { room, isNew: true };
  }

  /** We are in this room no more; should we come back, it is read on from where it was left. */
  remove(room: Room): void {
    const key = mapKey(room.id);
    this.#rooms.delete(key);
    const { id, info: { name, sealed: isSealed }, cursor, readSeq } = room;
    if (cursor) this.#kept.set(key, { id, name, cursor, readSeq, isGone: true, isSealed });
  }

  /** The reader of a room begins here. */
  attach(room: Room, cursor: Cursor): void {
    if (room.cursor) return; // A new key, or back in the tail.
    this.#profile.enter(room.id, room.info.name, cursor, room.info.sealed);
    room.standAt(cursor);
  }
}
