/**
 * The few things that the load generator does with a socket.
 *
 * @module
 */

/** Connects to a subject on this machine. */
export async function connect(port: number): Promise<Deno.TcpConn> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  conn.setNoDelay(true);
  return conn;
}

/** Writes all of `bytes`. */
export async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

/** Sends `text` and reads until the answer has `end` in it; returns what came behind it. */
export async function ask(
  conn: Deno.Conn,
  text: string,
  end: string,
): Promise<Uint8Array<ArrayBuffer>> {
  await writeAll(conn, latin1(text));
  const chunk = new Uint8Array(4096);
  let heard = "";
  while (!heard.includes(end)) {
    const count = await conn.read(chunk);
    if (count === null) throw new Error(`Server closed instead of "${end.trim()}": ${heard}`);
    heard += String.fromCharCode(...chunk.subarray(0, count));
  }
  return latin1(heard.slice(heard.indexOf(end) + end.length));
}

/** Reads until the peer closes, keeping nothing. */
export function readAndForget(conn: Deno.Conn): void {
  const buffer = new Uint8Array(16 * 1024);
  readLoop(conn, { into: () => buffer, got: () => {} }, () => {});
}

/**
 * Where reads go, and who hears of them. `got` must be done with the bytes when it returns.
 *
 * Several connections may share one buffer if `got` only counts: reads complete between two turns
 * of the event loop, many at once, so what one wrote may be overwritten when `got` is called.
 */
export interface Reading {
  into(): Uint8Array<ArrayBuffer>;
  got(count: number): void;
}

/** Reads until the connection ends. Handlers are bound once; nothing is allocated for a read. */
export function readLoop(conn: Deno.Conn, reading: Reading, ended: () => void): void {
  const next = () => void conn.read(reading.into()).then(took, ended);
  const took = (count: number | null) => {
    if (count === null) return ended();
    reading.got(count);
    next();
  };
  next();
}

/** One byte for each character. */
export function latin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
