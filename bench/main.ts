/**
 * `deno task bench`: measures our server beside what this machine can write at all, and beside
 * servers that people use. Figures are printed, never asserted.
 *
 * One server at a time runs on core 0; the load generator, a process of its own, runs on core 1.
 *
 * @module
 */

import { beAlone } from "./alone.ts";
import { measureCase, type Row } from "./measure.ts";
import { type Options, parseOptions, usage, UsageError } from "./options.ts";
import { firstLine, NotInstalled, processorName, stopAll } from "./process.ts";
import { type Report, reportJson, reportText } from "./report.ts";
import { type Scenario, scenarios } from "./scenarios.ts";
import { subjects } from "./subjects.ts";

async function main(args: string[]): Promise<void> {
  const options = parseOptions(args);
  if (options.help) return console.log(usage);
  await beAlone();
  const versions = await versionsOf(options);
  const report: Report = {
    date: new Date().toISOString(),
    machine: `${await processorName()}, ${navigator.hardwareConcurrency} cores`,
    subjects: Object.fromEntries(versions),
    measured: [],
  };
  for (const scenario of scenarios.filter(({ name }) => options.only.includes(name))) {
    const rows = await measureScenario(scenario, Array.from(versions.keys()), options);
    if (rows.length > 0) report.measured.push({ scenario, rows });
  }
  console.log(options.json ? reportJson(report) : reportText(report));
}

async function measureScenario(
  scenario: Scenario,
  names: string[],
  options: Options,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const circumstances of scenario.cases(options)) {
    rows.push(
      ...await measureCase(scenario, circumstances, names, options, (row) => {
        progress(scenario, row);
      }),
    );
  }
  return rows;
}

/** The chosen subjects that are installed, with their versions. */
async function versionsOf({ subjects: chosen }: Options): Promise<Map<string, string>> {
  const versions = new Map<string, string>();
  for (const { name, version } of subjects(0)) {
    if (chosen.length > 0 && !chosen.some((start) => name.startsWith(start))) continue;
    try {
      versions.set(name, await firstLine(...version));
    } catch (error) {
      if (!(error instanceof NotInstalled)) throw error;
      console.error(`Skipped ${name}: ${error.message}`);
    }
  }
  if (versions.size === 0) throw new UsageError("None of these subjects is here to measure");
  return versions;
}

function progress({ name, compare }: Scenario, { subject, readers, figures, faults }: Row): void {
  const figure = figures[compare.figure]?.toPrecision(4) ?? "failed";
  console.error(`${name} n=${readers} ${subject}: ${figure}`, ...faults);
}

/** Servers end with the bench, however it ends. */
function endOn(signal: Deno.Signal, code: number): void {
  Deno.addSignalListener(signal, async () => {
    await stopAll();
    Deno.exit(code);
  });
}

endOn("SIGINT", 130);
endOn("SIGTERM", 143);
try {
  await main(Deno.args);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n\n${usage}`);
  Deno.exitCode = 2;
} finally {
  await stopAll();
}
