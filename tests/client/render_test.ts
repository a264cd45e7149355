import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { nameColor, render, type Shown, type ShownMessage } from "../../client/chat/render.ts";
import { linesShownMax } from "../../protocol/visible.ts";

function message(text: string, more: Partial<ShownMessage> = {}): ShownMessage {
  return {
    kind: "message",
    name: "Alice",
    text,
    action: false,
    verified: "signed",
    time: 0,
    ...more,
  };
}

const cases: readonly [item: Shown, shown: string][] = [
  [message("Hello everyone!"), "[Alice]: Hello everyone!"],
  [message("waves", { action: true }), "* Alice waves"],
  [message("hi", { verified: "unverified" }), "[Alice]: hi (not verified)"],
  [
    message("hi", { verified: "failed" }),
    "[!] [Alice]: hi (does not verify: this may not be from Alice)",
  ],
  [message(""), "[Alice]: "],
  [message("one\ntwo\n"), "[Alice]: one\n  | two"],
  [message("x\n[Bob]: forged"), "[Alice]: x\n  | [Bob]: forged"],
  [message("x\r[Bob]: forged"), "[Alice]: x\n  | [Bob]: forged"],
  [message("x\n* Bob waves", { action: true }), "* Alice x\n  | * Bob waves"],
  [
    message("x\ny", { verified: "failed" }),
    "[!] [Alice]: x\n[!] | y (does not verify: this may not be from Alice)",
  ],
  [message("\x1b[1A\x1b[2K[Bob]: forged"), "[Alice]: \\x1b[1A\\x1b[2K[Bob]: forged"],
  [message("hi", { name: "Al\nice\x1b" }), "[Al\\x0aice\\x1b]: hi"],
  [message("hi", { name: "x".repeat(1000) }), `[${"x".repeat(32)}…]: hi`],
  [
    message("hi", { seq: 12, notes: ["edited", "to #3 Bob: \x1b"] }),
    "#12 [Alice]: hi (edited) (to #3 Bob: \\x1b)",
  ],
  [message("a\nb", { notes: ["edited"] }), "[Alice]: a\n  | b (edited)"],
  [{ kind: "mark" }, "---- new ----"],
  [
    { kind: "link", text: `broadcast://${"x".repeat(100)}\n` },
    `broadcast://${"x".repeat(100)}\\x0a`,
  ],
  [{ kind: "joined", name: "Alice" }, "Alice joined"],
  [{ kind: "left", name: "Al\x07ice" }, "Al\\x07ice left"],
  [{ kind: "notice", text: "Connected to \x1b.\nHello" }, "Connected to \\x1b.\n  | Hello"],
  [{ kind: "line", text: "[Bob]: a\x1b[0m\r\n" }, "[Bob]: a\\x1b[0m"],
];

for (const [item, shown] of cases) {
  Deno.test(`render shows ${JSON.stringify(item).slice(0, 90)}`, () => {
    assertEquals(render(item), shown);
  });
}

/** Every kind of item, with any text and name. */
function anyItem(): fc.Arbitrary<Shown> {
  const nasty = fc.constantFrom("\x1b[31m", "\n", "\r", "[Bob]: ", " ".repeat(80), "\u202e", "世");
  const text = fc.array(fc.oneof(nasty, fc.string({ unit: "binary" }))).map((all) => all.join(""));
  return fc.oneof(
    fc.record({
      kind: fc.constant("message" as const),
      name: text,
      text,
      action: fc.boolean(),
      verified: fc.constantFrom("signed" as const, "unverified" as const, "failed" as const),
      time: fc.nat(),
      seq: fc.nat(),
      notes: fc.array(text),
    }),
    fc.record({ kind: fc.constantFrom("joined" as const, "left" as const), name: text }),
    fc.record({ kind: fc.constantFrom("notice" as const, "line" as const), text }),
  );
}

