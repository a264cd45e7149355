/**
 * One room: the only owner of its order. It takes what is published, has it stored, signs and seals
 * it once per batch, and hands the same bytes to every reader.
 *
 * @module
 */

import type { AeadFactory } from "../crypto/aes_gcm.ts";
import { SealingChannel } from "../crypto/channel.ts";
import { label, sign, type SigningKey } from "../crypto/identity.ts";
import { concat, equal, writeU64 } from "../protocol/bytes.ts";
import type { Clock } from "../protocol/clock.ts";
import { decodeRows, type Entry, messageIdOf, rowBytes } from "../protocol/entry.ts";
import { ProtocolError } from "../protocol/errors.ts";
import {
  batchRowsBytesMax,
  channelBytesMax,
  channelFramesMax,
  keyBytes,
  laggardMs,
  passingBytesMax,
  pendingBytesMax,
  readOnlyRetryMs,
  reattachMs,
  reattachMsMax,
  roomKeyMs,
  tailIdleMs,
} from "../protocol/limits.ts";
import { type Cursor, encodeBatch, encodeControl } from "../protocol/message.ts";
import type { Backlog } from "./fanout/backlog.ts";
import { catchUp } from "./fanout/catch_up.ts";
import type { Reader } from "./fanout/reader.ts";
import { type Place, Rounds } from "./fanout/rounds.ts";
import {
  type Appended,
  type Page,
  type Store,
  StoreFullError,
  type Submission,
} from "./store/store.ts";
import { Tail } from "./fanout/tail.ts";

/** What somebody wants said, and whom to tell what became of it. */
export interface Publication extends Submission {
  /** Called with the seq of the first copy, when it had been said before. */
  readonly onRepeated?: (seq: number) => void;
  /** Called when it cannot be kept. */
  readonly onRefused?: (error: ProtocolError) => void;
  /** Called with its seq once it is kept, before anything behind it has its turn. */
  readonly onKept?: (seq: number) => void;
  /**
   * Whose it is. When `refusal` speaks against one message, all that waits behind it of the same author
   * is refused with it, or order would be lost.
   */
  readonly author?: object;
  /** What speaks against it at its turn; asked of each, and so it looks at nothing but memory. */
  readonly refusal?: () => ProtocolError | undefined;
  /**
   * Looks at what is in the log already: what it brings about, or what speaks against it.
   *
   * @param seq its place in the log, unless it is a repetition
   */
  readonly examine?: (seq: number) => Promise<Effect | ProtocolError>;
  /** Nothing else is in its batch: what comes behind it depends on whether it is kept. */
  readonly isAlone?: boolean;
}

/** What a publication brings about beside its entry. */
export type Effect = Pick<Submission, "erases" | "records">;

/** What a room takes from outside. */
export interface RoomOptions {
  readonly clock: Clock;
  readonly store: Store;
  /** The server's identity: it signs the heads. */
  readonly identity: SigningKey;
  /** What seals. */
  readonly aead: AeadFactory;
  /** Shared by all rooms. */
  readonly backlog: Backlog;
  /** An id that no channel on this node has had. */
  readonly newChannelId: () => number;
  /** Told when the room cannot go on. */
  readonly onFault: (cause: unknown) => void;
  /** Told whether the store takes anything new. */
  readonly onFull: (isFull: boolean) => void;
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
  readonly #options: RoomOptions;
  readonly #prepare: () => Promise<void> | undefined;
  readonly #tail = new Tail();
  readonly #rounds: Rounds;
  readonly #readers = new Map<Reader, Membership>();
  #listeners: Set<(entries: readonly Entry[]) => void> | undefined;
  #pending: Publication[] = [];
  #pendingBytes = 0;
  /** Messages that are sent to who is there, and kept nowhere. */
  #passing: Uint8Array[] = [];
  #passingBytes = 0;
  #isPumping = false;
  /** Called when there is room for publications again, or something was delivered. */
  #onDrained: (() => void)[] = [];
  #onDelivered: (() => void)[] = [];
  #ready: Promise<void> | undefined;
  /** Where the tail ends in the log, and what seals it; there once it is ready. */
  #delivered!: Cursor;
  /** Where the log itself ends: who catches up may be ahead of the tail. */
  #storedSeq = 0;
  #key!: Key;
  /** Somebody has gone who knows the key. */
  #isKeyExposed = false;
  #deliveredMs = 0;
  #cancelRest: (() => void) | undefined;

