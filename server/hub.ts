/**
 * The rooms: what is kept of them, who belongs to them, who is there just now.
 *
 * @module
 */

import { deviceIdOf } from "../crypto/identity.ts";
import { equal, fromBase64Url, mapKey, toBase64Url } from "../protocol/bytes.ts";
import type { Clock } from "../protocol/clock.ts";
import { type Change, lobbyName, roles, type RoomInfo } from "../protocol/command.ts";
import { Content, encodeCore, Proof } from "../protocol/entry.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { roomsMax, roomsPerUserMax } from "../protocol/limits.ts";
import { encodeControl, type Person, personPayload } from "../protocol/message.ts";
import { normalizeName, skeleton } from "../protocol/name.ts";
import { Comings } from "./comings.ts";
import type { User } from "./people.ts";
import { newId } from "./people.ts";
import { Backlog } from "./fanout/backlog.ts";
import { Keeping } from "./keeping.ts";
import {
  memberRecord,
  type Membership,
  newMembership,
  newRoom,
  PeopledRoom,
  roomRecord,
} from "./peopled_room.ts";
import type { Reader } from "./fanout/reader.ts";
import { eachRecord, type RecordOf } from "./records.ts";
import type { RoomOptions } from "./room.ts";
import type { Store, StoredRecord } from "./store/store.ts";

/** A session, as the rooms see it. */
export interface Attendee extends Reader {
  readonly user: User;
  readonly person: Person;
  /** The rooms that it reads. */
  readonly rooms: Set<PeopledRoom>;
}

/** One of the two whom a direct room is for. */
export interface Party {
  readonly user: User;
  /** As others see them who come in. */
  readonly person: Person;
}

/** What a hub takes from outside. */
export type HubOptions = Omit<RoomOptions, "newChannelId" | "backlog">;

/** MUST keep what it changes; MUST let nobody read a room who is not in it. */
export class Hub {
  /** What all rooms have in common. */
  readonly #options: RoomOptions;
  readonly #store: Store;
  readonly #keeping: Keeping;
  readonly #comings: Comings;
  readonly #clock: Clock;
  readonly #serverId: Uint8Array;
  readonly #rooms = new Map<string, PeopledRoom>();
  readonly #byName = new Map<string, PeopledRoom>();
  /** By the two whom they are for. */
  readonly #direct = new Map<string, PeopledRoom>();
  /** By user, the rooms beside the lobby. */
  readonly #joined = new Map<string, Set<PeopledRoom>>();
  /** By user, those who are logged in. */
  readonly #sessions = new Map<string, Set<Attendee>>();
  readonly lobby: PeopledRoom;

