import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { linesShownMax, visible, visibleLines } from "../../protocol/visible.ts";

const cases: readonly [what: string, text: string, shown: string][] = [
  ["plain text", "Hello everyone! ~\\", "Hello everyone! ~\\"],
  ["letters of other scripts", "Grüße, мир, 世界, שלום, สวัสดี", "Grüße, мир, 世界, שלום, สวัสดี"],
  [
    "an escape sequence",
    "\x1b[2J\x1b]0;title\x07",
    "\\x1b[2J\\x1b]0;title\\x07",
  ],
  ["C0 controls and DEL", "\0\b\r\x7f", "\\x00\\x08\\x0d\\x7f"],
  ["C1 controls", "\x9b31m\x85", "\\x9b31m\\x85"],
  ["a newline in one line", "a\nb", "a\\x0ab"],
  ["a tab", "a\tb", "a    b"],
  [
    "bidi overrides and isolates",
    "\u202eevil\u202c \u2066x\u2069",
    "\\u{202e}evil\\u{202c} \\u{2066}x\\u{2069}",
  ],
  ["bidi marks", "a\u200e\u200f\u061c", "a\\u{200e}\\u{200f}\\u{61c}"],
  [
    "zero-width characters",
    "a\u200b\u200c\u200d\u2060\ufeffb",
    "a\\u{200b}\\u{200c}\\u{200d}\\u{2060}\\u{feff}b",
  ],
  ["a soft hyphen", "a\u00adb", "a\\xadb"],
  ["line and paragraph separators", "a\u2028b\u2029", "a\\u{2028}b\\u{2029}"],
  ["lone surrogates", "a\ud800b\udc00", "a\\u{d800}b\\u{dc00}"],
  ["noncharacters", "\ufffe\u{1ffff}", "\\u{fffe}\\u{1ffff}"],
  ["tag characters", "a\u{e0041}", "a\\u{e0041}"],
  ["fillers that show nothing", "\u3164\u115f\u034f", "\\u{3164}\\u{115f}\\u{34f}"],
  ["emoji sequences", "👩‍💻 ❤️ 🏳️‍🌈 🇨🇭 👍🏽 1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👩‍💻 ❤️ 🏳️‍🌈 🇨🇭 👍🏽 1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿"],
  ["a joiner after an emoji, joining nothing", "👩\u200d x", "👩\\u{200d} x"],
  ["a stray variation selector", "x\ufe0f", "x\\u{fe0f}"],
  ["a non-joiner inside a Persian word", "می‌خواهم", "می‌خواهم"],
  ["a joiner after a virama", "ක්‍ෂ", "ක්‍ෂ"],
  ["two non-joiners in a row", "می\u200c\u200cخ", "می\\u{200c}\\u{200c}خ"],
  ["a few marks", "e\u0301\u0323", "e\u0301\u0323"],
  [
    "a flood of marks",
    "Z" + "\u0335\u0301".repeat(500) + "!",
    "Z" + "\u0335\u0301".repeat(4) + "…!",
  ],
];

for (const [what, text, shown] of cases) {
  Deno.test(`visible shows ${what}`, () => assertEquals(visible(text), shown));
}

Deno.test("visible lets nothing through that acts on a terminal", () => {
  const harmful = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\u200b\u2060\ufeff]/v;
  const nasty = fc.constantFrom("\x1b", "\n", "\u202e", "\u200d", "👩", "\u0301", "\ud83d", "م");
  fc.assert(fc.property(
    fc.array(fc.oneof(nasty, fc.string({ unit: "binary" })), { maxLength: 50 }),
    (parts) => {
      const shown = visible(parts.join(""));
      assert(!harmful.test(shown), JSON.stringify(shown));
      assert(!/\p{M}{12}/u.test(shown), "too many marks");
    },
  ));
});

Deno.test("visible shows what it has shown as it is", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const shown = visible(text);
    assertEquals(visible(shown), shown);
  }));
});

Deno.test("visible takes time in proportion to the text", () => {
  for (const part of ["\u0301", "👩\u200d", "a\u200d", "🇨", "\ud83d", "م\u200c", "\x1b"]) {
    const start = performance.now();
    visible(part.repeat(64 * 1024));
    const ms = performance.now() - start;
    assert(ms < 5000, `${JSON.stringify(part)} took ${ms} ms`);
  }
});

Deno.test("visibleLines cuts at every kind of newline, and drops the ones at the end", () => {
  const lines: readonly [string, string[]][] = [
    ["", [""]],
    ["\n\n", [""]],
    ["one", ["one"]],
    ["one\n", ["one"]],
    ["one\ntwo\r\nthree\rfour", ["one", "two", "three", "four"]],
    ["\n\n[Bob]: forged\x1b", ["", "", "[Bob]: forged\\x1b"]],
  ];
  for (const [text, expected] of lines) {
    assertEquals(visibleLines(text), expected);
  }
});

Deno.test("visibleLines writes newlines out when there are too many", () => {
  const lines = visibleLines("x\n".repeat(linesShownMax + 2));
  assertEquals(lines.length, linesShownMax);
  assertEquals(lines.at(-1), "x\\x0ax\\x0ax");
});
