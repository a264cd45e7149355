/**
 * What one core can write at all: loops in Deno that hand the same bytes to N sockets and do
 * nothing else. Three of them:
 *
 * - `limit`: large writes of bare messages, one shared view, no `await` per reader;
 * - `limit-sealed`: the same, with as many bytes for each message as our own server sends;
 * - `awaited`: one awaited write for each message and reader, as one would write it first.
 *
 * With one message under way, a write carries one message in all three.
 *
 * @module
 */

import { messageBytes } from "../message.ts";
import type { Subject } from "../subject.ts";
import { fixedPublisher, fixedReader, shape } from "../fixed_size.ts";
import { connect, latin1, writeAll } from "../socket.ts";

/** A limit in which a message takes `bytes` bytes on the wire. */
export function limit(name: string, bytes: number, style: "shared" | "awaited"): Subject {
  const delivery = { before: new Uint8Array(0), after: new Uint8Array(bytes - messageBytes) };
  return {
    name,
    version: [Deno.execPath(), "--version"],
    scenarios: ["saturated", "underway"],
    command: (port, _folder, scenario) => ({
      program: Deno.execPath(),
      args: [
        ...["run", "--no-prompt", "--allow-net=127.0.0.1"],
        ...[new URL("limit_server.ts", import.meta.url).pathname],
        ...[String(port), scenario, style, String(bytes)],
      ],
    }),
    wire: {
      publishersSaturated: 1,
      windowMessages: Infinity,
      deliveryBytes: bytes,
      async reader(port) {
        const conn = await connect(port);
        await writeAll(conn, latin1("r"));
        const { rest, scanner } = fixedReader(conn, new Uint8Array(0), delivery);
        return { conn, rest, scanner };
      },
      publisher: (port) => fixedPublisher(port, "p", shape("")),
    },
  };
}