  private constructor(options: HubOptions, lobby: RecordOf<"room"> | undefined) {
    let channels = 0;
    this.#options = { ...options, backlog: new Backlog(), newChannelId: () => ++channels };
    this.#store = options.store;
    this.#keeping = new Keeping(options.store);
    this.#clock = options.clock;
    this.#serverId = deviceIdOf(options.identity.publicKey);
    this.#comings = new Comings({
      keeping: this.#keeping,
      serverId: this.#serverId,
      clock: options.clock,
      isThere: (room) => this.find(room.id) === room,
    });
    this.lobby = this.#add(
      lobbyId(options.identity.publicKey),
      lobby ?? newRoom(lobbyName, 0),
      true,
    );
  }

  /** The rooms that the store knows, and the lobby. */
  static async open(options: HubOptions): Promise<Hub> {
    const lobbyKey = toBase64Url(lobbyId(options.identity.publicKey));
    let lobby: RecordOf<"room"> | undefined;
    const rooms: [id: Uint8Array, record: RecordOf<"room">][] = [];
    for await (const [key, record] of eachRecord(options.store, "room")) {
      if (key === lobbyKey) lobby = record;
      else rooms.push([fromBase64Url(key), record]);
    }
    const hub = new Hub(options, lobby);
    const byText = new Map([[lobbyKey, hub.lobby]]);
    for (const [id, record] of rooms) byText.set(toBase64Url(id), hub.#add(id, record, false));
    const idOf = idsOnce();
    for await (const [, record] of eachRecord(options.store, "member")) {
      const { room: text, user, isOut, ...kept } = record;
      const room = byText.get(text);
      const userId = idOf(user);
      const membership = { ...kept, userId, saidMs: 0 };
      if (room && isOut) room.former.set(mapKey(userId), membership);
      else if (room) hub.#settle(room, membership);
    }
    await hub.#comings.resume(options.store, (key) => byText.get(key));
    return hub;
  }

  /**
   * The room with this id.
   *
   * @throws {ProtocolError} no_such_room
   */
  room(id: Uint8Array): PeopledRoom {
    const room = this.find(id);
    if (!room) throw new ProtocolError("no_such_room");
    return room;
  }

  /** The room with this id, if there is one. */
  find(id: Uint8Array): PeopledRoom | undefined {
    return this.#rooms.get(mapKey(id));
  }

  /** The room of this name, however it is written. */
  named(name: string): PeopledRoom | undefined {
    return this.#byName.get(skeleton(name.replace(/^#/, "")));
  }

  /** All rooms, the lobby first. */
  all(): IterableIterator<PeopledRoom> {
    return this.#rooms.values();
  }

  get size(): number {
    return this.#rooms.size;
  }

  /** The rooms that a user is in, the lobby first. */
  roomsOf(user: User): PeopledRoom[] {
    return [this.lobby, ...this.#joined.get(mapKey(user.id)) ?? []];
  }

  /** A user's place in a room; everybody has one in the lobby. */
  membership(room: PeopledRoom, user: User): Membership | undefined {
    const known = room.members.get(mapKey(user.id));
    if (known || !room.isLobby) return known;
    const membership = newMembership(user, "member", user.sinceMs);
    if (user.key) room.members.set(mapKey(user.id), membership);
    return membership;
  }

  /** What a member is told of a room. */
  info(room: PeopledRoom, user: User): RoomInfo {
    const { id, isSealed: sealed, topic, access, slowMs, isAnnounce } = room;
    const name = nameFor(room, user);
    const role = this.membership(room, user)?.role ?? "reader";
    const direct = room.direct !== undefined;
    return { id, name, sealed, topic, role, access, slowMs, isAnnounce, direct };
  }

  /**
   * A new room with its owner in it; resolves when that is kept.
   *
   * @throws {ProtocolError} bad_name, name_lookalike, room_limit
   */
  async create(name: string, owner: User, isSealed = false): Promise<PeopledRoom> {
    const normal = normalizeName(name).toLowerCase();
    if (this.named(normal)) throw new ProtocolError("name_lookalike");
    const sealing = isSealed ? { sealed: true } : {};
    return await this.#make(newRoom(normal, this.#clock.now(), sealing), [owner]);
  }

  /**
   * The sealed room of two users, with both in it; resolves when that is kept.
   *
   * @throws {ProtocolError} room_limit
   */
  async direct(one: Party, other: Party): Promise<{ room: PeopledRoom; isNew: boolean }> {
    const known = this.#direct.get(pairKey(one.user, other.user));
    if (known) {
      const admitted = [one, other].map(({ user, person }) => this.admit(known, user, person));
      await Promise.all(admitted);
      return { room: known, isNew: false };
    }
    const direct: PeopledRoom["direct"] = [partyOf(one.user), partyOf(other.user)];
    const name = `@${one.user.name} @${other.user.name}`;
    const record = newRoom(name, this.#clock.now(), { sealed: true, direct });
    return { room: await this.#make(record, [one.user, other.user]), isNew: true };
  }

  async #make(record: RecordOf<"room">, owners: readonly User[]): Promise<PeopledRoom> {
    if (this.#rooms.size >= roomsMax) throw new ProtocolError("room_limit");
    for (const owner of owners) this.#mustHaveRoomFor(owner);
    const room = this.#add(newId(), record, false);
    const members = owners.map((owner) => newMembership(owner, "owner", record.sinceMs));
    for (const member of members) this.#settle(room, member);
    const records = [roomRecord(room), ...members.map((member) => memberRecord(room, member))];
    await this.#keeping.tryPut(records).catch((cause) => {
      this.#takeAway(room, "The room could not be kept.");
      throw cause;
    });
    return room;
  }

  /** Puts a user into a room, which is theirs where nobody is left in it; resolves when that is kept. */
  async admit(room: PeopledRoom, user: User, person: Person): Promise<void> {
    if (this.membership(room, user)) return;
    this.#mustHaveRoomFor(user);
    const key = mapKey(user.id);
    const former = room.former.get(key);
    room.former.delete(key);
    const role = former?.role === "reader" ? "reader" : "member";
    const isOwner = room.members.size === 0 || room.direct !== undefined;
    const membership: Membership = {
      ...newMembership(user, isOwner ? "owner" : role, this.#clock.now()),
      mutedUntilMs: former?.mutedUntilMs ?? 0,
      saidMs: former?.saidMs ?? 0,
    };
    this.#settle(room, membership);
    const coming = this.#tellComing(room, user, person, Content.joined);
    await this.#keeping.tryPut([memberRecord(room, membership), coming]).catch((cause) => {
      this.dismiss(room, user, undefined).catch(() => {});
      throw cause;
    });
  }

  /**
   * Takes a user out of a room; resolves when that is kept. Who could not write there cannot do so
   * either when they come again.
   *
   * @param reason what the user is told; undefined when it was the user's own wish
   */
  async dismiss(room: PeopledRoom, user: User, reason: string | undefined): Promise<void> {
    const membership = room.members.get(mapKey(user.id));
    if (room.isLobby || !membership) return;
    room.members.delete(mapKey(user.id));
    this.#joined.get(mapKey(user.id))?.delete(room);
    this.#turnOut(room, user, reason ?? "You left.");
    const person = { deviceId: this.#serverId, userId: user.id, name: user.name };
    const going = this.#tellComing(room, user, person, Content.left);
    const nowMs = this.#clock.now();
    const isRestricted = membership.role === "reader" || membership.mutedUntilMs > nowMs ||
      room.slowMs > 0 && membership.saidMs + room.slowMs > nowMs;
    if (isRestricted) room.former.set(mapKey(user.id), membership);
    await this.#keeping.put([memberRecord(room, membership, isRestricted ? "out" : "gone"), going]);
  }

  /**
   * Takes a room and its log away; resolves when that is kept.
   *
   * @param alongside called in the turn in which that is kept, for what has to be kept with it
   */
  async close(
    room: PeopledRoom,
    reason: string,
    alongside: () => Promise<unknown> = () => Promise.resolve(),
  ): Promise<void> {
    if (room.isLobby) throw new ProtocolError("forbidden", "The lobby cannot be closed.");
    const records = [...room.members.values(), ...room.former.values()].map((member) =>
      memberRecord(room, member, "gone")
    );
    this.#takeAway(room, reason);
    await room.flushed();
    room.stop();
    const ofGroup = await room.group?.recordsGone() ?? [];
    await Promise.all([
      this.#keeping.put([roomRecord(room, true), ...records, ...ofGroup]),
      this.#store.drop(room.id),
      alongside(),
    ]);
  }

  /**
   * Whether a room that has an owner has one without these users too. One that nobody is in needs none.
   *
   * @param doTheyStay they lose their roles only
   */
  hasOwnerWithout(room: PeopledRoom, users: readonly User[], doTheyStay: boolean): boolean {
    const without = new Set(users.map(({ id }) => mapKey(id)));
    const isOneOfThem = [...without].some((key) => room.members.get(key)?.role === "owner");
    if (room.isLobby || !isOneOfThem) return true;
    const others = [...room.members].filter(([key]) => !without.has(key));
    return !doTheyStay && others.length === 0 || others.some(([, { role }]) => role === "owner");
  }

  /** Takes a user out of everything who is no longer known; a room's last owner leaves an heir. */
  async forget(user: User, reason: string): Promise<void> {
    const key = mapKey(user.id);
    const ofLobby = this.lobby.members.get(key);
    this.lobby.members.delete(key);
    const left = this.roomsOf(user).filter(({ isLobby }) => !isLobby).flatMap((room) => {
      const heir = this.hasOwnerWithout(room, [user], false) ? undefined : this.heirOf(room, user);
      const crowned = heir
        ? [this.memberChanged(room, Object.assign(heir, { role: "owner" as const }))]
        : [];
      return [this.dismiss(room, user, reason), ...crowned];
    });
    this.#joined.delete(key);
    await Promise.all([
      ...left,
      this.#keeping.put(ofLobby ? [memberRecord(this.lobby, ofLobby, "gone")] : []),
    ]);
  }

  /** Who is to own a room without this user: who is most there, and of those who came first. */
  heirOf(room: PeopledRoom, user: User): Membership | undefined {
    return [...room.members.values()]
      .filter(({ userId }) => mapKey(userId) !== mapKey(user.id))
      .sort((a, b) => roles.indexOf(b.role) - roles.indexOf(a.role) || a.sinceMs - b.sinceMs)[0];
  }

  /** A room has been changed: its members are told, and it is kept. */
  async changed(room: PeopledRoom): Promise<void> {
    for (const sessions of this.#sessions.values()) {
      for (const session of sessions) if (session.rooms.has(room)) this.#tell(room, session);
    }
    await this.#keeping.put([roomRecord(room)]);
  }

  /** Somebody's place in a room has been changed: they are told, and it is kept. */
  async memberChanged(room: PeopledRoom, membership: Membership): Promise<void> {
    room.members.set(mapKey(membership.userId), membership);
    for (const session of this.sessionsOf(membership.userId)) this.#tell(room, session);
    await this.saveMembers([{ room, member: membership }]);
  }

  /** Whether what memory has of a room, or of somebody's place in it, is kept: a full disk may owe it. */
  isKept(room: PeopledRoom, membership?: Membership): boolean {
    return this.#keeping.isKept(membership ? memberRecord(room, membership) : roomRecord(room));
  }

  /** Keeps places in rooms. */
  async saveMembers(all: readonly { room: PeopledRoom; member: Membership }[]): Promise<void> {
    const kept = all.filter(({ room, member }) =>
      room.members.get(mapKey(member.userId)) === member
    );
    await this.#keeping.put(kept.map(({ room, member }) => memberRecord(room, member)));
  }

  /** Shows a change to the room, as an entry of its log. */
  announce(room: PeopledRoom, change: Change): void {
    const payload = new TextEncoder().encode(JSON.stringify(change));
    const content = Content.changed;
    const core = encodeCore({ proof: Proof.unverified, content, messageId: newId(), payload });
    room.room.publish({ deviceId: this.#serverId, core });
  }

  /** A session has begun. */
  enter(session: Attendee): void {
    const key = mapKey(session.user.id);
    const sessions = this.#sessions.get(key);
    if (sessions) sessions.add(session);
    else this.#sessions.set(key, new Set([session]));
  }

  /** A session has ended. */
  exit(session: Attendee): void {
    const key = mapKey(session.user.id);
    const sessions = this.#sessions.get(key);
    sessions?.delete(session);
    if (sessions?.size === 0) this.#sessions.delete(key);
  }

  /** The sessions of a user. */
  sessionsOf(userId: Uint8Array): readonly Attendee[] {
    return [...this.#sessions.get(mapKey(userId)) ?? []];
  }

  /** Tells all sessions of a user of a room that the user is in now. */
  welcome(room: PeopledRoom, userId: Uint8Array): void {
    for (const session of this.sessionsOf(userId)) this.#tell(room, session);
  }

  /** Resolves when all that was published is with the writers. */
  async flushed(): Promise<void> {
    for (const room of this.#rooms.values()) await room.flushed();
  }

  /** Forgets what is older than that, in all rooms. */
  async trim(beforeMs: number): Promise<void> {
    for (const { id, group } of [...this.#rooms.values()]) {
      await this.#store.trim(id, beforeMs);
      await group?.trim(id);
    }
  }

  /** Ends all timers. */
  stop(): void {
    this.#comings.stop();
    for (const room of this.#rooms.values()) room.stop();
  }

  #add(id: Uint8Array, record: RecordOf<"room">, isLobby: boolean): PeopledRoom {
    const peopled = new PeopledRoom(id, record, isLobby, this.#options);
    this.#rooms.set(mapKey(id), peopled);
    if (peopled.direct) this.#direct.set(pairKey(...peopled.direct), peopled);
    else this.#byName.set(skeleton(peopled.name), peopled);
    return peopled;
  }

  #settle(room: PeopledRoom, membership: Membership): void {
    const key = mapKey(membership.userId);
    room.members.set(key, membership);
    if (room.isLobby) return;
    const joined = this.#joined.get(key);
    if (joined) joined.add(room);
    else this.#joined.set(key, new Set([room]));
  }

  /** Whether a user may be in one more room. */
  hasRoomFor(user: User): boolean {
    return this.roomsOf(user).length < roomsPerUserMax;
  }

  #mustHaveRoomFor(user: User): void {
    if (this.hasRoomFor(user)) return;
    throw new ProtocolError(
      "room_limit",
      `${user.name} is in ${roomsPerUserMax} rooms, and one has to be left first.`,
    );
  }

  #tell(room: PeopledRoom, session: Attendee): void {
    session.send(encodeControl("room", { room: this.info(room, session.user) }));
  }

  /** Ends a room for everybody, in memory. */
  #takeAway(room: PeopledRoom, reason: string): void {
    this.#rooms.delete(mapKey(room.id));
    if (room.direct) this.#direct.delete(pairKey(...room.direct));
    else this.#byName.delete(skeleton(room.name));
    for (const [key, { userId }] of room.members) {
      this.#joined.get(key)?.delete(room);
      for (const session of this.sessionsOf(userId)) this.#turnOutOne(room, session, reason);
    }
  }

  #turnOut(room: PeopledRoom, user: User, reason: string): void {
    for (const session of this.sessionsOf(user.id)) this.#turnOutOne(room, session, reason);
    room.presence.forget(user.id);
  }

  #turnOutOne(room: PeopledRoom, session: Attendee, reason: string): void {
    if (session.rooms.delete(room)) {
      room.room.dismiss(session);
      room.presence.depart(session.person, true);
    }
    const isMember = room.members.has(mapKey(session.user.id));
    const { id } = room;
    const name = nameFor(room, session.user);
    if (!isMember || !this.#rooms.has(mapKey(id))) {
      session.send(encodeControl("removed", { room: id, name, reason }));
    }
  }

  #tellComing(
    room: PeopledRoom,
    user: User,
    person: Person,
    content: typeof Content.joined | typeof Content.left,
  ): StoredRecord {
    return this.#comings.tell(room, user.id, content, personPayload.encode(withKey(person, user)));
  }
}

