/**
 * What `/help` says.
 *
 * @module
 */

import type { Role } from "../../protocol/command.ts";
import { whoMay } from "../../protocol/may.ts";
import { findSlash, groups, isAllowed, type Slash, slashes } from "./slash.ts";

/** Who asks for help. */
export interface Standing {
  /** In the current room; undefined where there is none. */
  readonly role: Role | undefined;
  readonly isAdmin: boolean;
}

/** A usage that is longer has its text in the next row. */
const usageColumns = 34;

/** The list of commands: those that one may use, or all. */
export function helpText(standing: Standing, isAll = false): string[] {
  const shown = slashes.filter(({ may }) => isAll || isAllowed(may, standing));
  const hidden = slashes.length - shown.length;
  return [
    ...groups.flatMap((group) => {
      const rows = shown.filter((slash) => slash.group === group);
      const more = group === "talking" ? [row("//…", "say a line that begins with a slash")] : [];
      return rows.length > 0 ? [`${group}:`, ...rows.map(rowOf), ...more] : [];
    }),
    "/help COMMAND tells more of one. Tab completes commands, rooms and names." +
    (hidden > 0 ? ` /help all shows ${hidden} more, which others may use.` : ""),
  ];
}

/** What there is to say of one command; undefined where there is none of that name. */
export function helpOf(name: string): string[] | undefined {
  const slash = findSlash(name.replace(/^\//, ""));
  if (!slash) return undefined;
  return [
    `/${slash.usage}`,
    `  ${sentence(slash.about)}`,
    `  ${whoMay(slash.may)}`,
    ...hintsFor(slash),
  ];
}

function rowOf({ usage, about }: Slash): string {
  return row(`/${usage}`, about);
}

function row(usage: string, about: string): string {
  return usage.length > usageColumns
    ? `  ${usage}\n${" ".repeat(usageColumns + 2)}${about}`
    : `  ${usage.padEnd(usageColumns)}${about}`;
}

function sentence(about: string): string {
  return `${about[0]!.toUpperCase()}${about.slice(1)}.`;
}

/** How the words are meant that do not explain themselves. */
function hintsFor({ usage }: Slash): string[] {
  const hints: readonly (readonly [string, string])[] = [
    ["HOW LONG", "HOW LONG is 30s, 5m, 1h, 2d, 1w, or 1h30m."],
    ["[N]", "N is a message's number, which /history shows: 12 or #12."],
    ["WHO", "WHO is a name, with or without @."],
  ];
  return hints.filter(([word]) => usage.includes(word)).map(([, text]) => `  ${text}`);
}
