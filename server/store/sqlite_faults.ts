/**
 * What SQLite says when something is wrong, and what it means. Only texts tell the cases apart:
 * node:sqlite gives its errors no number here.
 *
 * @module
 */

/** A store's file cannot be used; the text says why, and what to do. */
export class StoreRefusedError extends Error {
  override readonly name = "StoreRefusedError";
}

/** What a fault means for the store. */
export type Fault = "full" | "damaged" | "locked" | "other";

const texts: readonly [pattern: RegExp, fault: Fault][] = [
  [/database or disk is full|ENOSPC|no space left/i, "full"],
  [/malformed|not a database|file is encrypted/i, "damaged"],
  [/database is locked/i, "locked"],
];

/** What an error of SQLite or of the file system means. */
export function faultOf(error: unknown): Fault {
  return texts.find(([pattern]) => pattern.test(reasonOf(error)))?.[1] ?? "other";
}

/** What an error says. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What is said to who wanted to write on a full disk. */
export function fullText(path: string): string {
  return `Nothing more can be stored: the disk with ${path} is full. Make room there; ` +
    `it goes on by itself.`;
}

/** What is said once a store is broken. */
export function brokenText(path: string, error: unknown): string {
  const what = faultOf(error) === "damaged"
    ? `${path} is damaged (${reasonOf(error)}). Put it back from a backup.`
    : `The disk with ${path} failed (${
      reasonOf(error)
    }), and what was being written may be lost; ` +
      `all that was acknowledged before is safe as far as the disk is. Look after the disk, and ` +
      `start again.`;
  return `Storing has ended: ${what}`;
}

/** What is said when a file cannot be opened. */
export function refusedText(path: string, error: unknown): string {
  switch (faultOf(error)) {
    case "damaged":
      return `${path} is damaged (${
        reasonOf(error)
      }). Move it and the files beside it that begin ` +
        `with its name away, and put a backup in its place.`;
    case "locked":
      return `${path} is in use by another program. End that first.`;
    case "full":
      return `Cannot open ${path} because its disk is full. Make room there first.`;
    case "other":
      return `Cannot open ${path} because of this: ${reasonOf(error)}`;
  }
}
