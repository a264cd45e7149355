import type { Shown } from "./render.ts";

/** Where a person or a script meets the client: a terminal, a pipe. */
export interface Ui {
  /** Whether a person types, so that a slash begins a command: a script's lines are said as they are. */
  readonly hasCommands: boolean;
  /** Whether typed lines leave the screen, so that one's own words are shown as the room has them. */
  readonly takesLines: boolean;
  /** What is typed or piped in, line by line; Alt and a digit is a line of its own: `input.ts`. */
  readonly lines: AsyncIterableIterator<string>;
  /** Resolves when nobody reads the output any more. */
  readonly outputGone: Promise<void>;
  /** Shows something. */
  show(item: Shown): void;
  /** Asks for one line; undefined at the end of input. */
  ask(prompt: string): Promise<string | undefined>;
  /** From now on lines are for the room, and this stands in front of them: the first that fits. */
  prompt(...texts: string[]): void;
  /** Puts something in front of what is being typed; where lines can be edited. */
  write(text: string): void;
  /** Calls the user, who may look elsewhere; where that is a person at a terminal. */
  bell(): void;
  /** From now on this is asked and told while a line is typed; where that can be seen. */
  attend(attendant: Attendant): void;
  /** Gives the terminal back. */
  close(): void;
}

/** Who looks on while a line is typed. */
export interface Attendant {
  /** What Tab makes of a line, up to the cursor; `candidates` are shown where there are several. */
  complete(line: string): { readonly line: string; readonly candidates: readonly string[] };
  /** A key was pressed, and the line is this now. */
  typed(line: string): void;
}

/** Shows a line from this program to its user. */
export function notice(ui: Ui, text: string): void {
  ui.show({ kind: "notice", text: `-- ${text}` });
}
