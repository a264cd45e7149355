/**
 * One room: the only owner of its order. It takes what is published, has it stored, signs and seals
 * it once per batch, and hands the same bytes to every reader.
 *
 * @module
 */

import { SealingChannel } from "../crypto/channel.ts";
import { label, sign, type SigningKey } from "../crypto/identity.ts";
import { equal, writeU64 } from "../protocol/bytes.ts";
import type { Clock } from "../protocol/clock.ts";
import { decodeRows, type Entry, rowBytes } from "../protocol/entry.ts";
import {
  batchRowsBytesMax,
  channelBytesMax,
  channelFramesMax,
  keyBytes,
  laggardMs,
  pendingBytesMax,
  reattachMs,
  reattachMsMax,
  roomKeyMs,
  tailIdleMs,
} from "../protocol/limits.ts";
import { type Cursor, encodeBatch, encodeControl } from "../protocol/message.ts";
import { catchUp } from "./catch_up.ts";
import type { Reader } from "./reader.ts";
import { type Place, Rounds } from "./rounds.ts";
import type { Appended, Page, Store, Submission } from "./store/store.ts";
import { Tail } from "./tail.ts";

/** What somebody wants said, and whom to tell when it had been said before. */
export interface Publication extends Submission {
  /** Called with the seq of the first copy. */
  readonly onRepeated?: (seq: number) => void;
}

/** What a room takes from outside. */
export interface RoomOptions {
  readonly id: Uint8Array;
  readonly name: string;
  readonly clock: Clock;
  readonly store: Store;
  /** The server's identity: it signs the heads. */
  readonly identity: SigningKey;
  /** An id that no channel on this node has had. */
  readonly newChannelId: () => number;
  /** Told when the room cannot go on. */
  readonly onFault: (cause: unknown) => void;
}

/** A room's channel, and what there is to tell of it. */
interface Key {
  readonly channel: SealingChannel;
  readonly raw: Uint8Array;
  readonly sinceMs: number;
  /** The counter of the next frame in the tail. */
  nextCounter: number;
}

/** A reader's state: in the tail, or catching up. */
interface Membership {
  place: Place | undefined;
  /** Not in the tail again before this. */
  notBeforeMs: number;
  reattachMs: number;
  gone: boolean;
}

/** MUST deliver nothing that the store has not; MUST deliver each entry once, in order, to each reader. */
export class Room {
  readonly id: Uint8Array;
  readonly name: string;
  readonly #options: RoomOptions;
  readonly #tail = new Tail();
  readonly #rounds: Rounds;
  readonly #readers = new Map<Reader, Membership>();
  readonly #listeners = new Set<(entries: readonly Entry[]) => void>();
  #pending: Publication[] = [];
  #pendingBytes = 0;
  #isPumping = false;
  /** Called when there is room for publications again, or something was delivered. */
  #onDrained: (() => void)[] = [];
  #onDelivered: (() => void)[] = [];
  /** Where the tail ends in the log. */
  #delivered: Cursor;
  #key: Key;
  #deliveredMs = 0;
  #cancelRest: (() => void) | undefined;

  private constructor(options: RoomOptions, end: Cursor, key: Key) {
    this.id = options.id;
    this.name = options.name;
    this.#options = options;
    this.#rounds = new Rounds(options.clock, this.#tail);
    this.#delivered = end;
    this.#key = key;
  }

  /** Opens a room whose log the store has, or begins. */
  static async open(options: RoomOptions): Promise<Room> {
    return new Room(options, await options.store.end(options.id), await newKey(options));
  }

  /** Whether publishers should not be read for now. */
  get isCongested(): boolean {
    return this.#pendingBytes > pendingBytesMax;
  }

