/**
 * The commands of an operator, as `admin help` lists them.
 *
 * @module
 */

import { commands, typedNames } from "../protocol/command.ts";
import { usageOf } from "../protocol/command_line.ts";

/** What only users can do: the operator is nobody in a room. */
const ofUsersOnly: readonly string[] = ["join", "part", "away"];

/** What an operator can ask for, with how it is typed. */
export function formatCommands(): string[] {
  const names = typedNames.filter((name) => !ofUsersOnly.includes(name));
  const rows = names.map((name) => {
    const { inRoom, about } = commands[name];
    return { usage: `${usageOf(name)}${inRoom ? " --room ROOM" : ""}`, about };
  });
  const width = Math.min(46, Math.max(...rows.map(({ usage }) => usage.length)));
  return rows.map(({ usage, about }) =>
    usage.length > width
      ? `  ${usage}\n${" ".repeat(width + 4)}${about}`
      : `  ${usage.padEnd(width)}  ${about}`
  );
}
