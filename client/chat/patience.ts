/**
 * Waiting where the server asks for it, and going on by itself.
 *
 * @module
 */

import type { Clock } from "../../protocol/clock.ts";
import { refusedMs } from "../../protocol/limits.ts";
import { Refused } from "../handshake.ts";

/** Nobody is kept waiting for longer, all waits together. */
const waitMsMax = 60_000;
/** For so long nobody asks what is going on. */
const quietMs = 2_000;

/**
 * Does something; again when the server says `slow_down`, after as long as it says.
 *
 * @param tell told of a wait that somebody may notice
 * @throws what `act` throws, and the refusal when it takes too long
 */
export async function patiently<T>(
  clock: Pick<Clock, "timer">,
  tell: (text: string) => void,
  act: () => Promise<T>,
): Promise<T> {
  for (let waitedMs = 0;;) {
    try {
      return await act();
    } catch (error) {
      const waitMs = waitOf(error);
      if (waitMs === undefined || waitedMs + waitMs > waitMsMax) throw error;
      waitedMs += waitMs;
      if (waitMs > quietMs) {
        tell(`The server asks to wait ${Math.ceil(waitMs / 1000)} s; then this goes on by itself.`);
      }
      await new Promise<void>((resolve) => clock.timer(waitMs, resolve));
    }
  }
}

function waitOf(error: unknown): number | undefined {
  if (!(error instanceof Refused) || error.code !== "slow_down") return undefined;
  return Math.max(1, error.retryAfterMs ?? refusedMs);
}
