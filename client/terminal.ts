/**
 * The client on a terminal. Readline edits the line and keeps the history; what is on the screen is
 * ours: messages above, one row to type in below.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { complete } from "./input.ts";
import { clearRow, drawRow } from "./input_row.ts";
import { render, type Shown } from "./render.ts";
import type { Ui } from "./ui.ts";

/** Lines typed or pasted ahead of what has been taken: beyond that, typing waits. */
const linesAheadMax = 1000;
const columnsDefault = 80;
const clearScreen = "\x1b[H\x1b[2J";
const interruptKey = "\x03";

/** Takes the terminal; give it back with `close`. `onInterrupt` is called on Ctrl-C. */
export function terminalUi({ onInterrupt }: { onInterrupt: () => void }): Ui {
  const { stdin: input, stdout: output } = process;
  const editor = createInterface({
    input,
    output: new Writable({ write: (_chunk, _encoding, done) => done() }), // It would draw itself.
    terminal: true,
    historySize: 1000,
    removeHistoryDuplicates: true,
    completer: (line: string) => [completions(line), line],
  });
  // It asks itself with each key how wide the whole line is: pasting a long one would take minutes.
  editor.getCursorPos = () => ({ rows: 0, cols: 1 });
  let prompt = "";
  /** A question's answer stays on the screen; what is said comes back from the room. */
  let isAsking = false;
  let isOver = false;
  let isClosed = false;
  let controller!: ReadableStreamDefaultController<string>;
  const lines = new ReadableStream<string>({
    start: (its) => void (controller = its),
    pull: () => void (isOver || editor.resume()),
  }, { highWaterMark: linesAheadMax }).values({ preventCancel: true });

  const columns = () => output.columns || columnsDefault;
  const draw = () => {
    if (isClosed || isOver) return;
    output.write(drawRow({ prompt, line: editor.line, cursor: editor.cursor }, columns()));
  };
  let isDrawDue = false;
  /** Once for all that came in one read: what is pasted is many keys. */
  const drawSoon = () => {
    if (isDrawDue) return;
    isDrawDue = true;
    queueMicrotask(() => {
      isDrawDue = false;
      draw();
    });
  };
  const show = (item: Shown) => {
    output.write(`${clearRow}${render(item, { color: true, columns: columns() })}\n`);
    draw();
  };
  const notice = (text: string) => show({ kind: "notice", text });

  /** The one that the line begins, or all of them shown. */
  function completions(line: string): string[] {
    const found = complete(line);
    if (found.length > 1) notice(`-- ${found.map((command) => command.trim()).join("  ")}`);
    return found.length > 1 ? [] : found;
  }

  editor.on("line", (line) => {
    output.write(isAsking ? `${drawRow({ prompt, line, cursor: 0 }, columns())}\r\n` : clearRow);
    if (isAsking) forget(editor);
    controller.enqueue(line);
    if (controller.desiredSize! <= 0) editor.pause();
  });
  editor.on("SIGINT", onInterrupt);
  editor.on("SIGTSTP", () => notice("-- Ctrl-Z does nothing here. /quit leaves."));
  editor.once("close", () => {
    isOver = true;
    controller.close();
    if (isClosed) return;
    output.write(clearRow);
    // What was said is on its way; Ctrl-C must still be heard.
    input.setRawMode(true);
    input.on("data", (keys) => String(keys).includes(interruptKey) && onInterrupt());
    input.resume();
  });
  const onKey = (_text: string | undefined, key: { ctrl?: boolean; name?: string }) => {
    if (key.ctrl && key.name === "l") output.write(clearScreen);
    drawSoon();
  };
  input.on("keypress", onKey);
  output.on("resize", draw);
  output.on("error", () => {}); // The terminal has gone; a signal says so.

  return {
    hasCommands: true,
    takesLines: true,
    lines,
    outputGone: new Promise(() => {}),
    show,
    async ask(question) {
      prompt = question;
      isAsking = true;
      draw();
      const { done, value } = await lines.next();
      isAsking = false;
      prompt = "";
      return done ? undefined : value;
    },
    prompt(text) {
      prompt = text;
      draw();
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      output.write(clearRow);
      input.off("keypress", onKey);
      output.off("resize", draw);
      editor.close();
      if (input.isTTY) input.setRawMode(false);
    },
  };
}

/** An answer is no line to be said again. */
function forget(editor: ReturnType<typeof createInterface>): void {
  if ("history" in editor && Array.isArray(editor.history)) editor.history.shift();
}
