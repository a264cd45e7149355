/**
 * What a classic client sends, read bit by bit: bytes go in as the network cuts them, names and
 * frames come out.
 *
 * @module
 */

import { type Bytes, readU32 } from "./bytes.ts";
import {
  classicBodyBytesMax,
  classicBodyBytesMin,
  type ClassicFrame,
  classicNameBytesMax,
  decodeClassicFrame,
} from "./classic.ts";
import { ProtocolError } from "./errors.ts";
import { lengthBytes } from "./limits.ts";

/** One thing that a classic client sent. */
export type ClassicInput =
  /** A line of text: a name to try, trimmed. */
  | { readonly kind: "name"; readonly name: string }
  /** A message; while no name is accepted, its text is a name to try. */
  | { readonly kind: "frame"; readonly frame: ClassicFrame };

/**
 * Reads what a classic client sends. Push what was read, then take with {@link next} until there is
 * nothing more.
 *
 * MUST check a length before it waits for the body, and find a name and a frame that came in one
 * read.
 *
 * @example
 * ```ts
 * import { ClassicClientReader } from "./classic_client_reader.ts";
 * const reader = new ClassicClientReader();
 * reader.push(new TextEncoder().encode("Alice\n"));
 * reader.next(); // { kind: "name", name: "Alice" }
 * reader.acceptName();
 * ```
 */
export class ClassicClientReader {
  readonly #bytes = new ByteQueue();
  #named = false;

  /** Adds what was read; the bytes are copied. */
  push(bytes: Uint8Array): void {
    this.#bytes.push(bytes);
  }

  /**
   * What comes next, or undefined when more bytes are needed.
   *
   * @throws {ProtocolError} `bad_name` for an endless line, `bad_frame` or `too_large` for a frame
   * of a wrong length; the connection cannot be read any further
   */
  next(): ClassicInput | undefined {
    if (this.#bytes.length === 0) return undefined;
    return this.#named || this.#bytes.first === 0 ? this.#frame() : this.#line();
  }

  /** From now on the client sends frames only. */
  acceptName(): void {
    this.#named = true;
  }

  #line(): ClassicInput | undefined {
    const end = this.#bytes.indexOf(newline);
    if ((end < 0 ? this.#bytes.length : end) >= classicNameBytesMax) {
      throw new ProtocolError("bad_name");
    }
    if (end < 0) return undefined;
    return { kind: "name", name: new TextDecoder().decode(this.#bytes.take(end + 1)).trim() };
  }

  #frame(): ClassicInput | undefined {
    if (this.#bytes.length < lengthBytes) return undefined;
    const length = checkedLength(
      this.#bytes.u32(),
      this.#named ? classicBodyBytesMax : classicBodyBytesMin + classicNameBytesMax,
    );
    if (this.#bytes.length < lengthBytes + length) return undefined;
    const body = this.#bytes.take(lengthBytes + length).subarray(lengthBytes);
    return { kind: "frame", frame: decodeClassicFrame(body) };
  }
}

const newline = 0x0a;

function checkedLength(length: number, bytesMax: number): number {
  if (length < classicBodyBytesMin) {
    throw new ProtocolError("bad_frame", `A frame of ${length} bytes is too short to be one.`);
  }
  if (length > bytesMax) {
    throw new ProtocolError(
      "too_large",
      `A frame of ${length} bytes is longer than the ${bytesMax} allowed here.`,
    );
  }
  return length;
}

/** Bytes in, bytes out, in order; memory at most doubles what is waiting. */
class ByteQueue {
  #bytes: Bytes = new Uint8Array(0);
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  get first(): number | undefined {
    return this.#bytes[this.#start];
  }

  push(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#bytes.length) this.#makeRoom(bytes.length);
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Where `byte` is, counted from the first, or -1. */
  indexOf(byte: number): number {
    return this.#bytes.subarray(this.#start, this.#end).indexOf(byte);
  }

  u32(): number {
    return readU32(this.#bytes, this.#start);
  }

  /** The first `count` bytes, copied. */
  take(count: number): Bytes {
    const taken = this.#bytes.slice(this.#start, this.#start + count);
    this.#start += count;
    if (this.#start === this.#end) {
      this.#bytes = new Uint8Array(0);
      this.#start = this.#end = 0;
    }
    return taken;
  }

  #makeRoom(count: number): void {
    const needed = this.length + count;
    const bytes = new Uint8Array(Math.max(needed, Math.min(2 * this.length, roomBytesMax)));
    bytes.set(this.#bytes.subarray(this.#start, this.#end));
    this.#end = this.length;
    this.#start = 0;
    this.#bytes = bytes;
  }
}

/** No frame needs more room than this. */
const roomBytesMax = lengthBytes + classicBodyBytesMax;
