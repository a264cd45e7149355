/** What was said, looked for in all places where a server could have it. */

import { Buffer } from "node:buffer";

/** Texts that are looked for in a stream of bytes, in each form that a program may have them. */
export class Search {
  readonly #beginnings: readonly Buffer[];
  readonly #texts: readonly string[];
  readonly #found = new Set<string>();
  #end = Buffer.alloc(0);

  /** @param beginning what all texts begin with: to look for one is quicker */
  constructor(beginning: string, texts: readonly string[]) {
    this.#beginnings = formsOf(beginning);
    this.#texts = texts;
  }

  /** The texts that were there, in the order given. */
  get found(): string[] {
    return this.#texts.filter((text) => this.#found.has(text));
  }

  /** Takes what follows. */
  push(chunk: Uint8Array): void {
    const bytes = Buffer.concat([this.#end, chunk]);
    if (this.#beginnings.some((form) => bytes.includes(form))) {
      for (const text of this.#texts) {
        if (formsOf(text).some((form) => bytes.includes(form))) this.#found.add(text);
      }
    }
    this.#end = bytes.subarray(-overlapBytes);
  }
}

/** More than the longest form of a text has. */
const overlapBytes = 1024;

/** A text in UTF-8, in UTF-16 and within Base64, wherever it begins there. */
function formsOf(text: string): Buffer[] {
  const encoded = [0, 1, 2].map((before) => {
    const base64 = Buffer.from("?".repeat(before) + text).toString("base64url");
    return Buffer.from(base64.slice(4, -4)); // What is at the ends depends on its neighbours.
  });
  return [Buffer.from(text), Buffer.from(text, "utf16le"), ...encoded];
}

/** Looks through all files of a folder. */
export async function searchFolder(folder: string, search: Search): Promise<void> {
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (isFile) search.push(await Deno.readFile(`${folder}/${name}`));
  }
}

/** Prints all memory that a process can write to, one mapping after the other. */
const dump = `while read -r range mode rest; do
  case $mode in rw*)
    start=$((0x\${range%-*})); end=$((0x\${range#*-}))
    dd if=/proc/$0/mem bs=65536 iflag=skip_bytes,count_bytes \
      skip=$start count=$((end-start)) status=none 2>/dev/null;;
  esac
done < /proc/$0/maps`;

/** Most memory was never touched. */
const zeros = Buffer.alloc(1 << 20);

/** Looks through the memory of a process of ours; the number of bytes that could be read. */
export async function searchMemory(pid: number, search: Search): Promise<number> {
  const child = new Deno.Command("sh", { args: ["-c", dump, `${pid}`], stdout: "piped" }).spawn();
  let bytes = 0;
  for await (const chunk of child.stdout) {
    bytes += chunk.length;
    if (!zeros.subarray(0, chunk.length).equals(chunk)) search.push(chunk);
  }
  await child.status;
  return bytes;
}

/** Stands between clients and a server, and hears what goes over the wire. */
export class Tap implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #search: Search;
  readonly #conns: Deno.TcpConn[] = [];
  readonly #passing: Promise<unknown>[] = [];
  /** So many bytes have passed. */
  bytes = 0;

  constructor(serverPort: number, search: Search) {
    this.#search = search;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#passing.push(this.#accept(serverPort));
  }

  /** Where clients connect to. */
  get port(): number {
    return this.#listener.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const conn of this.#conns) close(conn);
    await Promise.all(this.#passing);
  }

  async #accept(port: number): Promise<void> {
    for await (const client of this.#listener) {
      this.#conns.push(client);
      const server = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => undefined);
      if (!server) {
        close(client);
        continue;
      }
      this.#conns.push(server);
      this.#passing.push(this.#pass(client, server), this.#pass(server, client));
    }
  }

  async #pass(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const writer = to.writable.getWriter();
    try {
      for await (const chunk of from.readable) {
        this.bytes += chunk.length;
        this.#search.push(chunk);
        await writer.write(chunk);
      }
      await writer.close();
    } catch {
      // One of them has gone.
    }
  }
}

function close(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch {
    // It is.
  }
}
