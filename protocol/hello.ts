/**
 * The two frames in the clear that open a connection: `["BCS2"][noise message]` from the client, the
 * bare noise message from the server, or `["BCS!"][JSON]` where it refuses. What the payloads hold.
 *
 * @module
 */

import { z } from "zod";
import { type Bytes, concat, equal, writeU32 } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import { lengthBytes } from "./limits.ts";
import { parseJson } from "./message.ts";

const text = new TextEncoder();
const magic = text.encode("BCS2");
const refusal = text.encode("BCS!");
const base64Url = z.string().regex(/^[\w-]+$/).max(128);

/** The protocol version that this code speaks. */
export const version = 2;

/** What a client's first noise message carries, readable by all. */
export const clientHello = z.object({
  versions: z.array(z.int()).max(16),
  capabilities: z.array(z.string().max(32)).max(32).default([]),
});
export type ClientHello = z.output<typeof clientHello>;

/** What the server's carries, encrypted: its identity, and its signature over its noise key. */
export const serverHello = z.object({
  version: z.int(),
  identity: base64Url,
  signature: base64Url,
  limits: z.object({ frameBytesMax: z.int().min(1024), payloadBytesMax: z.int().min(1) }),
});
export type ServerHello = z.output<typeof serverHello>;

const refused = z.object({
  code: z.string().max(64),
  text: z.string().max(1024),
  retryAfterMs: z.number().min(0).optional(),
});
/** Why a server does not even shake hands. Nothing vouches for it: show it, do not act on it. */
export type Refusal = z.output<typeof refused>;

/** JSON as the bytes of a payload. */
export function encodePayload(value: ClientHello | ServerHello): Bytes {
  return text.encode(JSON.stringify(value));
}

/**
 * A payload that fits the schema.
 *
 * @throws {ProtocolError} bad_message
 */
export function decodePayload<T>(schema: z.ZodType<T>, payload: Uint8Array): T {
  const result = schema.safeParse(parseJson(payload));
  if (!result.success) throw new ProtocolError("bad_message");
  return result.data;
}

/**
 * What both sides mix into the handshake before it begins: the protocol's name and every byte sent
 * before the noise message, so that nothing can be stripped or changed.
 *
 * @param noiseBytes length of the client's noise message
 */
export function prologue(noiseBytes: number): Bytes {
  const length = new Uint8Array(lengthBytes);
  writeU32(length, 0, magic.length + noiseBytes);
  return concat([text.encode("broadcast/2"), length, magic]);
}

/** The body of the client's first frame. */
export function encodeHello(noise: Uint8Array): Bytes {
  return concat([magic, noise]);
}

/**
 * The noise message of a client's first frame.
 *
 * @throws {ProtocolError} version, when it is no hello of this protocol
 */
export function decodeHello(body: Uint8Array): Uint8Array {
  if (!equal(body.subarray(0, magic.length), magic)) throw new ProtocolError("version");
  return body.subarray(magic.length);
}

/** The body of a server's first frame that says no. */
export function encodeRefusal(value: Refusal): Bytes {
  return concat([refusal, text.encode(JSON.stringify(value))]);
}

/** The refusal in a server's first frame, if it is one. */
export function decodeRefusal(body: Uint8Array): Refusal | undefined {
  if (!equal(body.subarray(0, refusal.length), refusal)) return undefined;
  return decodePayload(refused, body.subarray(refusal.length));
}
