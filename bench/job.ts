/**
 * What the bench asks of the load generator, and what that answers.
 *
 * @module
 */

import type { ScenarioName } from "./subject.ts";

/** One measurement. Passed as JSON in the load generator's only argument. */
export interface Job {
  readonly scenario: ScenarioName;
  readonly subject: string;
  /** Where the subject listens, and its process. */
  readonly port: number;
  readonly pid: number;
  readonly readers: number;
  readonly publishers: number;
  /** Messages per second, all publishers together; 0 where the rate is not given. */
  readonly perSecond: number;
  readonly seconds: number;
  /** See `subjects`. */
  readonly sealedBytes: number;
}

/** What can be found out; each scenario finds some of it. */
export const figureNames = [
  "deliveriesPerSecond",
  "deliveryBytes",
  "serverCpu",
  "loadCpu",
  "otherCpu",
  "p50Ms",
  "p99Ms",
  "maxMs",
  "lateP99Ms",
  "emptyMb",
  "perThousandMb",
  "sessionsPerSecond",
  "publishesPerSecond",
  "resumedPerSecond",
  "idleMb",
  "roomsMb",
] as const;

/** One of {@linkcode figureNames}. */
export type FigureName = typeof figureNames[number];

/** The outcome of one measurement. The load generator prints it as one line of JSON. */
export interface Outcome {
  readonly figures: Partial<Record<FigureName, number>>;
  /** What was wrong: readers cut, messages lost or out of order. */
  readonly faults: string[];
}
