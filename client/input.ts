/**
 * What a typed line means. The commands stand in one table; parsing, `/help`, completion and the
 * hint after a typing mistake all come from it.
 *
 * @module
 */

import { editDistance } from "../protocol/edit_distance.ts";

/** What the person at the keyboard wants. */
export type Intent =
  | { readonly kind: "nothing" }
  | { readonly kind: "say"; readonly text: string }
  | { readonly kind: "action"; readonly text: string }
  | { readonly kind: "who" }
  | { readonly kind: "help" }
  | { readonly kind: "quit" }
  /** It cannot be done as typed; `hint` tells the person what to type instead. */
  | { readonly kind: "mistake"; readonly hint: string }
  | {
    readonly kind: "too_long";
    readonly bytes: number;
    readonly bytesMax: number;
    readonly hint: string;
  };

/** One command. To add one, add a row to {@link commands}. */
interface Command {
  /** What is typed after the slash, lower case. */
  readonly name: string;
  /** What follows it, for people: `<text>`; empty when nothing may. */
  readonly argument: string;
  /** What it does, in the list that `/help` shows. */
  readonly summary: string;
  /** What it means, given what followed it. */
  readonly intent: (argument: string) => Intent;
}

/** Every command, in the order of `/help`. */
export const commands: readonly Command[] = [
  {
    name: "help",
    argument: "",
    summary: "show this list",
    intent: () => ({ kind: "help" }),
  },
  {
    name: "who",
    argument: "",
    summary: "show who is here",
    intent: () => ({ kind: "who" }),
  },
  {
    name: "me",
    argument: "<what you do>",
    summary: 'say what you do: "/me waves" shows as "* Alice waves"',
    intent: (text) => ({ kind: "action", text }),
  },
  {
    name: "quit",
    argument: "",
    summary: "leave (so does Ctrl-D)",
    intent: () => ({ kind: "quit" }),
  },
];

/**
 * The intent of a typed line. Two slashes start a line that says a slash.
 *
 * @param bytesMax how many bytes of UTF-8 a message may have
 */
export function parseInput(line: string, bytesMax: number): Intent {
  line = line.replace(/[\r\n]+$/, "");
  if (line.trim() === "") return { kind: "nothing" };
  if (line.startsWith("/") && !line.startsWith("//")) {
    return withinLimit(parseCommand(line.slice(1)), bytesMax);
  }
  return withinLimit({ kind: "say", text: line.replace(/^\/\//, "/") }, bytesMax);
}

/** The text of `/help`, one command a line. */
export function helpText(): string {
  const rows = commands.map((command) => [usage(command), command.summary]);
  rows.push(["//…", 'say a line that starts with a slash: "//etc" says "/etc"']);
  const width = Math.max(...rows.map(([left]) => left!.length));
  return rows.map(([left, right]) => `${left!.padEnd(width)}  ${right}`).join("\n");
}

/** What Tab may turn `line` into: the commands that start so. */
export function complete(line: string): string[] {
  if (!line.startsWith("/")) return [];
  return commands
    .filter(({ name }) => `/${name}`.startsWith(line.toLowerCase()))
    .map(({ name, argument }) => (argument === "" ? `/${name}` : `/${name} `));
}

function parseCommand(typed: string): Intent {
  const [, name, rest] = /^(\S*)\s*(.*)$/s.exec(typed)!;
  const argument = rest!.trimEnd();
  const command = commands.find((command) => command.name === name!.toLowerCase());
  if (command === undefined) return mistake(unknownHint(name!));
  if ((argument === "") !== (command.argument === "")) {
    return mistake(`Type ${usage(command)} to ${command.summary}.`);
  }
  return command.intent(argument);
}

function withinLimit(intent: Intent, bytesMax: number): Intent {
  if (intent.kind !== "say" && intent.kind !== "action") return intent;
  const bytes = new TextEncoder().encode(intent.text).length;
  if (bytes <= bytesMax) return intent;
  const hint = `The line has ${bytes} bytes; a message may have ${bytesMax}. Send it in parts.`;
  return { kind: "too_long", bytes, bytesMax, hint };
}

function mistake(hint: string): Intent {
  return { kind: "mistake", hint };
}

function usage({ name, argument }: Command): string {
  return `/${name} ${argument}`.trimEnd();
}

function unknownHint(name: string): string {
  const shown = name.length > 20 ? `${name.slice(0, 20)}…` : name;
  const near = nearestCommand(name.toLowerCase());
  const next = near === undefined ? "/help lists what there is." : `Did you mean /${near}?`;
  return `There is no command /${shown}. ${next} To say a line that starts with a slash, type //.`;
}

/** The command that was probably meant: a beginning of it, or one slip away. */
function nearestCommand(typed: string): string | undefined {
  if (typed === "" || typed.length > 20) return undefined;
  const near = commands
    .map(({ name }) => ({ name, slips: name.startsWith(typed) ? 0 : editDistance(typed, name) }))
    .filter(({ slips }) => slips <= 1)
    .sort((a, b) => a.slips - b.slips);
  return near[0]?.name;
}
