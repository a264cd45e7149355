/** What is typed behind `admin`: our own options, and the words of a command. */

import { UsageError } from "./flags.ts";

/** What was typed behind `admin`. */
export interface AdminLine {
  readonly data: string | undefined;
  readonly room: string | undefined;
  readonly isJson: boolean;
  readonly words: readonly string[];
}

/**
 * Takes our own options out of what was typed, wherever they stand.
 *
 * @throws {UsageError} for one without its value
 */
export function readAdminLine(args: readonly string[]): AdminLine {
  const end = args.indexOf("--");
  const ours = end < 0 ? args : args.slice(0, end);
  const values: { data?: string; room?: string } = {};
  const words: string[] = [];
  let isJson = false;
  for (let at = 0; at < ours.length; at++) {
    const [, name, joined] = /^--(room|data)(?:=(.*))?$/s.exec(ours[at]!) ?? [];
    if (name === "room" || name === "data") {
      const value = joined ?? ours[++at];
      if (!value) throw new UsageError(`--${name} needs a value.`);
      values[name] = value;
    } else if (ours[at] === "--json") isJson = true;
    else words.push(ours[at]!);
  }
  const rest = end < 0 ? [] : args.slice(end + 1);
  return { data: values.data, room: values.room, isJson, words: [...words, ...rest] };
}
