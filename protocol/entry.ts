/**
 * One row of a room's log: its core (what the author made and signed), the row (what the server adds),
 * and the chain that ties each row to all before it.
 *
 * ```
 * core    [u8 version][u8 proof][u8 content][u8 flags][message id 16]
 *         [target's device id 16][target's message id 16, both if flags & 1]
 *         [u32 generation][u64 epoch, both if flags & 2]
 *         [signature 64, if proof = 1][payload]
 * row     [u32 length of the rest][u1 erased][u31 ms after the batch's time][device id 16][core]
 * signed  room id, device id, core without signature and payload, SHA-256(payload)
 * chained SHA-256(previous hash, u64 seq, u64 time, device id, core without payload,
 *         SHA-256(payload)); before the first entry: SHA-256("broadcast/2 chain", room id)
 * ```
 *
 * The payload enters both by its hash, so that it can be erased and chain and signature still hold: the
 * top bit of an erased entry's time is set, and its payload is the SHA-256 of what stood there.
 *
 * @module
 */

import { type Bytes, concat, readU32, readU64, writeU32, writeU64 } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import { sha256 } from "./hash.ts";
import { hashBytes, idBytes, lengthBytes, payloadBytesMax, signatureBytes } from "./limits.ts";

/** The only version of the core so far. */
export const entryVersion = 1;

/** What vouches for the author. */
export const Proof = { unverified: 0, signature: 1, mls: 2 } as const;
export type Proof = (typeof Proof)[keyof typeof Proof];

/** What a payload is. From 128 up: events, which only the server makes. */
export const Content = {
  text: 0,
  action: 1,
  /** A new payload for the target, which is the author's own. */
  edit: 2,
  /** The target's payload is to be erased; its author or a moderator says so. No payload. */
  deletion: 3,
  /** An emoji or a word put to the target; an empty one takes the author's reaction back. */
  reaction: 4,
  /** What a sealed room's group changes by: see commit.ts. It is signed, and comes by a command. */
  commit: 5,
  /** In a sealed room: let me in; see client/sealed/knock.ts. */
  knock: 6,
  joined: 128,
  left: 129,
  /** Something about the room has changed: who did it and what, as JSON. */
  changed: 130,
} as const;
export type Content = (typeof Content)[keyof typeof Content];

/** The first content type that only the server may use. */
export const contentEventsFrom = 128;

const flagTarget = 1;
const flagEpoch = 2;
const knownFlags = flagTarget | flagEpoch;

/** Bytes of a core's fixed part: version, proof, content, flags, message id. */
const coreFixedBytes = 4 + idBytes;
/** Bytes of a {@link refOf}. */
const refBytes = 2 * idBytes;
/** Bytes of a row before its core: length, time, device id. */
const rowFixedBytes = lengthBytes + 4 + idBytes;

/** What an author says, before it is signed and laid out. */
export interface Draft {
  readonly proof: Proof;
  /** One of {@link Content}, or a later version's. */
  readonly content: number;
  readonly messageId: Uint8Array;
  /** {@link refOf} the entry that this one edits, deletes, answers or reacts to. */
  readonly target?: Uint8Array;
  /** Sealed rooms: which group and which of its epochs. */
  readonly epoch?: Epoch;
  readonly payload: Uint8Array;
}

/** A sealed room is a sequence of groups, and each of them one of epochs. */
export interface Epoch {
  /** Which group: it rises by one with each that takes the place of the one before. */
  readonly generation: number;
  /** Which of its epochs: it rises by one with each commit. */
  readonly epoch: number;
}

/** A core, taken apart; every part is a view of its bytes. */
export interface Core extends Draft {
  readonly version: number;
  readonly signature: Uint8Array | undefined;
  /** The bytes before the signature. */
  readonly signed: Uint8Array;
  /** All of it … */
  readonly bytes: Uint8Array;
  /** … and where in it the payload begins. */
  readonly payloadAt: number;
}

/** One entry of a room's log. */
export interface Entry {
  /** 1 for a room's first entry, then without gaps. */
  readonly seq: number;
  /** The server's clock, ms since 1970, never decreasing in a room. */
  readonly timeMs: number;
  readonly deviceId: Uint8Array;
  readonly core: Core;
  /** Its payload is gone; the core's payload is the hash of it. */
  readonly isErased: boolean;
}

/** Lays out a core; `sign` is given the signature's place only when the proof asks for one. */
export function encodeCore(draft: Draft, signature?: Uint8Array): Bytes {
  const head = encodeCoreHead(draft);
  const signatureLength = draft.proof === Proof.signature ? signatureBytes : 0;
  if ((signature?.length ?? 0) !== signatureLength) {
    throw new TypeError("Cannot encode the entry because proof and signature do not fit together");
  }
  const core = new Uint8Array(head.length + signatureLength + draft.payload.length);
  core.set(head);
  if (signature) core.set(signature, head.length);
  core.set(draft.payload, head.length + signatureLength);
  return core;
}

