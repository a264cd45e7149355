/**
 * Who listens on a server's port.
 *
 * @module
 */

import { listenAt, reachable } from "./destination.ts";
import type { Finding } from "./finding.ts";
import { reasonOf } from "./reason.ts";
import { dialTcp, UnreachableError } from "./tcp.ts";
import { shakeHands } from "../client/handshake.ts";
import { type Address, formatAddress } from "../protocol/address.ts";
import { equal } from "../protocol/bytes.ts";
import { ProtocolError } from "../protocol/errors.ts";

/** The port is free, or the server of this identity answers there. */
export async function checkPort(
  address: Address,
  isRunning: boolean,
  identity: Uint8Array | undefined,
): Promise<Finding> {
  const { host, port } = listenAt(address);
  const name = formatAddress({ host, port });
  if (isRunning) return await checkAnswer(reachable({ host, port }), name, identity);
  try {
    Deno.listen({ hostname: host, port }).close();
    return { what: `${name} is free to listen on` };
  } catch (cause) {
    if (cause instanceof Deno.errors.AddrInUse) {
      const todo = "Stop what listens there, or choose another port: --port";
      return { what: `${name} is taken by another program`, todo };
    }
    return {
      what: `${name} cannot be listened on: ${reasonOf(cause)}`,
      todo: "Choose another: --port",
    };
  }
}

async function checkAnswer(
  address: Address,
  name: string,
  identity: Uint8Array | undefined,
): Promise<Finding> {
  try {
    const link = await dialTcp(address);
    try {
      const { server } = await shakeHands(link, () => {});
      if (identity && equal(server, identity)) return { what: `the server answers on ${name}` };
      return {
        what: `another server answers on ${name}`,
        todo: "Say where this one listens: --port, or PORT in .env",
      };
    } finally {
      link.close();
    }
  } catch (cause) {
    const isKnown = cause instanceof UnreachableError || cause instanceof ProtocolError;
    return {
      what: `${name} does not answer: ${isKnown ? cause.message : reasonOf(cause)}`,
      todo: "Say where the server listens: --port, or PORT in .env",
    };
  }
}
