/**
 * Memory of the server's process for sessions that say nothing.
 *
 * @module
 */

import { Audience } from "../audience.ts";
import type { Job, Outcome } from "../job.ts";
import { residentBytes } from "../process.ts";
import type { Wire } from "../subject.ts";
import { pause } from "../pause.ts";

/** Time for the server to come to rest, and to collect its garbage. */
const restMs = 1000;

export async function measureIdle(job: Job, wire: Wire): Promise<Outcome> {
  await pause(restMs);
  const empty = await residentBytes(job.pid);
  const audience = await Audience.gather(job, wire);
  audience.count();
  await audience.quiet();
  await pause(job.seconds * 1000);
  const full = await residentBytes(job.pid);
  return {
    figures: {
      emptyMb: empty / 1e6,
      perThousandMb: (full - empty) / 1e6 / job.readers * 1000,
    },
    faults: audience.faults(),
  };
}
