/**
 * A server that somebody has changed. It serves as ever, but what it tells a client, and what it hears
 * of it, goes through the hands of a test first. These have all of the server's keys: whatever they put
 * into a log, the server vouches for.
 *
 * @module
 */

import { type AeadFactory, webAead } from "../../crypto/aes_gcm.ts";
import {
  ChannelError,
  channelOf,
  OpeningChannel,
  pairChannel,
  SealingChannel,
} from "../../crypto/channel.ts";
import { generateSigningKey, type SigningKey } from "../../crypto/identity.ts";
import { type Bytes, concat, equal, mapKey } from "../../protocol/bytes.ts";
import {
  chainEntry,
  chainHash,
  decodeRows,
  type Entry,
  payloadStart,
  rowBytes,
  writeRow,
} from "../../protocol/entry.ts";
import { frame, UnframeStream } from "../../protocol/framer.ts";
import { frameBytesMax } from "../../protocol/limits.ts";
import { type Link, through, writeAll } from "../../protocol/link.ts";
import {
  type Batch,
  type Cursor,
  decodeMessages,
  encodeBatch,
  encodeControl,
  encodePublish,
  type Message,
  type Person,
} from "../../protocol/message.ts";
import type { Rules } from "../../server/door/reception.ts";
import { Wire } from "../fixtures/memory_link.ts";
import type { Place } from "../fixtures/user.ts";
import { vouch } from "./liaison.ts";
import { serve, type Served, type ServeOptions } from "./served.ts";

/** What an entry is made of, for whom the server vouches for anything. */
export interface Row {
  readonly deviceId: Uint8Array;
  readonly core: Uint8Array;
}

/** An entry as it is. */
export function rowOf({ deviceId, core }: Entry): Row {
  return { deviceId, core: core.bytes };
}

/** What a test does with what goes between one user's client and the server. */
export interface Hands {
  /** What stands in the log of a room in the place of an entry. */
  entry?(entry: Entry, room: Uint8Array): readonly Row[] | Promise<readonly Row[]>;
  /** What is answered in the place of the server's answer, as JSON has it. */
  answer?(command: string, value: never, args: unknown): unknown;
  /** Who is behind devices. */
  people?(people: readonly Person[]): readonly Person[];
  /** Whether the server hears this. */
  heard?(message: Message, teller: Teller): boolean;
}

/** What a client can be told whenever a test likes. */
export interface Teller {
  /** A message. */
  tell(message: Message): void;
  /** Entries that no server ever took. */
  append(room: Uint8Array, ...rows: readonly Row[]): void;
}

/** A server through whose hands goes what it says. */
export interface Tampering extends Place, AsyncDisposable {
  readonly served: Served;
  /** Its identity. */
  readonly key: SigningKey;
  /** Where a user goes who is to be deceived; over however many connections. */
  by(hands: Hands): Place;
}

/** Starts a server that can be tampered with. */
export async function serveTampering(
  rules: Partial<Rules> = {},
  options: ServeOptions = {},
): Promise<Tampering> {
  const { key } = await generateSigningKey();
  const keys = new Keys();
  const served = await serve(rules, { ...options, identity: key, aead: keys.factory });
  const relays: Promise<void>[] = [];
  return {
    served,
    key,
    dial: () => served.dial(),
    clock: served.clock,
    by(hands) {
      const tellings = new Tellings(key, hands);
      const dial = async () => {
        const relay = new Relay(await served.dial(), keys, hands, tellings);
        relays.push(relay.run());
        return relay.near;
      };
      return { dial, clock: served.clock };
    },
    async [Symbol.asyncDispose]() {
      await served[Symbol.asyncDispose]();
      await Promise.all(relays);
    },
  };
}

/** Every key that the server has sealed or opened with. */
class Keys {
  readonly #made: { raw: Uint8Array; usage: "encrypt" | "decrypt" }[] = [];

  readonly factory: AeadFactory = (raw, usage) => {
    this.#made.push({ raw: raw.slice(), usage });
    return webAead(raw, usage);
  };

  /** The key by which the server has sealed, or will open, the first frame of a pair. */
  async of(body: Bytes, usage: "encrypt" | "decrypt"): Promise<Uint8Array> {
    for (const { raw } of this.#made.filter((made) => made.usage === usage).toReversed()) {
      try {
        await (await OpeningChannel.create(pairChannel, raw)).open(body);
        return raw;
      } catch (cause) {
        if (!(cause instanceof ChannelError)) throw cause;
      }
    }
    throw new Error("The server has no key for this frame.");
  }
}

