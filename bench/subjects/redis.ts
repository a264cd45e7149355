/**
 * redis-server, pub/sub on one channel; nothing is stored.
 *
 * @module
 */

import { messageBytes } from "../message.ts";
import type { Subject } from "../subject.ts";
import { fixedPublisher, fixedReader, shape, shapedBytes } from "../fixed_size.ts";
import { ask, connect } from "../socket.ts";

const publication = shape(`*3\r\n$7\r\nPUBLISH\r\n$1\r\nb\r\n$${messageBytes}\r\n`, "\r\n");
const delivery = shape(`*3\r\n$7\r\nmessage\r\n$1\r\nb\r\n$${messageBytes}\r\n`, "\r\n");

export const redis: Subject = {
  name: "redis-server",
  version: ["redis-server", "--version"],
  scenarios: ["saturated", "underway", "latency", "idle"],
  command: (port, folder) => ({
    program: "redis-server",
    args: [
      ...["--bind", "127.0.0.1", "--port", String(port), "--dir", folder],
      ...["--save", "", "--appendonly", "no"],
      // Slow readers are kept instead of cut, since none of ours stops reading.
      ...["--client-output-buffer-limit", "pubsub 0 0 0"],
    ],
  }),
  wire: {
    // With more its queues grow: it reads from each before it writes 64 KiB to each reader.
    publishersSaturated: 1,
    windowMessages: 8192,
    deliveryBytes: shapedBytes(delivery),
    async reader(port) {
      const conn = await connect(port);
      const rest = await ask(conn, "SUBSCRIBE b\r\n", ":1\r\n");
      return fixedReader(conn, rest, delivery);
    },
    publisher: (port) => fixedPublisher(port, "", publication),
  },
};
