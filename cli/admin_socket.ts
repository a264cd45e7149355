/**
 * The socket in the data folder over which a running server listens to its operator: both ends.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { acceptLoop, linkOf } from "./tcp.ts";
import { socketFile } from "./data_files.ts";
import { reasonOf } from "./reason.ts";
import type { Clock } from "../protocol/clock.ts";
import type { Link } from "../protocol/link.ts";

const log = getLogger(["broadcast", "admin"]);

/** What a server listens with. */
export interface AdminListener {
  /** Ends listening, and takes the socket away. */
  close(): void;
}

/** A running server has the socket. */
export class SocketInUseError extends Error {
  override readonly name = "SocketInUseError";
}

/**
 * Listens for the operator. What a killed server left behind is replaced. Where the system cannot do
 * that, it is said in the log, and the server goes on without.
 *
 * @param serve must not throw
 * @throws {SocketInUseError} when another server listens there
 */
export async function listenForOperator(
  folder: string,
  clock: Clock,
  serve: (link: Link) => unknown,
): Promise<AdminListener> {
  const path = socketFile(folder);
  if (Deno.build.os === "windows") return { close() {} };
  await removeStale(path);
  try {
    const listener = Deno.listen({ transport: "unix", path });
    await Deno.chmod(path, 0o600);
    void acceptLoop(listener, clock, serve);
    return listener;
  } catch (cause) {
    log.warn(
      "nothing can be administered while this server runs: cannot listen at {path}: {reason}",
      {
        path,
        reason: socketReason(cause),
      },
    );
    return { close() {} };
  }
}

/** A connection to the server that runs on this folder; undefined when none does. */
export async function dialServer(folder: string): Promise<Link | undefined> {
  if (Deno.build.os === "windows") return undefined;
  try {
    return linkOf(await Deno.connect({ transport: "unix", path: socketFile(folder) }));
  } catch (cause) {
    if (isNobody(cause)) return undefined;
    throw cause;
  }
}

async function removeStale(path: string): Promise<void> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (cause) {
    if (cause instanceof Deno.errors.ConnectionRefused) await Deno.remove(path).catch(() => {});
    return; // Whatever else is there, listening says so.
  }
  throw new SocketInUseError(`Another server runs on ${path.replace(/\/[^/]*$/, "")}.`);
}

function isNobody(cause: unknown): boolean {
  return cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.ConnectionRefused;
}

function socketReason(cause: unknown): string {
  return cause instanceof TypeError
    ? "the folder's path is too long for a socket. Choose a shorter one with --data."
    : reasonOf(cause);
}
