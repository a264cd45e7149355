/**
 * Where a passphrase comes from: a terminal, a file, the environment. Never from an argument, which
 * everybody on the machine can read.
 *
 * @module
 */

import { promptSecret } from "@std/cli/prompt-secret";
import { UsageError } from "./flags.ts";
import { reasonOf } from "./reason.ts";

/** Places for a passphrase, the first that is set first. */
export interface PassphraseSource {
  /** The terminal, whatever else there is. */
  readonly ask: boolean;
  readonly file: string | undefined;
  readonly env: string | undefined;
}

/** Fewer can be tried out. */
const charactersMin = 8;
/** How often somebody may mistype it. */
export const triesMax = 3;

/**
 * What file or environment say; undefined where it is to be asked for, or there is none.
 *
 * @throws {UsageError} when the file cannot be read
 */
export async function givenPassphrase(source: PassphraseSource): Promise<string | undefined> {
  if (source.ask) return undefined;
  if (source.file === undefined) return source.env;
  try {
    const text = await Deno.readTextFile(source.file);
    return text.replace(/\r?\n$/, "");
  } catch (cause) {
    const why = `Cannot read the passphrase from ${source.file}: ${reasonOf(cause)}`;
    throw new UsageError(why, { cause });
  }
}

/** Whether somebody can be asked. */
export function canAsk(): boolean {
  return Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
}

/** Asks for a passphrase; nothing of it is shown, not even how long it is. */
export function askPassphrase(question: string): string {
  Deno.stdin.setRaw(true); // Before the prompt invites to type: nothing is to be echoed.
  return promptSecret(question, { mask: "" }) ?? "";
}

/**
 * Asks for a new passphrase, twice.
 *
 * @throws {UsageError} when that leads to none
 */
export function askNewPassphrase(): string {
  if (!canAsk()) throw new UsageError("To ask for a passphrase needs a terminal.");
  for (let tries = 1;; tries++) {
    const passphrase = askPassphrase("New passphrase:");
    const problem = problemOf(passphrase) ??
      (askPassphrase("Once more:") === passphrase ? undefined : "That was not the same.");
    if (problem === undefined) return passphrase;
    if (tries === triesMax) throw new UsageError(problem);
    console.error(problem);
  }
}

/**
 * A new passphrase that was given.
 *
 * @throws {UsageError} when it is too short
 */
export function checkNewPassphrase(passphrase: string): string {
  const problem = problemOf(passphrase);
  if (problem === undefined) return passphrase;
  throw new UsageError(problem);
}

function problemOf(passphrase: string): string | undefined {
  if ([...passphrase.normalize("NFC")].length >= charactersMin) return undefined;
  return `A passphrase has ${charactersMin} characters or more.`;
}
