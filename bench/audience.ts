/**
 * The N readers of one run. Three ways of reading, from cheap to dear:
 *
 * - counted: bytes only, all readers into one buffer;
 * - followed: the end of each delivery is found, in a small buffer of the reader's own;
 * - recorded: kept, and checked in full after the run (recording.ts). The first reader always is.
 *
 * @module
 */

import type { Job } from "./job.ts";
import { Recording } from "./recording.ts";
import { openReads } from "./reads.ts";
import type { Reading } from "./socket.ts";
import type { Checked, Delivered, Publisher, ReaderSession, Wire } from "./subject.ts";
import { pause } from "./pause.ts";

const sharedBufferBytes = 256 * 1024;
const ownBufferBytes = 16 * 1024;
const connectingMax = 32;
const quietTimeoutMs = 20_000;

/** The readers, and what they have got so far. */
export class Audience {
  /** Bytes that all readers together have got. */
  bytes = 0;

  /** Called after each read. */
  onBytes: () => void = () => {};

  readonly #sessions: readonly ReaderSession[];
  readonly #reads = openReads();
  #recording: Recording | undefined;
  #ended = 0;

  private constructor(sessions: readonly ReaderSession[]) {
    this.#sessions = sessions;
  }

  /** Connects the readers that `job` asks for, several at once. */
  static async gather(job: Job, wire: Wire): Promise<Audience> {
    const sessions = new Array<ReaderSession>(job.readers);
    let next = 0;
    const connect = async () => {
      for (let i = next++; i < job.readers; i = next++) {
        sessions[i] = await wire.reader(job.port, i);
      }
    };
    await Promise.all(Array.from({ length: connectingMax }, connect));
    return new Audience(sessions);
  }

  /** Connects as many publishers as `job` asks for: never more than there are readers. */
  async publishers(job: Job, wire: Wire): Promise<Publisher[]> {
    const sessions = this.#sessions.slice(0, job.publishers);
    return await Promise.all(sessions.map((session, i) => wire.publisher(job.port, i, session)));
  }

  /** Starts reading: the first reader is recorded, all others are counted. */
  count(): void {
    const shared = new Uint8Array(sharedBufferBytes);
    const counting = { into: () => shared, got: () => {} };
    this.#readAll((session) => this.#record(session) ?? counting, () => counting);
  }

  /** Starts reading: all readers are followed, and the first is recorded too. */
  follow(delivered: Delivered): void {
    this.#readAll(
      (session) => this.#record(session, delivered) ?? following(session, delivered),
      (session) => following(session, delivered),
    );
  }

  /** What the recorded reader got. */
  async check(): Promise<Checked> {
    return await this.#recording?.check() ?? { ids: [], keys: [], bytes: 0, faults: [] };
  }

  /** Waits until nothing has arrived for `quietMs`: joins, welcomes, what was left over. */
  async quiet(quietMs = 150): Promise<void> {
    const giveUp = performance.now() + quietTimeoutMs;
    for (let before = -1; before !== this.bytes && performance.now() < giveUp;) {
      before = this.bytes;
      await pause(quietMs);
    }
  }

  /** Milliseconds in which there was nothing to read; undefined if nobody knows. */
  idleMs(): number | undefined {
    return this.#reads.idleMs();
  }

  /** What is wrong with the connections. */
  faults(): string[] {
    return this.#ended === 0 ? [] : [`the server cut ${this.#ended} readers`];
  }

  #readAll(
    first: (session: ReaderSession) => Reading,
    other: (session: ReaderSession) => Reading,
  ): void {
    for (const [i, session] of this.#sessions.entries()) {
      this.#read(session, i === 0 ? first(session) : other(session));
    }
  }

  #record(session: ReaderSession, delivered?: Delivered): Reading | undefined {
    if (!session.check) return undefined;
    return this.#recording = new Recording(session, session.check, delivered);
  }

  #read(session: ReaderSession, reading: Reading): void {
    const got = (count: number) => {
      this.bytes += count;
      reading.got(count);
      this.onBytes();
    };
    const counted = { into: () => reading.into(), got };
    this.#reads.add(session.conn, counted, () => this.#ended++);
  }
}

function following(session: ReaderSession, delivered: Delivered): Reading {
  const scanner = session.scanner(delivered);
  scanner.push(session.rest);
  const buffer = new Uint8Array(ownBufferBytes);
  return { into: () => buffer, got: (count) => scanner.push(buffer.subarray(0, count)) };
}