/** The server's clock runs faster than ours: what is added must not be of before. */
const dayMs = 24 * 60 * 60 * 1000;

/** Where a client stands, and where it believes to stand. */
interface Standing {
  readonly real: Cursor;
  readonly told: Cursor;
}

/** The logs as one user is told them. */
class Tellings {
  readonly #key: SigningKey;
  readonly #hands: Hands;
  /** By room: everywhere that the client has stood, the last at the end. */
  readonly #stands = new Map<string, Standing[]>();

  constructor(key: SigningKey, hands: Hands) {
    this.#key = key;
    this.#hands = hands;
  }

  /** The client reads on from where it believes to stand; where it is in truth. */
  readOn(room: Uint8Array, told: Cursor): Cursor {
    const known = this.#of(room).findLast((stand) => equal(stand.told.hash, told.hash));
    const { real } = known ?? { real: told };
    this.#of(room).push({ real, told });
    return real;
  }

  /** The server has the client stand here; where the client is told that it stands. */
  stands(room: Uint8Array, real: Cursor, isNew: boolean): Cursor {
    const stands = this.#of(room);
    if (isNew || stands.length === 0) stands.push({ real, told: real });
    return stands.at(-1)!.told;
  }

  /** Which number the client knows an entry by. */
  seqOf(room: Uint8Array, seq: number): number {
    return this.#of(room).findLast(({ real }) => real.seq === seq)?.told.seq ?? seq;
  }

  /** A batch as it is told. */
  async retell({ room, rows, firstSeq, timeMs }: Batch): Promise<Message[]> {
    const messages: Message[] = [];
    for (const entry of decodeRows(rows, firstSeq, timeMs)) {
      const { real } = this.#of(room).at(-1)!;
      const next = { seq: entry.seq, hash: chainEntry(real.hash, entry) };
      const told = await this.#hands.entry?.(entry, room) ?? [rowOf(entry)];
      messages.push(...await this.append(room, told, entry.timeMs, next));
    }
    return messages;
  }

  /** Entries for the client alone, or in the place of one after which it stands at `real`. */
  async append(
    room: Uint8Array,
    rows: readonly Row[],
    timeMs: number,
    real = this.#of(room).at(-1)!.real,
  ): Promise<Message[]> {
    const { told: { seq, hash: before } } = this.#of(room).at(-1)!;
    let hash = before;
    for (const [at, { deviceId, core }] of rows.entries()) {
      hash = chainHash(hash, seq + 1 + at, timeMs, deviceId, core, payloadStart(core));
    }
    this.#of(room).push({ real, told: { seq: seq + rows.length, hash } });
    if (rows.length === 0) return [];
    const bytes = concat(rows.map(({ deviceId, core }) => {
      const row = new Uint8Array(rowBytes(core));
      writeRow(row, 0, 0, deviceId, core);
      return row;
    }));
    const batch = { room, firstSeq: seq + 1, timeMs, rows: bytes, hash };
    return [{ type: "batch", ...await vouch(this.#key, batch) }];
  }

  #of(room: Uint8Array): Standing[] {
    const key = mapKey(room);
    const stands = this.#stands.get(key) ?? [];
    this.#stands.set(key, stands);
    return stands;
  }
}

/** One connection, with somebody in the middle of it. */
class Relay {
  readonly #server: Link;
  readonly #link = new Wire();
  readonly #keys: Keys;
  readonly #hands: Hands;
  readonly #tellings: Tellings;
  /** What the client has asked for and was not answered. */
  readonly #asked = new Map<number, { command: string; args: unknown }>();
  /** By the room's channel. */
  readonly #rooms = new Map<number, { opening: OpeningChannel; sealing: SealingChannel }>();
  readonly #teller: Teller = {
    tell: (message) => void this.#tell(() => [message]),
    append: (room, ...rows) =>
      void this.#tell(() => this.#tellings.append(room, rows, Date.now() + dayMs)),
  };
  #pair: Promise<SealingChannel> | undefined;
  #telling: Promise<void> = Promise.resolve();

  constructor(server: Link, keys: Keys, hands: Hands, tellings: Tellings) {
    this.#server = server;
    this.#keys = keys;
    this.#hands = hands;
    this.#tellings = tellings;
  }

  /** The client's end. */
  get near(): Link {
    return this.#link.near;
  }

  /** Resolves when the connection has ended. */
  async run(): Promise<void> {
    await Promise.all([
      this.#pass(this.#link.far, this.#server, () => this.#fromClient()),
      this.#pass(this.#server, this.#link.far, () => this.#fromServer()),
    ]);
  }

  /** Hands frames on, the first as it is: that is the handshake. */
  async #pass(from: Link, to: Link, begin: () => (body: Bytes) => Promise<void>): Promise<void> {
    try {
      let take: ((body: Bytes) => Promise<void>) | undefined;
      for await (const bodies of through(from, new UnframeStream(() => frameBytesMax))) {
        for (const body of bodies) {
          if (take) await take(body);
          else {
            await writeAll(to, frame(body));
            take = begin();
          }
        }
      }
    } catch {
      // Whoever is at the ends knows why it has ended.
    } finally {
      from.close();
      await this.#telling.catch(() => {});
      to.close();
    }
  }

