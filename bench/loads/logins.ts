/**
 * How many sessions a second the server admits, several at once, from connecting to subscribed.
 *
 * @module
 */

import { Audience } from "../audience.ts";
import type { Job, Outcome } from "../job.ts";
import { cpuTime } from "../process.ts";
import type { Wire } from "../subject.ts";
import { cpuShares } from "../window.ts";

export async function measureLogins(job: Job, wire: Wire): Promise<Outcome> {
  const cpuBefore = await cpuTime(job.pid, Deno.pid);
  const before = performance.now();
  const audience = await Audience.gather(job, wire);
  const seconds = (performance.now() - before) / 1000;
  const cpuAfter = await cpuTime(job.pid, Deno.pid);
  return {
    figures: {
      sessionsPerSecond: job.readers / seconds,
      ...cpuShares(cpuBefore, cpuAfter, seconds),
    },
    faults: audience.faults(),
  };
}