/** What a room is called towards somebody: a direct one by who the other is. */
export function nameFor({ name, direct }: PeopledRoom, user: User): string {
  const other = direct?.find(({ id }) => !equal(id, user.id));
  return other ? `@${other.name}` : name;
}

/** A user as a direct room's record has them. */
function partyOf({ id, name }: User) {
  return { id, name };
}

/** The same key for the same two, whoever of them comes first. */
function pairKey(one: Pick<User, "id">, other: Pick<User, "id">): string {
  return [mapKey(one.id), mapKey(other.id)].sort().join("");
}

/** A person as events show them: members have to know whose key it is that came or went. */
function withKey(person: Person, { key }: User): Person {
  return key ? { ...person, userKey: key } : person;
}

/** Gives the same bytes for the same text: somebody may be in many rooms. */
function idsOnce(): (text: string) => Uint8Array {
  const known = new Map<string, Uint8Array>();
  return (text) => {
    let id = known.get(text);
    if (!id) known.set(text, id = fromBase64Url(text));
    return id;
  };
}

/** The lobby's id: the same for as long as the server's identity is. */
function lobbyId(identity: Uint8Array): Uint8Array {
  const id = deviceIdOf(identity).slice();
  id[0]! ^= 0xff; // Not the server's own id, which is the author of events.
  return id;
}
