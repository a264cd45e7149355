/**
 * One connection, logged in: what is sent and what comes, checked. It runs wherever a link can be
 * had: it needs no Deno.
 *
 * @module
 */

import { channelOf, OpeningChannel, pairChannel } from "../crypto/channel.ts";
import { type Identity, importVerifier, label, sign, type Verifier } from "../crypto/identity.ts";
import { z } from "zod";
import { type Bytes, concat, mapKey } from "../protocol/bytes.ts";
import type { Clock } from "../protocol/clock.ts";
import {
  type Args,
  argsSchema,
  type Command,
  type CommandName,
  commands,
  type Result,
  type RoomInfo,
} from "../protocol/command.ts";
import { CutShort, ProtocolError } from "../protocol/errors.ts";
import { FrameStream } from "../protocol/framer.ts";
import {
  entriesTogetherMax,
  frameMessagesBytesMax,
  heardTimeoutMs,
  inboxBytesMax,
  inboxUnansweredBytesMax,
  peopleMax,
  queuedBytesMin,
  roomsPerUserMax,
} from "../protocol/limits.ts";
import { writable } from "../protocol/link.ts";
import {
  type Batch,
  type Control,
  type Cursor,
  decodeMessages,
  encodeControl,
  encodePublish,
  type Message,
  type Person,
} from "../protocol/message.ts";
import { Refused, type SecureLink } from "./handshake.ts";
import { Authors, type CheckedEntry, RoomLog } from "./room_log.ts";

/** What a session tells, in order: the next when the one before is done with. */
export interface SessionListener {
  /** Entries of a room, checked. */
  entries(
    room: Uint8Array,
    entries: readonly CheckedEntry[],
    cursor: Cursor,
  ): void | Promise<void>;
  /** A room's log goes on elsewhere than asked for: behind the cursor. */
  reset(room: Uint8Array, reason: string, cursor: Cursor): void;
  /** This message is in the log already. */
  stored(messageId: Uint8Array, seq: number): void;
  /** This message was not taken. */
  refused(messageId: Uint8Array, error: Control<"error">): void;
  /** The session is ready for what waits to be sent in this room, and stands there. */
  attached(room: Uint8Array, cursor: Cursor): void;
  /** Who has come into a room and who has gone; no more than a member's word. */
  presence(room: Uint8Array, change: Omit<Control<"presence">, "room">): void;
  /** Somebody is typing in a room; no more than a member's word. */
  typing(room: Uint8Array, name: string): void;
  /** We are in this room, joined or not, which is so now. */
  roomChanged(room: RoomInfo): void | Promise<void>;
  /** We are in this room no more. */
  removed(room: Uint8Array, reason: string): void;
}

/** Who logs in. */
export interface Login {
  readonly name: string;
  readonly identity: Identity;
  readonly invitation?: Uint8Array | undefined;
}

/** A room, and the channels it comes on, the oldest first: several while its key is being replaced. */
interface JoinedRoom {
  readonly log: RoomLog;
  channels: OpeningChannel[];
  /** We are in it no more; what still comes of it is opened, and left out. */
  isGone: boolean;
}

/** Entries that have been checked, and not handed on yet. */
interface Ready {
  readonly room: JoinedRoom;
  readonly entries: CheckedEntry[];
}

/**
 * Logs in over a link that has been secured.
 *
 * @throws {Refused} with the server's code and text
 */
export async function logIn(
  secure: SecureLink,
  login: Login,
  clock: Clock,
  listener: SessionListener,
): Promise<Session> {
  const { identity, name, invitation } = login;
  const { user, device, certificate } = identity;
  const nameBytes = new TextEncoder().encode(name);
  const fields = [secure.hash, secure.server, user.publicKey, device.publicKey, nameBytes];
  const message = encodeControl("login", {
    name,
    userKey: user.publicKey,
    deviceKey: device.publicKey,
    certificate,
    signature: await sign(device, label.login, fields),
    invitation,
  });
  const output = openOutput(secure);
  await output.write(concat([...await secure.sealing.seal(message)]));
  const [answer, ...rest] = decodeMessages(await secure.opening.open(await secure.early.next()));
  if (answer?.type === "error") throw new Refused(answer.code, answer.text, answer.retryAfterMs);
  if (answer?.type !== "welcome") throw new ProtocolError("bad_message");
  const server = await importVerifier(secure.server);
  return new Session({ secure, output, clock, listener, welcome: answer, server: server!, rest });
}

