import type { Writer } from "./writer.ts";

/** What a room needs of who reads it. */
export interface Reader {
  readonly writer: Writer;
  /** Sends a message on channel 0. */
  send(message: Uint8Array): void;
}
