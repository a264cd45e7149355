/**
 * TCP, for both sides: links of connections, accepting and dialling.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { type Address, formatAddress } from "./protocol/address.ts";
import { type Clock, pause } from "./protocol/clock.ts";
import { acceptPauseMs } from "./protocol/limits.ts";
import type { Link } from "./protocol/link.ts";

const log = getLogger(["broadcast", "tcp"]);

/** It cannot be reached; the message says what to look at. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";
}

/**
 * Accepts until the listener is closed. When the process has no file descriptor left, accepting fails:
 * it pauses and goes on, so that who is in is served and others get in later.
 *
 * @param serve must not throw
 */
export async function acceptLoop(
  listener: Pick<Deno.TcpListener, "accept">,
  clock: Clock,
  serve: (link: Link) => unknown,
): Promise<void> {
  while (true) {
    try {
      serve(tcpLink(await listener.accept()));
    } catch (error) {
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
        return; // The listener was closed.
      }
      log.warn("cannot accept a connection, trying again: {error}", { error });
      await pause(clock, acceptPauseMs);
    }
  }
}

/**
 * Connects.
 *
 * @throws {UnreachableError} with what went wrong, in plain English
 */
export async function dialTcp(address: Address): Promise<Link> {
  try {
    return tcpLink(await Deno.connect({ hostname: address.host, port: address.port }));
  } catch (cause) {
    const text = `Cannot connect to ${formatAddress(address)}: ${reason(cause)}`;
    throw new UnreachableError(text, { cause });
  }
}

/** A connection as a link. What is written goes out at once (no Nagle delay). */
function tcpLink(conn: Deno.TcpConn): Link {
  conn.setNoDelay(true);
  const { hostname: host, port } = conn.remoteAddr;
  return {
    remote: formatAddress({ host, port }),
    read: (into) => conn.read(into),
    write: (bytes) => conn.write(bytes),
    close() {
      try {
        conn.close();
      } catch {
        // It was closed before.
      }
    },
  };
}

function reason(cause: unknown): string {
  if (cause instanceof Deno.errors.ConnectionRefused) {
    return "nobody listens there. Is the server running, and is the port right?";
  }
  if (cause instanceof Deno.errors.NotCapable) {
    return "this program was started without the permission to connect there.";
  }
  return cause instanceof Error ? cause.message : String(cause);
}
