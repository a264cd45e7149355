/** A command of ours on a pseudo-terminal, and what its screen shows. */

import { Process, type ProcessOptions } from "./process.ts";
import { Screen } from "./screen.ts";

/** Keys by what they send. */
export const KEY = {
  enter: "\r",
  tab: "\t",
  ctrlA: "\x01",
  ctrlC: "\x03",
  ctrlD: "\x04",
  ctrlL: "\x0c",
  ctrlU: "\x15",
  backspace: "\x7f",
  up: "\x1b[A",
  left: "\x1b[D",
} as const;

/** What a shell does around a command. */
export interface Shell {
  readonly before: string;
  readonly after: string;
}

/** `script` of util-linux makes the terminal, `stty` its size. */
export class Terminal implements AsyncDisposable {
  readonly screen: Screen;
  readonly #process: Process;
  #written = 0;

  constructor(
    command: readonly string[],
    columns: number,
    options: ProcessOptions,
    { before, after }: Shell = { before: "exec", after: "" },
  ) {
    this.screen = new Screen(columns);
    const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
    const shell = `stty rows 24 cols ${columns}; ${before} ${quoted} ${after}`;
    this.#process = new Process("script", ["-qefc", shell, "/dev/null"], options);
  }

  /** The exit code of the command. */
  get code(): Promise<number> {
    return this.#process.code;
  }

  /** Types a text or keys. */
  async type(...keys: string[]): Promise<void> {
    for (const key of keys) await this.#process.type(key);
  }

  /** Types a line and Enter. */
  async line(text: string): Promise<void> {
    await this.type(text + KEY.enter);
  }

  /** Resolves when some row of the screen is this, or matches. */
  async shows(row: string | RegExp): Promise<void> {
    const isIt = (shown: string) => typeof row === "string" ? shown === row : row.test(shown);
    await this.#waitFor((rows) => rows.some(isIt), `the row ${row}`);
  }

  /** Resolves when so many rows are on the screen. */
  async hasRows(count: number): Promise<void> {
    await this.#waitFor((rows) => rows.length === count, `${count} rows`);
  }

  /** Resolves when the last row, where one types, is this. */
  async prompts(row: string): Promise<void> {
    await this.#waitFor((rows) => rows.at(-1) === row, `the last row ${row}`);
  }

  /** Resolves when it is in the lobby, and hears what is said there, and nothing is typed. */
  async entered(): Promise<void> {
    await this.shows(/^-- You are /);
    await this.prompts("lobby (open)>");
  }

  /** All that was written to the terminal. */
  get raw(): string {
    return this.#process.stdout;
  }

  /** All rows so far. */
  get rows(): string[] {
    return this.#rows();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }

  async #waitFor(condition: (rows: string[]) => boolean, what: string): Promise<void> {
    try {
      await this.#process.waitFor(() => condition(this.#rows()), what);
    } catch (cause) {
      throw new Error(`${what} never came on the screen:\n${this.#rows().join("\n")}`, { cause });
    }
  }

  #rows(): string[] {
    const { stdout } = this.#process;
    this.screen.write(stdout.slice(this.#written));
    this.#written = stdout.length;
    return this.screen.rows;
  }
}
