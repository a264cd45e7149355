import { assertEquals } from "@std/assert";
import { formatBytes, formatResult } from "../../protocol/answer_text.ts";

const at = Date.UTC(2026, 10, 23, 9, 13, 5);

const results: readonly [command: string, value: unknown, lines: readonly string[]][] = [
  ["drain", {}, ["Done."]],
  ["bans", { bans: [] }, ["No bans."]],
  [
    "bans",
    {
      bans: [{ who: "Mallory", by: "Alice", why: "", untilMs: at }, {
        who: "Eve",
        by: "(operator)",
      }],
    },
    [
      "who      by          why  until",
      "Mallory  Alice       -    2026-11-23 09:13:05Z",
      "Eve      (operator)  -    -",
    ],
  ],
  [
    "users",
    { users: [{ name: "Bob", isHere: true, isAdmin: false, lastSeenMs: 0 }], total: 700 },
    ["name  here  admin  last seen", "Bob   yes   -      -", "700 in all"],
  ],
  [
    "who",
    { members: [{ name: "Bob", role: "owner", isHere: false }], total: 1, here: 0 },
    ["name  role   here", "Bob   owner  -", "0 here"],
  ],
  [
    "stats",
    { upMs: 93_784_000, connections: 3, memoryBytes: 50 * 1024 * 1024, isDraining: true },
    ["up           1d 2h", "connections  3", "memory       50.0 MiB", "draining     yes"],
  ],
  ["invite", { invitation: "AAAA" }, ["invitation  AAAA"]],
  ["history", {}, ["Nothing is kept there."]],
  ["whois", { name: "\x1b[2J\nBob" }, ["name  \\x1b[2J\\x0aBob"]],
  ["unknown", "text\x07", ['"text\\u0007"']],
];

for (const [command, value, lines] of results) {
  Deno.test(`an answer to ${command} is shown as ${JSON.stringify(lines[0])} …`, () => {
    assertEquals(formatResult(command, value), lines);
  });
}

Deno.test("what a column is headed by is made visible as what is in it", () => {
  assertEquals(formatResult("x", { rows: [{ "a\x1b": "\u202e" }] }), ["a\\x1b", "\\u{202e}"]);
});

Deno.test("bytes are shown as people read them", () => {
  assertEquals([0, 1, 28_672, 1024 * 1024, 1.55e9].map(formatBytes), [
    "0 KiB",
    "1 KiB",
    "28 KiB",
    "1.0 MiB",
    "1478.2 MiB",
  ]);
});
