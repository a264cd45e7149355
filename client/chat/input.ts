/**
 * What a typed line means. The commands stand in slash.ts.
 *
 * @module
 */

import { parseLine } from "../../protocol/command_line.ts";
import { commandCountMax, historyCount, reactionBytesMax } from "../../protocol/limits.ts";
import { findSlash, isServerName, nearestSlash, type OwnName, type ServerName } from "./slash.ts";

/** A message's number, where one is named; else the last one that fits. */
interface Pointed {
  readonly seq: number | undefined;
}

/** What the person at the keyboard wants. */
export type Intent =
  | { readonly kind: "nothing" }
  | { readonly kind: "say"; readonly text: string }
  | { readonly kind: "me"; readonly text: string }
  | { readonly kind: "reply"; readonly text: string } & Pointed
  | { readonly kind: "edit"; readonly text: string } & Pointed
  | { readonly kind: "delete" } & Pointed
  /** An empty one takes the reaction back. */
  | { readonly kind: "react"; readonly text: string } & Pointed
  | { readonly kind: "receipts" } & Pointed
  | { readonly kind: "history"; readonly count: number; readonly before: number | undefined }
  | { readonly kind: "search"; readonly word: string }
  | { readonly kind: "join"; readonly name: string; readonly open: boolean }
  /** Without a name the room that is talked in. */
  | { readonly kind: "part"; readonly name: string | undefined }
  | { readonly kind: "msg"; readonly name: string; readonly text: string | undefined }
  | { readonly kind: "room" }
  | { readonly kind: "verify"; readonly name: string; readonly isSame: boolean }
  | { readonly kind: "admit"; readonly name: string | undefined }
  | { readonly kind: "close"; readonly name: string | undefined }
  /** Without a name to the next room in which there is something new. */
  | {
    readonly kind: "switch";
    readonly to: string | number | undefined;
    /** What was being typed for the room that is left. */
    readonly draft?: string;
  }
  /** Without a text it is shown. */
  | { readonly kind: "topic"; readonly text: string | undefined }
  | { readonly kind: "help"; readonly about: string | undefined }
  | { readonly kind: "quit" }
  /** The server is to do it. */
  | {
    readonly kind: "command";
    readonly name: ServerName;
    readonly args: Readonly<Record<string, unknown>>;
  }
  /** It cannot be done as typed; `hint` tells the person what to type instead. */
  | { readonly kind: "mistake"; readonly hint: string }
  | {
    readonly kind: "too_long";
    readonly bytes: number;
    readonly bytesMax: number;
    readonly hint: string;
  };

/** What a terminal sends for Alt and a digit: a line of its own here, with what was being typed behind. */
const escape = "\x1b";

/**
 * The intent of a typed line. Two slashes start a line that says a slash.
 *
 * @param bytesMax how many bytes of UTF-8 a message may have
 */
