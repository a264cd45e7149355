/**
 * mosquitto, MQTT 3.1.1 at QoS 0.
 *
 * @module
 */

import { messageBytes } from "../message.ts";
import type { Subject } from "../subject.ts";
import { fixedPublisher, fixedReader, shape, shapedBytes } from "../fixed_size.ts";
import { ask, connect } from "../socket.ts";

const topic = "\x00\x01b";
const publish = shape(packet(0x30, topic, messageBytes));

export const mosquitto: Subject = {
  name: "mosquitto",
  version: ["mosquitto", "-h"],
  scenarios: ["saturated", "underway", "idle"],
  command: (port, folder) => ({
    program: "mosquitto",
    args: ["-c", `${folder}/mosquitto.conf`],
    files: { [`${folder}/mosquitto.conf`]: config(port) },
  }),
  wire: {
    windowMessages: 1024,
    deliveryBytes: shapedBytes(publish),
    async reader(port, index) {
      const conn = await connect(port);
      await ask(conn, hello(`r${index}`), accepted);
      const rest = await ask(conn, packet(0x82, `\x00\x01${topic}\x00`), subscribed);
      return fixedReader(conn, rest, publish);
    },
    publisher: (port, index) => fixedPublisher(port, hello(`p${index}`), publish),
  },
};

const accepted = "\x20\x02\x00\x00";
const subscribed = "\x90\x03\x00\x01\x00";

/** CONNECT: a clean session without keep-alive. */
function hello(client: string): string {
  const id = `${String.fromCharCode(client.length >> 8, client.length & 255)}${client}`;
  return packet(0x10, `\x00\x04MQTT\x04\x02\x00\x00${id}`);
}

/** A packet of `body` and, behind it, `more` bytes that the caller adds. */
function packet(kind: number, body: string, more = 0): string {
  const length = body.length + more;
  const varint = length < 128 ? [length] : [length & 127 | 128, length >> 7];
  return String.fromCharCode(kind, ...varint) + body;
}

function config(port: number): string {
  return `listener ${port} 127.0.0.1
allow_anonymous true
persistence false
set_tcp_nodelay true
max_queued_messages 0
log_dest none
`;
}
