/**
 * Reading a command's flags; what is not known is refused with what might have been meant.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { editDistance } from "./protocol/edit_distance.ts";

/** It was typed wrong; the message says what would be right. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What was typed. */
export interface Flags {
  readonly strings: Readonly<Record<string, string | undefined>>;
  readonly booleans: ReadonlySet<string>;
  readonly positional: readonly string[];
}

/**
 * Reads flags.
 *
 * @throws {UsageError} for unknown flags and flags without their value
 */
export function readFlags(
  args: readonly string[],
  strings: readonly string[],
  booleans: readonly string[],
): Flags {
  const known = [...strings, ...booleans];
  const parsed: Record<string, unknown> & { _: (string | number)[] } = parseArgs([...args], {
    string: [...strings, "_"],
    boolean: [...booleans],
    unknown(arg, key) {
      if (key === undefined) return true; // Positional.
      throw new UsageError(`There is no option ${arg.split("=")[0]}.${meant(key, known)}`);
    },
  });
  const values: Record<string, string | undefined> = {};
  for (const name of strings) {
    const value = parsed[name];
    if (value === undefined) continue;
    if (Array.isArray(value)) throw new UsageError(`--${name} may be given once only.`);
    if (value === "") throw new UsageError(`--${name} needs a value.`);
    values[name] = String(value);
  }
  return {
    strings: values,
    booleans: new Set(booleans.filter((name) => parsed[name] === true)),
    positional: parsed._.map(String),
  };
}

/** ` Did you mean …?` when a known name is close. */
export function meant(name: string, known: readonly string[], lead = "--"): string {
  const [best] = known
    .map((candidate) => ({ candidate, distance: editDistance(name, candidate) }))
    .filter(({ distance, candidate }) => distance <= Math.max(1, candidate.length / 3))
    .sort((a, b) => a.distance - b.distance);
  return best ? ` Did you mean ${lead}${best.candidate}?` : "";
}