  #fromClient(): (body: Bytes) => Promise<void> {
    let opening: OpeningChannel | undefined;
    let sealing: SealingChannel | undefined;
    return async (body) => {
      if (!opening || !sealing) {
        const key = await this.#keys.of(body, "decrypt");
        opening = await OpeningChannel.create(pairChannel, key);
        sealing = await SealingChannel.create(pairChannel, key);
      }
      const messages = decodeMessages(await opening.open(body))
        .filter((message) => this.#hands.heard?.(message, this.#teller) ?? true)
        .map((message) => this.#heard(message));
      if (messages.length === 0) return;
      await writeAll(this.#server, frame(...await sealing.seal(concat(messages.map(encode)))));
    };
  }

  #heard(message: Message): Message {
    if (message.type === "request") {
      const { request, command, args } = message;
      this.#asked.set(request, { command, args });
    }
    if (message.type !== "join" || !message.cursor) return message;
    return { ...message, cursor: this.#tellings.readOn(message.room, message.cursor) };
  }

  #fromServer(): (body: Bytes) => Promise<void> {
    let opening: OpeningChannel | undefined;
    return async (body) => {
      const room = this.#rooms.get(channelOf(body));
      if (!room && !opening) {
        const key = await this.#keys.of(body, "encrypt");
        opening = await OpeningChannel.create(pairChannel, key);
        this.#pair = SealingChannel.create(pairChannel, key);
      }
      const messages = decodeMessages(await (room?.opening ?? opening!).open(body));
      await this.#tell(async () => {
        const told = [];
        for (const message of messages) told.push(...await this.#told(message));
        return told;
      }, room?.sealing);
    };
  }

  /** What the client is told in the place of a message. */
  async #told(message: Message): Promise<readonly Message[]> {
    const { people, answer } = this.#hands;
    switch (message.type) {
      case "batch":
        return await this.#tellings.retell(message);
      case "attach": {
        const { room, channel, key, counter } = message;
        this.#rooms.set(channel, {
          opening: await OpeningChannel.create(channel, key, counter),
          sealing: await SealingChannel.create(channel, key),
        });
        const cursor = this.#tellings.stands(room, message.cursor, false);
        return [{ ...message, counter: 0, cursor }];
      }
      case "reset":
        this.#tellings.stands(message.room, message.cursor, true);
        return [message];
      case "stored":
        return [{ ...message, seq: this.#tellings.seqOf(message.room, message.seq) }];
      case "peopleAnswer":
        return [{ ...message, people: [...people?.(message.people) ?? message.people] }];
      case "answer": {
        const { command, args } = this.#asked.get(message.request) ?? { command: "", args: {} };
        const value = answer ? await answer(command, message.value as never, args) : message.value;
        return [{ ...message, value }];
      }
      default:
        return [message];
    }
  }

  #tell(
    make: () => readonly Message[] | Promise<readonly Message[]>,
    sealing?: SealingChannel,
  ): Promise<void> {
    this.#telling = this.#telling.then(async () => {
      const channel = sealing ?? await this.#pair;
      const messages = await make();
      if (messages.length === 0 || !channel) return;
      await writeAll(this.#link.far, frame(...await channel.seal(concat(messages.map(encode)))));
    });
    return this.#telling;
  }
}

function encode(message: Message): Bytes {
  switch (message.type) {
    case "batch":
      return encodeBatch(message);
    case "publish":
      return encodePublish(message.room, message.core);
    default:
      return encodeControl(message.type, message as never);
  }
}
