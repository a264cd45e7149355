import type { Clock } from "../protocol/clock.ts";
import { dialTimeoutMs } from "../protocol/limits.ts";
import type { Link } from "../protocol/link.ts";

/** What `act` gives; closes the link where it fails, and where it takes too long, so that it fails. */
export async function inTime<T>(link: Link, clock: Clock, act: Promise<T>): Promise<T> {
  const cancel = clock.timer(dialTimeoutMs, () => link.close());
  try {
    return await act;
  } catch (cause) {
    link.close();
    throw cause;
  } finally {
    cancel();
  }
}