/** The part of a core that its signature covers, payload aside. */
export function encodeCoreHead(draft: Draft): Bytes {
  const head = new Uint8Array(
    coreFixedBytes + (draft.target ? refBytes : 0) + (draft.epoch ? 12 : 0),
  );
  head[0] = entryVersion;
  head[1] = draft.proof;
  head[2] = draft.content;
  head[3] = (draft.target ? flagTarget : 0) | (draft.epoch ? flagEpoch : 0);
  head.set(draft.messageId, 4);
  let at = coreFixedBytes;
  if (draft.target) {
    if (draft.target.length !== refBytes) throw new TypeError("A target is a device's message");
    head.set(draft.target, at);
    at += refBytes;
  }
  if (draft.epoch) {
    writeU32(head, at, draft.epoch.generation);
    writeU64(head, at + 4, draft.epoch.epoch);
  }
  return head;
}

/**
 * Checks a core's layout and finds where its payload begins.
 *
 * @throws {ProtocolError} bad_message or too_large
 */
export function payloadStart(core: Uint8Array): number {
  if (core.length < coreFixedBytes) throw new ProtocolError("bad_message");
  if (core[0] !== entryVersion || core[1]! > Proof.mls || (core[3]! & ~knownFlags) !== 0) {
    throw new ProtocolError("bad_message", "The entry is of a kind that is not known here.");
  }
  let start = signatureStart(core);
  if (core[1] === Proof.signature) start += signatureBytes;
  if (start > core.length) throw new ProtocolError("bad_message", "The entry is cut short.");
  if (core.length - start > payloadBytesMax) throw new ProtocolError("too_large");
  return start;
}

/** Where a core's signature begins, or would. */
function signatureStart(core: Uint8Array): number {
  const flags = core[3]!;
  return coreFixedBytes + (flags & flagTarget ? refBytes : 0) + (flags & flagEpoch ? 12 : 0);
}

/** The message id of a core that {@link payloadStart} has checked. */
export function messageIdOf(core: Uint8Array): Uint8Array {
  return core.subarray(4, coreFixedBytes);
}

/** Which group and which of its epochs a core names that {@link payloadStart} has checked. */
export function epochOf(core: Uint8Array): Epoch | undefined {
  const flags = core[3]!;
  if (!(flags & flagEpoch)) return undefined;
  const at = coreFixedBytes + (flags & flagTarget ? refBytes : 0);
  return { generation: readU32(core, at), epoch: readU64(core, at + 4) };
}

/**
 * What names an entry in its room: its author's device and the message id that this gave. The message id
 * alone would not do, since anybody can take another's.
 */
export function refOf(deviceId: Uint8Array, messageId: Uint8Array): Bytes {
  return concat([deviceId, messageId]);
}

/** The device and the message id that a {@link refOf} is made of. */
export function partsOf(ref: Uint8Array): { deviceId: Uint8Array; messageId: Uint8Array } {
  return { deviceId: ref.subarray(0, idBytes), messageId: ref.subarray(idBytes) };
}

/** {@link refOf} what a core edits, when {@link payloadStart} has checked it; undefined for none. */
export function editedBy(core: Uint8Array): Uint8Array | undefined {
  const isEdit = core[2] === Content.edit && (core[3]! & flagTarget) !== 0;
  return isEdit ? core.subarray(coreFixedBytes, coreFixedBytes + refBytes) : undefined;
}

/**
 * Takes a core apart.
 *
 * @throws {ProtocolError} bad_message or too_large
 */
export function decodeCore(core: Uint8Array): Core {
  const start = payloadStart(core);
  const signatureAt = signatureStart(core);
  const flags = core[3]!;
  const epoch = epochOf(core);
  return {
    version: core[0]!,
    proof: core[1] as Proof,
    content: core[2]!,
    messageId: messageIdOf(core),
    ...(flags & flagTarget && {
      target: core.subarray(coreFixedBytes, coreFixedBytes + refBytes),
    }),
    ...(epoch && { epoch }),
    signature: core[1] === Proof.signature ? core.subarray(signatureAt, start) : undefined,
    signed: core.subarray(0, signatureAt),
    bytes: core,
    payloadAt: start,
    payload: core.subarray(start),
  };
}

/** What the author's device signs, as the fields of a labelled signature. */
export function signedFields(
  roomId: Uint8Array,
  deviceId: Uint8Array,
  coreHead: Uint8Array,
  payload: Uint8Array,
  payloadHash = sha256(payload),
): Uint8Array[] {
  return [roomId, deviceId, coreHead, payloadHash];
}

