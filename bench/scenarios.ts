/**
 * What is measured, with how many readers, and which columns its table has.
 *
 * @module
 */

import type { FigureName } from "./job.ts";
import type { Options } from "./options.ts";
import type { ScenarioName } from "./subject.ts";

/** One table. */
export interface Scenario {
  readonly name: ScenarioName;
  readonly title: string;
  readonly cases: (options: Options) => Case[];
  readonly columns: readonly Column[];
  /** The figure that subjects are compared by, and whether more of it is better. */
  readonly compare: { readonly figure: FigureName; readonly moreIsBetter: boolean };
}

/** The circumstances of some of a table's rows. */
export interface Case {
  readonly readers: number;
  /** 0: as many as suit the subject. */
  readonly publishers: number;
  /** 0: as many as go. */
  readonly perSecond: number;
}

/** One figure and how it is shown. */
export interface Column {
  readonly figure: FigureName;
  readonly heading: string;
  readonly digits: number;
  /** The figure is divided by this to be shown; 1 if not given. */
  readonly unit?: number;
}

const cpu: Column[] = [
  { figure: "serverCpu", heading: "server CPU %", digits: 0 },
  { figure: "loadCpu", heading: "generator busy %", digits: 0 },
  { figure: "otherCpu", heading: "other CPU %", digits: 0 },
];

const deliveries: Column[] = [
  { figure: "deliveriesPerSecond", heading: "M deliveries/s", digits: 3, unit: 1e6 },
  { figure: "deliveryBytes", heading: "bytes each", digits: 0 },
  ...cpu,
];

/** All scenarios. */
export const scenarios: readonly Scenario[] = [
  {
    name: "saturated",
    title: "Saturated: publishers send 128-byte messages as fast as the server takes them",
    cases: ({ readers, publishers }) =>
      orElse(readers, [10, 100, 1000]).map((n) => ({ readers: n, publishers, perSecond: 0 })),
    columns: deliveries,
    compare: { figure: "deliveriesPerSecond", moreIsBetter: true },
  },
  {
    name: "underway",
    title: "One message under way: the next is sent when all readers have the one before",
    cases: ({ readers }) =>
      orElse(readers, [10, 100, 1000]).map((n) => ({ readers: n, publishers: 1, perSecond: 0 })),
    columns: deliveries,
    compare: { figure: "deliveriesPerSecond", moreIsBetter: true },
  },
  {
    name: "latency",
    title: "Latency at a steady rate, from the publisher's write to each reader's read",
    cases: ({ readers }) =>
      orElse(readers, [1000]).flatMap((n) => [
        { readers: n, publishers: 1, perSecond: 100 },
        { readers: n, publishers: Math.min(100, n), perSecond: 1000 },
      ]),
    columns: [
      { figure: "p50Ms", heading: "p50 ms", digits: 1 },
      { figure: "p99Ms", heading: "p99 ms", digits: 1 },
      { figure: "maxMs", heading: "max ms", digits: 1 },
      { figure: "lateP99Ms", heading: "sent late p99 ms", digits: 1 },
      ...cpu,
    ],
    compare: { figure: "p99Ms", moreIsBetter: false },
  },
  {
    name: "idle",
    title: "Memory of idle sessions",
    cases: ({ readers }) =>
      orElse(readers, [1000]).map((n) => ({ readers: n, publishers: 0, perSecond: 0 })),
    columns: [
      { figure: "emptyMb", heading: "empty server MB", digits: 1 },
      { figure: "perThousandMb", heading: "MB per 1000 sessions", digits: 1 },
    ],
    compare: { figure: "perThousandMb", moreIsBetter: false },
  },
  {
    name: "logins",
    title: "Logins, 32 at once, from connecting to subscribed",
    cases: ({ readers }) =>
      orElse(readers, [1000]).map((n) => ({ readers: n, publishers: 0, perSecond: 0 })),
    columns: [{ figure: "sessionsPerSecond", heading: "logins/s", digits: 0 }, ...cpu],
    compare: { figure: "sessionsPerSecond", moreIsBetter: true },
  },
  {
    name: "publishes",
    title: "Publishes of 128 bytes, acknowledged: on the disk, and delivered to all publishers",
    cases: ({ readers }) =>
      orElse(readers, [1, 100]).map((n) => ({ readers: n, publishers: n, perSecond: 0 })),
    columns: [
      { figure: "publishesPerSecond", heading: "publishes/s", digits: 0 },
      { figure: "deliveriesPerSecond", heading: "M deliveries/s", digits: 3, unit: 1e6 },
      ...cpu,
    ],
    compare: { figure: "publishesPerSecond", moreIsBetter: true },
  },
  {
    name: "resume",
    title:
      "Who was away gets 100,000 messages, each checked against the chain and the server's word",
    cases: () => [{ readers: 1, publishers: 1, perSecond: 0 }],
    columns: [{ figure: "resumedPerSecond", heading: "messages/s", digits: 0 }, ...cpu],
    compare: { figure: "resumedPerSecond", moreIsBetter: true },
  },
  {
    name: "rooms",
    title: "10,000 rooms of 3 members",
    cases: () => [{ readers: 304, publishers: 304, perSecond: 0 }],
    columns: [
      { figure: "emptyMb", heading: "empty server MB", digits: 0 },
      { figure: "idleMb", heading: "with 304 idle sessions MB", digits: 0 },
      { figure: "roomsMb", heading: "all rooms joined, MB more", digits: 0 },
      { figure: "deliveriesPerSecond", heading: "M deliveries/s", digits: 3, unit: 1e6 },
      ...cpu,
    ],
    compare: { figure: "roomsMb", moreIsBetter: false },
  },
];

function orElse(given: readonly number[], standard: number[]): readonly number[] {
  return given.length > 0 ? given : standard;
}
