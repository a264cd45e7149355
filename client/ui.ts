import type { Shown } from "./render.ts";

/** Where a person or a script meets the client: a terminal, a pipe. */
export interface Ui {
  /** Whether lines that start with a slash are commands: a script's are not. */
  readonly hasCommands: boolean;
  /** What is typed or piped in, line by line. */
  readonly lines: AsyncIterableIterator<string>;
  /** Shows something. */
  show(item: Shown): void;
  /** Asks for one line; undefined at the end of input. */
  ask(prompt: string): Promise<string | undefined>;
  /** From now on lines are for the room. */
  enter(prompt: string): void;
  /** Takes what was typed off the screen, where it will come back from the room. */
  takeBack(line: string): void;
  /** Gives the terminal back. */
  close(): void;
}
