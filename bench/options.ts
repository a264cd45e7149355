/**
 * The flags of `deno task bench`.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { type ScenarioName, scenarioNames } from "./subject.ts";
import { subjects } from "./subjects.ts";

export const usage = `Usage: deno task bench [flags]

  --only LIST          of ${scenarioNames.join(", ")} (default: all)
  --subjects LIST      names or beginnings of names (default: all that are installed):
                       ${subjects(0).map((subject) => subject.name).join(", ")}
  --n LIST             numbers of readers (default: what each scenario says)
  --seconds N          measured time of one run (default: 2)
  --runs N             runs, of which the median counts (default: 1)
  --publishers N       publishers when saturated (default: what suits each subject best)
  --sealed-bytes N     bytes for one message in limit-sealed, if our own server is not
                       measured in the same run (default: 236)
  --json               print JSON
  --help

Lists are separated by commas.`;

/** What to measure. */
export interface Options {
  readonly only: readonly ScenarioName[];
  readonly subjects: readonly string[];
  /** Empty: what each scenario says. */
  readonly readers: readonly number[];
  readonly seconds: number;
  readonly runs: number;
  /** 0: what suits each subject. */
  readonly publishers: number;
  readonly sealedBytes: number;
  readonly json: boolean;
  readonly help: boolean;
}

/** The text says which flag is wrong. */
export class UsageError extends Error {}

/** Reads the flags. */
export function parseOptions(args: string[]): Options {
  const flags = parseArgs(args, {
    string: ["only", "subjects", "n", "seconds", "runs", "publishers", "sealed-bytes"],
    boolean: ["json", "help"],
    unknown: (arg) => {
      throw new UsageError(`Unknown argument ${arg}`);
    },
  });
  return {
    only: scenarios(list(flags.only)),
    subjects: list(flags.subjects),
    readers: list(flags.n).map((text) => positive("n", text)),
    seconds: positive("seconds", flags.seconds ?? "2"),
    runs: positive("runs", flags.runs ?? "1"),
    publishers: flags.publishers ? positive("publishers", flags.publishers) : 0,
    sealedBytes: Math.round(positive("sealed-bytes", flags["sealed-bytes"] ?? "236")),
    json: flags.json,
    help: flags.help,
  };
}

function list(text = ""): string[] {
  return text.split(",").map((item) => item.trim()).filter((item) => item !== "");
}

function scenarios(names: string[]): ScenarioName[] {
  const unknown = names.find((name) => !scenarioNames.some((known) => known === name));
  if (unknown) throw new UsageError(`No scenario ${unknown}: use ${scenarioNames.join(", ")}`);
  return scenarioNames.filter((name) => names.length === 0 || names.includes(name));
}

function positive(flag: string, text: string): number {
  const number = Number(text);
  if (number > 0 && Number.isFinite(number)) return number;
  throw new UsageError(`--${flag} takes a number above 0, not "${text}"`);
}
