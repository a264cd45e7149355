/**
 * The seam between the bench and a server: how one is started, and how the load generator speaks
 * to it. A new subject is one file in `subjects/` and one line in `subjects.ts`.
 *
 * @module
 */

/** What can be measured; the order is the order of the tables. */
export const scenarioNames = [
  "saturated",
  "underway",
  "latency",
  "idle",
  "logins",
  "publishes",
  "resume",
  "rooms",
] as const;

/** One of {@linkcode scenarioNames}. */
export type ScenarioName = typeof scenarioNames[number];

/** One server under test. */
export interface Subject {
  readonly name: string;

  /** A command that prints its version, by which is found out whether it is installed. */
  readonly version: readonly [program: string, ...args: string[]];

  readonly scenarios: readonly ScenarioName[];

  /** The command that serves on 127.0.0.1:`port`. It may keep what it needs in `folder`. */
  command(port: number, folder: string, scenario: ScenarioName): Command;

  readonly wire: Wire;
}

/** How to start a server. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Files to write before the start, by their path. */
  readonly files?: Readonly<Record<string, string>>;
}

/** How the load generator speaks to a subject. `Session` is what its readers are. */
export interface Wire<Session extends ReaderSession = ReaderSession> {
  /** How many publishers get the most out of it when they publish as fast as they can; 4 if not given. */
  readonly publishersSaturated?: number;

  /**
   * How many messages publishers may be ahead of the readers when they publish as fast as they can.
   * Bounds the queues of servers that have no back-pressure; `Infinity` for those that have.
   */
  readonly windowMessages: number;

  /**
   * Bytes that one delivered message takes in a reader's stream, or undefined where they vary: then
   * they are taken from what {@linkcode ReaderSession.check} finds.
   */
  readonly deliveryBytes?: number;

  /** Connects, logs in and subscribes. Resolves when the server has confirmed the subscription. */
  reader(port: number, index: number): Promise<Session>;

  /**
   * A publisher, on a connection of its own. Where whoever publishes is a member too, it is
   * `session`, the reader with the same index, that publishes.
   */
  publisher(port: number, index: number, session: Session): Promise<Publisher>;
}

/** One subscribed reader. From here on only the load generator reads `conn`. */
export interface ReaderSession {
  readonly conn: Deno.Conn;

  /** What was read of `conn` beyond the confirmation. */
  readonly rest: Uint8Array<ArrayBuffer>;

  /** Follows the stream from `rest` on, message by message or frame by frame, as cheaply as it can. */
  scanner(delivered: Delivered): Scanner;

  /**
   * Reads the stream in full, from `rest` on, after the run: opens, decodes, verifies. `stream` may
   * end anywhere. Absent where nothing can be said: then nothing is recorded either.
   */
  readonly check?: (stream: Uint8Array<ArrayBuffer>) => Promise<Checked>;
}

/**
 * A delivery is complete. Its key is the message's number where the scanner can see it, else
 * anything that is the same for all readers, like a frame's counter. {@linkcode Checked} translates.
 */
export type Delivered = (key: number) => void;

/** Follows one reader's stream. */
export interface Scanner {
  /** Takes what was read; keeps nothing of `bytes`, which is overwritten by the next read. */
  push(bytes: Uint8Array): void;
}

/** What was in one reader's stream. */
export interface Checked {
  /** The numbers of the bench's messages, in the order of arrival. */
  readonly ids: number[];
  /** For each of `ids`, the key under which the scanner announced its delivery. */
  readonly keys: number[];
  /** Bytes of stream that these messages took, framing and all. */
  readonly bytes: number;
  /** What was wrong, apart from the order of `ids`: signatures, chains, counters. */
  readonly faults: string[];
}

/** Publishes to all readers. */
export interface Publisher {
  /** Sends the messages with these numbers in as few writes as it can; resolves when they are written. */
  publish(ids: readonly number[]): Promise<void>;

  /** Makes the first `count` messages ready, where that costs so much that it would be measured. */
  prepare?(count: number): Promise<void>;
}
