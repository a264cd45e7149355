/**
 * A peer that writes its bytes by hand, and so can write any.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { OpeningChannel, pairChannel, SealingChannel } from "../../crypto/channel.ts";
import { generateIdentity, type Identity, label, sign } from "../../crypto/identity.ts";
import { dhBytes, initiate } from "../../crypto/noise.ts";
import { type Bytes, concat, fromBase64Url, readU32, toBase64Url } from "../../protocol/bytes.ts";
import { encodeCore, encodeCoreHead, Proof, signedFields } from "../../protocol/entry.ts";
import { promptSkipper } from "../../protocol/classic_server_reader.ts";
import { frame } from "../../protocol/framer.ts";
import {
  decodePayload,
  decodeRefusal,
  encodeHello,
  encodePayload,
  prologue,
  serverHello,
} from "../../protocol/hello.ts";
import {
  type Control,
  decodeMessages,
  encodeControl,
  encodePublish,
  type Message,
} from "../../protocol/message.ts";
import { within } from "../fixtures/within.ts";

/** A bare connection. */
export class Wire implements Disposable {
  readonly conn: Deno.TcpConn;
  /** What one read takes at most. */
  readBytes = 4096;
  /** What is made of bytes when they come. */
  prepare = (bytes: Uint8Array): Uint8Array => bytes;
  #unread: Bytes = new Uint8Array(0);

  constructor(conn: Deno.TcpConn) {
    this.conn = conn;
  }

