/**
 * What happened in a room, as text for a terminal or a pipe. Nothing that others wrote can move the
 * cursor, hide, or pass as a line of somebody else: every text goes through `protocol/visible.ts`,
 * and every row after the first is indented.
 *
 * @module
 */

import { nameCharsMax } from "../../protocol/limits.ts";
import { visible, visibleLines } from "../../protocol/visible.ts";
import { wrap } from "./wrap.ts";

/** Whether a message's signature is its sender's. */
export type Verified = "signed" | "unverified" | "failed";

/** One message of a room. */
export interface ShownMessage {
  readonly kind: "message";
  readonly name: string;
  readonly text: string;
  /** `/me`: something done, not said. */
  readonly action: boolean;
  readonly verified: Verified;
  /** Server time in ms. */
  readonly time: number;
  /** What people call it by, where that is to be seen. */
  readonly seq?: number;
  /** Whether the time of day is to be seen. */
  readonly isTimed?: boolean;
  /** Whether it names who looks at it: where there are colours, it is bold. */
  readonly isMention?: boolean;
  /** Of this program about it: that it was edited, what it answers; each in brackets behind the text. */
  readonly notes?: readonly string[];
}

/** Something to show. */
export type Shown =
  | ShownMessage
  | { readonly kind: "joined"; readonly name: string }
  | { readonly kind: "left"; readonly name: string }
  /** Where what was not read begins. */
  | { readonly kind: "mark" }
  /** A link, to be copied: in a row of its own, however long. */
  | { readonly kind: "link"; readonly text: string }
  /** From this program to its user. */
  | { readonly kind: "notice"; readonly text: string }
  /** A line that an original server sent, whoever wrote it. */
  | { readonly kind: "line"; readonly text: string };

/** How to show it. Without options: no escape sequences, no wrapping. */
export interface RenderOptions {
  /** Names in colour, by escape sequences. */
  readonly color?: boolean;
  /** The terminal's width: longer lines are wrapped here, because the terminal would do it unsafely. */
  readonly columns?: number;
}

/**
 * The text for one item, without a newline at its end; one item may have several rows.
 *
 * @example
 * ```ts
 * import { render } from "./render.ts";
 * render({
 *   kind: "message",
 *   name: "Alice",
 *   text: "Hello everyone!",
 *   action: false,
 *   verified: "signed",
 *   time: 0,
 * }); // "[Alice]: Hello everyone!"
 * ```
 */
export function render(item: Shown, options: RenderOptions = {}): string {
  switch (item.kind) {
    case "message":
      return renderMessage(item, options);
    case "joined":
    case "left":
      return layOut({ ...bare, name: shownName(item.name), after: ` ${item.kind}` }, options);
    case "mark":
      return newMark;
    case "link":
      return visible(item.text); // Wrapped by the terminal, so that it is copied as one.
    case "notice":
    case "line":
      return layOut({ ...bare, text: item.text }, options);
  }
}

/** `09:13`, in UTC. */
export function timeOfDay(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(11, 16);
}

/** The color of a name, in the 256-color palette; the same wherever the name is shown. */
export function nameColor(name: string): number {
  let hash = 0x811c9dc5; // FNV-1a
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return nameColors[(hash >>> 0) % nameColors.length]!;
}

function renderMessage(message: ShownMessage, options: RenderOptions): string {
  const name = shownName(message.name);
  const [before, after] = message.action ? ["* ", " "] : ["[", "]: "];
  const failed = message.verified === "failed";
  const time = message.isTimed ? `${timeOfDay(message.time)} ` : "";
  const number = message.seq === undefined ? "" : `#${message.seq} `;
  const notes = (message.notes ?? []).map((note) => ` (${visible(note)})`).join("");
  const laidOut = layOut({
    mark: failed ? failedMark : "",
    before: number + time + before,
    name,
    after,
    text: message.text,
    tail: notes + tails[message.verified](name),
    continuation: (failed ? failedMark : "  ") + "| ",
  }, options);
  return message.isMention && options.color ? bold(laidOut) : laidOut;
}

function bold(text: string): string {
  return text.split("\n").map((row) => `\x1b[1m${row}\x1b[22m`).join("\n");
}

/** What an item is made of, in the order in which it stands; all safe to show but the text. */
interface Parts {
  readonly mark: string;
  readonly before: string;
  readonly name: string;
  readonly after: string;
  readonly text: string;
  readonly tail: string;
  /** In front of the text's lines after the first. */
  readonly continuation: string;
}

const bare: Parts = {
  mark: "",
  before: "",
  name: "",
  after: "",
  text: "",
  tail: "",
  continuation: "  | ",
};

function layOut(parts: Parts, options: RenderOptions): string {
  const { mark, before, name, after, text, tail, continuation } = parts;
  const lines = visibleLines(text).map((line, at) => (
    (at === 0 ? mark + before + name + after : continuation) + line
  ));
  lines[lines.length - 1] += tail;
  const columns = Math.max(options.columns ?? Infinity, columnsMin);
  const rows = columns === Infinity
    ? lines
    : lines.flatMap((line) => wrap(line, columns, wrapIndent));
  if (options.color) rows[0] = paint(rows[0]!, parts);
  return rows.join("\n");
}

/** Colors the mark and the name where a row begins with them. */
function paint(row: string, { mark, before, name }: Parts): string {
  const lead = mark + before + name;
  if (name === "" || !row.startsWith(lead)) return row;
  const paintedMark = mark === "" ? "" : `\x1b[1;31m${mark}\x1b[0m`;
  return `${paintedMark}${before}\x1b[38;5;${nameColor(name)}m${name}\x1b[39m` +
    row.slice(lead.length);
}

/** A name is short and has no newline; one that a server made up may not be. */
function shownName(name: string): string {
  const characters = [...name];
  if (characters.length <= nameCharsMax) return visible(name);
  return visible(characters.slice(0, nameCharsMax).join("")) + "…";
}

/** The row where what was not read begins. */
const newMark = "---- new ----";

const failedMark = "[!] ";

/** What stands after a message's text. */
const tails: Readonly<Record<Verified, (name: string) => string>> = {
  signed: () => "",
  unverified: () => " (not verified)",
  failed: (name) => ` (does not verify: this may not be from ${name})`,
};

/** In front of the rows that a long line is wrapped to. */
const wrapIndent = "    ";

/** Nobody reads a chat on less; the terminal may wrap it as it likes. */
const columnsMin = 20;

/** Colors of many hues, each with a contrast of 4:1 and more on black and on white. */
const nameColors = [28, 30, 31, 62, 64, 96, 98, 130, 131, 133, 161, 164];
