/**
 * The client on a terminal: line editing, history and completion by readline, messages printed above
 * the prompt.
 *
 * @module
 */

import process from "node:process";
import { clearScreenDown, createInterface, cursorTo, moveCursor } from "node:readline";
import { complete } from "./input.ts";
import { render } from "./render.ts";
import type { Ui } from "./ui.ts";
import { cells } from "./wrap.ts";

/** What the terminal can do. */
export interface TerminalOptions {
  readonly color: boolean;
  /** Called on Ctrl-C. */
  readonly onInterrupt: () => void;
}

/** Takes the terminal; give it back with `close`. */
export function terminalUi({ color, onInterrupt }: TerminalOptions): Ui {
  const { stdin: input, stdout: output } = process;
  const editor = createInterface({
    input,
    output,
    terminal: true,
    historySize: 1000,
    removeHistoryDuplicates: true,
    completer: (line: string) => [complete(line), line],
  });
  editor.setPrompt("");
  editor.on("SIGINT", onInterrupt);
  const lines = editor[Symbol.asyncIterator]();
  let isClosed = false;
  editor.once("close", () => isClosed = true);

  /** Prints above the line that is being typed. */
  const above = (text: string) => {
    if (isClosed) return void output.write(`${text}\n`);
    moveCursor(output, 0, -editor.getCursorPos().rows);
    cursorTo(output, 0);
    clearScreenDown(output);
    output.write(`${text}\n`);
    editor.prompt(true);
  };

  return {
    hasCommands: true,
    lines,
    show: (item) => above(render(item, { color, columns: output.columns || 80 })),
    async ask(prompt) {
      editor.setPrompt(prompt);
      editor.prompt();
      const { done, value } = await lines.next();
      editor.setPrompt("");
      return done ? undefined : value;
    },
    enter(prompt) {
      editor.setPrompt(prompt);
      editor.prompt();
    },
    takeBack(line) {
      const width = cells(editor.getPrompt()) + cells(line);
      moveCursor(output, 0, -(Math.floor(width / (output.columns || 80)) + 1));
      cursorTo(output, 0);
      clearScreenDown(output);
      editor.prompt();
    },
    close() {
      if (isClosed) return;
      moveCursor(output, 0, -editor.getCursorPos().rows);
      cursorTo(output, 0);
      clearScreenDown(output);
      editor.close();
    },
  };
}
