/**
 * nats-server, core NATS: one subject, no JetStream.
 *
 * @module
 */

import { messageBytes } from "../message.ts";
import type { Subject } from "../subject.ts";
import { fixedPublisher, fixedReader, shape, shapedBytes } from "../fixed_size.ts";
import { ask, connect } from "../socket.ts";

const publication = shape(`PUB b ${messageBytes}\r\n`, "\r\n");
const delivery = shape(`MSG b 1 ${messageBytes}\r\n`, "\r\n");
const hello = 'CONNECT {"verbose":false,"pedantic":false,"echo":false}\r\n';

export const nats: Subject = {
  name: "nats-server",
  version: ["nats-server", "--version"],
  scenarios: ["saturated", "underway", "latency", "idle"],
  command: (port, folder) => ({
    program: "nats-server",
    args: ["-c", `${folder}/nats.conf`],
    files: { [`${folder}/nats.conf`]: config(port) },
  }),
  wire: {
    windowMessages: 16384,
    deliveryBytes: shapedBytes(delivery),
    async reader(port) {
      const conn = await connect(port);
      const rest = await ask(conn, `${hello}SUB b 1\r\nPING\r\n`, "PONG\r\n");
      return fixedReader(conn, rest, delivery);
    },
    publisher: (port) => fixedPublisher(port, hello, publication),
  },
};

/** Pings off; slow readers are kept instead of cut, since none of ours stops reading. */
function config(port: number): string {
  return `listen: "127.0.0.1:${port}"
max_pending: 1GB
write_deadline: "60s"
ping_interval: "1h"
`;
}
