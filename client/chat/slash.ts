/**
 * What may be typed after a slash: the server's commands and the client's own, in one table. Parsing,
 * `/help`, what Tab completes and the hint after a typing mistake all come from it.
 *
 * @module
 */

import {
  type Argument,
  commands,
  isTyped,
  type May,
  type Role,
  roles,
  type TypedName,
} from "../../protocol/command.ts";
import { usageOf } from "../../protocol/command_line.ts";
import { editDistance } from "../../protocol/edit_distance.ts";

/** What commands are about, in the order of `/help`. */
export const groups = ["talking", "rooms", "people", "moderating", "this server"] as const;
export type Group = (typeof groups)[number];

/** What Tab completes a word to: names that are known, or one of these words. */
export type Words = "rooms" | "own rooms" | "people" | "commands" | readonly string[];

/** One command. */
export interface Slash {
  /** What is typed after the slash, lower case. */
  readonly name: string;
  readonly group: Group;
  /** How it is typed, without the slash. */
  readonly usage: string;
  /** What it does, as in "Type /kick WHO to …". */
  readonly about: string;
  readonly may: May;
  /** What its words may be, the first of them first. */
  readonly words: readonly Words[];
}

/** A command that this client carries out, or that it lets be typed in another way than the table has it. */
type Own = Omit<Slash, "name">;

/** To add one: a row here, its meaning in input.ts, its deed in deeds.ts. */
const ownCommands = {
  me: own(
    "talking",
    "me TEXT",
    'say what you do: "/me waves" is shown as "* Alice waves"',
    "member",
  ),
  reply: own("talking", "reply [N] TEXT", "answer message N, or the last one of others", "member"),
  edit: own(
    "talking",
    "edit [N] TEXT",
    "say your message N, or your last one, in another way",
    "member",
  ),
  delete: own("talking", "delete [N]", "take back message N, or your last one", "member"),
  react: own(
    "talking",
    "react [N] EMOJI",
    "react to message N, or the last one; off takes it back",
    "member",
  ),
  history: own(
    "talking",
    "history [HOW MANY] [BEFORE]",
    "show what was said before, with the numbers of messages",
    "reader",
  ),
  search: own("talking", "search TEXT", "find what was said, in what is kept here"),
  receipts: own(
    "talking",
    "receipts [N]",
    "show who got and who read your last message, or N",
    "reader",
  ),
  join: own("rooms", "join ROOM [--open]", commands.join.about, "anyone", "rooms", ["--open"]),
  part: own("rooms", "part [ROOM]", commands.part.about, commands.part.may, "own rooms"),
  msg: own(
    "rooms",
    "msg WHO [TEXT]",
    "go into the sealed room that you two have for yourselves, and say something there",
    "anyone",
    "people",
  ),
  room: own("rooms", "room", "show what this room is, whose keys it has, and a code to compare"),
  switch: own(
    "rooms",
    "switch [ROOM]",
    "go to another room of yours; Alt-1, Alt-2 … do so too",
    "anyone",
    "own rooms",
  ),
  next: own("rooms", "next", "go to the next room in which there is something new"),
  topic: own("rooms", "topic [TEXT]", "show this room's topic; moderators set it", "reader"),
  verify: own(
    "people",
    "verify WHO [ok]",
    "show 60 digits to compare with somebody, by another way; ok: they were the same",
    "anyone",
    "people",
    ["ok"],
  ),
  admit: own(
    "people",
    "admit [WHO]",
    "let somebody into this sealed room who asks for it; without a name, list who does",
    "moderator",
    "people",
  ),
  close: own("moderating", "close ROOM", commands.close.about, commands.close.may, "rooms"),
  help: own("this server", "help [COMMAND|all]", "show what can be typed", "anyone", "commands"),
  quit: own("this server", "quit", "leave (so does Ctrl-D)"),
} as const satisfies Record<string, Own>;

/** The name of a command that this client understands by itself. */
export type OwnName = keyof typeof ownCommands;
/** The name of a command that is sent as the table in protocol/command.ts has it. */
export type ServerName = Exclude<TypedName, OwnName>;

const groupOf: Readonly<Record<ServerName, Group>> = {
  rooms: "rooms",
  who: "people",
  whois: "people",
  away: "people",
  invite: "people",
  invitations: "people",
  revoke: "people",
  role: "moderating",
  kick: "moderating",
  ban: "moderating",
  unban: "moderating",
  bans: "moderating",
  mute: "moderating",
  unmute: "moderating",
  slow: "moderating",
  announce: "moderating",
  access: "moderating",
  allow: "moderating",
  disallow: "moderating",
  audit: "moderating",
  users: "this server",
  admin: "this server",
  forget: "this server",
  registration: "this server",
  exclude: "this server",
  readmit: "this server",
  excluded: "this server",
  log: "this server",
  stats: "this server",
  drain: "this server",
};

/** Every command, by group. */
export const slashes: readonly Slash[] = [
  ...Object.entries(ownCommands).map(([name, command]) => ({ name, ...command })),
  ...(Object.entries(groupOf) as [ServerName, Group][]).map(([name, group]) => ({
    name,
    group,
    usage: usageOf(name),
    about: commands[name].about,
    may: commands[name].may,
    words: wordsOf(name),
  })),
].sort((a, b) => groups.indexOf(a.group) - groups.indexOf(b.group));

/** The command of this name, however it is written. */
export function findSlash(name: string): Slash | undefined {
  return slashes.find((slash) => slash.name === name.toLowerCase());
}

/** Whether a command is carried out by the table in protocol/command.ts. */
export function isServerName(name: string): name is ServerName {
  return isTyped(name) && !Object.hasOwn(ownCommands, name);
}

/** Whether somebody of this role may do what needs that; the server decides it in the end. */
export function isAllowed(
  may: May,
  { role, isAdmin }: { readonly role: Role | undefined; readonly isAdmin: boolean },
): boolean {
  if (isAdmin || may === "anyone") return true;
  if (may === "admin" || role === undefined) return false;
  return roles.indexOf(role) >= roles.indexOf(may);
}

/** The command that was probably meant: a beginning of it, or a slip or two away. */
export function nearestSlash(typed: string): string | undefined {
  if (typed === "" || typed.length > 20) return undefined;
  const near = slashes
    .map(({ name }) => ({ name, slips: name.startsWith(typed) ? 0 : editDistance(typed, name) }))
    .filter(({ name, slips }) => slips <= Math.max(1, Math.floor(name.length / 4)))
    .sort((a, b) => a.slips - b.slips);
  return near[0]?.name;
}

function own(
  group: Group,
  usage: string,
  about: string,
  may: May = "anyone",
  ...words: Words[]
): Own {
  return { group, usage, about, may, words };
}

/** What Tab completes follows from the arguments. */
function wordsOf(name: ServerName): Words[] {
  const typedArgs = Object.values<Argument>(commands[name].args)
    .filter(({ typed }) => typed !== "inner");
  return typedArgs.map(({ label, typed }) => {
    if (label === "WHO" || label === "LIKE") return "people";
    if (typed === "flag") return [label];
    return label.includes("|") ? label.split("|") : [];
  });
}
