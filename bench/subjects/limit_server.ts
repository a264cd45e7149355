/**
 * The process behind the limits (see limit.ts):
 * `limit_server.ts PORT saturated|underway shared|awaited BYTES`.
 *
 * A connection says by its first byte whether it reads ("r") or publishes ("p"). Saturated, the
 * first message published starts writing without end; else each message published is written once
 * to every reader.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { messageBytes, newMessage } from "../message.ts";

const [port, scenario, style, bytes] = Deno.args;
const deliveryBytes = Number(bytes);

/** What one write carries when saturated. */
const chunkBytes = 64 * 1024;

/** The runtime parks every operation after 128 in one turn. */
const writesPerTurn = 64;

const readers: Deno.Conn[] = [];

async function admit(conn: Deno.Conn): Promise<void> {
  const role = new Uint8Array(1);
  await conn.read(role);
  if (role[0] === 114) readers.push(conn);
  else if (role[0] === 112) await serve(conn);
}

async function serve(publisher: Deno.Conn): Promise<void> {
  const writes = style === "awaited" ? awaited : shared;
  const message = newMessage(0);
  while (await readFull(publisher, message)) {
    const delivery = new Uint8Array(deliveryBytes);
    delivery.set(message);
    if (scenario === "saturated") return await writes.withoutEnd(delivery);
    await writes.once(delivery);
  }
}

interface Writes {
  once(delivery: Uint8Array): Promise<void> | void;
  withoutEnd(delivery: Uint8Array): Promise<void> | void;
}

const awaited: Writes = {
  async once(delivery) {
    for (const reader of readers) await writeAll(reader, delivery);
  },
  async withoutEnd(delivery) {
    while (true) await awaited.once(delivery);
  },
};

const shared: Writes = {
  once(delivery) {
    for (const reader of readers) idle.push(new Writer(reader, delivery, "once"));
    turn();
  },
  withoutEnd(delivery) {
    const count = Math.floor(chunkBytes / delivery.length);
    const chunk = new Uint8Array(count * delivery.length);
    for (let i = 0; i < count; i++) chunk.set(delivery, i * delivery.length);
    for (const reader of readers) idle.push(new Writer(reader, chunk, "without end"));
    turn();
  },
};

/** Writers whose socket has taken what they had. */
const idle: Writer[] = [];
let scheduled = false;

function schedule(): void {
  if (scheduled || idle.length === 0) return;
  scheduled = true;
  setImmediate(turn);
}

function turn(): void {
  scheduled = false;
  const now = idle.splice(0, writesPerTurn);
  for (const writer of now) writer.write();
  schedule();
}

/** Writes `bytes` to one reader. Its handlers are bound once; nothing is allocated for a write. */
class Writer {
  readonly #conn: Deno.Conn;
  readonly #bytes: Uint8Array;
  readonly #often: "once" | "without end";
  #at = 0;

  constructor(conn: Deno.Conn, bytes: Uint8Array, often: "once" | "without end") {
    this.#conn = conn;
    this.#bytes = bytes;
    this.#often = often;
  }

  write(): void {
    const rest = this.#at === 0 ? this.#bytes : this.#bytes.subarray(this.#at);
    this.#conn.write(rest).then(this.#wrote, this.#failed);
  }

  readonly #wrote = (count: number): void => {
    this.#at += count;
    if (this.#at === this.#bytes.length) {
      if (this.#often === "once") return;
      this.#at = 0;
    }
    idle.push(this);
    schedule();
  };

  /** The reader has left: the run is over. */
  readonly #failed = (): void => {};
}

async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

async function readFull(conn: Deno.Conn, into: Uint8Array): Promise<boolean> {
  for (let at = 0; at < messageBytes;) {
    const count = await conn.read(into.subarray(at));
    if (count === null) return false;
    at += count;
  }
  return true;
}

for await (const conn of Deno.listen({ hostname: "127.0.0.1", port: Number(port) })) {
  conn.setNoDelay(true);
  admit(conn).catch((error) => console.error(error));
}
