/**
 * What is too large for one message, group infos and welcomes mostly, goes to the server and comes from
 * it in pieces, named by its hash.
 *
 * @module
 */

import { concat, equal } from "../../protocol/bytes.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { sha256 } from "../../protocol/hash.ts";
import { objectBytesMax, objectChunkBytesMax } from "../../protocol/limits.ts";
import type { Server } from "./server.ts";

/** Hands an object to the server; its hash. */
export async function upload(
  server: Pick<Server, "command">,
  room: Uint8Array,
  object: Uint8Array,
): Promise<Uint8Array> {
  const hash = sha256(object);
  for (let at = 0; at < object.length; at += objectChunkBytesMax) {
    const data = object.subarray(at, at + objectChunkBytesMax);
    await server.command("upload", { hash, bytes: object.length, at, data }, room);
  }
  return hash;
}

/**
 * Fetches an object.
 *
 * @throws {ProtocolError} bad_message, when the server gives another one or none
 */
export async function download(
  server: Pick<Server, "command">,
  room: Uint8Array,
  hash: Uint8Array,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  let at = 0;
  do {
    const piece = await server.command("download", { hash, at }, room);
    if (at === 0) bytes = piece.bytes;
    // As much as there can be in each: else it could go on for ever.
    const isWhole = piece.data.length === Math.min(objectChunkBytesMax, bytes - at);
    if (bytes !== piece.bytes || bytes > objectBytesMax || !isWhole) throw wrongObject();
    pieces.push(piece.data);
    at += piece.data.length;
  } while (at < bytes);
  const object = concat(pieces);
  if (!equal(sha256(object), hash)) throw wrongObject();
  return object;
}

function wrongObject(): ProtocolError {
  return new ProtocolError("bad_message", "The server gave other bytes than those asked for.");
}
