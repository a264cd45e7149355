/**
 * Golden bytes of everything that goes over the wire, made with fixed keys. They are made by
 * `make.ts`; a change of the wire shows in them, and is meant or is a mistake.
 *
 * @module
 */

import { pairChannel, SealingChannel } from "../../crypto/channel.ts";
import {
  certify,
  deviceIdOf,
  type Identity,
  importSigningKey,
  label,
  sign,
  type SigningKey,
} from "../../crypto/identity.ts";
import { initiate, respond } from "../../crypto/noise.ts";
import { type Bytes, concat, toBase64Url, writeU64 } from "../../protocol/bytes.ts";
import {
  encodeClassicFrame,
  encodeClassicMessage,
  encodeClassicName,
} from "../../protocol/classic.ts";
import {
  chainEntry,
  chainStart,
  Content,
  decodeRows,
  type Draft,
  encodeCore,
  encodeCoreHead,
  Proof,
  rowBytes,
  signedFields,
  writeRow,
} from "../../protocol/entry.ts";
import type { RoomInfo } from "../../protocol/command.ts";
import { frame } from "../../protocol/framer.ts";
import { encodeHello, encodePayload, encodeRefusal, prologue } from "../../protocol/hello.ts";
import {
  type Control,
  type ControlName,
  encodeBatch,
  encodeControl,
  encodePublish,
  type Person,
  personPayload,
} from "../../protocol/message.ts";
import { dhKeyPair } from "../crypto/keys.ts";

/** Bytes as hexadecimal digits, by name; a list where order matters. */
export type Vectors = { readonly [name: string]: string | readonly string[] | Vectors };

/** 32 bytes that are easy to tell from others. */
export function fixed(byte: number, length = 32): Bytes {
  return new Uint8Array(length).fill(byte);
}

/** All secrets, ids and contents that the vectors are made with. */
export const given = {
  serverSecret: fixed(1),
  serverStatic: fixed(2),
  serverEphemeral: fixed(3),
  clientEphemeral: fixed(4),
  userSecret: fixed(5),
  deviceSecret: fixed(6),
  room: fixed(7, 16),
  roomChannel: 9,
  roomKey: fixed(8),
  userId: fixed(10, 16),
  messageIds: [fixed(11, 16), fixed(12, 16), fixed(13, 16)],
  target: fixed(14, 32),
  invitation: fixed(15, 16),
  classicKey: fixed(16),
  classicNonce: fixed(17, 12),
  timeMs: 1_767_225_600_000,
  firstSeq: 41,
  name: "Zoë",
  text: "Hello everyone! Grüße, 世界",
} as const;

/** Who takes part in the vectors. */
export interface GivenKeys {
  readonly server: SigningKey;
  readonly identity: Identity;
  readonly deviceId: Uint8Array;
  readonly person: Person;
}

/** The keys that grow from what is given. */
export async function givenKeys(): Promise<GivenKeys> {
  const server = await importSigningKey(given.serverSecret);
  const user = await importSigningKey(given.userSecret);
  const device = await importSigningKey(given.deviceSecret);
  const identity = await certify(user, device);
  const deviceId = deviceIdOf(device.publicKey);
  const keys = {
    user: user.publicKey,
    device: device.publicKey,
    certificate: identity.certificate,
  };
  const person: Person = { deviceId, userId: given.userId, name: given.name, keys };
  return { server, identity, deviceId, person };
}