  /** @param prepare what has to be there before the first publication has its turn */
  constructor(
    id: Uint8Array,
    options: RoomOptions,
    prepare: () => Promise<void> | undefined = () => undefined,
  ) {
    this.id = id;
    this.#options = options;
    this.#prepare = prepare;
    this.#rounds = new Rounds(options.clock, this.#tail);
  }

  /** Whether publishers should not be read for now. */
  get isCongested(): boolean {
    return this.#pendingBytes > pendingBytesMax || this.#options.backlog.isFull;
  }

  /** Resolves when publishers may be read again. */
  async drained(): Promise<void> {
    if (this.#pendingBytes > pendingBytesMax) {
      await new Promise<void>((resolve) => this.#onDrained.push(resolve));
    }
    await this.#options.backlog.drained();
  }

  /** Resolves when all that was published is with the writers. */
  async flushed(): Promise<void> {
    while (this.#isPumping) {
      await new Promise<void>((resolve) => this.#onDelivered.push(resolve));
    }
  }

  /** The seq of the log's last entry, as far as anybody can have it. */
  async reached(): Promise<number> {
    await this.#whenReady();
    return this.#storedSeq;
  }

  /** Takes a publication whose core has been checked. */
  publish(publication: Publication): void {
    this.#pending.push(publication);
    this.#waits(rowBytes(publication.core));
    if (!this.#isPumping) void this.#pump();
  }

  /** Sends a message to who reads along just now; nobody who comes later gets it. */
  pass(message: Uint8Array): void {
    if (this.#readers.size === 0 || this.#passingBytes + message.length > passingBytesMax) return;
    this.#passing.push(message);
    this.#passingBytes += message.length;
    if (!this.#isPumping) void this.#pump();
  }

  /** Lets somebody read, from the end or from where they stand. */
  join(reader: Reader, cursor: Cursor | undefined): void {
    if (this.#readers.has(reader)) return;
    const membership = { place: undefined, notBeforeMs: 0, reattachMs, gone: false };
    this.#readers.set(reader, membership);
    this.#whenReady().then(() => {
      if (membership.gone || this.#attach(reader, membership, cursor ?? this.#delivered)) return;
      this.#catchUp(reader, membership, cursor!);
    }).catch(this.#options.onFault);
  }

  /** Ends somebody's reading. */
  leave(reader: Reader): void {
    const membership = this.#readers.get(reader);
    if (!membership) return;
    membership.gone = true;
    this.#readers.delete(reader);
    if (membership.place) this.#rounds.remove(membership.place);
  }

  /** Ends the reading of somebody who may read here no more: what comes has another key. */
  dismiss(reader: Reader): void {
    this.leave(reader);
    this.#isKeyExposed = true;
  }

  /** Ends its timers; nobody may be in it any more. */
  close(): void {
    this.#cancelRest?.();
    this.#rounds.close();
  }

  /** Calls `listen` with what is delivered from now on, until the returned function is called. */
  listen(listen: (entries: readonly Entry[]) => void): () => void {
    const listeners = this.#listeners ??= new Set();
    listeners.add(listen);
    return () => listeners.delete(listen);
  }

  async #pump(): Promise<void> {
    this.#isPumping = true;
    try {
      await this.#whenReady();
      while (this.#pending.length > 0 || this.#passing.length > 0) {
        if (this.#passing.length > 0) await this.#passOn();
        if (this.#pending.length > 0) await this.#keep(await this.#examined(this.#take()));
      }
    } catch (cause) {
      this.#options.onFault(cause);
    } finally {
      this.#isPumping = false;
      callAll(this.#onDelivered);
    }
  }

  /** So many more bytes wait to be stored. */
  #waits(bytes: number): void {
    this.#pendingBytes += bytes;
    this.#options.backlog.add(bytes);
    if (this.#pendingBytes <= pendingBytesMax) callAll(this.#onDrained);
  }

  /** Has publications stored, and delivers them. */
  async #keep(publications: readonly Publication[]): Promise<void> {
    if (publications.length === 0) return; // All were refused.
    const { store, clock, onFull } = this.#options;
    let appended: Appended;
    try {
      appended = await store.append(this.id, publications, clock.now());
      this.#storedSeq = appended.end.seq;
      onFull(false);
    } catch (cause) {
      if (!(cause instanceof StoreFullError)) throw cause;
      onFull(true);
      const error = new ProtocolError("read_only", undefined, { retryAfterMs: readOnlyRetryMs });
      return await this.#refuse(publications, error, () => true);
    }
    tellKept(publications, appended);
    if (appended.rows.length > 0) await this.#deliver(appended);
  }

  /**
   * These cannot be kept for now, and nothing of theirs that waits behind them, or the order would be
   * lost. What is in the log already is no refusal, or its author would be waited for who has nothing
   * more to send.
   *
   * @param isTheirs whether something that waits is refused with them
   */
  async #refuse(
    publications: readonly Publication[],
    error: ProtocolError,
    isTheirs: (waiting: Publication) => boolean,
  ): Promise<void> {
    const refused = [...publications];
    const seqs: (number | undefined)[] = [];
    while (seqs.length < refused.length) {
      const looking = refused.slice(seqs.length).map((each) => this.#seqOf(each));
      seqs.push(...await Promise.all(looking));
      refused.push(...this.#takeFromPending(isTheirs));
    }
    for (const [at, { onRefused, onRepeated }] of refused.entries()) {
      const seq = seqs[at];
      if (seq === undefined) onRefused?.(error);
      else onRepeated?.(seq);
    }
  }

  /** Those of what waits that are meant; they wait no more. */
  #takeFromPending(isMeant: (waiting: Publication) => boolean): Publication[] {
    const taken = this.#pending.filter(isMeant);
    if (taken.length === 0) return taken;
    this.#pending = this.#pending.filter((waiting) => !isMeant(waiting));
    this.#waits(-taken.reduce((sum, { core }) => sum + rowBytes(core), 0));
    return taken;
  }

  /** Those that may be kept, with what they bring about; the others are refused. */
  async #examined(publications: readonly Publication[]): Promise<readonly Publication[]> {
    // Most often nothing speaks against any of them, and nothing has to be looked up.
    if (publications.every(({ examine, refusal }) => !examine && !refusal?.())) return publications;
    const passed: Publication[] = [];
    const late = new Set<object>();
    for (const [at, publication] of publications.entries()) {
      const { author, refusal, examine } = publication;
      if (author && late.has(author)) continue;
      const error = refusal?.();
      if (error && !await this.#isRepeated(publication)) {
        const isTheirs = (other: Publication) => author !== undefined && other.author === author;
        if (author) late.add(author);
        const behind = publications.slice(at + 1).filter(isTheirs);
        await this.#refuse([publication, ...behind], error, isTheirs);
      } else if (!error) {
        const found = await examine?.(this.#storedSeq + 1);
        if (found instanceof ProtocolError) publication.onRefused?.(found);
        else passed.push(found ? { ...publication, ...found } : publication);
      }
    }
    return passed;
  }

  /** Whether a publication is in the log already; who says it again is told so. */
  async #isRepeated(publication: Publication): Promise<boolean> {
    const seq = await this.#seqOf(publication);
    if (seq !== undefined) publication.onRepeated?.(seq);
    return seq !== undefined;
  }

  /** Where a publication is in the log already. */
  async #seqOf({ deviceId, core }: Publication): Promise<number | undefined> {
    return (await this.#options.store.find(this.id, deviceId, messageIdOf(core)))?.seq;
  }

  /** Sends what is kept nowhere. */
  async #passOn(): Promise<void> {
    const messages = concat(this.#passing.splice(0));
    this.#passingBytes = 0;
    if (this.#rounds.places.length === 0) return;
    await this.#send(messages, this.#delivered);
  }

  /** The oldest publications, as many as one batch takes. */
  #take(): Publication[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#pending.length) {
      const next = rowBytes(this.#pending[count]!.core);
      if (count > 0 && bytes + next > batchRowsBytesMax) break;
      const { examine, isAlone } = this.#pending[count]!;
      // What looks at the log has to find there what was said before it.
      if (count > 0 && (examine || isAlone || this.#pending[0]!.isAlone)) break;
      bytes += next;
      count++;
    }
    const taken = count === this.#pending.length ? this.#pending : this.#pending.slice(0, count);
    this.#pending = count === this.#pending.length ? [] : this.#pending.slice(count);
    this.#waits(-bytes);
    return taken;
  }

  /** Signs, seals and hands out what has been stored. */
  async #deliver(appended: Appended): Promise<void> {
    await this.#send(await this.#vouch(appended), appended.end);
    this.#tellListeners(appended);
    callAll(this.#onDelivered);
  }

  /** Seals messages into the tail; who has read them stands at `end`. */
  async #send(messages: Uint8Array, end: Cursor): Promise<void> {
    await this.#makeRoom(messages.length);
    if (this.#isKeyUsedUp()) await this.#rotate();
    const { channel } = this.#key;
    const body = await channel.seal(messages);
    this.#key.nextCounter = channel.counter;
    this.#tail.append(body, { ...end, channel: channel.id, counter: channel.counter });
    this.#delivered = end;
    this.#deliveredMs = this.#options.clock.now();
    this.#rounds.announce();
    this.#restLater();
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
      writer: reader.writer,
      send: (message) => membership.gone || reader.send(message),
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
    return this.#isKeyExposed || channel.counter >= channelFramesMax ||
      channel.bytes >= channelBytesMax ||
      this.#options.clock.now() - sinceMs >= roomKeyMs;
  }

  /** Replaces the key. In one turn every reader is told and the room switches. */
  async #rotate(): Promise<void> {
    this.#isKeyExposed = false;
    this.#key = await newKey(this.#options);
    for (const [reader, { place }] of this.#readers) {
      if (place) this.#sendAttach(reader, this.#delivered, 0);
    }
  }

  /** A room that nobody has used yet knows neither its end nor a key. */
  #whenReady(): Promise<void> {
    return this.#ready ??= (async () => {
      [this.#delivered] = await Promise.all([this.#options.store.end(this.id), this.#prepare()]);
      this.#storedSeq = this.#delivered.seq;
      this.#key = await newKey(this.#options);
    })();
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
    if (!this.#listeners?.size) return;
    const entries = decodeRows(rows, firstSeq, timeMs);
    for (const listen of this.#listeners) listen(entries);
  }
}

/** What a frame has beside its messages. */
const frameOverheadBytes = 28;

async function newKey({ newChannelId, clock, aead }: RoomOptions): Promise<Key> {
  const raw = crypto.getRandomValues(new Uint8Array(keyBytes));
  const channel = await SealingChannel.create(newChannelId(), raw, aead);
  return { channel, raw, sinceMs: clock.now(), nextCounter: 0 };
}

/** Tells who has asked for that what is kept; who repeated themselves gets the seq of the first copy. */
function tellKept(publications: readonly Publication[], { seqs, firstSeq }: Appended): void {
  let nextSeq = firstSeq;
  for (const [at, seq] of seqs.entries()) {
    if (seq === nextSeq) {
      publications[at]!.onKept?.(seq);
      nextSeq++;
    } else publications[at]!.onRepeated?.(seq);
  }
}

function callAll(waiting: (() => void)[]): void {
  for (const resolve of waiting.splice(0)) resolve();
}
