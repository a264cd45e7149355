/**
 * Rows of figures to tables: how each subject compares, as text or as JSON.
 *
 * @module
 */

import type { Row } from "./measure.ts";
import type { Scenario } from "./scenarios.ts";
import { ours, plainLimit } from "./subjects.ts";
import { textTable } from "./table.ts";

/** All that a run of the bench found out. */
export interface Report {
  readonly date: string;
  readonly machine: string;
  /** Name and version of what was measured, or why it was not. */
  readonly subjects: Readonly<Record<string, string>>;
  readonly measured: { scenario: Scenario; rows: Row[] }[];
}

/** The report as JSON: the figures of the tables, unrounded. */
export function reportJson({ measured, ...head }: Report): string {
  const tables = measured.map(({ scenario, rows }) => ({
    scenario: scenario.name,
    title: scenario.title,
    rows: rows.map((row) => ({ ...row, ...comparison(scenario, row, rows) })),
  }));
  return JSON.stringify({ ...head, tables }, null, 2);
}

/** The report as text, in tables that Markdown takes too. */
export function reportText({ date, machine, subjects, measured }: Report): string {
  const versions = Object.entries(subjects).map(([name, version]) => `- ${name}: ${version}`);
  return [
    `${date.slice(0, 10)}, ${machine}`,
    versions.join("\n"),
    ...measured.map(({ scenario, rows }) => `## ${scenario.title}\n\n${table(scenario, rows)}`),
  ].join("\n\n");
}

function table(scenario: Scenario, rows: Row[]): string {
  const withRate = rows.some((row) => row.perSecond > 0);
  const has = (name: string) => rows.some((row) => row.subject === name);
  const withLimit = has(plainLimit);
  const withOurs = has(ours);
  const headings = [
    "readers",
    ...withRate ? ["messages/s"] : [],
    "subject",
    ...scenario.columns.map((column) => column.heading),
    ...withLimit ? ["at its limit", `of ${plainLimit}`] : [],
    ...withOurs ? [`${ours}: times as good`] : [],
  ];
  const lines = rows.map((row) => {
    const { ofLimit, oursTimesAsGood } = comparison(scenario, row, rows);
    return [
      String(row.readers),
      ...withRate ? [String(row.perSecond)] : [],
      row.subject,
      ...scenario.columns.map(({ figure, digits, unit = 1 }) => {
        return shown(row.figures[figure], digits, unit);
      }),
      ...withLimit ? [atItsLimit(row), shown(ofLimit, 3)] : [],
      ...withOurs ? [shown(oursTimesAsGood, 2)] : [],
    ];
  });
  return [textTable(headings, lines), ...faults(rows)].join("\n");
}

/** What went wrong, below the table. */
function faults(rows: Row[]): string[] {
  const lines = rows.flatMap(({ subject, readers, faults }) =>
    faults.map((fault) => `- ${subject}, ${readers} readers: ${fault.split("\n", 1)}`)
  );
  return lines.length === 0 ? [] : ["", ...lines];
}

function shown(value: number | null | undefined, digits: number, unit = 1): string {
  return Number.isFinite(value) ? (Number(value) / unit).toFixed(digits) : "-";
}

/** How a row stands to the plain limit and to our own server; null where one of them is missing. */
function comparison({ compare }: Scenario, row: Row, rows: Row[]) {
  const figureOf = (subject: string) =>
    rows.find((other) =>
      other.subject === subject && other.readers === row.readers &&
      other.perSecond === row.perSecond
    )?.figures[compare.figure];
  const figure = row.figures[compare.figure];
  const own = figureOf(ours);
  return {
    ofLimit: ratio(figure, figureOf(plainLimit)),
    oursTimesAsGood: compare.moreIsBetter ? ratio(own, figure) : ratio(figure, own),
  };
}

function ratio(a: number | undefined, b: number | undefined): number | null {
  return a && b ? a / b : null;
}

/** Whoever uses nearly all of its core bounds the figure. */
function atItsLimit({ figures }: Row): string {
  const busy = (share = 0) => share > 92;
  const names = [
    ...busy(figures.serverCpu) ? ["server"] : [],
    ...busy(figures.loadCpu) ? ["generator"] : [],
  ];
  return names.join(" and ") || "neither";
}
