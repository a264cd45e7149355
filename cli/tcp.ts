/**
 * Connections as links, for both sides: accepting, and dialling over TCP.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { type Address, formatAddress } from "../protocol/address.ts";
import { type Clock, pause } from "../protocol/clock.ts";
import { acceptPauseMs, dialTimeoutMs } from "../protocol/limits.ts";
import type { Link } from "../protocol/link.ts";
import { reasonOf } from "./reason.ts";

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
  listener: { accept(): Promise<Deno.TcpConn | Deno.UnixConn> },
  clock: Clock,
  serve: (link: Link) => unknown,
): Promise<void> {
  // Deno 2.9.6 panics where an error's stack is looked at for the first time with no descriptor left.
  void new Error().stack;
  while (true) {
    try {
      serve(linkOf(await listener.accept()));
    } catch (error) {
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
        return; // The listener was closed.
      }
      log.warn("cannot accept a connection, trying again: {reason}", { reason: reasonOf(error) });
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
  const signal = AbortSignal.timeout(dialTimeoutMs);
  try {
    return tcpLink(
      await Deno.connect({ hostname: address.host, port: address.port, signal }),
    );
  } catch (cause) {
    const reason = signal.aborted
      ? `it did not answer within ${dialTimeoutMs / 1000} s. Is the address right?`
      : reasonOf(cause);
    throw new UnreachableError(`Cannot connect to ${formatAddress(address)}: ${reason}`, { cause });
  }
}

/** A connection as a link. What is written goes out at once (no Nagle delay). */
function tcpLink(conn: Deno.TcpConn): Link {
  try {
    conn.setNoDelay(true);
  } catch {
    // The peer has gone already, as the first read will show.
  }
  const { hostname: host, port } = conn.remoteAddr;
  return bareLink(conn, formatAddress({ host, port }));
}

/** A connection as a link, whatever kind it is of. */
export function linkOf(conn: Deno.TcpConn | Deno.UnixConn): Link {
  return "path" in conn.remoteAddr ? bareLink(conn, "operator") : tcpLink(conn as Deno.TcpConn);
}

function bareLink(conn: Deno.Conn, remote: string): Link {
  return {
    remote,
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