  /** Resolves when publishers may be read again. */
  drained(): Promise<void> {
    if (!this.isCongested) return Promise.resolve();
    return new Promise((resolve) => this.#onDrained.push(resolve));
  }

  /** Resolves when all that was published is with the writers. */
  async flushed(): Promise<void> {
    while (this.#isPumping) {
      await new Promise<void>((resolve) => this.#onDelivered.push(resolve));
    }
  }

  /** Takes a publication whose core has been checked. */
  publish(publication: Publication): void {
    this.#pending.push(publication);
    this.#pendingBytes += rowBytes(publication.core);
    if (!this.#isPumping) void this.#pump();
  }

  /** Lets somebody read, from the end or from where they stand. */
  join(reader: Reader, cursor: Cursor | undefined): void {
    if (this.#readers.has(reader)) return;
    const membership = { place: undefined, notBeforeMs: 0, reattachMs, gone: false };
    this.#readers.set(reader, membership);
    if (!this.#attach(reader, membership, cursor ?? this.#delivered)) {
      this.#catchUp(reader, membership, cursor!);
    }
  }

  /** Ends somebody's reading. */
  leave(reader: Reader): void {
    const membership = this.#readers.get(reader);
    if (!membership) return;
    membership.gone = true;
    this.#readers.delete(reader);
    if (membership.place) this.#rounds.remove(membership.place);
  }

  /** Ends its timers; nobody may be in it any more. */
  close(): void {
    this.#cancelRest?.();
    this.#rounds.close();
  }

  /** Calls `listen` with what is delivered from now on, until the returned function is called. */
  listen(listen: (entries: readonly Entry[]) => void): () => void {
    this.#listeners.add(listen);
    return () => this.#listeners.delete(listen);
  }

  async #pump(): Promise<void> {
    this.#isPumping = true;
    try {
      while (this.#pending.length > 0) {
        const publications = this.#take();
        const { store, clock } = this.#options;
        const appended = await store.append(this.id, publications, clock.now());
        tellRepeated(publications, appended);
        if (appended.rows.length > 0) await this.#deliver(appended);
      }
    } catch (cause) {
      this.#options.onFault(cause);
    } finally {
      this.#isPumping = false;
      callAll(this.#onDelivered);
    }
  }

  /** The oldest publications, as many as one batch takes. */
  #take(): Publication[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#pending.length) {
      const next = rowBytes(this.#pending[count]!.core);
      if (count > 0 && bytes + next > batchRowsBytesMax) break;
      bytes += next;
      count++;
    }
    const taken = count === this.#pending.length ? this.#pending : this.#pending.slice(0, count);
    this.#pending = count === this.#pending.length ? [] : this.#pending.slice(count);
    this.#pendingBytes -= bytes;
    if (!this.isCongested) callAll(this.#onDrained);
    return taken;
  }

  /** Signs, seals and hands out what has been stored. */
  async #deliver(appended: Appended): Promise<void> {
    const message = await this.#vouch(appended);
    await this.#makeRoom(message.length);
    if (this.#isKeyUsedUp()) await this.#rotate();
    const { channel } = this.#key;
    const body = await channel.seal(message);
    this.#key.nextCounter = channel.counter;
    const { end } = appended;
    this.#tail.append(body, { ...end, channel: channel.id, counter: channel.counter });
    this.#delivered = end;
    this.#deliveredMs = this.#options.clock.now();
    this.#rounds.announce();
    this.#restLater();
    this.#tellListeners(appended);
    callAll(this.#onDelivered);
  }

  /** A batch of these entries with the server's signature over the log up to their end. */
  async #vouch({ firstSeq, timeMs, rows, end }: Page): Promise<Uint8Array> {
    const seq = new Uint8Array(8);
    writeU64(seq, 0, end.seq);
    const fields = [this.id, seq, end.hash];
    const signature = await sign(this.#options.identity, label.head, fields);
    return encodeBatch({ room: this.id, firstSeq, timeMs, rows, hash: end.hash, signature });
  }

  /** Waits until the tail takes a frame; who holds it up for long has to catch up. */
  async #makeRoom(messageBytes: number): Promise<void> {
    const frameBytes = messageBytes + frameOverheadBytes;
    while (!this.#tail.hasRoomFor(frameBytes)) {
      let cancel = () => {};
      await new Promise<void>((resolve) => {
        this.#tail.onRoom = resolve;
        cancel = this.#options.clock.timer(laggardMs, () => {
          this.#dropLaggards();
          resolve();
        });
      });
      cancel();
      this.#tail.onRoom = () => {};
    }
  }

  #dropLaggards(): void {
    const laggards = new Set(this.#rounds.laggards());
    for (const [reader, membership] of this.#readers) {
      const { place } = membership;
      if (!place || !laggards.has(place)) continue;
      const mark = place.goesTo === place.start.position
        ? place.start
        : this.#tail.markAt(place.goesTo)!;
      this.#rounds.remove(place);
      membership.place = undefined;
      membership.notBeforeMs = this.#options.clock.now() + membership.reattachMs;
      membership.reattachMs = Math.min(2 * membership.reattachMs, reattachMsMax);
      this.#catchUp(reader, membership, { seq: mark.seq, hash: mark.hash });
    }
  }

  /** Serves what follows a cursor from the store until the reader is in the tail. */
  #catchUp(reader: Reader, membership: Membership, cursor: Cursor): void {
    catchUp({
      room: this.id,
      store: this.#options.store,
      reader,
      cursor,
      vouch: (page) => this.#vouch(page),
      attach: (reached) => membership.gone || this.#attach(reader, membership, reached),
      delivered: () => this.#nextDelivery(membership),
    }).catch(this.#options.onFault);
  }

  /** Resolves when something more was delivered, or the reader may be attached. */
  #nextDelivery(membership: Membership): Promise<void> {
    return new Promise((resolve) => {
      this.#onDelivered.push(resolve);
      const waitMs = membership.notBeforeMs - this.#options.clock.now();
      if (waitMs > 0) this.#options.clock.timer(waitMs, resolve);
    });
  }

  /** Puts a reader into the tail where it stands in the log; false when that is not in the tail. */
  #attach(reader: Reader, membership: Membership, cursor: Cursor): boolean {
    if (membership.notBeforeMs > this.#options.clock.now()) return false;
    const { channel, nextCounter } = this.#key;
    const end = { ...this.#delivered, position: this.#tail.end, channel: channel.id };
    const mark = cursor.seq === end.seq
      ? { ...end, counter: nextCounter }
      : this.#tail.markBelow(cursor.seq);
    if (!mark || mark.seq !== cursor.seq || mark.channel !== channel.id) return false;
    if (!equal(mark.hash, cursor.hash)) return false;
    this.#sendAttach(reader, cursor, mark.counter);
    membership.place = this.#rounds.add(reader.writer, mark);
    return true;
  }

  #sendAttach(reader: Reader, cursor: Cursor, counter: number): void {
    const { channel, raw: key } = this.#key;
    const { id: room } = this;
    reader.send(encodeControl("attach", { room, channel: channel.id, key, counter, cursor }));
  }

  #isKeyUsedUp(): boolean {
    const { channel, sinceMs } = this.#key;
    return channel.counter >= channelFramesMax || channel.bytes >= channelBytesMax ||
      this.#options.clock.now() - sinceMs >= roomKeyMs;
  }

