/**
 * A server that does what a test tells it to, good or not.
 *
 * @module
 */

import { type SecureLink, shakeHands } from "../../client/handshake.ts";
import { inTime } from "../../client/in_time.ts";
import { systemClock } from "../../cli/clock.ts";
import { webAead } from "../../crypto/aes_gcm.ts";
import { SealingChannel } from "../../crypto/channel.ts";
import {
  deviceIdOf,
  generateIdentity,
  generateSigningKey,
  type Identity,
  label,
  sign,
  type SigningKey,
} from "../../crypto/identity.ts";
import { type Bytes, concat, writeU64 } from "../../protocol/bytes.ts";
import type { RoomInfo } from "../../protocol/command.ts";
import {
  chainEntry,
  decodeRows,
  type Draft,
  encodeCore,
  encodeCoreHead,
  Proof,
  rowBytes,
  signedFields,
  writeRow,
} from "../../protocol/entry.ts";
import { frame } from "../../protocol/framer.ts";
import {
  type Batch,
  type Cursor,
  decodeMessages,
  encodeBatch,
  encodeControl,
  type Message,
  type Person,
} from "../../protocol/message.ts";
import { makeServerKeys, type Pair, shakeHands as answer } from "../../server/door/login.ts";
import { dialTcp } from "../../cli/tcp.ts";
import { Wire } from "./peer.ts";

export const room = new Uint8Array(16).fill(1);
export const anotherRoom = new Uint8Array(16).fill(4);
export const lobby: RoomInfo = {
  id: room,
  name: "lobby",
  sealed: false,
  topic: "",
  role: "member",
  access: "anyone",
  slowMs: 0,
  isAnnounce: false,
  direct: false,
};
export const roomKey = new Uint8Array(32).fill(2);
export const channel = 1;

/** A server that does what a test tells it to. */
export interface Liar extends AsyncDisposable {
  readonly port: number;
  readonly identity: SigningKey;
}

export type Act = (wire: Wire, identity: SigningKey) => Promise<void>;

/** Does something with each connection, then waits until the client has gone. */
export async function lie(act: Act): Promise<Liar> {
  const { key: identity } = await generateSigningKey();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const acts: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const conn of listener) {
      acts.push((async () => {
        using wire = new Wire(conn);
        await act(wire, identity);
        await wire.rest();
      })());
    }
  })();
  return {
    port: listener.addr.port,
    identity,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      await Promise.all(acts);
    },
  };
}

export async function dial(
  port: number,
  check: Parameters<typeof shakeHands>[1] = () => {},
): Promise<SecureLink> {
  const link = await dialTcp({ host: "127.0.0.1", port });
  return await inTime(link, systemClock, shakeHands(link, check));
}

/** What a server in the middle of a session can do. */
export class Liaison {
  readonly wire: Wire;
  readonly pair: Pair;
  readonly identity: SigningKey;
  readonly room: SealingChannel;
  /** Where the log is that the client has been told. */
  cursor: Cursor = { seq: 10, hash: new Uint8Array(32).fill(3) };

  constructor(wire: Wire, pair: Pair, identity: SigningKey, room: SealingChannel) {
    this.wire = wire;
    this.pair = pair;
    this.identity = identity;
    this.room = room;
  }

  /** Takes a client in, as a good server does; it reads the room when this resolves. */
  static async open(
    wire: Wire,
    identity: SigningKey,
    rooms: readonly RoomInfo[] = [lobby],
  ): Promise<Liaison> {
    const pair = await answer((await wire.frame())!, await makeServerKeys(identity, webAead));
    await wire.write(frame(pair.answer));
    const liaison = new Liaison(
      wire,
      pair,
      identity,
      await SealingChannel.create(channel, roomKey),
    );
    const login = await liaison.receive("login");
    await liaison.send(encodeControl("welcome", {
      userId: room,
      deviceId: deviceIdOf(login.deviceKey),
      name: login.name,
      registered: true,
      isAdmin: false,
      rooms: [...rooms],
    }));
    await liaison.receive("join");
    await liaison.attach(channel);
    return liaison;
  }

  attach(channel: number): Promise<void> {
    const { cursor } = this;
    return this.send(encodeControl("attach", { room, channel, key: roomKey, counter: 0, cursor }));
  }

  async send(...messages: Uint8Array[]): Promise<void> {
    await this.wire.write(frame(...await this.pair.sealing.seal(concat(messages))));
  }

  async sendToRoom(...messages: Uint8Array[]): Promise<void> {
    await this.wire.write(frame(...await this.room.seal(concat(messages))));
  }

  async receive<Type extends Message["type"]>(type: Type): Promise<Message & { type: Type }> {
    while (true) {
      const body = await this.wire.frame();
      if (!body) throw new Error(`The client left before ${type}`);
      const messages = decodeMessages(await this.pair.opening.open(body));
      const found = messages.find((message) => message.type === type);
      if (found) return found as Message & { type: Type };
    }
  }

  /** A good batch of one entry behind the cursor, which moves on; unless it is made a bad one. */
  async batch(core: Uint8Array, deviceId: Uint8Array, lies: Lies = {}): Promise<Bytes> {
    const { cursor, identity } = this;
    const rows = new Uint8Array(rowBytes(core));
    writeRow(rows, 0, 0, deviceId, core);
    const firstSeq = cursor.seq + 1 + (lies.gap ?? 0);
    const [entry] = decodeRows(rows, firstSeq, 1000);
    const hash = chainEntry(lies.before ?? cursor.hash, entry!);
    const batch = { room, firstSeq, timeMs: 1000, rows, hash };
    const { signature } = await vouch(lies.signer ?? identity, batch, lies);
    lies.change?.(rows);
    this.cursor = { seq: firstSeq, hash };
    return encodeBatch({ ...batch, signature });
  }
}

/** A batch with its head signed. */
export async function vouch(
  signer: SigningKey,
  batch: Omit<Batch, "type" | "signature">,
  lies: Pick<Lies, "label" | "room"> = {},
): Promise<Omit<Batch, "type">> {
  const { firstSeq, timeMs, rows, hash } = batch;
  const seq = new Uint8Array(8);
  writeU64(seq, 0, firstSeq + decodeRows(rows, firstSeq, timeMs).length - 1);
  const fields = [lies.room ?? batch.room, seq, hash];
  return { ...batch, signature: await sign(signer, lies.label ?? label.head, fields) };
}

export interface Lies {
  gap?: number;
  before?: Uint8Array;
  signer?: SigningKey;
  label?: (typeof label)[keyof typeof label];
  room?: Uint8Array;
  change?: (rows: Uint8Array) => void;
}

/** Somebody whose messages the server passes on. */
export async function author(name: string): Promise<{ identity: Identity; person: Person }> {
  const { identity } = await generateIdentity();
  const { user, device, certificate } = identity;
  const keys = { user: user.publicKey, device: device.publicKey, certificate };
  const deviceId = deviceIdOf(device.publicKey);
  return { identity, person: { deviceId, userId: new Uint8Array(16).fill(9), name, keys } };
}

export async function said(by: Identity, text: string, draft: Partial<Draft> = {}): Promise<Bytes> {
  const payload = new TextEncoder().encode(text);
  const messageId = crypto.getRandomValues(new Uint8Array(16));
  const whole = { proof: Proof.signature, content: 0, messageId, payload, ...draft };
  const fields = signedFields(
    room,
    deviceIdOf(by.device.publicKey),
    encodeCoreHead(whole),
    payload,
  );
  return encodeCore(whole, await sign(by.device, label.entry, fields));
}
