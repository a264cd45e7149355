/**
 * The messages inside a frame: `[u32 length][u8 kind][body]`, the length counting kind and body.
 * One table says what each kind is; control messages are UTF-8 JSON checked by a schema, and the hot
 * pair, `publish` and `batch`, is binary.
 *
 * @module
 */

import { z } from "zod";
import { type Bytes, concat, readU32, readU64, writeU32, writeU64 } from "./bytes.ts";
import { roomInfo } from "./command.ts";
import { ProtocolError } from "./errors.ts";
import { base64UrlBytes, id, name } from "./fields.ts";
import {
  frameMessagesMax,
  hashBytes,
  idBytes,
  lengthBytes,
  peopleMax,
  presenceNamesMax,
  roomsPerUserMax,
  signatureBytes,
} from "./limits.ts";

/** Bytes of a message before its body. */
const headerBytes = lengthBytes + 1;

/** Kinds from here up are ignored by who does not know them: room to grow. */
export const ignorableFrom = 128;

const bytes = base64UrlBytes;
const publicKey = bytes(32);
const signature = bytes(signatureBytes);
const seq = z.int().min(0);
/** Which request an answer belongs to; the sender of the request chooses it. */
const requestId = z.int().min(0);
/** Text for people; bounded, and made visible before it is shown. */
const text = z.string().max(1024);

/** Where a reader stands in a log. */
const cursor = z.object({ seq, hash: bytes(hashBytes) });

/** Who is behind a device. A classic guest has no keys. */
const person = z.object({
  deviceId: id,
  userId: id,
  name,
  /** In `joined` and `left`: the key of the user. The device of `left` is the server's. */
  userKey: publicKey.optional(),
  keys: z.object({ user: publicKey, device: publicKey, certificate: signature }).optional(),
});

/** The control messages: kind, and what their JSON holds. */
const controls = {
  /** Client: who I am. `signature` by the device over the handshake; see crypto/identity.ts. */
  login: {
    kind: 1,
    schema: z.object({
      name,
      userKey: publicKey,
      deviceKey: publicKey,
      certificate: signature,
      signature,
      invitation: bytes().optional(),
    }),
  },
  /** Server: you are in. `registered`: the name is yours from now on. */
  welcome: {
    kind: 2,
    schema: z.object({
      userId: id,
      deviceId: id,
      name,
      registered: z.boolean(),
      /** Those that the user is in; the lobby first. */
      rooms: z.array(roomInfo).max(roomsPerUserMax),
      isAdmin: z.boolean(),
    }),
  },
  /** Either: what went wrong; `request` or `messageId` say with what; `fatal`: the session ends. */
  error: {
    kind: 3,
    schema: z.object({
      code: z.string().max(64),
      text,
      retryAfterMs: z.number().min(0).optional(),
      request: requestId.optional(),
      messageId: id.optional(),
      fatal: z.boolean().optional(),
    }),
  },
  /** Either: are you there? Answered by `pong`. */
  ping: { kind: 4, schema: z.object({}) },
  pong: { kind: 5, schema: z.object({}) },
  /** Client: let me read this room, from its end or from where I stand. */
  join: { kind: 6, schema: z.object({ room: id, cursor: cursor.optional() }) },
  /** Server: from here on this room comes on this channel. */
  attach: {
    kind: 7,
    schema: z.object({
      room: id,
      channel: z.int().min(1).max(2 ** 32 - 1),
      key: bytes(32),
      counter: z.int().min(0),
      cursor,
    }),
  },
  /** Server: what you ask to continue from is not to be had; it goes on behind `cursor`. */
  reset: { kind: 8, schema: z.object({ room: id, reason: text, cursor }) },
  /** Server: this message is in the log already, as `seq`. */
  stored: { kind: 11, schema: z.object({ room: id, messageId: id, seq }) },
  /** Client: who is behind these devices? */
  people: {
    kind: 12,
    schema: z.object({ request: requestId, devices: z.array(id).max(peopleMax) }),
  },
  /** Server: these; devices that are not known are left out. */
  peopleAnswer: {
    kind: 13,
    schema: z.object({ request: requestId, people: z.array(person).max(peopleMax) }),
  },
  /** Client: do this; see protocol/command.ts. */
  request: {
    kind: 14,
    schema: z.object({ request: requestId, command: z.string().max(32), args: z.unknown() }),
  },
  /** Server: done, and this came out. */
  answer: { kind: 15, schema: z.object({ request: requestId, value: z.unknown() }) },
  /** Client: I am leaving, and not only for a moment. */
  goodbye: { kind: 16, schema: z.object({}) },
  /** Server, on a room's channel: who has come and who has gone; `more` of either are not named. */
  presence: {
    kind: 17,
    schema: z.object({
      room: id,
      here: z.array(name).max(presenceNamesMax),
      gone: z.array(name).max(presenceNamesMax),
      more: z.int().min(0),
    }),
  },
  /** Client: I am typing. Server, on the room's channel: this one is. */
  typing: { kind: 18, schema: z.object({ room: id, name: name.optional() }) },
  /** Client: up to here I have it, and up to here it was read. */
  seen: { kind: 19, schema: z.object({ room: id, delivered: seq, read: seq }) },
  /** Server: you are in this room, which is so now. */
  room: { kind: 20, schema: z.object({ room: roomInfo }) },
  /** Server: you are in this room no more. */
  removed: { kind: 21, schema: z.object({ room: id, name, reason: text }) },
} as const satisfies Record<string, { kind: number; schema: z.ZodType }>;

/** The name of a control message. */
export type ControlName = keyof typeof controls;
/** What a control message holds. */
export type Control<Name extends ControlName> = z.output<(typeof controls)[Name]["schema"]>;

