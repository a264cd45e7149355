/**
 * A room with the people in it: what is kept of it, and what is going on in it. There may be thousands in
 * which nothing is: the parts that only a busy room needs are made when they are needed.
 *
 * @module
 */

import { fromMapKey, mapKey, toBase64Url } from "../protocol/bytes.ts";
import type { Role, RoomInfo } from "../protocol/command.ts";
import { encodeControl } from "../protocol/message.ts";
import { Group } from "./group.ts";
import type { User } from "./people.ts";
import { Presence } from "./presence.ts";
import { type RecordOf, toRecord } from "./records.ts";
import { Room, type RoomOptions } from "./room.ts";
import type { StoredRecord } from "./store/store.ts";

/** Somebody's place in a room. */
export interface Membership {
  readonly userId: Uint8Array;
  role: Role;
  readonly sinceMs: number;
  mutedUntilMs: number;
  /** Up to here the user's devices have the log, and up to here it was read. */
  delivered: number;
  read: number;
  /** When the user last said something; not kept. */
  saidMs: number;
}

export class PeopledRoom {
  readonly id: Uint8Array;
  readonly name: string;
  readonly isLobby: boolean;
  /** The server cannot read it. */
  readonly isSealed: boolean;
  /** The two whom a direct room is for. */
  readonly direct: RecordOf<"room">["direct"];
  readonly sinceMs: number;
  topic: string;
  access: RoomInfo["access"];
  slowMs: number;
  isAnnounce: boolean;
  /** By user. Of the lobby, where everybody is, only those of whom there is something to keep. */
  readonly members = new Map<string, Membership>();
  readonly #options: RoomOptions;
  #allowed: Set<string> | undefined;
  #former: Map<string, Membership> | undefined;
  #room: Room | undefined;
  #presence: Presence | undefined;
  #group: Group | undefined;

  constructor(
    id: Uint8Array,
    record: RecordOf<"room">,
    isLobby: boolean,
    options: RoomOptions,
  ) {
    const { name, sinceMs, topic, access, slowMs, isAnnounce, allowed, sealed, direct } = record;
    this.id = id;
    this.name = name;
    this.isLobby = isLobby;
    this.isSealed = sealed === true;
    this.direct = direct;
    this.sinceMs = sinceMs;
    this.topic = topic;
    this.access = access;
    this.slowMs = slowMs;
    this.isAnnounce = isAnnounce;
    this.#options = options;
    if (allowed.length > 0) this.#allowed = new Set(allowed.map(mapKey));
  }

  /** Users who may come in though it is for the invited, by {@link mapKey}. */
  get allowed(): Set<string> {
    return this.#allowed ??= new Set();
  }

  /** Those who have gone and were not free to write: what counts when they come again. */
  get former(): Map<string, Membership> {
    return this.#former ??= new Map();
  }

  /** Its log and its fan-out. */
  get room(): Room {
    return this.#room ??= new Room(this.id, this.#options, () => this.group?.load());
  }

  /** The group of a sealed room; an open one has none. */
  get group(): Group | undefined {
    if (!this.isSealed) return undefined;
    return this.#group ??= new Group(this.id, this.#options.store);
  }

  /** Who is there just now. */
  get presence(): Presence {
    return this.#presence ??= new Presence(this.#options.clock, (here, gone, more) => {
      this.room.pass(encodeControl("presence", { room: this.id, here, gone, more }));
    });
  }

  /** Resolves when all that was published is with the writers. */
  async flushed(): Promise<void> {
    await this.#room?.flushed();
  }

  /** Ends all timers. */
  stop(): void {
    this.#presence?.close();
    this.#room?.close();
  }
}

/** What is kept of a new room. A sealed one is for the invited. */
export function newRoom(
  name: string,
  sinceMs: number,
  sealing: Pick<RecordOf<"room">, "sealed" | "direct"> = {},
): RecordOf<"room"> {
  return {
    name,
    topic: "",
    access: sealing.sealed ? "invited" : "anyone",
    slowMs: 0,
    isAnnounce: false,
    sinceMs,
    allowed: [],
    ...sealing,
  };
}

/** The place of somebody who comes in. */
export function newMembership(user: User, role: Role, sinceMs: number): Membership {
  const { id: userId } = user;
  return { userId, role, sinceMs, mutedUntilMs: 0, delivered: 0, read: 0, saidMs: 0 };
}

/** What the store keeps of a room. */
export function roomRecord(room: PeopledRoom, isGone = false): StoredRecord {
  const { id, name, topic, access, slowMs, isAnnounce, sinceMs, isSealed, direct } = room;
  const allowed = [...room.allowed].map(fromMapKey);
  const sealing = { ...(isSealed && { sealed: true }), ...(direct && { direct }) };
  const record = { name, topic, access, slowMs, isAnnounce, sinceMs, allowed, ...sealing };
  return toRecord("room", toBase64Url(id), isGone ? undefined : record);
}

/**
 * What the store keeps of somebody's place in a room.
 *
 * @param state `out`: not in the room, but remembered there; `gone`: to be forgotten
 */
export function memberRecord(
  { id }: PeopledRoom,
  member: Membership,
  state: "in" | "out" | "gone" = "in",
): StoredRecord {
  const { userId: user, role, sinceMs, mutedUntilMs, delivered, read } = member;
  const isOut = state === "out" && { isOut: true };
  const ids = { room: toBase64Url(id), user: toBase64Url(user) };
  const record = { ...ids, role, sinceMs, mutedUntilMs, delivered, read, ...isOut };
  const key = `${ids.room} ${ids.user}`;
  return toRecord("member", key, state === "gone" ? undefined : record);
}