/** Computes all vectors. */
export async function computeVectors(): Promise<Vectors> {
  const { server, identity, deviceId, person } = await givenKeys();
  const shaken = await handshake(server);
  const toServer = await SealingChannel.create(pairChannel, shaken.clientKey);
  const toClient = await SealingChannel.create(pairChannel, shaken.serverKey);
  const toRoom = await SealingChannel.create(given.roomChannel, given.roomKey);

  const fields = [shaken.hash, server.publicKey, person.keys!.user, person.keys!.device];
  const login = encodeControl("login", {
    name: given.name,
    userKey: person.keys!.user,
    deviceKey: person.keys!.device,
    certificate: identity.certificate,
    signature: await sign(identity.device, label.login, [...fields, utf8(given.name)]),
    invitation: given.invitation,
  });
  const control = controlMessages(person, deviceId);
  const log = await entries(server, identity.device, deviceId, person);
  const publish = encodePublish(given.room, log.cores[0]!);
  const hexOf = (messages: Record<string, Uint8Array>) =>
    Object.fromEntries(Object.entries(messages).map(([name, bytes]) => [name, bytes.toHex()]));
  return {
    keys: hexOf({
      server: server.publicKey,
      user: person.keys!.user,
      device: person.keys!.device,
      certificate: identity.certificate,
      deviceId,
    }),
    handshake: hexOf({
      hello: shaken.hello,
      answer: shaken.answer,
      hash: shaken.hash,
      clientKey: shaken.clientKey,
      serverKey: shaken.serverKey,
      refusal: frame(
        encodeRefusal({ code: "server_full", text: "Try again in a while.", retryAfterMs: 1000 }),
      ),
    }),
    messages: { login: login.toHex(), ...hexOf(control) },
    entries: {
      cores: log.cores.map((core) => core.toHex()),
      rows: log.rows.toHex(),
      chain: log.hashes.map((hash) => hash.toHex()),
      publish: publish.toHex(),
      batch: log.batch.toHex(),
    },
    frames: hexOf({
      login: await seal(toServer, login),
      joinAndPublish: await seal(toServer, concat([control["join"]!, publish])),
      welcome: await seal(toClient, control["welcome"]!),
      attach: await seal(toClient, control["attach"]!),
      batch: await seal(toRoom, log.batch),
      emptyOnRoom: await seal(toRoom, new Uint8Array(0)),
    }),
    classic: {
      name: encodeClassicName(given.name).toHex(),
      frame: (await classicFrame()).toHex(),
      message: encodeClassicMessage(given.name, `${given.text}\n\x1b[2J`).toHex(),
      action: encodeClassicMessage(given.name, "waves", true).toHex(),
    },
  };
}

async function handshake(server: SigningKey) {
  const noise = await dhKeyPair(given.serverStatic);
  const payload = encodePayload({ versions: [2], capabilities: [] });
  const start = prologue(32 + payload.length);
  const initiator = await initiate(start, payload, await dhKeyPair(given.clientEphemeral));
  const serverPayload = encodePayload({
    version: 2,
    identity: toBase64Url(server.publicKey),
    signature: toBase64Url(await sign(server, label.serverKey, [noise.publicKey])),
    limits: { frameBytesMax: 256 * 1024, payloadBytesMax: 64 * 1024 },
  });
  const response = await respond(
    start,
    noise,
    initiator.message,
    () => serverPayload,
    await dhKeyPair(given.serverEphemeral),
  );
  return {
    hello: frame(encodeHello(initiator.message)),
    answer: frame(response.message),
    hash: response.hash,
    clientKey: response.clientKey,
    serverKey: response.serverKey,
  };
}

/** What each control message says in the vectors; the login has a signature, and is made apart. */
export function controls(
  person: Person,
  deviceId: Uint8Array,
): { readonly [Name in Exclude<ControlName, "login">]: Control<Name> } {
  const { room, messageIds: [messageId] } = given;
  const cursor = { seq: given.firstSeq - 1, hash: fixed(20) };
  const info: RoomInfo = {
    id: room,
    name: "lobby",
    sealed: false,
    topic: "Welcome",
    role: "member",
    access: "anyone",
    slowMs: 0,
    isAnnounce: false,
    direct: false,
  };
  return {
    welcome: {
      userId: given.userId,
      deviceId,
      name: given.name,
      registered: true,
      isAdmin: false,
      rooms: [info],
    },
    error: {
      code: "slow_down",
      text: "Too fast: wait, then send again.",
      retryAfterMs: 200,
      messageId,
    },
    ping: {},
    pong: {},
    join: { room, cursor },
    attach: { room, channel: given.roomChannel, key: given.roomKey, counter: 0, cursor },
    reset: { room, reason: "What was said before is no longer kept.", cursor },
    stored: { room, messageId, seq: given.firstSeq },
    people: { request: 1, devices: [deviceId] },
    peopleAnswer: { request: 1, people: [person, { deviceId, userId: given.userId, name: "a" }] },
    request: { request: 2, command: "topic", args: { room: toBase64Url(room), text: "Hi" } },
    answer: { request: 2, value: {} },
    presence: { room, here: [given.name], gone: ["Bob"], more: 0 },
    typing: { room, name: given.name },
    seen: { room, delivered: given.firstSeq, read: given.firstSeq },
    room: { room: info },
    removed: { room, name: "team", reason: "Bob sent you out." },
    goodbye: {},
  };
}

