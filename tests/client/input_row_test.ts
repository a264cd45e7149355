import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { drawRow, type InputRow, windowOf } from "../../client/chat/input_row.ts";
import { cells } from "../../client/chat/wrap.ts";
import { Screen } from "../e2e/screen.ts";

/** `|` is the cursor. */
function rowOf(text: string, prompt = "lobby> "): InputRow {
  const cursor = text.indexOf("|");
  return { prompts: [prompt], line: text.replace("|", ""), cursor };
}

const cases: readonly [text: string, columns: number, shown: string][] = [
  ["|", 40, "lobby> |"],
  ["Hello|", 40, "lobby> Hello|"],
  ["Hel|lo", 40, "lobby> Hel|lo"],
  ["|a line that is longer than the row", 30, "lobby> |a line that is longer…"],
  ["a line that is longer than the row|", 30, "lobby> …s longer than the row|"],
  ["a line that is lon|ger than the row", 30, "lobby> …ne that is lon|ger th…"],
  ["漢字漢字漢字漢字漢字漢字|漢字", 30, "lobby> …漢字漢字漢字漢字|漢字"],
  ["tab\there|", 40, "lobby> tab    here|"],
  ["\x1b[2J|", 40, "lobby> \\x1b[2J|"],
  ["no room for the prompt|", 24, "> … room for the prompt|"],
];

for (const [text, columns, shown] of cases) {
  Deno.test(`the row for ${JSON.stringify(text)} in ${columns} columns is ${shown}`, () => {
    const { prompt, before, after } = windowOf(rowOf(text), columns);
    assertEquals(`${prompt}${before}|${after}`, shown);
  });
}

Deno.test("the row is never wider than the terminal, and ends where the cursor is", () => {
  const texts = fc.string({ unit: "grapheme", maxLength: 200 });
  fc.assert(
    fc.property(texts, texts, fc.integer({ min: 24, max: 120 }), (before, after, columns) => {
      const row = { prompts: ["lobby> "], line: before + after, cursor: before.length };
      const shown = windowOf(row, columns);
      const width = cells(shown.prompt) + cells(shown.before);
      assert(width + cells(shown.after) < columns, JSON.stringify(shown));

      const screen = new Screen(columns);
      screen.write(`above\r\n${drawRow(row, columns)}${drawRow(row, columns)}`);
      assertEquals(screen.rows[0], "above");
      assertEquals(screen.rows.length, 2);
      assertEquals(screen.column, width);
    }),
  );
});