  static async connect(port: number): Promise<Wire> {
    return new Wire(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Writes; that the other end has gone already is no failure. */
  async write(...parts: readonly Uint8Array[]): Promise<void> {
    const bytes = concat(parts);
    try {
      for (let at = 0; at < bytes.length;) at += await this.conn.write(bytes.subarray(at));
    } catch {
      // What it was told can be read all the same.
    }
  }

  /** Says that nothing more will come. */
  async end(): Promise<void> {
    await this.conn.closeWrite().catch(() => {}); // The other end has gone already.
  }

  /** The body of the next frame; undefined when the connection has ended. */
  async frame(): Promise<Bytes | undefined> {
    const length = await this.#take(4);
    return length && await this.#take(readU32(length, 0));
  }

  /** The next so many bytes as text. */
  async text(bytes: number): Promise<string> {
    return new TextDecoder().decode(await this.#take(bytes));
  }

  /** All bytes until the connection ends. */
  async rest(): Promise<Bytes> {
    while (await this.#read());
    return this.#unread;
  }

  [Symbol.dispose](): void {
    try {
      this.conn.close();
    } catch {
      // It was closed before.
    }
  }

  async #take(bytes: number): Promise<Bytes | undefined> {
    while (this.#unread.length < bytes) if (!await this.#read()) return undefined;
    const taken = this.#unread.slice(0, bytes);
    this.#unread = this.#unread.slice(bytes);
    return taken;
  }

  async #read(): Promise<boolean> {
    const buffer = new Uint8Array(this.readBytes);
    const reading = this.conn.read(buffer).catch(() => null);
    const count = await within(reading, "the server to answer or to end the connection");
    if (count === null) return false;
    this.#unread = concat([this.#unread, this.prepare(buffer.subarray(0, count))]);
    return true;
  }
}

/** A client of ours up to the handshake. */
export class Peer extends Wire {
  /** A server that heard nothing for a moment took us for a classic client. */
  override prepare = promptSkipper();
  /** The frames sent so far. */
  readonly sent: Bytes[] = [];
  sealing!: SealingChannel;
  opening!: OpeningChannel;
  hash!: Uint8Array;
  server!: Uint8Array;
  readonly #waiting: Message[] = [];

  static override async connect(port: number): Promise<Peer> {
    return new Peer(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Shakes hands. */
  async shake(): Promise<this> {
    const payload = encodePayload({ versions: [2], capabilities: [] });
    const initiator = await initiate(prologue(dhBytes + payload.length), payload);
    await this.writeFrame(encodeHello(initiator.message));
    const result = await initiator.finish((await this.frame())!);
    this.server = fromBase64Url(decodePayload(serverHello, result.payload).identity);
    this.hash = result.hash;
    this.sealing = await SealingChannel.create(pairChannel, result.clientKey);
    this.opening = await OpeningChannel.create(pairChannel, result.serverKey);
    return this;
  }

  async writeFrame(body: Uint8Array): Promise<void> {
    const bytes = frame(body);
    this.sent.push(bytes);
    await this.write(bytes);
  }

  /** The next frame of channel 0, its length in front. */
  async seal(...messages: readonly Uint8Array[]): Promise<Bytes> {
    return frame(...await this.sealing.seal(concat(messages)));
  }

  /** Sends messages as one frame. */
  async send(...messages: readonly Uint8Array[]): Promise<void> {
    const bytes = await this.seal(...messages);
    this.sent.push(bytes);
    await this.write(bytes);
  }

  /** The next message on channel 0; undefined when the connection has ended. */
  async message(): Promise<Message | undefined> {
    while (this.#waiting.length === 0) {
      const body = await this.frame();
      if (!body) return undefined;
      if (readU32(body, 0) !== pairChannel) continue; // What the room says.
      this.#waiting.push(...decodeMessages(await this.opening.open(body)));
    }
    return this.#waiting.shift();
  }

  /** The next message of this type. */
  async receive<Type extends Message["type"]>(type: Type): Promise<Message & { type: Type }> {
    for (let next = await this.message(); next; next = await this.message()) {
      if (next.type === type) return next as Message & { type: Type };
      if (next.type === "error") throw new Error(`${next.code}: ${next.text}`);
    }
    throw new Error(`The connection ended before ${type}`);
  }

  /** What the server says before it ends the connection: in the clear, or sealed. */
  async lastWords(): Promise<{ code: string; text: string } | undefined> {
    if (!this.sealing) {
      const body = await this.frame();
      return body && decodeRefusal(body);
    }
    let last: Control<"error"> | undefined;
    for (let next = await this.message(); next; next = await this.message()) {
      if (next.type === "error") last = next;
    }
    return last;
  }

  /** Fails unless the server says so and ends the connection. */
  async assertEnds(code: string, what?: string): Promise<void> {
    const words = await this.lastWords();
    assertEquals(words?.code, code, what);
    if (!words!.text) throw new Error(`${code} has no text`);
    assertEquals((await this.rest()).length, 0, "bytes after the last words");
  }
}

/** A peer that has logged in. */
export interface Insider {
  readonly peer: Peer;
  readonly identity: Identity;
  readonly welcome: Control<"welcome">;
  /** The lobby. */
  readonly room: Uint8Array;
}

let names = 0;

/** The message that logs in. */
export async function loginMessage(
  { hash, server }: Pick<Peer, "hash" | "server">,
  { user, device, certificate }: Identity,
  name: string,
  invitation?: Uint8Array,
): Promise<Bytes> {
  const keys = [user.publicKey, device.publicKey];
  const fields = [hash, server, ...keys, new TextEncoder().encode(name)];
  const signature = await sign(device, label.login, fields);
  const [userKey, deviceKey] = keys as [Bytes, Bytes];
  return encodeControl("login", {
    name,
    userKey,
    deviceKey,
    certificate,
    signature,
    invitation,
  });
}

/** Connects and logs in. */
export async function logIn(
  { port }: { port: number },
  options: { name?: string; identity?: Identity } = {},
): Promise<Insider> {
  const peer = await Peer.connect(port);
  try {
    await peer.shake();
    const identity = options.identity ?? (await generateIdentity()).identity;
    await peer.send(await loginMessage(peer, identity, options.name ?? `peer${++names}`));
    const welcome = await peer.receive("welcome");
    return { peer, identity, welcome, room: welcome.rooms[0]!.id };
  } catch (cause) {
    peer[Symbol.dispose]();
    throw cause;
  }
}

/** Logs in and reads the lobby. */
export async function join(
  served: { port: number },
  options: { name?: string; identity?: Identity } = {},
): Promise<Insider & { readonly attach: Control<"attach"> }> {
  const insider = await logIn(served, options);
  const { peer, room } = insider;
  await peer.send(encodeControl("join", { room }));
  return { ...insider, attach: await peer.receive("attach") };
}

/** A publish of a text as it should be. */
export async function publishMessage(
  { identity, welcome, room }: Omit<Insider, "peer">,
  text: string,
  messageId: Uint8Array = crypto.getRandomValues(new Uint8Array(16)),
): Promise<Bytes> {
  const payload = new TextEncoder().encode(text);
  const draft = { proof: Proof.signature, content: 0, messageId, payload };
  const fields = signedFields(room, welcome.deviceId, encodeCoreHead(draft), payload);
  const signature = await sign(identity.device, label.entry, fields);
  return encodePublish(room, encodeCore(draft, signature));
}

/** Asks who is in a room. */
export function askWho(request: number, room: Uint8Array): Bytes {
  return encodeControl("request", { request, command: "who", args: { room: toBase64Url(room) } });
}
