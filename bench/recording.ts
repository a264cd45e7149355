/**
 * What one reader got, kept from its first byte on, to be opened and checked after the run: checking
 * during it would cost the load generator what it needs to read.
 *
 * @module
 */

import type { Reading } from "./socket.ts";
import type { Checked, Delivered, ReaderSession, Scanner } from "./subject.ts";

const recordedBytesMax = 64 * 1024 * 1024;
const readBytesMax = 256 * 1024;

type Check = NonNullable<ReaderSession["check"]>;

/** Records a session's stream; what no longer fits is only counted or followed. */
export class Recording implements Reading {
  readonly #check: Check;
  readonly #scanner: Scanner | undefined;
  readonly #kept = new Uint8Array(recordedBytesMax);
  readonly #spare = new Uint8Array(readBytesMax);
  #keptBytes = 0;

  /** With `delivered` the stream is followed as well. */
  constructor(session: ReaderSession, check: Check, delivered?: Delivered) {
    this.#check = check;
    this.#scanner = delivered && session.scanner(delivered);
    this.into().set(session.rest);
    this.got(session.rest.length);
  }

  into(): Uint8Array<ArrayBuffer> {
    if (this.#keptBytes === recordedBytesMax) return this.#spare;
    return this.#kept.subarray(this.#keptBytes, this.#keptBytes + readBytesMax);
  }

  got(count: number): void {
    const into = this.into();
    this.#scanner?.push(into.subarray(0, count));
    if (into !== this.#spare) this.#keptBytes += count;
  }

  /** Reads what was kept in full. */
  async check(): Promise<Checked> {
    return await this.#check(this.#kept.slice(0, this.#keptBytes));
  }
}
