/**
 * Our own server, and real sessions with it: handshake, login, the lobby joined; what is published is
 * signed and sealed. The recorded reader opens and checks everything: counters, heads, chain, order.
 *
 * @module
 */

import { Authors, RoomLog } from "../../client/room_log.ts";
import { channelOf, OpeningChannel, pairChannel, SealingChannel } from "../../crypto/channel.ts";
import {
  generateIdentity,
  type Identity,
  importVerifier,
  label,
  sign,
} from "../../crypto/identity.ts";
import { dhBytes, initiate } from "../../crypto/noise.ts";
import { commands, type RoomInfo } from "../../protocol/command.ts";
import { concat, fromBase64Url, readU32, readU64 } from "../../protocol/bytes.ts";
import { promptSkipper } from "../../protocol/classic_server_reader.ts";
import { Content } from "../../protocol/entry.ts";
import { frame } from "../../protocol/framer.ts";
import {
  decodePayload,
  encodeHello,
  encodePayload,
  prologue,
  serverHello,
} from "../../protocol/hello.ts";
import { lengthBytes, nonceBytes } from "../../protocol/limits.ts";
import {
  type Control,
  type Cursor,
  decodeMessages,
  encodeControl,
  encodePublish,
  type Message,
} from "../../protocol/message.ts";
import { readId } from "../message.ts";
import { sealedCore, sealedRoomName } from "../sealed_room.ts";
import { connect, writeAll } from "../socket.ts";
import {
  type Checked,
  type Delivered,
  type Publisher,
  type ReaderSession,
  type Scanner,
  scenarioNames,
  type Subject,
} from "../subject.ts";
import { v8Flags } from "../../cli/v8_flags.ts";
import { publisherIdentity, Signed } from "./broadcast_signed.ts";

/** The first so many sessions are of one user, whose messages are signed before the run. */
const publishersMax = 100;

/** A session, logged in and attached to the lobby. */
export interface Session extends ReaderSession {
  readonly sealing: SealingChannel;
  readonly opening: OpeningChannel;
  /** The server's identity key. */
  readonly server: Uint8Array;
  /** The lobby, and the other rooms of the user. */
  readonly room: Uint8Array;
  readonly rooms: readonly Uint8Array[];
  readonly deviceId: Uint8Array;
}

/** Bounds that no measurement is to meet. */
const unbounded = {
  QUIET: "on",
  LOG_LEVEL: "error",
  USER_CONNECTIONS_MAX: "10000",
  HANDSHAKES_MAX: "10000",
  PUBLISH_BURST: "1000000000",
  PUBLISH_PER_SECOND: "1000000000",
  FRAMES_PER_SECOND: "1000000000",
  BYTES_PER_SECOND: "1000000000000",
};

const wire: Subject["wire"] = {
  windowMessages: Infinity,
  reader: (port, index) => logIn(port, index),
  publisher: (_port, _index, session) => publisher(session as Session),
};

export const broadcast: Subject = {
  name: "broadcast",
  version: [Deno.execPath(), "--version"],
  scenarios: [...scenarioNames],
  command(port, folder, scenario) {
    const server = [
      ...[Deno.execPath(), "run", "--quiet", "--no-prompt", "--frozen", "-P=start", v8Flags],
      `--allow-read=.env,protocol,server/store,${folder}`,
      `--allow-write=${folder}`,
      `--allow-net=127.0.0.1:${port},unix:${folder}/admin.sock`,
      ...["main.ts", "start", "--port", `127.0.0.1:${port}`, "--data", folder],
    ];
    const files = { [`${folder}/identity`]: "YmVuY2hiZW5jaGJlbmNoYmVuY2hiZW5jaGJlbmNoYmU\n" };
    const [program = "", ...args] = scenario === "rooms"
      ? seeded("bench/seed_rooms.ts", folder, server)
      : server;
    return { program, args, env: unbounded, files };
  },
  wire,
};

/** The same with its log in memory. */
export const broadcastInMemory: Subject = {
  name: "broadcast-memory",
  version: [Deno.execPath(), "--version"],
  scenarios: ["saturated", "underway", "latency", "publishes"],
  command: (port) => ({
    program: Deno.execPath(),
    args: [
      ...["run", "--quiet", "--no-prompt", "--frozen", "-P=start", v8Flags],
      `--allow-net=127.0.0.1:${port}`,
      ...["bench/memory_server.ts", String(port)],
    ],
    env: unbounded,
  }),
  wire,
};

/** The same, with all in a sealed room: what is published the server cannot read. */
export const broadcastSealed: Subject = {
  ...broadcast,
  name: "broadcast-sealed",
  scenarios: ["saturated", "underway", "latency"],
  command(port, folder, scenario) {
    const { program, args, ...rest } = broadcast.command(port, folder, scenario);
    const [start = "", ...all] = seeded("bench/seed_sealed.ts", folder, [program, ...args]);
    return { program: start, args: all, ...rest };
  },
  wire: {
    ...wire,
    reader: (port, index) => logIn(port, index, undefined, undefined, sealedRoomName),
    publisher: (_port, _index, session) => sealedPublisher(session as Session),
  },
};

