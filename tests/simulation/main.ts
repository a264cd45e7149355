/**
 * Runs seeds until one fails, then tells which, and what happened:
 *
 * ```
 * deno task simulate --seeds 1000 --from 1 --jobs 2
 * deno task simulate --from 4711 --trace
 * ```
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { Coverage } from "./coverage.ts";
import type { CryptoMode } from "./crypto.ts";
import { simulate } from "./simulate.ts";
import type { Ran, Share } from "./worker.ts";

const usage = `Usage: deno task simulate [OPTIONS]

  --seeds N      how many seeds (default 100)
  --from S       the first one (default 1)
  --jobs N       so many at a time, each on a processor of its own (default 1)
  --real-crypto  with WebCrypto's own algorithms: slower
  --keep-going   do not stop at the first seed that fails
  --trace        print what happened in each seed (default: in the one that fails)
  --lines N      print so many of a trace's last lines (default 200)`;

/** Lines of a trace that are printed. */
const linesDefault = 200;

/** How seeds are run and told of. */
interface Options {
  readonly crypto: CryptoMode;
  readonly isKeepingOn: boolean;
  readonly lines: number;
  /** Whether what happened is printed of all seeds. */
  readonly isTracing: boolean;
}

async function main(args: string[]): Promise<number> {
  const flags = parseArgs(args.filter((arg) => arg !== "--"), {
    string: ["seeds", "from", "jobs", "lines"],
    boolean: ["real-crypto", "keep-going", "trace", "help"],
  });
  if (flags.help) {
    console.log(usage);
    return 0;
  }
  const options: Options = {
    crypto: flags["real-crypto"] ? "real" : "stand-in",
    isKeepingOn: flags["keep-going"],
    lines: Number(flags.lines ?? linesDefault),
    isTracing: flags.trace,
  };
  const from = Number(flags.from ?? 1);
  const to = from + Number(flags.seeds ?? 100);
  const startedMs = performance.now();
  const { coverage, done, failures } = await runAll(from, to, Number(flags.jobs ?? 1), options);
  const seconds = (performance.now() - startedMs) / 1000;
  console.log(coverage);
  console.log(
    `${done} seeds in ${seconds.toFixed(1)} s (${(done / seconds).toFixed(1)} a second)`,
  );
  console.log(`${failures} failed`);
  return failures > 0 ? 1 : 0;
}

/** Each worker takes every so manieth seed: long seeds lie close together. */
async function runAll(from: number, to: number, jobs: number, options: Options) {
  const coverage = new Coverage();
  const workers: Worker[] = [];
  let done = 0;
  let failures = 0;
  const work = (first: number) =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
      workers.push(worker);
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.onmessage = async ({ data }: MessageEvent<Ran>) => {
        done++;
        coverage.add(data.coverage as Coverage);
        if (options.isTracing) console.log(lastLines(data.trace, options.lines));
        if (data.violation) {
          failures++;
          await report(data.seed, data.violation, options);
        }
        if (data.seed + jobs >= to || data.violation && !options.isKeepingOn) resolve();
        else worker.postMessage(share(data.seed + jobs));
      };
      worker.postMessage(share(first));
    });
  const share = (seed: number): Share => ({
    seed,
    crypto: options.crypto,
    keepsTrace: options.isTracing,
  });
  const working = Array.from({ length: Math.min(jobs, to - from) }, (_, at) => work(from + at));
  // The first that ends before its time has found something.
  await (options.isKeepingOn ? Promise.all(working) : untilFailure(working, () => failures > 0));
  for (const worker of workers) worker.terminate();
  return { coverage, done, failures };
}

/** Waits for all, or for the first after which something has failed. */
async function untilFailure(working: readonly Promise<void>[], hasFailed: () => boolean) {
  const failed = Promise.withResolvers<void>();
  const each = working.map(async (one) => {
    await one;
    if (hasFailed()) failed.resolve();
  });
  await Promise.race([failed.promise, Promise.all(each)]);
}

/** Runs the seed again, and prints what happened. */
async function report(seed: number, violation: string, options: Options): Promise<void> {
  console.log(`seed ${seed}: ${violation}`);
  if (options.lines === 0 || options.isTracing) return;
  const { plan, trace } = await simulate(seed, { crypto: options.crypto, keepsTrace: true });
  console.log(plan);
  console.log(lastLines(trace, options.lines));
}

function lastLines(trace: string, count: number): string {
  return trace.split("\n").slice(-count).join("\n");
}

if (import.meta.main) Deno.exit(await main(Deno.args));