export function parseInput(line: string, bytesMax: number): Intent {
  line = line.replace(/[\r\n]+$/, "");
  if (line.trim() === "") return { kind: "nothing" };
  if (line.startsWith(escape) && /^[1-9]/.test(line.slice(1))) {
    return { kind: "switch", to: Number(line[1]), draft: line.slice(2) };
  }
  if (line.startsWith("/") && !line.startsWith("//")) {
    return withinLimit(parseCommand(line.slice(1)), bytesMax);
  }
  if (isLink(line)) return mistake(`Not sent: whoever has that link comes in by it. ${linkHint}`);
  return withinLimit({ kind: "say", text: line.replace(/^\/\//, "/") }, bytesMax);
}

function parseCommand(typed: string): Intent {
  const [, name = "", rest = ""] = /^(\S*)\s*(.*)$/s.exec(typed)!;
  const slash = findSlash(name);
  if (!slash) return mistake(unknownHint(name));
  const words = rest.trimEnd();
  if (isServerName(slash.name)) return parseServer(slash.name, words);
  const intent = meanings[slash.name as OwnName](words);
  return intent ?? mistake(`Type /${slash.usage} to ${slash.about}.`);
}

function parseServer(name: ServerName, words: string): Intent {
  const parsed = parseLine(name, words, "/");
  return parsed.type === "args"
    ? { kind: "command", name, args: parsed.args }
    : mistake(`${parsed.text}. /help ${name} tells more.`);
}

/** What each of the client's own commands means, by what follows it; undefined where that cannot be. */
const meanings: Readonly<Record<OwnName, (words: string) => Intent | undefined>> = {
  me: (text) => text === "" ? undefined : { kind: "me", text },
  reply: (words) => pointedText("reply", words),
  edit: (words) => pointedText("edit", words),
  delete: (words) => pointed("delete", words),
  receipts: (words) => pointed("receipts", words),
  react: parseReact,
  history: parseHistory,
  search: (word) => word === "" ? undefined : { kind: "search", word },
  join: parseJoin,
  part: (words) => aboutRoom("part", words),
  msg: (words) => {
    const found = /^@?(\S+)\s*(.*)$/s.exec(words);
    return found ? { kind: "msg", name: found[1]!, text: found[2] || undefined } : undefined;
  },
  room: (words) => words === "" ? { kind: "room" } : undefined,
  verify: (words) => {
    const found = /^@?(\S+)(\s+ok)?$/i.exec(words);
    return found ? { kind: "verify", name: found[1]!, isSame: found[2] !== undefined } : undefined;
  },
  admit: (words) =>
    /\s/.test(words) ? undefined : { kind: "admit", name: words.replace(/^@/, "") || undefined },
  close: (words) => aboutRoom("close", words),
  switch: (words) => ({ kind: "switch", to: words.replace(/^#/, "") || undefined }),
  next: (words) => words === "" ? { kind: "switch", to: undefined } : undefined,
  topic: parseTopic,
  help: (words) => ({ kind: "help", about: words || undefined }),
  quit: (words) => words === "" ? { kind: "quit" } : undefined,
};

/** `team`, `#team`, or nothing. */
function aboutRoom(kind: "part" | "close", words: string): Intent | undefined {
  return /\s/.test(words) ? undefined : { kind, name: words.replace(/^#/, "") || undefined };
}

const number = /^#?(\d{1,15})$/;

/** `12`, `#12`, or nothing. */
function pointed(kind: "delete" | "receipts", words: string): Intent | undefined {
  if (words === "") return { kind, seq: undefined };
  const found = number.exec(words);
  return found ? { kind, seq: Number(found[1]) } : undefined;
}

/** `12 text`, `#12 text` or only a text; what is only a number is a text. */
function pointedText(kind: "reply" | "edit", words: string): Intent | undefined {
  const found = /^#?(\d{1,15})\s+(.*)$/s.exec(words);
  if (found) return { kind, seq: Number(found[1]), text: found[2]! };
  return words === "" || words.startsWith("#") && number.test(words)
    ? undefined
    : { kind, seq: undefined, text: words };
}

function parseReact(words: string): Intent | undefined {
  const all = words.split(/\s+/).filter(Boolean);
  const found = all.length > 1 ? number.exec(all.shift()!) : undefined;
  const [given, ...more] = all;
  if (found === null || given === undefined || more.length > 0 || number.test(given)) {
    return undefined;
  }
  const text = given.toLowerCase() === "off" ? "" : given;
  if (new TextEncoder().encode(text).length > reactionBytesMax) {
    return mistake("A reaction is an emoji or a short word.");
  }
  return { kind: "react", seq: found ? Number(found[1]) : undefined, text };
}

function parseHistory(words: string): Intent | undefined {
  // One number is how many, also where there cannot be so many: it is not what they stand before.
  if (/^\d+$/.test(words) && Number(words) > commandCountMax) {
    return { kind: "history", count: commandCountMax, before: undefined };
  }
  const parsed = parseLine("history", words.replaceAll("#", ""), "/");
  if (parsed.type === "mistake") return mistake(parsed.text);
  const { count = historyCount, before } = parsed.args as { count?: number; before?: number };
  return { kind: "history", count: Math.min(count, commandCountMax), before };
}

function parseTopic(words: string): Intent {
  if (words === "") return { kind: "topic", text: undefined };
  const parsed = parseLine("topic", words, "/");
  return parsed.type === "mistake" ? mistake(parsed.text) : { kind: "topic", text: words };
}

function parseJoin(words: string): Intent {
  if (isLink(words)) return mistake(`A link is for a new connection. ${linkHint}`);
  const parsed = parseLine("join", words, "/");
  if (parsed.type === "mistake") return mistake(parsed.text);
  const { name, open = false } = parsed.args as { name: string; open?: boolean };
  return { kind: "join", name, open };
}

/** A link to a server and nothing else, as somebody pastes it who wants to go there. */
function isLink(text: string): boolean {
  return /^\s*broadcast:\/\/\S+\s*$/i.test(text);
}

const linkHint =
  "To go where it leads: /quit, then broadcast connect 'LINK'. To say it, put a word " +
  "in front.";

function withinLimit(intent: Intent, bytesMax: number): Intent {
  if (!("text" in intent) || intent.text === undefined || intent.kind === "topic") return intent;
  const bytes = new TextEncoder().encode(intent.text).length;
  if (bytes <= bytesMax) return intent;
  const hint = `The line has ${bytes} bytes; a message may have ${bytesMax}. Send it in parts.`;
  return { kind: "too_long", bytes, bytesMax, hint };
}

function mistake(hint: string): Intent {
  return { kind: "mistake", hint };
}

function unknownHint(name: string): string {
  const shown = name.length > 20 ? `${name.slice(0, 20)}…` : name;
  const near = nearestSlash(name.toLowerCase());
  const next = near === undefined ? "/help lists what there is." : `Did you mean /${near}?`;
  return `There is no command /${shown}. ${next} To say a line that starts with a slash, type //.`;
}
