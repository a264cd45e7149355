/**
 * Bytes to whole frames and back: `[u32 length][body]`, big-endian, the length counting what follows.
 * It does framing only: no I/O, no keys. Server and client use the same two streams.
 *
 * @module
 */

import { type Bytes, readU32, writeU32 } from "./bytes.ts";
import { CutShort, ProtocolError } from "./errors.ts";
import { lengthBytes, nonceBytes, tagBytes } from "./limits.ts";

/** The shortest body: a nonce and the tag of nothing. */
const bodyBytesMin = nonceBytes + tagBytes;

/**
 * Cuts a stream of bytes into frames, whatever the reads' borders. Each chunk that comes out holds
 * the bodies of all frames that one read completed, in order.
 *
 * MUST check a length before it keeps a byte of its body, hold no more memory than twice what has
 * come, and hand out only bytes of its own, so that the source may reuse its buffer.
 *
 * @example
 * ```ts
 * import { frame, UnframeStream } from "./framer.ts";
 * const body = new Uint8Array(40);
 * const frames = ReadableStream.from([frame(body)]).pipeThrough(new UnframeStream(() => 1024));
 * for await (const bodies of frames) console.log(bodies.length); // 1
 * ```
 */
export class UnframeStream extends TransformStream<Uint8Array, Bytes[]> {
  /**
   * @param bytesMax the limit in force, asked for each frame
   * @param prepare changes what was read before it is cut. (A stream of its own in front would let the
   * source reuse its buffer too early: what lies between two streams has not been copied yet.)
   */
  constructor(bytesMax: () => number, prepare?: (bytes: Uint8Array) => Uint8Array) {
    const unframer = new Unframer(bytesMax);
    super({
      transform(chunk, controller) {
        const bodies = unframer.push(prepare ? prepare(chunk) : chunk);
        if (bodies.length > 0) controller.enqueue(bodies);
      },
      flush: () => unframer.end(),
    });
  }
}

/** Puts the length in front of each body. */
export class FrameStream extends TransformStream<Uint8Array, Bytes> {
  constructor() {
    super({ transform: (body, controller) => controller.enqueue(frame(body)) });
  }
}

/** One frame of the parts of its body. */
export function frame(...parts: readonly Uint8Array[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const bytes = new Uint8Array(lengthBytes + length);
  writeU32(bytes, 0, length);
  let at = lengthBytes;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const nothing: Bytes = new Uint8Array(0);

/** The state between two reads: the beginning of one frame, if any. */
class Unframer {
  readonly #bytesMax: () => number;
  /** The bytes of a frame that has begun, length included; grows with what comes. */
  #partial = nothing;
  #filled = 0;

  constructor(bytesMax: () => number) {
    this.#bytesMax = bytesMax;
  }

  /** The bodies that `chunk` completes. */
  push(chunk: Uint8Array): Bytes[] {
    const bodies: Bytes[] = [];
    let at = 0;
    while (this.#filled > 0 && at < chunk.length) at += this.#continue(chunk.subarray(at), bodies);
    this.#takeWhole(chunk, at, bodies);
    return bodies;
  }

  /** The input ended: between frames is the only right place for that. */
  end(): void {
    if (this.#filled > 0) {
      throw new CutShort("The connection ended in the middle of a frame.");
    }
  }

  /** Adds to the frame that has begun; how many bytes it took. */
  #continue(chunk: Uint8Array, bodies: Bytes[]): number {
    const goal = this.#filled < lengthBytes
      ? lengthBytes
      : lengthBytes + this.#checked(readU32(this.#partial, 0));
    const taken = Math.min(goal - this.#filled, chunk.length);
    this.#keep(chunk.subarray(0, taken), goal);
    if (this.#filled === lengthBytes) this.#checked(readU32(this.#partial, 0));
    else if (this.#filled === goal && goal > lengthBytes) {
      bodies.push(this.#partial.subarray(lengthBytes, goal));
      this.#filled = 0;
      this.#partial = nothing;
    }
    return taken;
  }

  /** All whole frames from `at` on in one copy; what is left begins the next frame. */
  #takeWhole(chunk: Uint8Array, at: number, bodies: Bytes[]): void {
    let end = at;
    while (chunk.length - end >= lengthBytes) {
      const length = this.#checked(readU32(chunk, end));
      if (chunk.length - end < lengthBytes + length) break;
      end += lengthBytes + length;
    }
    if (end > at) {
      const whole = new Uint8Array(chunk.subarray(at, end));
      for (let from = 0; from < whole.length;) {
        const length = readU32(whole, from);
        bodies.push(whole.subarray(from + lengthBytes, from + lengthBytes + length));
        from += lengthBytes + length;
      }
    }
    if (end < chunk.length) this.#keep(chunk.subarray(end), chunk.length - end);
  }

  /** Keeps the bytes; memory at most doubles, and never exceeds the `goal`. */
  #keep(bytes: Uint8Array, goal: number): void {
    const needed = this.#filled + bytes.length;
    if (needed > this.#partial.length) {
      const grown = new Uint8Array(Math.max(needed, Math.min(goal, 2 * this.#partial.length)));
      grown.set(this.#partial.subarray(0, this.#filled));
      this.#partial = grown;
    }
    this.#partial.set(bytes, this.#filled);
    this.#filled = needed;
  }

  #checked(length: number): number {
    if (length < bodyBytesMin) {
      throw new ProtocolError("bad_frame", `A frame of ${length} bytes is too short to be one.`);
    }
    const bytesMax = this.#bytesMax();
    if (length > bytesMax) {
      throw new ProtocolError(
        "too_large",
        `A frame of ${length} bytes is longer than the ${bytesMax} allowed here.`,
      );
    }
    return length;
  }
}
