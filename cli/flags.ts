/**
 * Reading a command's flags; what is not known is refused with what might have been meant.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { editDistance } from "../protocol/edit_distance.ts";

/** It was typed wrong; the message says what would be right. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The flags that a command has. */
export interface KnownFlags<String extends string, Boolean extends string> {
  /** Those with a value. */
  readonly strings: readonly String[];
  readonly booleans: readonly Boolean[];
}

/** The flags of `connect`; the launcher has to know them too. */
export const connectFlags = {
  strings: ["name", "room", "home", "link-file", "give-up", "passphrase-file"],
  booleans: ["ask", "classic", "follow", "forget", "open", "passphrase", "plain"],
} as const satisfies KnownFlags<string, string>;

/** The flags of `passphrase`, `backup`, `restore` and `doctor`; so is it with these. */
export const passphraseFlags = {
  strings: ["home", "passphrase-file", "new-file"],
  booleans: ["remove"],
} as const;
export const backupFlags = { strings: ["data"], booleans: ["force"] } as const;
export const restoreFlags = { strings: ["data"], booleans: [] } as const;
export const doctorFlags = { strings: ["data", "port"], booleans: [] } as const;

/** What was typed. */
export interface Flags<String extends string, Boolean extends string> {
  readonly strings: Readonly<Partial<Record<String, string>>>;
  readonly booleans: ReadonlySet<Boolean>;
  readonly positional: readonly string[];
}

/**
 * Reads flags. Of one that is given twice the last one counts.
 *
 * @throws {UsageError} for unknown flags and flags without their value
 */
export function readFlags<String extends string, Boolean extends string = never>(
  args: readonly string[],
  { strings, booleans }: KnownFlags<String, Boolean>,
): Flags<String, Boolean> {
  const known = [...strings, ...booleans];
  const parsed: Record<string, unknown> & { _: (string | number)[] } = parseArgs([...args], {
    string: [...strings, "_"],
    boolean: [...booleans],
    unknown(arg, key) {
      if (key === undefined) return true; // Positional.
      throw new UsageError(`There is no option ${arg.split("=")[0]}.${meant(key, known)}`);
    },
  });
  const values: Partial<Record<String, string>> = {};
  for (const name of strings) {
    const value = parsed[name];
    if (value === undefined) continue;
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
