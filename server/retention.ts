/**
 * Forgetting what is older than an operator wants to keep.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { Clock } from "../protocol/clock.ts";
import { trimMs } from "../protocol/limits.ts";

const log = getLogger(["broadcast", "retention"]);

/**
 * Trims now and every hour; the returned function ends that. One trim at a time: what takes longer than an
 * hour is not begun again meanwhile.
 *
 * @param retentionDays 0: nothing is ever forgotten
 */
export function keepTrimmed(
  clock: Clock,
  retentionDays: number,
  trim: (beforeMs: number) => Promise<void>,
): () => void {
  if (retentionDays === 0) return () => {};
  let isOver = false;
  let cancel = () => {};
  const again = () => {
    cancel = clock.timer(trimMs, act);
  };
  const act = () => {
    trim(clock.now() - retentionDays * 24 * 3600 * 1000)
      // A full disk passes, and who broke the store says so elsewhere.
      .catch((cause) => log.warn("old messages could not be forgotten: {cause}", { cause }))
      .finally(() => isOver || again());
  };
  cancel = clock.timer(0, act);
  return () => {
    isOver = true;
    cancel();
  };
}
