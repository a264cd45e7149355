/**
 * What is pasted into a terminal: a few lines are taken as if they were typed, for many it is asked first.
 *
 * @module
 */

/** More lines than this are not sent before somebody has said so. */
const linesUnaskedMax = 5;
/** A longer paste is taken for a mistake: a file goes through a pipe. */
const linesMax = 10_000;

/** What tells a terminal to mark what is pasted, and to stop that (xterm's "bracketed paste"). */
export const markPastes = "\x1b[?2004h";
export const unmarkPastes = "\x1b[?2004l";

/** MUST let no pasted line through that has not been confirmed where that is asked for. */
export class Paste {
  #lines: string[] = [];
  #count = 0;
  #isPasting = false;
  #isAsking = false;

  /** What is asked, while something is; undefined else. */
  get question(): string | undefined {
    return this.#isAsking ? `Send ${this.#count} lines? [y/N] ` : undefined;
  }

  begin(): void {
    this.#isPasting = true;
  }

  /** Takes a line where it is pasted; false where it is typed. */
  hold(line: string): boolean {
    if (!this.#isPasting) return false;
    if (++this.#count <= linesMax) this.#lines.push(line);
    else this.#lines = [];
    return true;
  }

  /** All has been pasted: the lines that are taken at once, or why none are. */
  end(): { readonly lines: readonly string[]; readonly why?: string } {
    this.#isPasting = false;
    if (this.#count > linesMax) {
      const why = `${this.#count} lines were pasted, and none was sent. Send a file like this: ` +
        "connect … < FILE";
      this.#clear();
      return { lines: [], why };
    }
    this.#isAsking ||= this.#count > linesUnaskedMax;
    return { lines: this.#isAsking ? [] : this.#clear() };
  }

  /** The lines, where somebody has said yes. */
  answer(text: string): readonly string[] {
    this.#isAsking = false;
    const lines = this.#clear();
    return /^y(es)?$/i.test(text.trim()) ? lines : [];
  }

  #clear(): readonly string[] {
    const lines = this.#lines;
    this.#lines = [];
    this.#count = 0;
    this.#isAsking = false;
    return lines;
  }
}
