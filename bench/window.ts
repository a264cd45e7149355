/**
 * The time in which a run is measured, after warming up.
 *
 * @module
 */

import type { Audience } from "./audience.ts";
import type { Job } from "./job.ts";
import { pause } from "./pause.ts";
import { type CpuTime, cpuTime } from "./process.ts";

const warmUpMs = 600;

/** What went on while a run was measured. */
export interface Window {
  /** Its begin and end by `performance.now()`, and its length. */
  readonly from: number;
  readonly to: number;
  readonly seconds: number;
  /** How far `counter` went. */
  readonly counted: number;
  readonly cpu: CpuShares;
}

/** Who used the processor, in per cent of one core. */
export interface CpuShares {
  readonly serverCpu: number;
  readonly loadCpu: number;
  /** Whatever else ran on this machine: a run with much of it is worth little. */
  readonly otherCpu: number;
}

/** Lets the run warm up, then watches it for as long as the job says. */
export async function watch(
  job: Job,
  audience: Audience,
  counter: () => number,
): Promise<Window> {
  await pause(warmUpMs);
  const before = await sample(job, audience, counter);
  await pause(job.seconds * 1000);
  const after = await sample(job, audience, counter);
  const seconds = (after.at - before.at) / 1000;
  return {
    from: before.at,
    to: after.at,
    seconds,
    counted: after.counted - before.counted,
    cpu: {
      ...cpuShares(before.cpu, after.cpu, seconds),
      ...loadShare(before.idleMs, after.idleMs, seconds),
    },
  };
}

/** The shares between two readings of the CPU times. */
export function cpuShares(before: CpuTime, after: CpuTime, seconds: number): CpuShares {
  const server = after.server - before.server;
  const load = after.load - before.load;
  const all = after.all - before.all;
  const share = (time: number) => 100 * Math.max(0, time) / seconds;
  return { serverCpu: share(server), loadCpu: share(load), otherCpu: share(all - server - load) };
}

/** A generator that never sleeps is as busy as it is not idle. */
function loadShare(
  idleBefore: number | undefined,
  idleAfter: number | undefined,
  seconds: number,
): { loadCpu?: number } {
  if (idleBefore === undefined || idleAfter === undefined) return {};
  return { loadCpu: Math.max(0, 100 - (idleAfter - idleBefore) / seconds / 10) };
}

async function sample(job: Job, audience: Audience, counter: () => number) {
  const cpu = await cpuTime(job.pid, Deno.pid);
  return { at: performance.now(), counted: counter(), idleMs: audience.idleMs(), cpu };
}
