/** What a terminal shows of what is written to it: as much of one as our client may ask for. */

import { cells } from "../../client/chat/wrap.ts";

const ESCAPE = "\x1b";
const SEQUENCE = new RegExp(String.raw`^${ESCAPE}(?:\[\??[\d;]*[A-Za-z]|[78])`);
const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: "grapheme" });

interface Cursor {
  row: number;
  /** In cells; `columns` while the next character begins a new row. */
  column: number;
}

/** Of endless height, so that nothing scrolls away. */
export class Screen {
  columns: number;
  /** How often it rang. */
  bells = 0;
  /** Each row's cells; a wide character's second one is empty. */
  #rows: string[][] = [[]];
  #cursor: Cursor = { row: 0, column: 0 };
  #saved: Cursor = { row: 0, column: 0 };
  #wraps = true;
  /** A sequence whose end has not come. */
  #rest = "";

  constructor(columns: number) {
    this.columns = columns;
  }

  /** The rows, without the spaces at their ends. */
  get rows(): string[] {
    return this.#rows.map((row) => row.join("").trimEnd());
  }

  /** The column of the cursor. */
  get column(): number {
    return this.#cursor.column;
  }

  /** @throws for a sequence that moves the cursor as our client never does */
  write(text: string): void {
    let rest = this.#rest + text;
    this.#rest = "";
    while (rest !== "") {
      if (rest.startsWith(ESCAPE)) {
        const sequence = SEQUENCE.exec(rest)?.[0];
        if (sequence === undefined && rest.length < 16) return void (this.#rest = rest);
        if (sequence === undefined) throw new Error(`Not expected: ${JSON.stringify(rest)}`);
        this.#act(sequence);
        rest = rest.slice(sequence.length);
      } else {
        const [plain = ""] = rest.split(ESCAPE, 1);
        for (const { segment } of GRAPHEMES.segment(plain)) this.#put(segment);
        rest = rest.slice(plain.length);
      }
    }
  }

  #act(sequence: string): void {
    switch (sequence) {
      case "\x1b[K":
        return void this.#row.splice(this.#cursor.column);
      case "\x1b7":
        return void (this.#saved = { ...this.#cursor });
      case "\x1b8":
        return void (this.#cursor = { ...this.#saved });
      case "\x1b[?7l":
      case "\x1b[?7h":
        return void (this.#wraps = sequence.endsWith("h"));
      case "\x1b[H":
      case "\x1b[?2004h": // What is pasted is marked: that changes nothing on the screen.
      case "\x1b[?2004l":
        return;
      case "\x1b[2J":
        this.#rows = [[]];
        return void (this.#cursor = { row: 0, column: 0 });
      default:
        if (!sequence.endsWith("m")) throw new Error(`Not expected: ${JSON.stringify(sequence)}`);
    }
  }

  #put(grapheme: string): void {
    if (grapheme === "\r\n") {
      this.#put("\r");
      return this.#put("\n");
    }
    if (grapheme === "\r") return void (this.#cursor.column = 0);
    if (grapheme === "\n") return this.#feed();
    if (grapheme === "\x07") return void this.bells++;
    if (/\p{Cc}/u.test(grapheme)) throw new Error(`Not expected: ${JSON.stringify(grapheme)}`);
    const width = cells(grapheme);
    if (this.#cursor.column + width > this.columns) {
      if (!this.#wraps) return void (this.#cursor.column = this.columns - 1);
      this.#cursor.column = 0;
      this.#feed();
    }
    const row = this.#row;
    while (row.length < this.#cursor.column) row.push(" ");
    row.splice(this.#cursor.column, width, grapheme, ...Array<string>(width - 1).fill(""));
    this.#cursor.column += width;
  }

  #feed(): void {
    this.#cursor.row++;
    this.#rows[this.#cursor.row] ??= [];
  }

  get #row(): string[] {
    return this.#rows[this.#cursor.row]!;
  }
}
