/**
 * Runs seeds of sealed rooms until one fails, then tells which, and what happened:
 *
 * ```
 * deno task simulate-sealed --seeds 1000 --from 1
 * deno task simulate-sealed --from 4711 --trace
 * ```
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { SealedCoverage } from "./coverage.ts";
import { type SealedOptions, type SealedOutcome, simulateSealed } from "./simulate.ts";

const usage = `Usage: deno task simulate-sealed [OPTIONS]

  --seeds N      how many seeds (default 100)
  --from S       the first one (default 1)
  --real         with MLS itself, and real cryptography: slower
  --keep-going   do not stop at the first seed that fails
  --trace        print what happened in each seed (default: in the one that fails)
  --lines N      print so many of a trace's last lines (default 200)`;

/** Lines of a trace that are printed. */
const linesDefault = 200;

async function main(args: string[]): Promise<number> {
  const flags = parseArgs(args.filter((arg) => arg !== "--"), {
    string: ["seeds", "from", "lines"],
    boolean: ["real", "keep-going", "trace", "help"],
  });
  if (flags.help) {
    console.log(usage);
    return 0;
  }
  const options: SealedOptions = { isReal: flags.real, keepsTrace: flags.trace };
  const from = Number(flags.from ?? 1);
  const count = Number(flags.seeds ?? 100);
  const lines = Number(flags.lines ?? linesDefault);
  const coverage = new SealedCoverage();
  const startedMs = performance.now();
  let failures = 0;
  let done = 0;
  for (let seed = from; seed < from + count; seed++) {
    const outcome = await simulateSealed(seed, options);
    coverage.add(outcome.coverage);
    done++;
    if (flags.trace) console.log(lastLines(outcome.trace, lines));
    if (!outcome.violation) continue;
    failures++;
    if (flags["keep-going"]) console.log(`seed ${seed}: ${outcome.violation.message}`);
    else {
      await report(outcome, options, flags.trace ? 0 : lines);
      break;
    }
  }
  const seconds = (performance.now() - startedMs) / 1000;
  console.log(coverage);
  console.log(
    `${done} seeds in ${seconds.toFixed(1)} s (${(done / seconds).toFixed(1)} a second)`,
  );
  console.log(`${failures} failed`);
  return failures > 0 ? 1 : 0;
}

/** Runs the seed again, and prints what happened. */
async function report({ seed, violation }: SealedOutcome, options: SealedOptions, lines: number) {
  console.log(`seed ${seed}: ${violation!.message}`);
  if (violation!.cause) console.log(violation!.cause);
  if (lines === 0) return;
  const { plan, trace } = await simulateSealed(seed, { ...options, keepsTrace: true });
  console.log(plan);
  console.log(lastLines(trace, lines));
}

function lastLines(trace: string, count: number): string {
  return trace.split("\n").slice(-count).join("\n");
}

if (import.meta.main) Deno.exit(await main(Deno.args));
