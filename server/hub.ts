/**
 * The rooms, and who is in them: who arrives and who leaves becomes an entry of the room's log.
 *
 * @module
 */

import { deviceIdOf } from "../crypto/identity.ts";
import { mapKey } from "../protocol/bytes.ts";
import type { Clock } from "../protocol/clock.ts";
import { Content, encodeCore, Proof } from "../protocol/entry.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { leaveGraceMs } from "../protocol/limits.ts";
import { type Person, personPayload } from "../protocol/message.ts";
import { newId } from "./people.ts";
import { Room, type RoomOptions } from "./room.ts";

/** Somebody in a room, by as many sessions as they have there. */
interface Presence {
  readonly person: Person;
  sessions: number;
  /** Set while nobody knows yet whether they come back. */
  cancelLeave: (() => void) | undefined;
}

/** A room with the people in it. */
export interface PeopledRoom {
  readonly room: Room;
  readonly present: Map<string, Presence>;
}

/** What a hub takes from outside. */
export type HubOptions = Omit<RoomOptions, "id" | "name" | "newChannelId">;

/** MUST show each arrival and each departure of a user once, however many sessions they have. */
export class Hub {
  readonly #clock: Clock;
  readonly #serverId: Uint8Array;
  readonly #rooms = new Map<string, PeopledRoom>();
  readonly lobby: Room;

  private constructor(options: HubOptions, lobby: Room) {
    this.#clock = options.clock;
    this.#serverId = deviceIdOf(options.identity.publicKey);
    this.lobby = lobby;
    this.#rooms.set(mapKey(lobby.id), { room: lobby, present: new Map() });
  }

  /** A hub with its lobby open. */
  static async open(options: HubOptions): Promise<Hub> {
    let channels = 0;
    const lobby = await Room.open({
      ...options,
      id: lobbyId(options.identity.publicKey),
      name: "lobby",
      newChannelId: () => ++channels,
    });
    return new Hub(options, lobby);
  }

  /**
   * The room with this id.
   *
   * @throws {ProtocolError} no_such_room
   */
  room(id: Uint8Array): PeopledRoom {
    const room = this.#rooms.get(mapKey(id));
    if (!room) throw new ProtocolError("no_such_room");
    return room;
  }

  /** What a newcomer is told of the rooms. */
  list(): { id: Uint8Array; name: string; sealed: boolean }[] {
    return [...this.#rooms.values().map(({ room: { id, name } }) => ({ id, name, sealed: false }))];
  }

  /** Resolves when all that was published is with the writers. */
  async flushed(): Promise<void> {
    for (const { room } of this.#rooms.values()) await room.flushed();
  }

  /** One more session of a person is in a room. */
  arrive({ room, present }: PeopledRoom, person: Person): void {
    const key = mapKey(person.userId);
    const presence = present.get(key);
    if (presence) {
      presence.sessions++;
      presence.cancelLeave?.();
      presence.cancelLeave = undefined;
      return;
    }
    present.set(key, { person, sessions: 1, cancelLeave: undefined });
    this.#publishEvent(room, Content.joined, person);
  }

  /**
   * One session less.
   *
   * @param isFinal they said so; else a reconnect within the grace time is not shown
   */
  depart({ room, present }: PeopledRoom, userId: Uint8Array, isFinal: boolean): void {
    const key = mapKey(userId);
    const presence = present.get(key);
    if (!presence || --presence.sessions > 0) return;
    const leave = () => {
      present.delete(key);
      this.#publishEvent(room, Content.left, presence.person);
    };
    if (isFinal) leave();
    else presence.cancelLeave = this.#clock.timer(leaveGraceMs, leave);
  }

  /** Ends all timers. */
  close(): void {
    for (const { room, present } of this.#rooms.values()) {
      for (const presence of present.values()) presence.cancelLeave?.();
      room.close();
    }
  }

  #publishEvent(room: Room, content: Content, person: Person): void {
    const payload = personPayload.encode(person);
    const core = encodeCore({ proof: Proof.unverified, content, messageId: newId(), payload });
    room.publish({ deviceId: this.#serverId, core });
  }
}

/** The lobby's id: the same for as long as the server's identity is. */
function lobbyId(identity: Uint8Array): Uint8Array {
  const id = deviceIdOf(identity).slice();
  id[0]! ^= 0xff; // Not the server's own id, which is the author of events.
  return id;
}