/** A server that finds in its folder what a program has put there. */
function seeded(seeding: string, folder: string, server: readonly string[]): string[] {
  const seed = [
    ...[Deno.execPath(), "run", "--quiet", "--no-prompt", "--frozen"],
    `--allow-read=protocol,server/store,${folder}`,
    `--allow-write=${folder}`,
    ...[seeding, folder],
  ];
  const script = `"$0" ${seed.slice(1).map((arg) => `'${arg}'`).join(" ")} && exec "$0" "$@"`;
  return ["sh", "-c", script, ...server];
}

/** Who logs in, and where in the lobby the reader begins. */
interface Who {
  readonly name: string;
  readonly identity: Identity;
}

/** The first so many are one user, who publishes. */
async function whoIs(index: number): Promise<Who> {
  const isPublisher = index < publishersMax;
  return isPublisher
    ? { name: "publisher", identity: await publisherIdentity() }
    : { name: `reader-${index}`, identity: (await generateIdentity()).identity };
}

/** Logs in, and reads the lobby or a room of that name from a cursor on, else from its end. */
export async function logIn(
  port: number,
  index: number,
  given?: Who,
  cursor?: Cursor,
  roomName?: string,
): Promise<Session> {
  const { name, identity } = given ?? await whoIs(index);
  const conn = await connect(port);
  const input = new Input(conn);
  const payload = encodePayload({ versions: [2], capabilities: [] });
  const initiator = await initiate(prologue(dhBytes + payload.length), payload);
  await writeAll(conn, frame(encodeHello(initiator.message)));
  const shaken = await initiator.finish(await input.frame());
  const server = fromBase64Url(decodePayload(serverHello, shaken.payload).identity);
  const sealing = await SealingChannel.create(0, shaken.clientKey);
  const opening = await OpeningChannel.create(0, shaken.serverKey);
  const send = async (message: Uint8Array) =>
    await writeAll(conn, frame(...await sealing.seal(message)));

  await send(await encodeLogin(identity, name, server, shaken.hash));
  const welcome = await receive(input, opening, "welcome");
  const [{ id: lobby }, ...others] = welcome.rooms as [RoomInfo, ...RoomInfo[]];
  let room = others.find(({ name }) => name === roomName)?.id ?? lobby;
  if (room === lobby && roomName !== undefined) {
    await send(encodeControl("request", { request: 1, command: "join", args: { name: roomName } }));
    const { value } = await receive(input, opening, "answer");
    room = commands.join.result.parse(value).room.id;
  }
  const rooms = others.map(({ id }) => id);
  const { deviceId } = welcome;
  await send(encodeControl("join", { room, ...(cursor && { cursor }) }));
  const session = { conn, sealing, opening, server, room, rooms, deviceId };
  if (cursor) return { ...session, rest: input.rest, ...unread };
  const attach = await receive(input, opening, "attach");
  return {
    ...session,
    rest: input.rest,
    scanner: (delivered) => new FrameScanner(delivered),
    check: (stream) => check(stream, opening, attach, server),
  };
}

async function encodeLogin(
  { user, device, certificate }: Identity,
  name: string,
  server: Uint8Array,
  hash: Uint8Array,
): Promise<Uint8Array> {
  const keys = [user.publicKey, device.publicKey];
  const fields = [hash, server, ...keys, new TextEncoder().encode(name)];
  const signature = await sign(device, label.login, fields);
  const [userKey, deviceKey] = [user.publicKey, device.publicKey];
  return encodeControl("login", { name, userKey, deviceKey, certificate, signature });
}

/** The next message of a type; others before it are skipped. */
async function receive<Type extends "welcome" | "attach" | "answer">(
  input: Input,
  opening: OpeningChannel,
  type: Type,
): Promise<Control<Type>> {
  while (true) {
    for (const message of decodeMessages(await opening.open(await input.frame()))) {
      if (message.type === "error") throw new Error(message.text);
      if (message.type === type) return message as Message & Control<Type>;
    }
  }
}

/** Of a session that is followed in another way. */
const unread = { scanner: (delivered: Delivered) => new FrameScanner(delivered) };

/** The publishers' messages: they are one user, so they share them. */
let shared: Promise<Signed> | undefined;

/** Publishes what was signed before; what was not is signed now. */
async function publisher({ conn, sealing, room, deviceId }: Session): Promise<Publisher> {
  const signed = await (shared ??= Signed.open(room, deviceId));
  let written = Promise.resolve();
  return {
    prepare: (count) => signed.ahead(count),
    publish(ids) {
      return written = written.then(async () => {
        const cores = await Promise.all(ids.map((id) => signed.core(id)));
        const messages = concat(cores.map((core) => encodePublish(room, core)));
        await writeAll(conn, frame(...await sealing.seal(messages)));
      });
    },
  };
}

