/**
 * Commands as people type them, after a slash or behind `broadcast admin`: words in, arguments of the table
 * in command.ts out. Pure.
 *
 * @module
 */

import type { z } from "zod";
import {
  type Argument,
  type Command,
  type CommandName,
  commands,
  isTyped,
  roomName,
  typedNames,
} from "./command.ts";
import { editDistance } from "./edit_distance.ts";

/** What words came to: arguments as they travel (the room of a command about one is not among them). */
export type Parsed =
  | { readonly type: "args"; readonly args: Record<string, unknown> }
  /** The text says what is wrong and what would be right. */
  | { readonly type: "mistake"; readonly text: string };

const units: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60 * 1000,
  h: 3600 * 1000,
  d: 24 * 3600 * 1000,
  w: 7 * 24 * 3600 * 1000,
};

const switches: Readonly<Record<string, boolean>> = { on: true, off: false };

/**
 * Reads the words behind a command's name.
 *
 * @example
 * ```ts
 * import { parseWords } from "./command_line.ts";
 * parseWords("ban", ["Mallory", "1h", "spam,", "again"]);
 * // { type: "args", args: { who: "Mallory", forMs: 3600000, why: "spam, again" } }
 * ```
 */
export function parseWords(name: CommandName, words: readonly string[]): Parsed {
  return parse(name, words, (from) => words.slice(from).join(" "));
}

/**
 * Reads a line behind a command's name; a text at its end stays as it was typed.
 *
 * @param lead what stands in front of a command where it is typed
 */
export function parseLine(name: CommandName, line: string, lead = ""): Parsed {
  const found = [...line.matchAll(/\S+/g)];
  const rest = (from: number) => line.slice(found[from]?.index ?? line.length).trimEnd();
  return parse(name, found.map(([word]) => word), rest, lead);
}

/** How a command is typed: `ban WHO [HOW LONG] [WHY]`. */
export function usageOf(name: CommandName): string {
  const args = Object.values<Argument>(commands[name].args)
    .filter(({ typed }) => typed !== "inner")
    .map((argument) => isOptional(argument) ? `[${argument.label}]` : argument.label);
  return [name, ...args].join(" ");
}

/** The command of this name, or what is to be said where there is none. */
export function findCommand(typed: string): { name: CommandName } | { mistake: string } {
  if (isTyped(typed)) return { name: typed };
  const [best] = typedNames
    .map((name) => ({ name, distance: editDistance(typed.toLowerCase(), name) }))
    .filter(({ name, distance }) => distance <= Math.max(1, name.length / 3))
    .sort((a, b) => a.distance - b.distance);
  const hint = best ? ` Did you mean "${best.name}"?` : "";
  return { mistake: `There is no command "${typed}".${hint}` };
}

/** A word cannot be what it stands for. */
class Mistake extends Error {}

function parse(
  name: CommandName,
  words: readonly string[],
  rest: (from: number) => string,
  lead = "",
): Parsed {
  const command: Command = commands[name];
  try {
    return { type: "args", args: take(Object.entries(command.args), words, rest) };
  } catch (error) {
    if (!(error instanceof Mistake)) throw error;
    return { type: "mistake", text: `${error.message} It is typed: ${lead}${usageOf(name)}` };
  }
}

type Named = readonly [key: string, argument: Argument];

function take(
  wanted: readonly Named[],
  words: readonly string[],
  rest: (from: number) => string,
): Record<string, unknown> {
  const args: Record<string, unknown> = {};
  const places = wanted.filter(([, { typed }]) => typed !== "flag" && typed !== "inner");
  const flags = new Map(
    wanted.filter(([, { typed }]) => typed === "flag").map(([key, { label }]) => [label, key]),
  );
  let at = 0;
  const takeFlags = () => {
    for (; flags.size > 0 && words[at]?.startsWith("--"); at++) {
      const key = flags.get(words[at]!);
      if (key === undefined) throw new Mistake(`There is no "${words[at]}" here.`);
      args[key] = true;
    }
  };
  for (const [index, [key, argument]] of places.entries()) {
    takeFlags();
    if (at >= words.length) {
      if (isOptional(argument)) continue;
      throw new Mistake(`${argument.label} is missing.`);
    }
    if (argument.typed === "rest") {
      args[key] = checked(argument, rest(at), rest(at));
      at = words.length;
    } else if (!isForLater(argument, words[at]!, places.slice(index + 1))) {
      args[key] = checked(argument, read(argument, words[at]!), words[at]!);
      at++;
    }
  }
  takeFlags();
  if (at < words.length) throw new Mistake(`"${words[at]}" is too much.`);
  return args;
}

/** Whether a word is not meant for an argument that may be left out, but for one behind it. */
function isForLater(argument: Argument, word: string, later: readonly Named[]): boolean {
  if (!isOptional(argument) || fits(argument, word)) return false;
  // The first number is how many there are to be, also where it is too large.
  if (argument.typed === "count" && /^\d+$/.test(word)) return false;
  // What begins with a digit was meant as a duration: a typing error must not make a ban eternal.
  const isMeant = argument.typed === "duration" && /^\d/.test(word);
  return later.some(([, other]) => other.typed === "rest" ? !isMeant : fits(other, word));
}

function fits(argument: Argument, word: string): boolean {
  try {
    checked(argument, read(argument, word), word);
    return true;
  } catch {
    return false;
  }
}

/** The value that a word stands for. */
function read({ typed, label, schema }: Argument, word: string): unknown {
  switch (typed) {
    case "duration":
      return durationOf(word);
    case "count":
      if (/^\d{1,15}$/.test(word)) return Number(word);
      throw new Mistake(`"${word}" is no whole number for ${label}.`);
    case "switch":
      if (Object.hasOwn(switches, word.toLowerCase())) return switches[word.toLowerCase()];
      throw new Mistake(`"${word}" is neither on nor off.`);
    default:
      return schema === roomName ? word.replace(/^#/, "") : word.replace(/^@(?=.)/, "");
  }
}

/** Milliseconds of `90s`, `5m`, `1h30m`, `2d`, `1w`. */
function durationOf(word: string): number {
  if (!/^(\d{1,9}[smhdw])+$/i.test(word)) {
    throw new Mistake(`"${word}" is no time: that would be 30s, 5m, 1h, 2d or 1w.`);
  }
  return [...word.matchAll(/(\d+)(\D)/g)]
    .map(([, count, unit]) => Number(count) * units[unit!.toLowerCase()]!)
    .reduce((sum, ms) => sum + ms);
}

function checked({ schema, label, typed }: Argument, value: unknown, word: string): unknown {
  const result: z.ZodSafeParseResult<unknown> = schema.safeParse(value);
  if (result.success) return value;
  if (typed === "rest") throw new Mistake(`${label} is too long: ${word.length} characters.`);
  if (label.includes("|")) {
    const right = label.split("|").join(", ").replace(/, (?=[^,]*$)/, " or ");
    throw new Mistake(`"${word}" would have to be ${right}.`);
  }
  if (typed === "word") throw new Mistake(`"${word}" is not what ${label} can be.`);
  throw new Mistake(`${label} cannot be ${word}: that is too little or too much.`);
}

function isOptional({ schema }: Argument): boolean {
  return schema.safeParse(undefined).success;
}
