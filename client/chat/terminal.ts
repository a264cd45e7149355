/**
 * The client on a terminal. Readline edits the line and keeps the history; what is on the screen is
 * ours: messages above, one row to type in below.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { clearRow, drawRow } from "./input_row.ts";
import { markPastes, Paste, unmarkPastes } from "./paste.ts";
import { render, type Shown } from "./render.ts";
import type { Attendant, Ui } from "./ui.ts";

/** Lines typed or pasted ahead of what has been taken: beyond that, typing waits. */
const linesAheadMax = 1000;
const columnsDefault = 80;
const clearScreen = "\x1b[H\x1b[2J";
const interruptKey = "\x03";
const escape = "\x1b";
const bell = "\x07";

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
  let prompts: readonly string[] = [""];
  let attendant: Attendant | undefined;
  /** A question's answer stays on the screen; what is said comes back from the room. */
  let isAsking = false;
  const paste = new Paste();
  /** The line that a paste ended in when it had to be asked about; it goes with the rest of it. */
  let unfinished = "";
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
    const { line, cursor } = editor;
    output.write(drawRow({ prompts: shownPrompts(), line, cursor }, columns()));
  };
  const shownPrompts = () =>
    paste.question === undefined ? prompts : [paste.question, "Send? [y/N] "];
  let isDrawDue = false;
  /** Once for all that came in one read: what is pasted is many keys. */
  const drawSoon = () => {
    if (isDrawDue) return;
    isDrawDue = true;
    queueMicrotask(() => {
      isDrawDue = false;
      if (!isOver) attendant?.typed(editor.line);
      draw();
    });
  };
  const show = (item: Shown) => {
    output.write(`${clearRow}${render(item, { color: true, columns: columns() })}\n`);
    draw();
  };
  const notice = (text: string) => show({ kind: "notice", text });

  /** What the line becomes; where that is not all, what there is to choose from is shown. */
  function completions(typed: string): string[] {
    const { line, candidates } = attendant?.complete(typed) ?? { line: typed, candidates: [] };
    if (line !== typed) return [line];
    if (candidates.length > 1) notice(`-- ${candidates.join("  ")}`);
    return [];
  }

  function take(line: string): void {
    controller.enqueue(line);
    if (controller.desiredSize! <= 0) editor.pause();
  }

  editor.on("line", (line) => {
    if (!isAsking && paste.hold(line)) return;
    const isQuestion = isAsking || paste.question !== undefined;
    const row = () => drawRow({ prompts: shownPrompts(), line, cursor: 0 }, columns());
    output.write(isQuestion ? `${row()}\r\n` : clearRow);
    if (isQuestion) forget(editor);
    if (isAsking || !isQuestion) return take(line);
    const confirmed = paste.answer(line);
    if (confirmed.length === 0) return notice("-- None of it was sent.");
    for (const each of confirmed) take(each);
    editor.write(unfinished);
  });
  /** What is pasted comes as a whole. */
  function pasted(): void {
    const wasAsking = paste.question !== undefined;
    const { lines, why } = paste.end();
    if (why !== undefined) notice(`-- ${why}`);
    for (const each of lines) take(each);
    if (wasAsking || paste.question === undefined) return;
    unfinished = editor.line;
    empty();
  }
  /** Takes back what is being typed. */
  function empty(): void {
    editor.write(null, { ctrl: true, name: "e" });
    editor.write(null, { ctrl: true, name: "u" });
  }
  editor.on("SIGINT", () => { // As in a shell: the line goes first.
    if (editor.line === "") onInterrupt();
    else empty();
  });
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
  /** Where a paste begins or ends, a "~" follows, which the runtime reads as text (Deno 2.9.6). */
  let pasteMark: "begin" | "end" | undefined;
  const onKey = (text: string | undefined, { ctrl, meta, name = "", code }: Key) => {
    if (pasteMark && text === "~") {
      editor.write(null, { name: "backspace" });
      if (pasteMark === "end") pasted();
    }
    pasteMark = code === "[200" ? "begin" : code === "[201" ? "end" : undefined;
    if (pasteMark === "begin" && !isAsking) paste.begin();
    if (ctrl && name === "l") output.write(clearScreen);
    // In its turn, behind what was typed before: that is for the room before.
    if (meta && /^[1-9]$/.test(name) && attendant && !isAsking && !isOver) {
      const draft = editor.line;
      empty();
      take(escape + name + draft);
    }
    drawSoon();
  };
  input.on("keypress", onKey);
  output.write(markPastes);
  output.on("resize", draw);
  output.on("error", () => {}); // The terminal has gone; a signal says so.

  return {
    hasCommands: true,
    takesLines: true,
    lines,
    outputGone: new Promise(() => {}),
    show,
    async ask(question) {
      prompts = [question];
      isAsking = true;
      draw();
      const { done, value } = await lines.next();
      isAsking = false;
      prompts = [""];
      return done ? undefined : value;
    },
    prompt(...texts) {
      if (texts.join() === prompts.join()) return;
      prompts = texts;
      draw();
    },
    write(text) {
      if (isOver || text === "") return;
      const { line } = editor;
      empty();
      editor.write(text + line);
    },
    bell: () => void (isClosed || output.write(bell)),
    attend: (its) => void (attendant = its),
    close() {
      if (isClosed) return;
      isClosed = true;
      output.write(clearRow + unmarkPastes);
      input.off("keypress", onKey);
      output.off("resize", draw);
      editor.close();
      if (input.isTTY) input.setRawMode(false);
    },
  };
}

interface Key {
  readonly ctrl?: boolean;
  readonly meta?: boolean;
  readonly name?: string;
  /** The sequence without its escape character. */
  readonly code?: string;
}

/** An answer is no line to be said again. */
function forget(editor: ReturnType<typeof createInterface>): void {
  if ("history" in editor && Array.isArray(editor.history)) editor.history.shift();
}
