/**
 * Protocols in which every publication and every delivery of the bench's messages has one size:
 * text before, the message, text after. All but our own are such.
 *
 * @module
 */

import { concat } from "../protocol/bytes.ts";
import { messageBytes, newMessage, readId, writeId } from "./message.ts";
import type { Checked, Delivered, Publisher, ReaderSession, Scanner } from "./subject.ts";
import { connect, latin1, readAndForget, writeAll } from "./socket.ts";

/** What stands before and after a message. */
export interface Shape {
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** A shape written as text, one byte for each character. */
export function shape(before: string, after = ""): Shape {
  return { before: latin1(before), after: latin1(after) };
}

/** Bytes of a message in that shape. */
export function shapedBytes({ before, after }: Shape): number {
  return before.length + messageBytes + after.length;
}

/** A reader whose server delivers in `delivery`. */
export function fixedReader(
  conn: Deno.Conn,
  rest: Uint8Array<ArrayBuffer>,
  delivery: Shape,
): ReaderSession {
  return {
    conn,
    rest,
    scanner: (delivered) => new FixedScanner(delivery, delivered),
    check: (stream) => Promise.resolve(check(stream, delivery)),
  };
}

/** A publisher on a connection of its own, which first sends `hello`. What the server answers is ignored. */
export async function fixedPublisher(
  port: number,
  hello: string,
  publication: Shape,
): Promise<Publisher> {
  const conn = await connect(port);
  if (hello) await writeAll(conn, latin1(hello));
  readAndForget(conn);
  const batch = new Batch(publication);
  return { publish: (ids) => writeAll(conn, batch.fill(ids)) };
}

/** Publications back to back in one buffer, in which only the numbers change. */
class Batch {
  readonly #shape: Shape;
  #bytes = new Uint8Array(0);

  constructor(shape: Shape) {
    this.#shape = shape;
  }

  fill(ids: readonly number[]): Uint8Array {
    const { before } = this.#shape;
    const size = shapedBytes(this.#shape);
    if (this.#bytes.length < ids.length * size) this.#grow(ids.length);
    for (const [i, id] of ids.entries()) writeId(this.#bytes, i * size + before.length, id);
    return this.#bytes.subarray(0, ids.length * size);
  }

  #grow(count: number): void {
    const { before, after } = this.#shape;
    const one = new Uint8Array([...before, ...newMessage(0), ...after]);
    this.#bytes = new Uint8Array(count * one.length);
    for (let i = 0; i < count; i++) this.#bytes.set(one, i * one.length);
  }
}

const newline = 10;
const nothing = new Uint8Array(0);

/** Follows deliveries of one size. Lines between them that start differently (a PING) are skipped. */
class FixedScanner implements Scanner {
  readonly #delivered: Delivered;
  readonly #start: Uint8Array;
  readonly #idAt: number;
  readonly #size: number;
  #carry = nothing;

  constructor(delivery: Shape, delivered: Delivered) {
    this.#delivered = delivered;
    this.#start = delivery.before.subarray(0, 2);
    this.#idAt = delivery.before.length;
    this.#size = shapedBytes(delivery);
  }

  push(bytes: Uint8Array): void {
    const all = this.#carry.length === 0 ? bytes : concat([this.#carry, bytes]);
    let at = 0;
    while (at + this.#start.length <= all.length) {
      const isDelivery = this.#starts(all, at);
      const end = isDelivery ? at + this.#size : all.indexOf(newline, at) + 1 || Infinity;
      if (end > all.length) break;
      if (isDelivery) this.#delivered(readId(all, at + this.#idAt));
      at = end;
    }
    this.#carry = at === all.length ? nothing : all.slice(at);
  }

  #starts(bytes: Uint8Array, at: number): boolean {
    for (let i = 0; i < this.#start.length; i++) {
      if (bytes[at + i] !== this.#start[i]) return false;
    }
    return true;
  }
}

function check(stream: Uint8Array<ArrayBuffer>, delivery: Shape): Checked {
  const ids: number[] = [];
  new FixedScanner(delivery, (id) => ids.push(id)).push(stream);
  return { ids, keys: ids, bytes: ids.length * shapedBytes(delivery), faults: [] };
}
