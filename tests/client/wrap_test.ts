import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { cells, wrap } from "../../client/chat/wrap.ts";
import { visible } from "../../protocol/visible.ts";

const cases: readonly [line: string, columns: number, rows: string[]][] = [
  ["", 10, [""]],
  ["short", 10, ["short"]],
  ["exactly 10", 10, ["exactly 10"]],
  ["one two three four", 10, ["one two ", "  three ", "  four"]],
  ["abcdefghijklmno", 10, ["abcdefghij", "  klmno"]],
  ["a              [Bob]: x", 10, ["a         ", "       ", "  [Bob]: x"]],
  ["世界世界世界", 6, ["世界世", "  界世", "  界"]],
  ["e\u0301e\u0301e\u0301", 3, ["e\u0301e\u0301e\u0301"]],
];

for (const [line, columns, rows] of cases) {
  Deno.test(`wrap cuts ${JSON.stringify(line)} at ${columns} columns`, () => {
    assertEquals(wrap(line, columns, "  "), rows);
  });
}

Deno.test("wrap loses nothing, indents every row but the first, keeps within the columns", () => {
  const anyText = fc.string({ unit: "grapheme" });
  fc.assert(
    fc.property(anyText, fc.integer({ min: 20, max: 100 }), (text, columns) => {
      const line = visible(text);
      const [first, ...rest] = wrap(line, columns, "    ");
      for (const row of rest) assert(row.startsWith("    "));
      for (const row of [first!, ...rest]) {
        assert(cells(row) <= columns || [...row].length < 20);
      }
      assertEquals([first, ...rest.map((row) => row.slice(4))].join(""), line);
    }),
  );
});

Deno.test("cells counts marks with their letter and wide characters twice", () => {
  const counts: readonly [string, number][] = [
    ["abc", 3],
    ["Grüße", 5],
    ["мир", 3],
    ["世界", 4],
    ["e\u0301", 1],
    ["❤️", 2],
    ["─…→", 3],
  ];
  for (const [text, count] of counts) assertEquals(cells(text), count, text);
});