Deno.test("render without colors prints no control but its own newlines", () => {
  fc.assert(
    fc.property(
      anyItem(),
      fc.constantFrom(undefined, 20, 80),
      (item, columns) => {
        const shown = render(item, columns === undefined ? {} : { columns });
        assert(!/[[\p{Cc}\p{Bidi_Control}]--\n]/v.test(shown), JSON.stringify(shown));
      },
    ),
  );
});

Deno.test("render starts no row but the first in the first column", () => {
  fc.assert(
    fc.property(anyItem(), fc.constantFrom(20, 80, 100), (item, columns) => {
      const [, ...rest] = render(item, { columns }).split("\n");
      for (const row of rest) assertMatch(row, /^( {2}\| | {4}|\[!\] \| )/);
    }),
  );
});

Deno.test("render with colors is the same text with colors", () => {
  fc.assert(fc.property(anyItem(), fc.constantFrom(20, 80), (item, columns) => {
    const colored = render(item, { columns, color: true });
    // deno-lint-ignore no-control-regex
    const bare = colored.replace(/\x1b\[[\d;]*m/g, "");
    assertEquals(bare, render(item, { columns }));
  }));
});

Deno.test("render bounds the rows of one message", () => {
  assertEquals(render(message("\n".repeat(5000) + "x")).split("\n").length, linesShownMax);
});

Deno.test("render wraps before the terminal does", () => {
  const filled = ".".repeat(20 - "[Alice]: ".length);
  assertEquals(
    render(message(`${filled}[Bob]: forged`), { columns: 20 }),
    `[Alice]: ${filled}\n    [Bob]: forged`,
  );
});

Deno.test("render puts number and time in front when asked", () => {
  const timed = { time: 60_000, seq: 12, isTimed: true };
  assertEquals(render(message("hi", timed)), "#12 00:01 [Alice]: hi");
  assertEquals(
    render(message("hi", { ...timed, action: true }), { color: true }),
    `#12 00:01 * \x1b[38;5;${nameColor("Alice")}mAlice\x1b[39m hi`,
  );
});

Deno.test("render makes bold what names who looks at it, row by row, where there are colors", () => {
  const mention = message("hi\nBob", { isMention: true });
  const [first, second] = render(mention, { color: true }).split("\n");
  assertEquals(first, `\x1b[1m[\x1b[38;5;${nameColor("Alice")}mAlice\x1b[39m]: hi\x1b[22m`);
  assertEquals(second, "\x1b[1m  | Bob\x1b[22m");
  assertEquals(render(mention), "[Alice]: hi\n  | Bob");
});

Deno.test("render colors the name and the mark", () => {
  assertEquals(
    render(message("hi"), { color: true }),
    `[\x1b[38;5;${nameColor("Alice")}mAlice\x1b[39m]: hi`,
  );
  assert(
    render(message("hi", { verified: "failed" }), { color: true }).startsWith(
      "\x1b[1;31m[!] \x1b[0m[",
    ),
  );
});

Deno.test("nameColor is stable, uses all colors, and reads on black and on white", () => {
  const seen = new Set<number>();
  for (let i = 0; i < 1000; i++) seen.add(nameColor(`user${i}`));
  assertEquals(seen.size, 12);
  assertEquals(nameColor("Alice"), nameColor("Alice"));
  for (const color of seen) {
    const light = luminance(color);
    assert(contrast(light, 0) >= 4, `${color} on black`);
    assert(contrast(light, 1) >= 4, `${color} on white`);
  }
});

/** Relative luminance (WCAG 2) of a color of the 6 x 6 x 6 cube of the 256-color palette. */
function luminance(color: number): number {
  const channel = (level: number) => {
    const value = [0, 95, 135, 175, 215, 255][level % 6]! / 255;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  const cube = color - 16;
  return 0.2126 * channel(Math.floor(cube / 36)) +
    0.7152 * channel(Math.floor(cube / 6)) +
    0.0722 * channel(cube);
}

function contrast(a: number, b: number): number {
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}
