/**
 * ngircd: one channel; publishers speak into it without being in it.
 *
 * @module
 */

import type { Subject } from "../subject.ts";
import { fixedPublisher, fixedReader, shape, shapedBytes } from "../fixed_size.ts";
import { ask, connect } from "../socket.ts";

const publication = shape("PRIVMSG #b :", "\r\n");
const delivery = shape(":p000!~u@127.0.0.1 PRIVMSG #b :", "\r\n");

export const ircd: Subject = {
  name: "ngircd",
  version: ["ngircd", "--version"],
  scenarios: ["saturated", "underway", "idle"],
  command: (port, folder) => ({
    program: "ngircd",
    args: ["-n", "-f", `${folder}/ngircd.conf`],
    files: { [`${folder}/ngircd.conf`]: config(port) },
  }),
  wire: {
    // It cuts readers for whom more than 32 KiB wait.
    windowMessages: 512,
    deliveryBytes: shapedBytes(delivery),
    async reader(port, index) {
      const conn = await connect(port);
      const rest = await ask(conn, hello("r", index) + "JOIN #b\r\n", "End of NAMES list\r\n");
      return fixedReader(conn, rest, delivery);
    },
    publisher: (port, index) => fixedPublisher(port, hello("p", index), publication),
  },
};

function hello(role: string, index: number): string {
  return `NICK ${role}${String(index).padStart(3, "0")}\r\nUSER u 0 * :u\r\n`;
}

/** No lookups, no limits for one address, no penalties, and a channel that anyone may speak in. */
function config(port: number): string {
  return `[Global]
Name = bench.example.net
Info = bench
AdminInfo1 = bench
AdminEMail = bench@example.net
Listen = 127.0.0.1
Ports = ${port}
MotdPhrase = bench
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxPenaltyTime = 0
PingTimeout = 3600
[Options]
DNS = no
Ident = no
PAM = no
[Channel]
Name = #b
Modes = t
`;
}