/** The hash by which an entry's payload is signed and chained, whether it is still there or not. */
export function payloadHashOf({ core: { payload }, isErased }: Entry): Uint8Array {
  return isErased ? payload : sha256(payload);
}

/** Bytes that a row with this core takes. */
export function rowBytes(core: Uint8Array): number {
  return rowFixedBytes + core.length;
}

/** The first bit of a row's time: its payload is erased. */
const erasedBit = 0x8000_0000;
/** How long after its batch's time a row's may be. */
export const rowAfterMsMax = erasedBit - 1;

/** Puts a row at `at`; the place behind it. */
export function writeRow(
  into: Uint8Array,
  at: number,
  afterMs: number,
  deviceId: Uint8Array,
  core: Uint8Array,
): number {
  writeU32(into, at, rowFixedBytes - lengthBytes + core.length);
  writeU32(into, at + lengthBytes, afterMs);
  into.set(deviceId, at + lengthBytes + 4);
  into.set(core, at + rowFixedBytes);
  return at + rowFixedBytes + core.length;
}

/**
 * The entries of `rows`, numbered from `firstSeq`.
 *
 * @param timeMs what the rows' times count from
 * @throws {ProtocolError} bad_message or too_large
 */
export function decodeRows(rows: Uint8Array, firstSeq: number, timeMs: number): Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; at < rows.length;) {
    if (rows.length - at < rowFixedBytes) throw new ProtocolError("bad_message");
    const end = at + lengthBytes + readU32(rows, at);
    if (end > rows.length || end < at + rowFixedBytes) throw new ProtocolError("bad_message");
    const time = readU32(rows, at + lengthBytes);
    const isErased = time >= erasedBit;
    const core = decodeCore(rows.subarray(at + rowFixedBytes, end));
    if (isErased && core.payload.length !== hashBytes) throw new ProtocolError("bad_message");
    entries.push({
      seq: firstSeq + entries.length,
      timeMs: timeMs + (isErased ? time - erasedBit : time),
      deviceId: rows.subarray(at + lengthBytes + 4, at + rowFixedBytes),
      core,
      isErased,
    });
    at = end;
  }
  return entries;
}

/**
 * These rows with the payload of the entry at `at` (where its row begins) erased.
 *
 * @throws {ProtocolError} bad_message or too_large
 */
export function eraseRow(rows: Uint8Array, at: number): Bytes {
  const end = at + lengthBytes + readU32(rows, at);
  const core = rows.subarray(at + rowFixedBytes, end);
  const payloadAt = payloadStart(core);
  const time = readU32(rows, at + lengthBytes);
  if (time >= erasedBit) return rows.slice();
  const row = concat([
    rows.subarray(at, at + rowFixedBytes + payloadAt),
    sha256(core.subarray(payloadAt)),
  ]);
  writeU32(row, 0, row.length - lengthBytes);
  writeU32(row, lengthBytes, time + erasedBit);
  return concat([rows.subarray(0, at), row, rows.subarray(end)]);
}

/** The hash that a room's chain begins with; so no chain passes for another room's. */
export function chainStart(roomId: Uint8Array): Uint8Array {
  return sha256(concat([new TextEncoder().encode("broadcast/2 chain"), roomId]));
}

/** A core's longest header, so that {@link chainHash} can lay it out without allocating. */
const coreHeaderBytesMax = coreFixedBytes + refBytes + 12 + signatureBytes;
const chainFixedBytes = hashBytes + 8 + 8 + idBytes;
const chainScratch = new Uint8Array(chainFixedBytes + coreHeaderBytesMax + hashBytes);

/**
 * The chain's hash after an entry.
 *
 * @param previous the hash before it; {@link chainStart} for a room's first
 * @param core its bytes
 * @param payloadAt what {@link payloadStart} said of them
 */
export function chainHash(
  previous: Uint8Array,
  seq: number,
  timeMs: number,
  deviceId: Uint8Array,
  core: Uint8Array,
  payloadAt: number,
  payloadHash = sha256(core.subarray(payloadAt)),
): Uint8Array {
  const input = chainScratch;
  input.set(previous, 0);
  writeU64(input, hashBytes, seq);
  writeU64(input, hashBytes + 8, timeMs);
  input.set(deviceId, hashBytes + 16);
  input.set(core.subarray(0, payloadAt), chainFixedBytes);
  input.set(payloadHash, chainFixedBytes + payloadAt);
  return sha256(input.subarray(0, chainFixedBytes + payloadAt + hashBytes));
}

/** {@link chainHash} of an entry that has been taken apart. */
export function chainEntry(
  previous: Uint8Array,
  entry: Entry,
  payloadHash: Uint8Array = payloadHashOf(entry),
): Uint8Array {
  const { seq, timeMs, deviceId, core } = entry;
  return chainHash(previous, seq, timeMs, deviceId, core.bytes, core.payloadAt, payloadHash);
}
