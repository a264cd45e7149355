import { assert, assertEquals, assertMatch } from "@std/assert";
import { commands, complete, helpText, type Intent, parseInput } from "../../client/input.ts";

const bytesMax = 20;

const cases: readonly [line: string, intent: Intent][] = [
  ["Hello everyone!", { kind: "say", text: "Hello everyone!" }],
  ["  indented ", { kind: "say", text: "  indented " }],
  ["windows\r\n", { kind: "say", text: "windows" }],
  ["", { kind: "nothing" }],
  [" \t ", { kind: "nothing" }],
  ["//etc/hosts", { kind: "say", text: "/etc/hosts" }],
  ["//", { kind: "say", text: "/" }],
  ["///", { kind: "say", text: "//" }],
  [" /quit", { kind: "say", text: " /quit" }],
  ["/me waves", { kind: "action", text: "waves" }],
  ["/ME   waves a  lot ", { kind: "action", text: "waves a  lot" }],
  ["/who", { kind: "who" }],
  ["/Who ", { kind: "who" }],
  ["/help", { kind: "help" }],
  ["/quit", { kind: "quit" }],
];

for (const [line, intent] of cases) {
  Deno.test(`parseInput takes ${JSON.stringify(line)} for ${intent.kind}`, () => {
    assertEquals(parseInput(line, bytesMax), intent);
  });
}

const mistakes: readonly [line: string, hint: RegExp][] = [
  ["/hlep", /no command \/hlep\. Did you mean \/help\?/],
  ["/HELLP", /Did you mean \/help\?/],
  ["/q", /Did you mean \/quit\?/],
  ["/qiut", /Did you mean \/quit\?/],
  ["/whom is there", /Did you mean \/who\?/],
  ["/usr/bin/env", /no command \/usr\/bin\/env\. \/help lists.*type \/\//],
  ["/", /no command \/\. \/help lists/],
  ["/ me", /no command \/\. /],
  [`/${"x".repeat(1000)}`, /no command \/x{20}…\. \/help lists/],
  ["/me", /^Type \/me <what you do> to say what you do/],
  ["/quit now", /^Type \/quit to leave/],
];

for (const [line, hint] of mistakes) {
  Deno.test(`parseInput tells what to type instead of ${line.slice(0, 20)}`, () => {
    const intent = parseInput(line, bytesMax);
    assert(intent.kind === "mistake");
    assertMatch(intent.hint, hint);
  });
}

Deno.test("parseInput counts bytes, of what would be sent", () => {
  assertEquals(parseInput("é".repeat(10), bytesMax).kind, "say");
  assertEquals(parseInput(`/me ${"x".repeat(20)}`, bytesMax).kind, "action");
  assertEquals(parseInput(`//${"x".repeat(19)}`, bytesMax).kind, "say");
  assertEquals(parseInput("é".repeat(11), bytesMax), {
    kind: "too_long",
    bytes: 22,
    bytesMax: 20,
    hint: "The line has 22 bytes; a message may have 20. Send it in parts.",
  });
  assertEquals(parseInput(`/me ${"x".repeat(21)}`, bytesMax).kind, "too_long");
});

Deno.test("helpText lists every command on a line of its own", () => {
  const lines = helpText().split("\n");
  assertEquals(lines.length, commands.length + 1);
  for (const [at, { name, summary }] of commands.entries()) {
    assert(lines[at]!.startsWith(`/${name}`));
    assert(lines[at]!.endsWith(summary));
  }
});

Deno.test("complete offers the commands that start so", () => {
  assertEquals(complete("/h"), ["/help"]);
  assertEquals(complete("/M"), ["/me "]);
  assertEquals(complete("/").length, commands.length);
  for (const line of ["", "h", "//", "/me w", "/x", "see /h"]) {
    assertEquals(complete(line), []);
  }
});
