/**
 * The original protocol: its texts, its frame layout, and how lines look towards its clients.
 *
 * The server writes {@link classicPrompt}; the client sends a line with a name. A name that cannot
 * be had is answered with a text and the prompt again, a good one with nothing. From then on the
 * client sends frames, `[u32 length][32-byte key][12-byte nonce][AES-256-GCM ciphertext and tag]`,
 * and the server sends plain lines, `[Alice]: Hello everyone!`. The key travels with the message,
 * so this hides nothing from anyone who sees it.
 *
 * The original client sends only its first line as text and everything after it as frames, also
 * when the name was refused. So a frame where a name is due holds the next name to try.
 *
 * @module
 */

import type { Bytes } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import { frame } from "./framer.ts";
import { nameCharsMax, nonceBytes, payloadBytesMax, tagBytes } from "./limits.ts";
import { visible, visibleLines } from "./visible.ts";

/** What the server says first, and again after each name it refuses. No newline follows. */
export const classicPrompt = "Enter your username:";

/** Why a name is refused, and the text for it. `illegal` is ours: the original takes any name. */
export const classicRefusals = {
  empty: "Username cannot be empty. Try again:",
  taken: "This name already taken.Try other",
  illegal: `Names have 1 to ${nameCharsMax} letters, digits, '.', '_' or '-'. Try again:`,
} as const;

/** A reason to refuse a name. */
export type ClassicRefusal = keyof typeof classicRefusals;

/** A line with a name is at most so long; the original reads a name with one read of this size. */
export const classicNameBytesMax = 1024;

const keyBytes = 32;

/** The shortest body of a frame: key, nonce, and the tag of nothing. */
export const classicBodyBytesMin = keyBytes + nonceBytes + tagBytes;

/** The longest body that a classic client may send. */
export const classicBodyBytesMax = classicBodyBytesMin + payloadBytesMax;

/** The parts of one frame. `ciphertext` ends with the tag. */
export interface ClassicFrame {
  readonly key: Bytes;
  readonly nonce: Bytes;
  readonly ciphertext: Bytes;
}

/**
 * Whether a connection that starts with this byte is a classic client's. A frame of ours starts
 * with a zero, because frames before login are short; a typed name never does.
 */
export function looksClassic(firstByte: number): boolean {
  return firstByte !== 0;
}

/** The answer to a name that cannot be had: why, and the prompt again. */
export function encodeClassicRefusal(reason: ClassicRefusal): Bytes {
  return encode(classicRefusals[reason] + classicPrompt);
}

/**
 * The line that tells a server our name.
 *
 * @throws {RangeError} when an original server could not read the name as one
 */
export function encodeClassicName(name: string): Bytes {
  const line = encode(`${name}\n`);
  if (/\p{Cc}/u.test(name) || line.length > classicNameBytesMax) {
    throw new RangeError(
      `Cannot use the name "${visible(name.slice(0, 40))}" because it has control characters ` +
        `or is longer than ${classicNameBytesMax - 1} bytes. Choose another.`,
    );
  }
  return line;
}

/**
 * One message as a classic client sees it: `[Alice]: Hello everyone!`, or `* Alice waves` for an
 * action. Every line starts with its sender, so that a newline cannot forge another one.
 */
export function encodeClassicMessage(name: string, text: string, action = false): Bytes {
  const lead = action ? `* ${visible(name)} ` : `[${visible(name)}]: `;
  return encode(visibleLines(text).map((line) => `${lead}${line}\n`).join(""));
}

/** One frame, its length in front. */
export function encodeClassicFrame({ key, nonce, ciphertext }: ClassicFrame): Bytes {
  return frame(key, nonce, ciphertext);
}

/**
 * The parts of a frame's body; views of it, not copies.
 *
 * @throws {ProtocolError} `bad_frame` when it is too short to have them all
 */
export function decodeClassicFrame(body: Bytes): ClassicFrame {
  if (body.length < classicBodyBytesMin) {
    throw new ProtocolError("bad_frame", `A frame of ${body.length} bytes is too short to be one.`);
  }
  return {
    key: body.subarray(0, keyBytes),
    nonce: body.subarray(keyBytes, keyBytes + nonceBytes),
    ciphertext: body.subarray(keyBytes + nonceBytes),
  };
}

function encode(text: string): Bytes {
  return new TextEncoder().encode(text);
}
