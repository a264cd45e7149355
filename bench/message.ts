/**
 * The message that every server is measured with: 128 bytes of text, of which the first eight are
 * its number. Text, because IRC carries nothing else; a number, because it tells a reader which
 * message arrived, whether one is missing, and (the generator being one process) when it was sent.
 *
 * @module
 */

/** Bytes of one message. */
export const messageBytes = 128;

const idDigits = 8;
const zero = 48;

/** A message with the number `id`. */
export function newMessage(id: number): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(messageBytes).fill(120);
  writeId(message, 0, id);
  return message;
}

/** Writes the number of the message that starts at `offset`. */
export function writeId(bytes: Uint8Array, offset: number, id: number): void {
  for (let at = offset + idDigits - 1; at >= offset; at--) {
    bytes[at] = zero + id % 10;
    id = Math.floor(id / 10);
  }
}

/** The number of the message that starts at `offset`. */
export function readId(bytes: Uint8Array, offset: number): number {
  let id = 0;
  for (let at = offset; at < offset + idDigits; at++) id = id * 10 + (bytes[at] ?? 0) - zero;
  return id;
}

/**
 * The numbers of one publisher's messages: every `publishers`-th one, so that each number tells who
 * sent it and where it stands among the messages of that publisher.
 */
export class Numbers {
  readonly #publishers: number;
  #next: number;

  constructor(publisher: number, publishers: number) {
    this.#next = publisher;
    this.#publishers = publishers;
  }

  take(count: number): number[] {
    const ids = new Array<number>(count);
    for (let i = 0; i < count; i++, this.#next += this.#publishers) ids[i] = this.#next;
    return ids;
  }
}

/** What is wrong with the order of `ids` as one reader got them: gaps, duplicates, swaps. */
export function orderFaults(ids: readonly number[], publishers: number): string[] {
  const next = Array.from({ length: publishers }, (_, publisher) => publisher);
  let faults = 0;
  let first = "";
  for (const id of ids) {
    const publisher = id % publishers;
    if (id !== next[publisher]) {
      faults++;
      first ||= `got message ${id}, expected ${next[publisher]}`;
    }
    next[publisher] = id + publishers;
  }
  return faults === 0 ? [] : [`out of order ${faults} times: ${first}`];
}
