/**
 * What a commit needs beside its entry, as it is kept until the log has it or another.
 *
 * @module
 */

import { z } from "zod";
import { fromBase64Url, toBase64Url } from "../../protocol/bytes.ts";
import { id } from "../../protocol/fields.ts";

/** As many as an object may have. */
const bytes = z.codec(z.string(), z.custom<Uint8Array>((value) => value instanceof Uint8Array), {
  decode: (text) => fromBase64Url(text),
  encode: toBase64Url,
});

const request = z.object({
  /** The epoch that begins with it. */
  generation: z.int().min(1),
  epoch: z.int().min(0),
  /** The commit that it follows; none before a room's first. */
  after: id.optional(),
  groupInfo: bytes,
  welcome: bytes.optional(),
  /** The commit itself, where it is too large for an entry. */
  object: bytes.optional(),
  /** Whom the welcome is for. */
  devices: z.array(id),
});

/** See above. */
export type CommitRequest = z.output<typeof request>;

export function encodeRequest(value: CommitRequest): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(z.encode(request, value)));
}

/** @throws {z.ZodError} when these bytes are none */
export function decodeRequest(bytes: Uint8Array): CommitRequest {
  return request.parse(JSON.parse(new TextDecoder().decode(bytes)));
}