  /** Replaces the key. In one turn every reader is told and the room switches. */
  async #rotate(): Promise<void> {
    this.#key = await newKey(this.#options);
    for (const [reader, { place }] of this.#readers) {
      if (place) this.#sendAttach(reader, this.#delivered, 0);
    }
  }

  /** An idle room holds no segments. One timer looks whether it has become idle. */
  #restLater(): void {
    const { clock } = this.#options;
    this.#cancelRest ??= clock.timer(tailIdleMs, () => {
      this.#cancelRest = undefined;
      const idleMs = clock.now() - this.#deliveredMs;
      if (idleMs < tailIdleMs || !this.#rounds.isAtRest) return this.#restLater();
      this.#rounds.rest();
      this.#tail.clear();
    });
  }

  #tellListeners({ rows, firstSeq, timeMs }: Appended): void {
    if (this.#listeners.size === 0) return;
    const entries = decodeRows(rows, firstSeq, timeMs);
    for (const listen of this.#listeners) listen(entries);
  }
}

/** What a frame has beside its messages. */
const frameOverheadBytes = 28;

async function newKey({ newChannelId, clock }: RoomOptions): Promise<Key> {
  const raw = crypto.getRandomValues(new Uint8Array(keyBytes));
  const channel = await SealingChannel.create(newChannelId(), raw);
  return { channel, raw, sinceMs: clock.now(), nextCounter: 0 };
}

/** Who repeated themselves gets the seq of what they said first. */
function tellRepeated(publications: readonly Publication[], { seqs, firstSeq }: Appended): void {
  let nextSeq = firstSeq;
  for (const [at, seq] of seqs.entries()) {
    if (seq === nextSeq) nextSeq++;
    else publications[at]!.onRepeated?.(seq);
  }
}

function callAll(waiting: (() => void)[]): void {
  for (const resolve of waiting.splice(0)) resolve();
}
