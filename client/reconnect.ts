/**
 * A client that stays: it keeps a session alive, reconnects with backoff and jitter, goes on in each of
 * its rooms from its cursor, and sends again what was not acknowledged.
 *
 * @module
 */

import { deviceIdOf } from "../crypto/identity.ts";
import { equal, mapKey } from "../protocol/bytes.ts";
import { type Clock, pause } from "../protocol/clock.ts";
import type { Args, CommandName, Result, RoomInfo } from "../protocol/command.ts";
import { chainEntry, chainStart, messageIdOf } from "../protocol/entry.ts";
import { CutShort, mayRetry, ProtocolError } from "../protocol/errors.ts";
import {
  keyPoolAfterMs,
  reconnectMs,
  reconnectMsMax,
  roomsPerUserMax,
} from "../protocol/limits.ts";
import type { Control, Cursor } from "../protocol/message.ts";
import type { ClientEntry, ClientEvent, ClientRoom } from "./events.ts";
import { Refused, type SecureLink, UnprovenRefusal } from "./handshake.ts";
import { inTime } from "./in_time.ts";
import { Outbox } from "./outbox.ts";
import { ServerIdentityError } from "./pins.ts";
import { Receipts } from "./receipts.ts";
import type { CheckedEntry } from "./room_log.ts";
import { type Room, Rooms } from "./rooms.ts";
import { type Groups, mls } from "./sealed/groups.ts";
import { hindranceText, keysElsewhere } from "./sealed/hindrance.ts";
import { fillKeyPool } from "./sealed/key_pool.ts";
import type { People } from "./sealed/people.ts";
import type { RoomKey } from "./sealed/room_key.ts";
import type { SealedRoom } from "./sealed/sealed_room.ts";
import { SealedRooms } from "./sealed/sealed_rooms.ts";
import { type Login, logIn, type Session, type SessionListener } from "./session.ts";
import { type SayOptions, Speaker } from "./speaker.ts";
import {
  ClientStoreError,
  forgetful,
  type KeptEntry,
  type Profile,
  type Search,
  type Taken,
} from "./store/store.ts";

/** What a client takes from outside. */
export interface ClientOptions {
  /** Makes a link and shakes hands over it. */
  readonly dial: () => Promise<SecureLink>;
  readonly login: Login;
  readonly clock: Clock;
  /** From 0 up to 1: the jitter. */
  readonly random: () => number;
  /** What is kept of us at the server with this identity key; nothing where it is not given. */
  readonly keep?: (server: Uint8Array) => Profile;
  /** What lets us into a sealed room, by its name. */
  readonly roomKey?: RoomKey & { readonly room: string };
  /** Whether key packages are left with the server, for who wants to reach us while we are away. */
  readonly isReachable?: boolean;
  /** How long to try to get back in, and to wait for the keys of a room; for ever where it is not given. */
  readonly giveUpMs?: number;
  /** What makes the groups of sealed rooms; MLS where it is not given. */
  readonly groups?: Groups;
  readonly onEvent: (event: ClientEvent) => void;
}

/** Refusals that pass: what was said is sent again by itself. */
const passing: readonly string[] = ["slow_down", "stale_epoch", "read_only", "busy"];
/** Those of them that nobody needs to hear of. */
const silent: readonly string[] = ["slow_down", "stale_epoch"];

/**
 * MUST show each entry once and in order, over however many connections and, where it is kept,
 * processes; MUST keep what is said before it sends it, and entries before it shows them.
 */
export class Client {
  readonly #options: ClientOptions;
  readonly #deviceId: Uint8Array;
  readonly #outbox: Outbox;
  readonly #speaker: Speaker;
  readonly #receipts: Receipts;
  #session: Session | undefined;
  /** The session in which the key pool is looked at in a moment, and whether all of it is to go. */
  #fillsPool: Session | undefined;
  #isPoolForeign = false;
  #welcome: Control<"welcome"> | undefined;
  /** From the first login on. */
  #profile: Profile | undefined;
  #rooms = new Rooms(forgetful);
  /** From the first login on. */
  #sealed: SealedRooms | undefined;
  /** Rooms that have to be attached before anything is sent, or it would be sent in vain. */
  #awaited = new Set<string>();
  /** Messages that the server said it has, before their entries came. */
  readonly #stored = new Set<string>();
  /** How long the next reconnect waits; short again after a session that lasted. */
  #waitMs = reconnectMs;
  #isDelayed = false;
  #isClosing = false;
  #failure: unknown;
  #cancelLeave: () => void = () => {};
  readonly #closing = Promise.withResolvers<void>();