/** Who is behind a device. */
export type Person = z.output<typeof person>;
/** Where a reader stands in a log. */
export type Cursor = z.output<typeof cursor>;

/** The binary kinds. */
const publishKind = 9;
const batchKind = 10;

/** What a client wants in a room's log: `[room id 16][core]`. */
export interface Publish {
  readonly type: "publish";
  readonly room: Uint8Array;
  /** See protocol/entry.ts. */
  readonly core: Uint8Array;
}

/**
 * Consecutive entries and the server's word for them:
 * `[room id 16][u64 first seq][u64 time ms][rows][chain hash 32][signature 64]`.
 * The hash is the chain's after the last row; the signature is over it (crypto/identity.ts).
 */
export interface Batch {
  readonly type: "batch";
  readonly room: Uint8Array;
  readonly firstSeq: number;
  /** What the rows' times count from. */
  readonly timeMs: number;
  /** See protocol/entry.ts. */
  readonly rows: Uint8Array;
  readonly hash: Uint8Array;
  readonly signature: Uint8Array;
}

/** A message of any kind that is known here. */
export type Message =
  | { [Name in ControlName]: { readonly type: Name } & Control<Name> }[ControlName]
  | Publish
  | Batch;

const batchHeadBytes = idBytes + 16;
const batchTailBytes = hashBytes + signatureBytes;

const utf8Encoder = new TextEncoder();

const namesByKind = new Map<number, ControlName>(
  Object.entries(controls).map(([name, { kind }]) => [kind, name as ControlName]),
);

/** Encodes a control message. */
export function encodeControl<Name extends ControlName>(
  name: Name,
  value: Control<Name>,
): Bytes {
  const { kind, schema } = controls[name];
  const json = JSON.stringify(z.encode(schema as z.ZodType, value));
  return encode(kind, utf8Encoder.encode(json));
}

/** Encodes a publish of a core. */
export function encodePublish(room: Uint8Array, core: Uint8Array): Bytes {
  return encode(publishKind, room, core);
}

/** Encodes a batch. */
export function encodeBatch(batch: Omit<Batch, "type">): Bytes {
  const head = new Uint8Array(batchHeadBytes);
  head.set(batch.room);
  writeU64(head, idBytes, batch.firstSeq);
  writeU64(head, idBytes + 8, batch.timeMs);
  return encode(batchKind, head, batch.rows, batch.hash, batch.signature);
}

function encode(kind: number, ...body: Uint8Array[]): Bytes {
  const header = new Uint8Array(headerBytes);
  const message = concat([header, ...body]);
  writeU32(message, 0, message.length - lengthBytes);
  message[lengthBytes] = kind;
  return message;
}

/**
 * The messages of one frame, in order; those that may be ignored are left out.
 *
 * @throws {ProtocolError} bad_message
 */
export function decodeMessages(frame: Uint8Array): Message[] {
  const messages: Message[] = [];
  let count = 0;
  for (let at = 0; at < frame.length;) {
    if (++count > frameMessagesMax) throw new ProtocolError("bad_message");
    if (frame.length - at < headerBytes) throw new ProtocolError("bad_message");
    const end = at + lengthBytes + readU32(frame, at);
    if (end > frame.length || end < at + headerBytes) throw new ProtocolError("bad_message");
    const message = decode(frame[at + lengthBytes]!, frame.subarray(at + headerBytes, end));
    if (message) messages.push(message);
    at = end;
  }
  return messages;
}

function decode(kind: number, body: Uint8Array): Message | undefined {
  if (kind === publishKind) return decodePublish(body);
  if (kind === batchKind) return decodeBatch(body);
  const name = namesByKind.get(kind);
  if (name) return decodeControl(name, body);
  if (kind >= ignorableFrom) return undefined;
  throw new ProtocolError("bad_message", `A message of kind ${kind} is not known here.`);
}

function decodePublish(body: Uint8Array): Publish {
  if (body.length < idBytes) throw new ProtocolError("bad_message");
  return { type: "publish", room: body.subarray(0, idBytes), core: body.subarray(idBytes) };
}

function decodeBatch(body: Uint8Array): Batch {
  const tailAt = body.length - batchTailBytes;
  if (tailAt < batchHeadBytes) throw new ProtocolError("bad_message");
  return {
    type: "batch",
    room: body.subarray(0, idBytes),
    firstSeq: readU64(body, idBytes),
    timeMs: readU64(body, idBytes + 8),
    rows: body.subarray(batchHeadBytes, tailAt),
    hash: body.subarray(tailAt, tailAt + hashBytes),
    signature: body.subarray(tailAt + hashBytes),
  };
}

function decodeControl(name: ControlName, body: Uint8Array): Message {
  const result = controls[name].schema.safeParse(parseJson(body));
  if (!result.success) {
    const path = result.error.issues[0]?.path.join(".") ?? "";
    throw new ProtocolError("bad_message", `The ${name} message is not valid (${path}).`);
  }
  return { type: name, ...result.data } as Message;
}

const utf8Decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * JSON of UTF-8 bytes.
 *
 * @throws {ProtocolError} bad_message
 */
export function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(utf8Decoder.decode(body));
  } catch (cause) {
    throw new ProtocolError("bad_message", "A control message is not JSON.", { cause });
  }
}

/** The payload of a `joined` or `left` entry. */
export const personPayload = {
  encode: (value: Person): Bytes =>
    new TextEncoder().encode(JSON.stringify(z.encode(person, value))),
  /** @throws {ProtocolError} bad_message */
  decode(payload: Uint8Array): Person {
    const result = person.safeParse(parseJson(payload));
    if (!result.success) throw new ProtocolError("bad_message");
    return result.data;
  },
};
