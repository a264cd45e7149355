/**
 * One byte-stream connection, whatever carries it, and its bytes as a stream.
 *
 * @module
 */

/** What a carrier (TCP, later WebSocket) gives the cores; a test gives one in memory. */
export interface Link {
  /**
   * Where it leads: `127.0.0.1:54321`. MUST be the peer's own address, not that of a proxy between: bans
   * and budgets go by it, and who comes from loopback counts as invited.
   */
  readonly remote: string;
  /** Bytes read into `into`, or null at the end. MUST NOT be called while a read is under way. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes some of `bytes`, at least one; how many. MUST NOT be called while a write is under way. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends both directions; whatever is under way fails or ends. Safe to call twice. */
  close(): void;
}

/** A reader waits with this much memory … */
const idleBytes = 256;
/** … and reads with this much while there is more than that. */
const busyBytes = 64 * 1024;

/** Buffers that no reader uses at the moment; a few, for those who read much. */
const spare: Uint8Array[] = [];
const spareMax = 32;

/**
 * The bytes of a link, read on demand. A chunk is valid until the next one is asked for: who keeps
 * bytes copies them, as the framer does. Leaving the loop does not close the link: what reads may have
 * met a fault that the peer is still to be told.
 *
 * @param first bytes that were read already
 */
export async function* chunks(link: Link, first?: Uint8Array): AsyncGenerator<Uint8Array> {
  let filled = first?.length ?? 0;
  if (first && filled > 0) yield first;
  first = undefined; // A connection may be idle for long; it need not hold this.
  const idle = new Uint8Array(idleBytes);
  let buffer: Uint8Array = idle;
  try {
    while (true) {
      buffer = fitting(buffer, idle, filled);
      const count = await link.read(buffer);
      if (count === null) return;
      filled = count;
      yield buffer.subarray(0, count);
    }
  } finally {
    release(buffer, idle);
  }
}

/**
 * A stream's output, fed with the bytes of a link as it asks for them. (Piping does the same with two
 * more streams' worth of memory for each connection.)
 *
 * @param first bytes that were read already
 */
export function through<Output>(
  link: Link,
  { readable, writable }: ReadableWritablePair<Output, Uint8Array>,
  first?: Uint8Array,
): ReadableStream<Output> {
  void feed(chunks(link, first), writable.getWriter());
  return readable;
}

async function feed(
  source: AsyncIterable<Uint8Array>,
  writer: WritableStreamDefaultWriter<Uint8Array>,
): Promise<void> {
  try {
    for await (const chunk of source) await writer.write(chunk);
    await writer.close();
  } catch (cause) {
    await writer.abort(cause).catch(() => {}); // It has failed by itself; its reader knows why.
  }
}

/** The small buffer for who reads little, a large one for who filled it. */
function fitting(buffer: Uint8Array, idle: Uint8Array, filled: number): Uint8Array {
  if (buffer === idle) return filled < idleBytes ? idle : spare.pop() ?? new Uint8Array(busyBytes);
  if (filled >= idleBytes) return buffer;
  release(buffer, idle);
  return idle;
}

function release(buffer: Uint8Array, idle: Uint8Array): void {
  if (buffer !== idle && spare.length < spareMax) spare.push(buffer);
}

/**
 * Writes all of `bytes`.
 *
 * @throws what the link throws
 */
export async function writeAll(link: Link, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await link.write(bytes.subarray(at));
}

/** Writes chunks to a link, one after the other; closing it does not close the link. */
export function writable(link: Link): WritableStream<Uint8Array> {
  return new WritableStream({ write: (chunk) => writeAll(link, chunk) });
}
