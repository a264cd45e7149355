/**
 * Runs the subjects of a scenario side by side: each run has a fresh server and a fresh load
 * generator, and all subjects take their turn before the next run begins.
 *
 * @module
 */

import { type FigureName, figureNames, type Job, type Outcome } from "./job.ts";
import type { Options } from "./options.ts";
import {
  freePort,
  loadCore,
  removeFolder,
  run,
  serverCore,
  startServer,
  temporaryFolder,
} from "./process.ts";
import type { Case, Scenario } from "./scenarios.ts";
import { median } from "./statistics.ts";
import type { Subject } from "./subject.ts";
import { findSubject, ours } from "./subjects.ts";

/** What was found out about one subject in one case. */
export interface Row extends Case, Outcome {
  readonly subject: string;
}

const repeatsMax = 1;
const disturbedPercent = 20;

/** See `Wire.publishersSaturated`. */
const publishersStandard = 4;

const loadTimeoutMs = 90_000;

/** Measures all `names` in one case of `scenario`. `tell` hears of each single run. */
export async function measureCase(
  scenario: Scenario,
  circumstances: Case,
  names: readonly string[],
  options: Options,
  tell: (row: Row) => void,
): Promise<Row[]> {
  const rows: Row[] = [];
  let { sealedBytes } = options;
  for (let turn = 0; turn < options.runs; turn++) {
    for (const name of names) {
      const subject = findSubject(name, sealedBytes);
      if (!subject?.scenarios.includes(scenario.name)) continue;
      const suited = suit(circumstances, subject);
      const outcome = await leastDisturbed(() =>
        measure(subject, scenario, suited, { ...options, sealedBytes })
      );
      const row = { subject: subject.name, ...suited, ...outcome };
      if (subject.name === ours) {
        sealedBytes = Math.round(outcome.figures.deliveryBytes ?? sealedBytes);
      }
      rows.push(row);
      tell(row);
    }
  }
  return Array.from(Map.groupBy(rows, (row) => row.subject).values(), medians).flat();
}

/** A run during which something else kept the machine busy is repeated, and the quietest counts. */
async function leastDisturbed(measure: () => Promise<Outcome>): Promise<Outcome> {
  const disturbance = ({ figures }: Outcome) => figures.otherCpu ?? 0;
  let best = await measure();
  for (let again = 0; again < repeatsMax && disturbance(best) > disturbedPercent; again++) {
    const outcome = await measure();
    if (disturbance(outcome) < disturbance(best)) best = outcome;
  }
  return best;
}

function suit({ readers, publishers, perSecond }: Case, { wire }: Subject): Case {
  const wanted = publishers || (wire.publishersSaturated ?? publishersStandard);
  return { readers, publishers: Math.min(wanted, readers), perSecond };
}

async function measure(
  subject: Subject,
  { name }: Scenario,
  circumstances: Case,
  { seconds, sealedBytes }: Options,
): Promise<Outcome> {
  const folder = temporaryFolder();
  try {
    const port = freePort();
    const server = await startServer(subject.command(port, folder, name), serverCore, port);
    const job = { ...circumstances, scenario: name, subject: subject.name, port, seconds };
    try {
      return await load({ ...job, pid: server.pid, sealedBytes });
    } finally {
      await server.stop();
    }
  } catch (error) {
    return { figures: {}, faults: [error instanceof Error ? error.message : String(error)] };
  } finally {
    removeFolder(folder);
  }
}

async function load(job: Job): Promise<Outcome> {
  const script = new URL("load.ts", import.meta.url).pathname;
  const permissions = [
    "--no-prompt",
    "--allow-net=127.0.0.1",
    "--allow-run=cat",
    "--allow-ffi",
    "--allow-read=.tmp",
    "--allow-write=.tmp",
  ];
  const printed = await run(
    {
      program: Deno.execPath(),
      args: ["run", ...permissions, script, JSON.stringify(job)],
    },
    loadCore,
    job.seconds * 1000 + loadTimeoutMs,
  );
  return JSON.parse(printed);
}

/** One row instead of several of the same subject: the median of each figure. */
function medians(rows: Row[]): Row[] {
  const figures: Partial<Record<FigureName, number>> = {};
  for (const name of figureNames) {
    const values = rows.map((row) => row.figures[name]).filter((value) => value !== undefined);
    if (values.length > 0) figures[name] = median(values);
  }
  const faults = Array.from(new Set(rows.flatMap((row) => row.faults)));
  return rows.slice(0, 1).map((row) => ({ ...row, figures, faults }));
}
