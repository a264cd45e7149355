/**
 * The row in which a person types. It is always one row, a window on a longer line, and the terminal
 * is kept from wrapping it: so clearing it never clears a row of somebody else's, whatever the terminal
 * thinks of the width of an emoji, and however it is resized.
 *
 * @module
 */

import { visible } from "../../protocol/visible.ts";
import { cells } from "./wrap.ts";

/** What is typed, and where in it the cursor stands. */
export interface InputRow {
  /** What stands in front, and what takes its place where that is too long; the longest first. */
  readonly prompts: readonly string[];
  readonly line: string;
  /** In UTF-16 units. */
  readonly cursor: number;
}

/** Clears the row that the cursor is in. */
export const clearRow = "\r\x1b[K";

/** What draws the row over the one that the cursor is in, and puts the cursor where it belongs. */
export function drawRow(row: InputRow, columns: number): string {
  const { prompt, before, after } = windowOf(row, columns);
  // The terminal saves the cursor itself: it knows best how wide it draws what is before it.
  return `${clearRow}${wrapOff}${prompt}${before}${saveCursor}${after}${restoreCursor}${wrapOn}`;
}

/** The part of the row that fits: the cursor is always in it, what is cut off is marked. */
export function windowOf(
  { prompts, line, cursor }: InputRow,
  columns: number,
): { prompt: string; before: string; after: string } {
  const before = visible(line.slice(0, cursor));
  const after = visible(line.slice(cursor));
  const shownPrompt = prompts.find((prompt) => cells(prompt) <= columns - lineCellsMin) ??
    shortPrompt;
  const room = columns - cells(shownPrompt) - 1; // One cell for the cursor.
  const ahead = head(after, Math.floor(room / 3));
  const shownBefore = tail(before, room - cells(ahead));
  return {
    prompt: shownPrompt,
    before: shownBefore,
    after: head(after, room - cells(shownBefore)),
  };
}

/** As much of a text's beginning as fits. */
function head(text: string, room: number): string {
  if (cells(text) <= room) return text;
  return take(graphemesOf(text), room - 1).join("") + cutMark;
}

/** As much of a text's end as fits. */
function tail(text: string, room: number): string {
  if (cells(text) <= room) return text;
  return cutMark + take(graphemesOf(text).reverse(), room - 1).reverse().join("");
}

function take(graphemes: readonly string[], room: number): string[] {
  let used = 0;
  const end = graphemes.findIndex((grapheme) => (used += cells(grapheme)) > room);
  return graphemes.slice(0, end < 0 ? undefined : end);
}

function graphemesOf(text: string): string[] {
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** A line keeps this many cells, at the cost of the prompt. */
const lineCellsMin = 20;
const shortPrompt = "> ";
const cutMark = "…";

const wrapOff = "\x1b[?7l";
const wrapOn = "\x1b[?7h";
const saveCursor = "\x1b7";
const restoreCursor = "\x1b8";