  private constructor(options: ClientOptions) {
    const { clock, login: { identity: { device } } } = options;
    this.#options = options;
    this.#deviceId = deviceIdOf(device.publicKey);
    this.#outbox = new Outbox(clock);
    this.#receipts = new Receipts(clock, {
      keep: (room) => this.#keepRead(room),
      canRead: ({ id, info }) => !info.sealed || this.#sealed!.find(id)?.keys.group !== undefined,
    });
    this.#speaker = new Speaker({
      device,
      clock,
      outbox: this.#outbox,
      isSealed: (room) => this.#rooms.find(room)?.info.sealed === true,
      keep: (messages) => this.#profile!.say(messages),
      onFailure: (cause) => this.#fail(cause),
    });
  }

  /**
   * Logs in for the first time.
   *
   * @throws {Refused | ProtocolError | ClientStoreError} and whatever dialing throws
   */
  static async open(options: ClientOptions, first?: SecureLink): Promise<Client> {
    const client = new Client(options);
    await client.#logIn(first ?? await options.dial());
    return client;
  }

  /** What the server said of us when we last logged in. */
  get welcome(): Control<"welcome"> {
    return this.#welcome!;
  }

  /** The rooms that the user is in, the lobby first. */
  get rooms(): readonly ClientRoom[] {
    return this.#rooms.all;
  }

  /** Whether there is a session; what is said without one is sent later. */
  get isConnected(): boolean {
    return this.#session !== undefined;
  }

  /** Whether what comes and what is said outlives this process. */
  get isKept(): boolean {
    return this.#profile!.isKept;
  }

  /** Messages said that are not in a log yet. */
  get undelivered(): number {
    return this.#outbox.size;
  }

  /**
   * Keeps the session alive. Resolves after {@link close}.
   *
   * @throws {Refused} when the server will not have us back
   * @throws {ClientStoreError} when nothing more can be kept
   */
  async run(): Promise<void> {
    try {
      while (true) {
        const reason = await this.#serve();
        if (this.#failure) throw this.#failure;
        if (this.#isClosing) return;
        if (!isRoomGone(reason)) throwIfFinal(reason);
        this.#options.onEvent({ kind: "disconnected", reason: describe(reason) });
        await this.#reconnect();
        if (!this.#session) return;
      }
    } finally {
      this.#receipts.close();
      for (const { id, cursor } of this.#rooms.all) {
        if (cursor) this.#sealed!.find(id)?.keep(cursor);
      }
      this.#profile!.close();
    }
  }

  /**
   * Says something in a room; it is sent as soon as there is a session.
   *
   * @returns its message id, when it is kept
   */
  say(room: Uint8Array, text: string, options: SayOptions = {}): Promise<Uint8Array> {
    if (!this.#rooms.find(room)) {
      return Promise.reject(new Refused("no_such_room", "You are not in this room."));
    }
    if (this.#sealed!.find(room) && !this.isKept) {
      return Promise.reject(new Refused("no_keys", keysElsewhere));
    }
    return this.#speaker.say(room, text, options);
  }

  /** Resolves when more may be said without piling up. */
  async hasRoom(): Promise<void> {
    await this.#outbox.hasRoom();
  }

  /** Resolves when all that was said is in a log, or was refused. */
  async delivered(): Promise<void> {
    await this.#speaker.done();
    await this.#outbox.empty();
  }

  /** Lets the server do something; see protocol/command.ts. */
  async command<Name extends CommandName>(
    name: Name,
    args: Args<Name>,
    room?: Uint8Array,
  ): Promise<Result<Name>> {
    return await this.#online().command(name, args, room);
  }

  /** Goes into a room and reads it; makes it where it is new. */
  async join(
    name: string,
    { open = false }: { readonly open?: boolean } = {},
  ): Promise<{ room: ClientRoom; isNew: boolean }> {
    const session = this.#online();
    const { room, isNew } = await session.command("join", { name, open });
    await session.caughtUp();
    const entered = await this.#enter(room);
    const sealed = this.#sealed!.find(room.id);
    if (isNew && sealed) await this.within(sealed.hasKeys(), newKeysMs);
    return { room: entered, isNew };
  }

  /** Goes into the sealed room that we have with somebody; it is made where there is none. */
  async direct(user: string): Promise<Omit<Result<"direct">, "room"> & { room: ClientRoom }> {
    const session = this.#online();
    const { room, ...rest } = await session.command("direct", { user });
    await session.caughtUp();
    return { room: await this.#enter(room), ...rest };
  }

  /** The keys of a room that is sealed. */
  sealedRoom(id: Uint8Array): SealedRoom | undefined {
    return this.#sealed!.find(id);
  }

  /** Whose key goes with which name. */
  get people(): People {
    return this.#sealed!.people;
  }

  /** Whoever goes by this name now is the right one: it was compared. */
  acceptKey(name: string): void {
    this.#sealed!.accept(name);
  }

  /** Whether something comes to be within so many milliseconds. */
  async within(something: Promise<void>, ms: number): Promise<boolean> {
    const late = pause(this.#options.clock, ms).then(() => false);
    return await Promise.race([something.then(() => true), late]);
  }

  /** Our user key. */
  get userKey(): Uint8Array {
    return this.#options.login.identity.user.publicKey;
  }

  /** Leaves a room. */
  async part(id: Uint8Array): Promise<void> {
    const room = this.#rooms.get(id);
    const session = this.#online();
    const sealed = this.#sealed!.find(id);
    sealed?.leaving(true);
    try {
      await session.command("part", {}, id);
    } catch (cause) {
      sealed?.leaving(false);
      throw cause;
    }
    await session.caughtUp();
    this.#leave(room, "You left.");
  }

  /**
   * What was said in a room before an entry that is known here, checked as what is said now.
   *
   * @param before its seq; the newest entries where it is not given
   * @returns at most `count` of them, the oldest first
   * @throws {RangeError} when nothing is known here by which they could be checked
   */
  async history(id: Uint8Array, before: number | undefined, count: number): Promise<ClientEntry[]> {
    const room = this.#rooms.get(id);
    if (room.info.sealed) return this.#keptBefore(room, before, count);
    const session = this.#online();
    const known = this.#knownAt(room, before);
    const checked = await session.history(id, known, count);
    const entries = checked.map((entry) => ({
      ...entry,
      isOwn: equal(entry.deviceId, this.#deviceId),
    }));
    const [first] = entries;
    if (!first) return [];
    this.#profile!.takeEarlier(id, entries);
    if (room.oldest?.seq === known.seq) room.oldest = { seq: first.seq, hash: first.previous };
    return entries;
  }

  /** What was said in a sealed room is opened once: what is not kept here is not to be had elsewhere. */
  #keptBefore({ id, cursor }: Room, before: number | undefined, count: number): KeptEntry[] {
    const end = (cursor?.seq ?? 0) + 1;
    const from = Math.min(before ?? end, end);
    const entries = this.#profile!.newest(id, count + end - from);
    return entries.filter(({ seq }) => seq < from).slice(-count);
  }

  /** The newest entries of a room that are kept here, the oldest of them first. */
  newest(id: Uint8Array, count: number): KeptEntry[] {
    return this.#profile!.newest(id, count);
  }

  /** What is kept here and has a word in it, the newest first. */
  search(search: Search): KeptEntry[] {
    return search.word.trim() === "" ? [] : this.#profile!.search(search);
  }

  /** When the oldest entry that is kept here was made, in rooms that we are in. */
  oldestMs(): number | undefined {
    return this.#profile!.oldestMs();
  }

  /** A room was read up to an entry; up to its end where none is given. */
  seen(id: Uint8Array, seq?: number): void {
    const room = this.#rooms.get(id);
    const endSeq = room.cursor?.seq ?? 0;
    const readSeq = Math.min(seq ?? endSeq, endSeq);
    if (readSeq <= room.readSeq) return;
    room.readSeq = readSeq;
    this.#receipts.note(room);
  }

  /** The user is typing in a room. */
  typing(id: Uint8Array): void {
    this.#receipts.typing(this.#rooms.get(id));
  }

  /** Leaves; the others see it at once. */
  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#closing.resolve();
    this.#sayGoodbye();
  }

  #sayGoodbye(): void {
    const session = this.#session;
    session?.leave();
    // The server closes the connection; if it does not, we do.
    this.#cancelLeave = this.#options.clock.timer(leaveTimeoutMs, () => session?.close());
  }

  /** Nothing more can be kept: it is better to end than to go on without. */
  #fail(cause: unknown): void {
    this.#failure ??= cause;
    this.#closing.resolve();
    this.#session?.close();
  }

  async #logIn(secure: SecureLink): Promise<void> {
    const { login, clock } = this.#options;
    const listener = this.#listener();
    const session = await inTime(secure.link, clock, logIn(secure, login, clock, listener));
    this.#welcome = session.welcome;
    try {
      this.#recover(secure.server);
      await this.#joinAll(session);
    } catch (cause) {
      this.#profile?.close();
      session.close();
      throw cause;
    }
    this.#session = session;
    this.#receipts.open(session);
    this.#sendIfReady();
    this.#fillKeyPoolLater();
  }

  /** @param isForeign whether somebody was given a key package that is not ours any more */
  #fillKeyPoolLater(isForeign = false): void {
    const { clock, login: { identity }, groups = mls, isReachable } = this.#options;
    const session = this.#session;
    this.#isPoolForeign ||= isForeign;
    if (!isReachable || !session || this.#fillsPool === session) return;
    this.#fillsPool = session;
    clock.timer(keyPoolAfterMs, () => {
      if (this.#fillsPool === session) this.#fillsPool = undefined;
      if (this.#session !== session) return;
      const mustReplace = this.#isPoolForeign;
      this.#isPoolForeign = false;
      fillKeyPool(session, identity, groups, this.#profile!, mustReplace).catch((cause) => {
        this.#isPoolForeign ||= mustReplace;
        const isPassing = cause instanceof CutShort || cause instanceof Refused;
        if (!isPassing) this.#fail(cause); // Else with the next session.
      });
    });
  }

  /** Takes up what an earlier process has left. */
  #recover(server: Uint8Array): void {
    if (this.#profile) return;
    this.#profile = this.#options.keep?.(server) ?? forgetful;
    this.#rooms = new Rooms(this.#profile);
    for (const message of this.#profile.messages()) this.#outbox.add(message);
    const { login, groups = mls, clock, random, giveUpMs, onEvent } = this.#options;
    this.#sealed = new SealedRooms({
      identity: login.identity,
      groups,
      serverKey: server,
      profile: this.#profile,
      clock,
      random,
      ownCore: (messageId) => this.#outbox.find(messageId)?.core,
      tell: (id, happening) => {
        const room = this.#rooms.find(id);
        if (room) onEvent({ kind: "keys", room, happening });
      },
      onChangedKey: (name) => onEvent({ kind: "changed_key", name }),
      ...(giveUpMs !== undefined && { giveUpMs }),
      onHeldUp: ({ info }, hindrance, isTooLong) => {
        const text = hindranceText(info, hindrance, login.name);
        if (isTooLong) this.#fail(new Refused("no_keys", text));
        else onEvent({ kind: "delayed", reason: `Not sent yet. ${text}` });
      },
      onKeyPackage: (isForeign) => this.#fillKeyPoolLater(isForeign),
      onFault: (cause) => this.#fail(cause),
    });
  }

  /** Reads on in all rooms that the user is in, and in no others. */
  async #joinAll(session: Session): Promise<void> {
    const infos = session.welcome.rooms;
    const there = new Set(infos.map(({ id }) => mapKey(id)));
    for (const room of this.#rooms.all) {
      if (!there.has(mapKey(room.id))) this.#leave(room, "You are in it no more.");
    }
    for (const { id, name } of this.#rooms.takeLost(infos)) {
      this.#giveUp(id, name, "You are in it no more.");
    }
    for (const id of this.#outbox.rooms) {
      if (!there.has(mapKey(id))) this.#giveUp(id, "that room", "You are in it no more.");
    }
    for (const info of infos) {
      const { room } = this.#rooms.put(info);
      await this.#read(room, session);
    }
    this.#awaited = new Set(this.#outbox.rooms.map(mapKey));
  }

  /** Reads a room from where we stand; from where its keys stand, where that is before. */
  async #read(room: Room, session: Session): Promise<void> {
    this.#keepRoomKey(room.info);
    await this.#sealed!.enter(room.info);
    // In a room of two everything is for us, from the first word on.
    if (room.info.direct) this.#rooms.attach(room, { seq: 0, hash: chainStart(room.id) });
    this.#sealed!.joined(room.id, session);
    session.join(room.id, this.#sealed!.find(room.id)?.resumeAt ?? room.cursor);
  }

  /** The link by which we came may hold what lets us into this room. */
  #keepRoomKey({ id, name, sealed }: RoomInfo): void {
    const { roomKey } = this.#options;
    if (!sealed || roomKey?.room !== name) return;
    const { secret, inviter } = roomKey;
    const isKept = this.#profile!.invitations().some((kept) =>
      equal(kept.room, id) && equal(kept.secret, secret) && equal(kept.inviter, inviter)
    );
    if (isKept) return; // What is known of it stays known.
    this.#profile!.keepInvitation({ room: id, secret, inviter, generation: 0 });
  }

  #listener(): SessionListener {
    const { onEvent } = this.#options;
    /** What comes of a room that we have just left is nobody's any more. */
    const inRoom = (id: Uint8Array, act: (room: Room) => void | Promise<void>) => {
      const room = this.#rooms.find(id);
      if (room) return act(room);
    };
    return {
      entries: (id, entries, cursor) => inRoom(id, (room) => this.#take(room, entries, cursor)),
      reset: (id, reason, cursor) => inRoom(id, (room) => this.#reset(room, reason, cursor)),
      stored: (messageId, seq) => this.#acknowledge(messageId, seq),
      refused: (messageId, error) => this.#refused(messageId, error),
      attached: (id, cursor) =>
        inRoom(id, (room) => {
          this.#rooms.attach(room, cursor);
          this.#receipts.note(room);
          if (this.#session) this.#sealed!.attached(id, this.#session);
          if (this.#awaited.delete(mapKey(id))) this.#sendIfReady();
        }),
      presence: (id, { here, gone, more }) =>
        inRoom(id, (room) => onEvent({ kind: "presence", room, here, gone, more })),
      typing: (id, name) => inRoom(id, (room) => onEvent({ kind: "typing", room, name })),
      roomChanged: async (info) => void await this.#enter(info),
      removed: (id, reason) => inRoom(id, (room) => this.#leave(room, reason)),
    };
  }

  /** What waits is sent once its rooms are attached: much of it may prove to be there already. */
  #sendIfReady(): void {
    const session = this.#session;
    if (!session || this.#awaited.size > 0 || this.#outbox.isOpen) return;
    this.#outbox.open((message) => {
      const { room, core } = message;
      const sealed = this.#sealed!.find(room);
      if (sealed) sealed.send(message);
      else session.publish(room, core);
    });
  }

  /** We are in this room, which is so now. */
  async #enter(info: RoomInfo): Promise<Room> {
    if (!this.#rooms.find(info.id) && this.#rooms.all.length >= roomsPerUserMax) {
      throw new ProtocolError("room_limit", "The server puts you into more rooms than it may.");
    }
    const { room, isNew } = this.#rooms.put(info);
    const session = this.#session;
    if (isNew && session) await this.#read(room, session);
    this.#options.onEvent({ kind: "room", room, isNew });
    return room;
  }

  /** We are in this room no more. */
  #leave(room: Room, reason: string): void {
    if (this.#rooms.find(room.id) !== room) return;
    this.#rooms.remove(room);
    this.#receipts.forget(room);
    this.#sealed!.leave(room.id);
    this.#session?.leaveRoom(room.id);
    this.#giveUp(room.id, room.info.name, reason);
    if (this.#awaited.delete(mapKey(room.id))) this.#sendIfReady();
  }

  /** Nothing is said any more in a room that we are not in. */
  #giveUp(room: Uint8Array, name: string, reason: string): void {
    const cores = this.#outbox.drop(room).map(({ core }) => core);
    const messageIds = cores.map(messageIdOf);
    const text = `You are no longer in ${name}.`;
    // Told first: better twice than never, should this process end in between.
    for (const [at, core] of cores.entries()) {
      this.#options.onEvent({ kind: "undelivered", room, messageId: messageIds[at]!, core, text });
    }
    this.#profile!.leave(room, messageIds);
    this.#options.onEvent({ kind: "removed", room, name, reason });
  }

  #take(
    room: Room,
    checked: readonly CheckedEntry[],
    cursor: Cursor,
  ): void | Promise<void> {
    const sealed = this.#sealed!.find(room.id);
    if (sealed) return this.#takeSealed(room, sealed, checked);
    this.#keep(room, checked, cursor);
  }

  /** Entries of a sealed room are opened first; some of them may have been taken already. */
  async #takeSealed(
    room: Room,
    sealed: SealedRoom,
    checked: readonly CheckedEntry[],
  ): Promise<void> {
    const known = room.cursor!;
    const last = checked.find(({ seq }) => seq === known.seq);
    if (last && !equal(chainEntry(last.previous, last), known.hash)) {
      throw new ProtocolError("broken_log", "The server tells this room's log in two ways.");
    }
    const { entries, cursor, kept, failure } = await sealed.read(checked);
    if (this.#rooms.find(room.id) !== room) return;
    const group = kept && { ...kept, isClean: false };
    if (cursor && cursor.seq > known.seq) {
      this.#keep(room, entries.filter(({ seq }) => seq > known.seq), cursor, group);
    } else if (group) {
      this.#profile!.keepGroup(room.id, group.state, group.cursor, group.isClean);
    }
    sealed.taken(group !== undefined);
    // Who was sent out meanwhile is refused what they need to read on: the next session knows the rooms.
    if (failure instanceof Refused) {
      throw new ProtocolError("no_such_room", failure.message, { cause: failure });
    }
    if (failure !== undefined) throw failure;
  }

  /** Keeps entries, then shows them. */
  #keep(
    room: Room,
    checked: readonly CheckedEntry[],
    cursor: Cursor,
    group?: Taken["group"],
  ): void {
    const settled: Uint8Array[] = [];
    const entries = checked.map((entry) => {
      const { deviceId, core: { messageId } } = entry;
      const isOurs = equal(deviceId, this.#deviceId);
      const isWaiting = isOurs && this.#outbox.has(messageId);
      if (isWaiting) settled.push(messageId);
      return { ...entry, isOwn: isWaiting || isOurs && this.#stored.delete(mapKey(messageId)) };
    });
    const isSealed = room.info.sealed;
    this.#profile!.take({
      room: room.id,
      entries,
      cursor,
      settled,
      isSealed,
      ...(group && { group }),
    });
    room.cursor = cursor;
    for (const messageId of settled) this.#settle(messageId);
    this.#options.onEvent({ kind: "entries", room, entries });
    this.#receipts.note(room);
  }

  #reset(room: Room, reason: string, cursor: Cursor): void {
    const dropped = this.#profile!.reset(room.id, cursor);
    room.reset(cursor);
    this.#sealed!.find(room.id)?.reset();
    this.#options.onEvent({ kind: "reset", room, reason, dropped });
    this.#outbox.sendAgain(room.id);
  }

  #acknowledge(messageId: Uint8Array, seq: number): void {
    const message = this.#outbox.find(messageId);
    if (!message) return;
    const room = this.#rooms.find(message.room);
    // What stands there was read, and is not this.
    if (room?.cursor && room.oldest && seq >= room.oldest.seq && seq <= room.cursor.seq) {
      throw new ProtocolError("broken_log", "The server says that it has what is not in the log.");
    }
    // What was said in a sealed room is needed until its entry comes: we cannot open that.
    if (room?.info.sealed && seq > (room.cursor?.seq ?? 0)) return;
    this.#profile!.settle([messageId]);
    this.#settle(messageId);
    this.#stored.add(mapKey(messageId));
  }

  #settle(messageId: Uint8Array): void {
    this.#isDelayed = false;
    const message = this.#outbox.find(messageId);
    if (message) this.#sealed!.find(message.room)?.settle(messageId);
    this.#outbox.settle(messageId);
  }

  #refused(messageId: Uint8Array, { code, text, retryAfterMs }: Control<"error">): void {
    const message = this.#outbox.find(messageId);
    if (!message) return; // It has been seen in the log; what comes behind it shows the server that.
    if (passing.includes(code)) {
      const isMeant = this.#outbox.slowDown(messageId, retryAfterMs);
      if (code === "stale_epoch" && isMeant) this.#sealed!.find(message.room)?.stale(messageId);
      if (silent.includes(code) || this.#isDelayed) return;
      this.#isDelayed = true;
      return this.#options.onEvent({ kind: "delayed", reason: text });
    }
    const { room, core } = message;
    this.#options.onEvent({ kind: "undelivered", room, messageId, core, text });
    this.#profile!.settle([messageId]);
    this.#outbox.settle(messageId);
  }

  #keepRead({ id, readSeq }: ClientRoom): void {
    try {
      this.#profile!.read(id, readSeq);
    } catch (cause) {
      this.#fail(cause);
    }
  }

  /** Where entries that stand before one can be checked by what is known of that one. */
  #knownAt(room: Room, before: number | undefined): Cursor {
    const { cursor, oldest } = room;
    if (!cursor) throw new Refused("offline", "Not connected right now.");
    const seq = before ?? cursor.seq + 1;
    if (seq === cursor.seq + 1) return { seq, hash: cursor.hash };
    if (oldest?.seq === seq) return oldest;
    const hash = this.#profile!.hashBefore(room.id, seq);
    if (hash) return { seq, hash };
    throw new RangeError(`Cannot check what was said before ${seq}, because it is not known here.`);
  }

  /** @throws {Refused} without a session */
  #online(): Session {
    if (!this.#session) throw new Refused("offline", "Not connected right now.");
    return this.#session;
  }

  /** Runs the session there is to its end: why it ended. */
  async #serve(): Promise<unknown> {
    const session = this.#session!;
    const startedMs = this.#options.clock.now();
    try {
      await session.run();
      return new ProtocolError("shutting_down", "The server closed the connection.");
    } catch (cause) {
      return cause;
    } finally {
      this.#cancelLeave();
      this.#session = undefined;
      this.#sealed!.detached();
      this.#outbox.close();
      this.#receipts.close();
      const livedMs = this.#options.clock.now() - startedMs;
      this.#waitMs = livedMs > reconnectMsMax ? reconnectMs : Math.min(this.#waitMs, letInWaitMs);
    }
  }

  /** Tries until there is a session again, or it has been closed. */
  async #reconnect(): Promise<void> {
    const { clock, random, dial, onEvent, giveUpMs = Infinity } = this.#options;
    const lostMs = clock.now();
    let isWarned = false;
    while (!this.#isClosing) {
      const waitMs = this.#waitMs * (0.5 + random() / 2);
      this.#waitMs = Math.min(2 * this.#waitMs, reconnectMsMax);
      await Promise.race([pause(clock, waitMs), this.#closing.promise]);
      if (this.#failure) throw this.#failure;
      if (this.#isClosing) return;
      try {
        const dialing = dial();
        const secure = await Promise.race([dialing, this.#closing.promise]);
        if (!secure) return void dialing.then(({ link }) => link.close(), () => {});
        await this.#logIn(secure);
        onEvent({ kind: "reconnected" });
        return this.#isClosing ? this.#sayGoodbye() : undefined;
      } catch (cause) {
        throwIfFinal(cause);
        if (cause instanceof ServerIdentityError && !isWarned) {
          isWarned = true;
          onEvent({ kind: "disconnected", reason: cause.message });
        }
        if (clock.now() - lostMs > giveUpMs) throw cause;
      }
    }
  }
}

/** Who was let in, though not for long, first waits no longer than this. */
const letInWaitMs = 2_000;

/** How long a room that we make may take to have its keys. */
const newKeysMs = 5_000;

/** How long the server may take to let us go. */
const leaveTimeoutMs = 1_000;

/**
 * Throws what trying again does not mend: the server's own word. A refusal in the clear and a frame that
 * is not as it should be can come from anybody on the way, and must not end a client for good.
 */
function throwIfFinal(cause: unknown): void {
  if (cause instanceof ClientStoreError) throw cause;
  if (cause instanceof Refused && !(cause instanceof UnprovenRefusal) && !mayRetry(cause.code)) {
    throw cause;
  }
}

/** A room was closed, or we were sent out of it, while something of ours for it was on the way. */
function isRoomGone(cause: unknown): boolean {
  return cause instanceof Refused && cause.code === "no_such_room";
}

/** What a system calls it when a connection ended without a word. */
const brokenNames: readonly string[] = ["ConnectionReset", "ConnectionAborted", "BrokenPipe"];

function describe(cause: unknown): string {
  if (cause instanceof Error && brokenNames.includes(cause.name)) return "The connection broke.";
  // Who is told to connect again would do it by hand; here it is done.
  if (cause instanceof Refused && cause.code === "shutting_down") {
    return "The server is shutting down.";
  }
  return cause instanceof Error ? cause.message : String(cause);
}