function controlMessages(person: Person, deviceId: Uint8Array): Record<string, Bytes> {
  const all = Object.entries(controls(person, deviceId)) as [ControlName, Control<ControlName>][];
  return Object.fromEntries(all.map(([name, value]) => [name, encodeControl(name, value)]));
}

/** What the three entries say: a signed text, a signed answer to it, an event of the server's. */
export function drafts(person: Person): readonly [Draft, Draft, Draft] {
  const [first, second, third] = given.messageIds;
  return [
    {
      proof: Proof.signature,
      content: Content.text,
      messageId: first,
      payload: utf8(given.text),
    },
    {
      proof: Proof.signature,
      content: Content.action,
      messageId: second,
      target: given.target,
      epoch: { generation: 3, epoch: 2 ** 40 },
      payload: utf8("waves"),
    },
    {
      proof: Proof.unverified,
      content: Content.joined,
      messageId: third,
      payload: personPayload.encode(person),
    },
  ];
}

async function entries(
  server: SigningKey,
  device: SigningKey,
  deviceId: Uint8Array,
  person: Person,
) {
  const [text, action, event] = drafts(person);
  const cores = [
    await signed(text, device, deviceId),
    await signed(action, device, deviceId),
    encodeCore(event),
  ];
  const authors = [deviceId, deviceId, deviceIdOf(server.publicKey)];
  const rows = new Uint8Array(cores.reduce((sum, core) => sum + rowBytes(core), 0));
  cores.reduce((at, core, index) => writeRow(rows, at, index * 7, authors[index]!, core), 0);
  const hashes = [chainStart(given.room)];
  for (const entry of decodeRows(rows, given.firstSeq, given.timeMs)) {
    hashes.push(chainEntry(hashes.at(-1)!, entry));
  }
  const hash = hashes.at(-1)!;
  const seq = new Uint8Array(8);
  writeU64(seq, 0, given.firstSeq + cores.length - 1);
  const batch = encodeBatch({
    room: given.room,
    firstSeq: given.firstSeq,
    timeMs: given.timeMs,
    rows,
    hash,
    signature: await sign(server, label.head, [given.room, seq, hash]),
  });
  return { cores, rows, hashes, batch };
}

async function signed(draft: Draft, device: SigningKey, deviceId: Uint8Array): Promise<Bytes> {
  const fields = signedFields(given.room, deviceId, encodeCoreHead(draft), draft.payload);
  return encodeCore(draft, await sign(device, label.entry, fields));
}

async function seal(channel: SealingChannel, messages: Uint8Array): Promise<Bytes> {
  return frame(...await channel.seal(messages));
}

async function classicFrame(): Promise<Bytes> {
  const { classicKey, classicNonce } = given;
  const key = await crypto.subtle.importKey("raw", classicKey, "AES-GCM", false, ["encrypt"]);
  const parameters = { name: "AES-GCM", iv: classicNonce };
  const sealed = await crypto.subtle.encrypt(parameters, key, utf8(given.text));
  const ciphertext = new Uint8Array(sealed);
  return encodeClassicFrame({ key: classicKey, nonce: classicNonce, ciphertext });
}

function utf8(text: string): Bytes {
  return new TextEncoder().encode(text);
}
