/**
 * The sealed rooms of a client, over however many connections.
 *
 * @module
 */

import { mapKey } from "../../protocol/bytes.ts";
import type { RoomInfo } from "../../protocol/command.ts";
import { roomsPerUserMax } from "../../protocol/limits.ts";
import type { KeptGroup } from "../store/store.ts";
import type { Orphans } from "./orphans.ts";
import { People } from "./people.ts";
import { SealedRoom, type SealedRoomOptions } from "./sealed_room.ts";
import type { Server } from "./server.ts";

/** What they take from outside. */
export interface SealedRoomsOptions extends Omit<SealedRoomOptions, "people"> {
  /** Told of a name that comes with another key than before. */
  readonly onChangedKey: (name: string) => void;
}

/** MUST have each sealed room once, however often it is joined. */
export class SealedRooms {
  readonly people: People;
  readonly #options: SealedRoomOptions;
  readonly #rooms = new Map<string, SealedRoom>();
  /** Of rooms of two that we have left: there we read on from where we were. */
  readonly #orphans = new Map<string, Orphans>();
  /** What an earlier process has left, of rooms that were not met yet. */
  readonly #kept: Map<string, KeptGroup>;

  constructor({ onChangedKey, ...options }: SealedRoomsOptions) {
    this.people = new People(options.profile, onChangedKey);
    this.#options = { ...options, people: this.people };
    this.#kept = new Map(options.profile.groups().map((kept) => [mapKey(kept.room), kept]));
  }

  /** We are in this room, which is so now; nothing happens for an open one. */
  async enter(info: RoomInfo): Promise<void> {
    if (!info.sealed) return;
    const key = mapKey(info.id);
    const there = this.#rooms.get(key);
    if (there) {
      there.info = info;
      return;
    }
    const room = new SealedRoom(info, this.#options, this.#orphans.get(key));
    this.#rooms.set(key, room);
    const kept = this.#kept.get(key);
    this.#kept.delete(key);
    if (kept) await room.restore(kept);
  }

  /** This room, if it is sealed and ours. */
  find(id: Uint8Array): SealedRoom | undefined {
    return this.#rooms.get(mapKey(id));
  }

  /** We are in this room no more; should we come back, we are let in anew. */
  leave(id: Uint8Array): void {
    const room = this.#rooms.get(mapKey(id));
    if (!room) return;
    room.left();
    this.#rooms.delete(mapKey(id));
    this.#options.profile.dropGroup(id);
    this.#options.profile.dropInvitation(id);
    const { orphans } = room.keys;
    if (orphans) this.#orphans.set(mapKey(id), orphans);
    if (this.#orphans.size <= roomsPerUserMax) return;
    this.#orphans.delete(this.#orphans.keys().next().value!);
  }

  /** A session begins to read this room. */
  joined(id: Uint8Array, server: Server): void {
    this.find(id)?.joined(server);
  }

  /** It has read what there was. */
  attached(id: Uint8Array, server: Server): void {
    this.find(id)?.attached(server);
  }

  /** The session is gone. */
  detached(): void {
    for (const room of this.#rooms.values()) room.detached();
  }

  /** Who was doubted is accepted: what waited for that goes on. */
  accept(name: string): void {
    this.people.accept(name);
    for (const { keys } of this.#rooms.values()) keys.changed();
  }
}
