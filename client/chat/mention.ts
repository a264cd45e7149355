/**
 * Whether a text means somebody by name.
 *
 * @module
 */

/** Goes on with a word. */
const inWord = /[\p{L}\p{M}\p{N}_]/u;

/**
 * Whether `@name`, or the name as a word, is in a text, whatever its case. A name that only looks like it is
 * another name; and so is a longer one, or an address that it is a part of.
 *
 * @example
 * ```ts
 * import { mentions } from "./mention.ts";
 * mentions("lunch, bob?", "Bob"); // true
 * mentions("Bobby is here", "Bob"); // false
 * ```
 */
export function mentions(text: string, name: string): boolean {
  const wanted = fold(name);
  const folded = fold(text);
  if (wanted === "") return false;
  for (let at = folded.indexOf(wanted); at >= 0; at = folded.indexOf(wanted, at + 1)) {
    const isName = !isJoinedBefore(folded, at) && !isJoinedAfter(folded, at + wanted.length);
    if (isName) return true;
  }
  return false;
}

/** Whether what stands before belongs to the same word: a letter, or a letter and one of `.-@`. */
function isJoinedBefore(text: string, at: number): boolean {
  const [last = "", before = ""] = [...text.slice(Math.max(0, at - 4), at)].reverse();
  return inWord.test(last) || ".-@".includes(last) && last !== "" && inWord.test(before);
}

/** Whether what stands behind does. */
function isJoinedAfter(text: string, at: number): boolean {
  const [first = "", next = ""] = [...text.slice(at, at + 4)];
  return inWord.test(first) || ".-@".includes(first) && first !== "" && inWord.test(next);
}

function fold(text: string): string {
  return text.normalize("NFKC").toLowerCase();
}
