/**
 * What there is to show of a room: its lines, what is done to them, and what a person sees who comes in.
 *
 * @module
 */

import type { Deed, Happening, Line } from "./lines.ts";
import { type Shown, timeOfDay } from "./render.ts";
import type { RoomView } from "./room_views.ts";

/** Rows of what was read before that a person is shown who comes in. */
const readRows = 20;

/** Characters of a message by which it is known again. */
const quoteChars = 24;

/** How a line is shown. */
interface LineStyle {
  /** With the number by which people call it. */
  readonly isNumbered?: boolean;
  /** With the time of day at which the log took it. */
  readonly isTimed?: boolean;
}

/** One line. */
export function showLine(
  view: RoomView,
  line: Line,
  { isNumbered = false, isTimed = false }: LineStyle = {},
): Shown {
  const { seq, name, text, verified, timeMs, kind } = line;
  const number = isNumbered ? `#${seq} ` : "";
  if (kind === "event") {
    const time = isTimed ? `${timeOfDay(timeMs)} ` : "";
    return { kind: "notice", text: `-- ${number}${time}${text ?? "[deleted]"}` };
  }
  return {
    kind: "message",
    name,
    text: text ?? "[deleted]",
    action: kind === "action",
    verified,
    time: timeMs,
    ...(isNumbered && { seq }),
    ...(isTimed && { isTimed }),
    notes: notesOf(view, line),
  };
}

/** What somebody did to a line, as a row of its own. */
function showDeed(view: RoomView, deed: Deed): Shown | undefined {
  const { kind, name, text } = deed;
  const line = view.lines.named(deed.target);
  const whose = line && line.name !== name ? ` of ${line.name}` : "";
  const which = line ? `#${line.seq}${whose}` : "an earlier message";
  switch (kind) {
    case "deletion":
      return note(`${name} deleted ${which}`);
    case "edit":
      return text === undefined ? undefined : note(`${name} edited ${which}: ${text}`);
    case "reaction": {
      const quote = line?.text === undefined ? "" : ` (${quoted(line.text)})`;
      if (text === undefined) return undefined;
      return note(
        text === ""
          ? `${name} took the reaction to ${which} back`
          : `${name} reacted to ${which}${quote} with ${text}`,
      );
    }
  }
}

/** Something that has just happened in the room on the screen. */
export function showHappening(view: RoomView, happening: Happening): Shown | undefined {
  return happening.kind === "line"
    ? showLine(view, happening.line)
    : showDeed(view, happening.deed);
}

/**
 * What a person sees who comes to a room: the last of what was read, the mark, and what is new.
 *
 * @param isNews what makes the mark stand there: something that others said
 */
export function showArrival(
  view: RoomView,
  isNews: (line: Line) => boolean,
): { readonly rows: Shown[]; readonly isMarked: boolean } {
  const { lines, room: { readSeq } } = view;
  const all = lines.all();
  const deeds = lines.deedsSince(readSeq);
  const news = [...all.filter((line) => line.seq > readSeq && isNews(line)), ...deeds];
  const firstSeq = Math.min(...news.map(({ seq }) => seq)); // Infinity where there is none.
  const before = all.filter(({ seq }) => seq < firstSeq);
  const read = before.slice(-readRows);
  const fresh = [
    ...all.filter(({ seq }) => seq >= firstSeq)
      .map((line) => ({ seq: line.seq, shown: showLine(view, line) })),
    ...deeds.flatMap((deed) => {
      const shown = showDeed(view, deed);
      return shown ? [{ seq: deed.seq, shown }] : [];
    }),
  ].sort((a, b) => a.seq - b.seq);
  const isMarked = news.length > 0;
  // In a sealed room much of a log is for its keys, and what cannot be read is told elsewhere.
  const isCounted = isMarked && before.length === 0 && !view.room.info.sealed;
  const missing = isCounted ? firstSeq - readSeq - 1 : 0;
  return {
    isMarked,
    rows: [
      ...read.map((line) => showLine(view, line)),
      ...(isMarked ? [mark] : []),
      ...(missing > 0
        ? [note(`Before this there are up to ${missing} more that are new: /history shows them.`)]
        : []),
      ...fresh.map(({ shown }) => shown),
    ],
  };
}

/** Where new begins. */
export const mark: Shown = { kind: "mark" };

/** What stands behind a message's text. */
function notesOf(view: RoomView, { text, isEdited, target, reactions }: Line): string[] {
  if (text === undefined) return [];
  const notes = isEdited ? ["edited"] : [];
  if (target) notes.push(`to ${referOf(view.lines.named(target))}`);
  const counted = [...reactions].map(([name, emoji]) => `${emoji} ${name}`);
  if (counted.length > 0) notes.push(counted.join(", "));
  return notes;
}

function referOf(line: Line | undefined): string {
  if (!line) return "an earlier message";
  return `#${line.seq} ${line.name}: ${line.text === undefined ? "[deleted]" : quoted(line.text)}`;
}

/** The beginning of a text. */
function quoted(text: string): string {
  const characters = [...text.slice(0, 4 * quoteChars).replace(/\s+/g, " ")];
  if (characters.length <= quoteChars && text.length < 4 * quoteChars) return characters.join("");
  return `${characters.slice(0, quoteChars - 1).join("")}…`;
}

function note(text: string): Shown {
  return { kind: "notice", text: `-- ${text}` };
}