/** Publishes what looks sealed: to make it costs nothing. */
function sealedPublisher({ conn, sealing, room }: Session): Promise<Publisher> {
  let written = Promise.resolve();
  return Promise.resolve({
    publish(ids) {
      return written = written.then(async () => {
        const messages = concat(ids.map((id) => encodePublish(room, sealedCore(id))));
        await writeAll(conn, frame(...await sealing.seal(messages)));
      });
    },
  });
}

/** Follows frames; a room's frame is a delivery, by its counter. */
export class FrameScanner implements Scanner {
  readonly #delivered: Delivered;
  readonly #head = new Uint8Array(lengthBytes + nonceBytes);
  #headFilled = 0;
  /** Bytes of the frame's body behind its head that are still to come. */
  #left = 0;

  constructor(delivered: Delivered) {
    this.#delivered = delivered;
  }

  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#headFilled < this.#head.length) {
        const taken = Math.min(this.#head.length - this.#headFilled, bytes.length - at);
        this.#head.set(bytes.subarray(at, at + taken), this.#headFilled);
        this.#headFilled += taken;
        at += taken;
        this.#left = readU32(this.#head, 0) - nonceBytes;
      } else {
        const taken = Math.min(this.#left, bytes.length - at);
        this.#left -= taken;
        at += taken;
        if (this.#left === 0) this.#ended();
      }
    }
  }

  #ended(): void {
    this.#headFilled = 0;
    if (readU32(this.#head, lengthBytes) !== 0) {
      this.#delivered(readU64(this.#head, lengthBytes + 4));
    }
  }
}

/** Opens and checks all that a reader got. Authors' signatures are not: one core would take minutes. */
async function check(
  stream: Uint8Array<ArrayBuffer>,
  pair: OpeningChannel,
  attach: Control<"attach">,
  server: Uint8Array,
): Promise<Checked> {
  const checked = { ids: [] as number[], keys: [] as number[], bytes: 0, faults: [] as string[] };
  const log = await openLog(server, attach.cursor);
  let live = await openingOf(attach);
  for (let at = 0; stream.length - at >= lengthBytes;) {
    const end = at + lengthBytes + readU32(stream, at);
    if (end > stream.length) break;
    const body = stream.subarray(at + lengthBytes, end);
    const before = checked.ids.length;
    try {
      const isLive = channelOf(body) !== pairChannel;
      const key = isLive ? live.counter : pageKey;
      const messages = decodeMessages(await (isLive ? live : pair).open(body));
      for (const message of messages) {
        if (message.type === "attach") live = await openingOf(message);
        if (message.type === "batch") await checkBatch(message, log, key, checked);
      }
    } catch (error) {
      checked.faults.push(String(error));
      break;
    }
    if (checked.ids.length > before) checked.bytes += end - at;
    at = end;
  }
  return checked;
}

/** Who has fallen behind gets pages of its own, which nobody follows by their counter. */
const pageKey = -1;

function openingOf({ channel, key, counter }: Control<"attach">): Promise<OpeningChannel> {
  return OpeningChannel.create(channel, key, counter);
}

async function openLog(server: Uint8Array, cursor: Cursor): Promise<(room: Uint8Array) => RoomLog> {
  const verifier = await importVerifier(server);
  let log: RoomLog | undefined;
  const nobody = new Authors(() => Promise.resolve([]));
  return (room) => log ??= new RoomLog(room, verifier!, server, nobody, cursor);
}

async function checkBatch(
  batch: Message & { type: "batch" },
  log: (room: Uint8Array) => RoomLog,
  key: number,
  checked: Checked,
): Promise<void> {
  for (const { core } of await log(batch.room.slice()).accept(batch)) {
    if (core.content !== Content.text) continue;
    checked.ids.push(readId(core.payload, 0));
    checked.keys.push(key);
  }
}

/** Frames of a connection while it logs in; a busy server may have prompted a classic client first. */
class Input {
  readonly #conn: Deno.Conn;
  readonly #skipPrompt = promptSkipper();
  #bytes = new Uint8Array(0);

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** What was read and not asked for. */
  get rest(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  async frame(): Promise<Uint8Array<ArrayBuffer>> {
    await this.#has(lengthBytes);
    const end = lengthBytes + readU32(this.#bytes, 0);
    await this.#has(end);
    const body = this.#bytes.slice(lengthBytes, end);
    this.#bytes = this.#bytes.slice(end);
    return body;
  }

  async #has(count: number): Promise<void> {
    const chunk = new Uint8Array(4096);
    while (this.#bytes.length < count) {
      const read = await this.#conn.read(chunk);
      if (read === null) throw new Error("The server closed the connection");
      this.#bytes = concat([this.#bytes, this.#skipPrompt(chunk.subarray(0, read))]);
    }
  }
}