/** Frame bodies to the link, through the same framer that the server's reader undoes. */
function openOutput({ link }: SecureLink): WritableStreamDefaultWriter<Uint8Array> {
  const framer = new FrameStream();
  framer.readable.pipeTo(writable(link)).catch(() => link.close());
  return framer.writable.getWriter();
}

interface SessionParts {
  readonly secure: SecureLink;
  readonly output: WritableStreamDefaultWriter<Uint8Array>;
  readonly clock: Clock;
  readonly listener: SessionListener;
  readonly welcome: Control<"welcome">;
  /** Checks the server's signatures. */
  readonly server: Verifier;
  readonly rest: readonly Message[];
}

const pong = encodeControl("pong", {});

/** Keys of one room that may be announced before the first of them is used. */
const roomKeysMax = 8;

/** Rooms that are remembered, those that we are in no more among them. */
const roomsRememberedMax = 2 * roomsPerUserMax;

/** MUST hand entries on in order, each once; MUST send what it is given in order. */
export class Session {
  readonly welcome: Control<"welcome">;
  readonly limits: SecureLink["limits"];
  readonly #parts: SessionParts;
  readonly #rooms = new Map<string, JoinedRoom>();
  readonly #authors: Authors;
  /** Room channels by id. */
  readonly #channels = new Map<number, { opening: OpeningChannel; room: JoinedRoom }>();
  readonly #requests = new Map<number, PromiseWithResolvers<Message>>();
  #lastRequest = 0;
  #outgoing: Uint8Array[] = [];
  #isSending = false;
  /** What has been opened and waits to be checked. */
  #inbox: Promise<void> = Promise.resolve();
  #inboxBytes = 0;
  #inboxCount = 0;
  #ready: Ready | undefined;
  #onInbox: (() => void) | undefined;
  #failure: unknown;
  /** Nothing is read any more. */
  #isOver = false;
  #heardMs: number;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.welcome = parts.welcome;
    this.limits = parts.secure.limits;
    this.#heardMs = parts.clock.now();
    this.#authors = new Authors((ids) => this.#lookUp(ids));
  }

  /**
   * Reads until the connection ends. Resolves when the peer or {@link close} ended it.
   *
   * @throws {Refused | ProtocolError | ChannelError} why it broke off
   */
  async run(): Promise<void> {
    const { secure, rest } = this.#parts;
    const cancel = this.#watch();
    try {
      for (const message of rest) await this.#control(message);
      await this.#take(secure.early.rest);
      for (let next = await secure.frames.read(); !next.done; next = await secure.frames.read()) {
        this.#heardMs = this.#parts.clock.now();
        await this.#take(next.value);
        await this.#inboxHasRoom();
      }
      this.#refuseRequests(); // What waits to be checked may wait for an answer.
      await this.#inbox;
      if (this.#failure) throw this.#failure;
    } catch (cause) {
      throw this.#failure ?? cause;
    } finally {
      cancel();
      secure.link.close();
      this.#refuseRequests();
      await this.#inbox; // Whoever comes next begins where this one has ended.
    }
  }

  /** Reads a room from its end, or from where the reader stands. */
  join(room: Uint8Array, cursor: Cursor | undefined): void {
    const { server, secure } = this.#parts;
    const log = new RoomLog(room, server, secure.server, this.#authors, cursor);
    this.#remember({ log, channels: [], isGone: false });
    this.#send(encodeControl("join", { room, cursor }));
  }

  /** We have left this room: what still comes of it is left out. */
  leaveRoom(room: Uint8Array): void {
    const joined = this.#rooms.get(mapKey(room));
    if (joined) joined.isGone = true;
  }

  /** Publishes a core (protocol/entry.ts). */
  publish(room: Uint8Array, core: Uint8Array): void {
    this.#send(encodePublish(room, core));
  }

  /**
   * Lets the server do something; see protocol/command.ts.
   *
   * @param room which one, where the command is about a room
   * @throws {Refused} when the server will not
   * @throws {ProtocolError} bad_message, when arguments or answer are not as the table has them
   */
  async command<Name extends CommandName>(
    name: Name,
    args: Args<Name>,
    room?: Uint8Array,
  ): Promise<Result<Name>> {
    const command: Command = commands[name];
    const encoded = z.safeEncode(argsSchema(command), { ...args, ...(command.inRoom && { room }) });
    if (!encoded.success) {
      const path = encoded.error.issues[0]?.path.join(".") ?? "";
      throw new ProtocolError("bad_message", `"${name}" cannot be asked for so (${path}).`);
    }
    const answer = await this.#request((request) =>
      encodeControl("request", { request, command: name, args: encoded.data })
    );
    const result = answer.type === "answer" && command.result.safeParse(answer.value);
    if (result && result.success) return result.data as Result<Name>;
    throw new ProtocolError("bad_message", `The server's answer to "${name}" is not valid.`);
  }

  /**
   * Entries of a room that stand right before an entry that is known, checked as any other.
   *
   * @param before that entry's seq, and the chain's hash before it
   * @returns at most `count`, the oldest first; none where the server keeps none
   * @throws {ProtocolError} broken_log, when they do not lead to that entry
   */
  async history(room: Uint8Array, before: Cursor, count: number): Promise<CheckedEntry[]> {
    const answer = await this.command("history", { before: before.seq, count }, room);
    const { firstSeq, timeMs, rows, before: from } = answer;
    if (!firstSeq || timeMs === undefined || !rows || !from) return [];
    const { log } = this.#room(room);
    return await log.checkEarlier({ firstSeq, timeMs, rows, before: from }, before);
  }

  /** Resolves when all that has come so far has been taken: answers to requests overtake it. */
  async caughtUp(): Promise<void> {
    await this.#inbox;
  }

  /** Tells the others in a room that our user is typing. */
  sendTyping(room: Uint8Array): void {
    this.#send(encodeControl("typing", { room }));
  }

  /** Tells up to where entries of a room have come, and up to where they were read. */
  seen(room: Uint8Array, delivered: number, read: number): void {
    this.#send(encodeControl("seen", { room, delivered, read }));
  }

  /** Says goodbye, so that the others see it at once; the server closes. */
  leave(): void {
    this.#send(encodeControl("goodbye", {}));
  }

  /** Breaks off. */
  close(): void {
    this.#parts.secure.link.close();
  }

  /** Frames of one read: those of one channel are opened side by side, then handled in order. */
  async #take(bodies: readonly Bytes[]): Promise<void> {
    for (let at = 0; at < bodies.length;) {
      const id = channelOf(bodies[at]!);
      let end = at + 1;
      while (end < bodies.length && channelOf(bodies[end]!) === id) end++;
      await this.#takeRun(id, bodies.slice(at, end));
      at = end;
    }
  }

  async #takeRun(id: number, bodies: readonly Bytes[]): Promise<void> {
    const channel = id === pairChannel ? undefined : this.#channels.get(id);
    if (!channel && id !== pairChannel) throw new ProtocolError("bad_frame");
    const opening = channel?.opening ?? this.#parts.secure.opening;
    const opened = bodies.map((body) => opening.open(body));
    for (const open of opened) open.catch(() => {}); // The first failure is thrown below.
    if (channel) this.#retireOld(channel.room, channel.opening);
    for (const open of opened) {
      const messages = await open;
      for (const message of decodeMessages(messages)) {
        if (channel) this.#broadcast(message, channel.room, messages.length);
        else await this.#control(message, messages.length);
      }
    }
  }

  /**
   * On a room's channel comes only what is signed, and what does no harm when a member makes it up:
   * members hold its key, so it vouches for nobody.
   */
  #broadcast(message: Message, room: JoinedRoom, bytes: number): void {
    if (message.type !== "batch" && message.type !== "presence" && message.type !== "typing") {
      throw new ProtocolError("bad_message", `A room's channel may not carry "${message.type}".`);
    }
    if (mapKey(message.room) !== mapKey(room.log.id)) throw new ProtocolError("bad_message");
    if (message.type === "batch") this.#queueBatch(message, bytes);
    else this.#queue(() => this.#glimpse(message, room), bytes);
  }

  /** Something that is seen in passing. */
  #glimpse(message: Control<"presence"> | Control<"typing">, { log, isGone }: JoinedRoom): void {
    if (isGone) return;
    const { listener } = this.#parts;
    if ("here" in message) return listener.presence(log.id, message);
    if (message.name !== undefined) listener.typing(log.id, message.name);
  }

  async #control(message: Message, bytes = 0): Promise<void> {
    switch (message.type) {
      case "attach":
        return await this.#attach(message);
      case "batch":
        return this.#queueBatch(message, bytes);
      case "reset":
        return this.#queueReset(message);
      case "room":
        return this.#queue(() => this.#parts.listener.roomChanged(message.room), bytes);
      case "removed":
        return this.#queueRemoved(message, bytes);
      case "stored":
        return this.#parts.listener.stored(message.messageId, message.seq);
      case "error":
        return this.#error(message);
      case "peopleAnswer":
      case "answer":
        return this.#requests.get(message.request)?.resolve(message);
      case "ping":
        // One answers all that came meanwhile, or a server could fill our memory with answers.
        if (!this.#outgoing.includes(pong)) this.#send(pong);
        return;
      case "pong":
        return;
      default:
        throw new ProtocolError("bad_message", `A server may not send "${message.type}".`);
    }
  }

  /** A room comes on a channel from now on; the one before is kept until the new one begins. */
  async #attach({ room: id, channel, key, counter, cursor }: Control<"attach">): Promise<void> {
    const room = this.#room(id);
    const opening = await OpeningChannel.create(channel, key, counter);
    room.channels = [...room.channels.filter((other) => other.id !== channel), opening];
    if (room.channels.length > roomKeysMax) throw new ProtocolError("bad_message");
    this.#channels.set(channel, { opening, room });
    this.#queue(() => {
      const current = this.#current(id);
      if (!current) return;
      if (current !== room && room.channels.includes(opening)) {
        current.channels.push(opening);
        this.#channels.set(channel, { opening, room: current });
      }
      // A gap between where the log stands and this cursor shows with the first batch.
      current.log.cursor ??= cursor;
      this.#parts.listener.attached(current.log.id, current.log.cursor);
    });
  }

  /** A channel has begun: the keys before it are of no more use. */
  #retireOld(room: JoinedRoom, begun: OpeningChannel): void {
    if (room.channels[0] === begun) return;
    const at = room.channels.indexOf(begun);
    for (const { id } of room.channels.splice(0, at)) this.#channels.delete(id);
  }

  #queueBatch(batch: Batch, bytes: number): void {
    this.#room(batch.room); // Throws where it was never joined.
    this.#queueMore(async () => {
      const room = this.#current(batch.room);
      if (!room) return;
      if (this.#ready?.room !== room) await this.#handOn();
      const entries = await room.log.accept(batch).catch(async (cause) => {
        await this.#handOn(); // What came before it was good.
        throw cause;
      });
      this.#ready ??= { room, entries: [] };
      this.#ready.entries.push(...entries);
      if (this.#inboxCount === 1 || this.#ready.entries.length >= entriesTogetherMax) {
        await this.#handOn();
      }
    }, bytes);
  }

  /** Entries are handed on together while more of them wait: keeping them costs by the time. */
  async #handOn(): Promise<void> {
    if (!this.#ready) return;
    const { room: { log }, entries } = this.#ready;
    this.#ready = undefined;
    await this.#parts.listener.entries(log.id, entries, log.cursor!);
  }

  #queueReset({ room: id, reason, cursor }: Control<"reset">): void {
    this.#room(id);
    this.#queue(() => {
      const room = this.#current(id);
      if (!room) return;
      room.log.reset(cursor);
      this.#parts.listener.reset(id, reason, cursor);
    });
  }

  #queueRemoved({ room: id, reason }: Control<"removed">, bytes: number): void {
    this.#queue(() => {
      const room = this.#current(id);
      if (room) room.isGone = true;
      this.#parts.listener.removed(id, reason);
    }, bytes);
  }

  #error(message: Control<"error">): void {
    const { code, text, retryAfterMs, request, messageId } = message;
    if (messageId) return this.#parts.listener.refused(messageId, message);
    const refused = new Refused(code, text, retryAfterMs);
    if (request !== undefined) return this.#requests.get(request)?.reject(refused);
    if (message.fatal) throw refused;
  }

  /** Does something after all that came before it has been checked. */
  #queue(act: () => void | Promise<void>, messageBytes = 0): void {
    this.#queueMore(async () => {
      await this.#handOn();
      await act();
    }, messageBytes);
  }

  #queueMore(act: () => void | Promise<void>, messageBytes: number): void {
    const bytes = messageBytes + queuedBytesMin;
    this.#inboxBytes += bytes;
    this.#inboxCount++;
    if (this.#inboxBytes > inboxUnansweredBytesMax) {
      throw new ProtocolError("bad_message", "The server does not answer, and sends ever more.");
    }
    this.#inbox = this.#inbox.then(() => this.#failure ? undefined : act()).then(() => {
      this.#inboxBytes -= bytes;
      this.#inboxCount--;
      this.#onInbox?.();
    }).catch((cause) => {
      this.#failure ??= cause;
      this.close();
      this.#onInbox?.();
    });
  }

  /** Reading pauses while too much waits to be checked; but not while that waits for an answer. */
  async #inboxHasRoom(): Promise<void> {
    while (this.#inboxBytes > inboxBytesMax && this.#requests.size === 0 && !this.#failure) {
      await new Promise<void>((resolve) => this.#onInbox = resolve);
    }
  }

  #room(id: Uint8Array): JoinedRoom {
    const room = this.#rooms.get(mapKey(id));
    if (!room) throw new ProtocolError("bad_message", "The server speaks of a room not joined.");
    return room;
  }

  /**
   * A room that we are in now. What comes is looked at in order, and meanwhile we may have been sent out
   * of a room, and have joined it again.
   */
  #current(id: Uint8Array): JoinedRoom | undefined {
    const room = this.#rooms.get(mapKey(id));
    return room?.isGone ? undefined : room;
  }

  /** Of rooms that we are in no more, the oldest are forgotten. */
  #remember(room: JoinedRoom): void {
    const key = mapKey(room.log.id);
    this.#rooms.delete(key);
    this.#rooms.set(key, room);
    if (this.#rooms.size <= roomsRememberedMax) return;
    const [oldest, gone] = this.#rooms.entries().find(([, { isGone }]) => isGone) ?? [];
    if (oldest === undefined) throw new ProtocolError("bad_message", "Too many rooms were joined.");
    this.#rooms.delete(oldest);
    for (const { id } of gone!.channels) this.#channels.delete(id);
  }

  /** Who is behind these devices: the server says so, and certificates bear it out. */
  async personsOf(deviceIds: readonly Uint8Array[]): Promise<readonly Person[]> {
    const known = await this.#authors.of(deviceIds);
    return deviceIds.flatMap((id) => known(id)?.person ?? []);
  }

  async #lookUp(ids: readonly Uint8Array[]): Promise<readonly Person[]> {
    const found: Person[] = [];
    for (let at = 0; at < ids.length; at += peopleMax) {
      const devices = ids.slice(at, at + peopleMax);
      const answer = await this.#request((request) =>
        encodeControl("people", { request, devices })
      );
      if (answer.type === "peopleAnswer") found.push(...answer.people);
    }
    return found;
  }

  async #request(encode: (request: number) => Uint8Array): Promise<Message> {
    if (this.#isOver) throw new CutShort("The connection ended.");
    const request = ++this.#lastRequest;
    const answer = Promise.withResolvers<Message>();
    this.#requests.set(request, answer);
    this.#onInbox?.(); // Reading must go on, or the answer never comes.
    try {
      this.#send(encode(request));
      return await answer.promise;
    } finally {
      this.#requests.delete(request);
    }
  }

  /** No answer comes any more. */
  #refuseRequests(): void {
    this.#isOver = true;
    const error = new CutShort("The connection ended.");
    for (const { reject } of this.#requests.values()) reject(error);
  }

  #send(message: Uint8Array): void {
    this.#outgoing.push(message);
    if (!this.#isSending) void this.#flush();
  }

  /** Packs what is ready into frames. */
  async #flush(): Promise<void> {
    const { secure, output } = this.#parts;
    this.#isSending = true;
    try {
      while (this.#outgoing.length > 0) {
        await output.ready;
        const body = await secure.sealing.seal(concat(this.#pack()));
        await output.write(concat(body));
      }
    } catch {
      this.close(); // The reading side tells why.
    } finally {
      this.#isSending = false;
    }
  }

  #pack(): Uint8Array[] {
    let bytes = 0;
    let count = 0;
    for (const { length } of this.#outgoing) {
      if (count > 0 && bytes + length > frameMessagesBytesMax) break;
      bytes += length;
      count++;
    }
    return this.#outgoing.splice(0, count);
  }

  /** Breaks off when nothing has been heard for too long: the server pings. */
  #watch(): () => void {
    const { clock } = this.#parts;
    let cancel = () => {};
    const look = () => {
      if (clock.now() - this.#heardMs > heardTimeoutMs) {
        this.#failure ??= new ProtocolError("silent");
        this.close();
      } else {
        cancel = clock.timer(heardTimeoutMs / 4, look);
      }
    };
    look();
    return () => cancel();
  }
}
