/**
 * What Tab makes of the line that is being typed.
 *
 * @module
 */

import { findSlash, isAllowed, slashes, type Words } from "./slash.ts";
import type { Standing } from "./help.ts";

/** What is known here that somebody may want to type. */
export interface Known extends Standing {
  readonly rooms: readonly string[];
  readonly ownRooms: readonly string[];
  readonly people: readonly string[];
}

/** What the line may become. */
export interface Completion {
  /** The whole line, as far as all candidates agree; as typed where they agree on nothing more. */
  readonly line: string;
  /** Where there are several: what they are. */
  readonly candidates: readonly string[];
}

/** No more are shown. */
const candidatesMax = 60;

/**
 * Completes the word at the line's end.
 *
 * @param line up to the cursor
 */
export function complete(line: string, known: Known): Completion {
  const word = /\S*$/.exec(line)![0];
  const head = line.slice(0, line.length - word.length);
  const found = candidates(head, word, known)
    .filter((one) => one.toLowerCase().startsWith(word.toLowerCase()));
  const all = [...new Set(found)].sort();
  if (all.length === 0) return { line, candidates: [] };
  if (all.length === 1) return { line: `${head}${all[0]} `, candidates: [] };
  const common = commonStart(all);
  return {
    line: head + (common.length > word.length ? common : word),
    candidates: all.slice(0, candidatesMax),
  };
}

/** What might stand in a word's place. */
function candidates(head: string, word: string, known: Known): readonly string[] {
  if (head === "" && word.startsWith("/")) return commandsFor(word, known);
  if (word.startsWith("@")) return known.people.map((name) => `@${name}`);
  const [, typed, words] = /^\/(\S+)\s+(.*)$/s.exec(head) ?? [];
  const slash = typed === undefined ? undefined : findSlash(typed);
  if (!slash) return [];
  const at = words!.split(/\s+/).filter(Boolean).length;
  return wordsFor(slash.words[at], known);
}

/** The commands that somebody may use; where none of them begins so, any. */
function commandsFor(word: string, known: Known): string[] {
  const all = slashes.map(({ name, may }) => ({ name: `/${name}`, may }));
  const fitting = all.filter(({ name }) => name.startsWith(word.toLowerCase()));
  const allowed = fitting.filter(({ may }) => isAllowed(may, known));
  return (allowed.length > 0 ? allowed : fitting).map(({ name }) => name);
}

function wordsFor(words: Words | undefined, known: Known): readonly string[] {
  switch (words) {
    case undefined:
      return [];
    case "rooms":
      return known.rooms;
    case "own rooms":
      return known.ownRooms;
    case "people":
      return known.people;
    case "commands":
      return ["all", ...slashes.map(({ name }) => name)];
    default:
      return words;
  }
}

/** As much as all begin with, whatever the case. */
function commonStart([first = "", ...others]: readonly string[]): string {
  let length = first.length;
  for (const other of others) {
    while (!other.toLowerCase().startsWith(first.slice(0, length).toLowerCase())) length--;
  }
  return first.slice(0, length);
}
