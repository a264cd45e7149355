import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Intent, parseInput } from "../../client/chat/input.ts";

const bytesMax = 20;
const seq = undefined;

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
  ["/me waves", { kind: "me", text: "waves" }],
  ["/ME   waves a  lot ", { kind: "me", text: "waves a  lot" }],
  ["/who", { kind: "command", name: "who", args: {} }],
  ["/Who ", { kind: "command", name: "who", args: {} }],
  ["/kick @Bob too loud", {
    kind: "command",
    name: "kick",
    args: { user: "Bob", why: "too loud" },
  }],
  ["/ban Bob 1h", { kind: "command", name: "ban", args: { who: "Bob", forMs: 3600_000 } }],
  ["/announce on", { kind: "command", name: "announce", args: { isOn: true } }],
  ["/away", { kind: "command", name: "away", args: {} }],
  ["/invite 1d 5", { kind: "command", name: "invite", args: { forMs: 86_400_000, uses: 5 } }],
  ["/help", { kind: "help", about: undefined }],
  ["/help all", { kind: "help", about: "all" }],
  ["/quit", { kind: "quit" }],
  ["/join team", { kind: "join", name: "team", open: false }],
  ["/join #team --open", { kind: "join", name: "team", open: true }],
  ["/part", { kind: "part", name: undefined }],
  ["/part #team", { kind: "part", name: "team" }],
  ["/switch", { kind: "switch", to: undefined }],
  ["/next", { kind: "switch", to: undefined }],
  ["/switch #team", { kind: "switch", to: "team" }],
  ["/switch 2", { kind: "switch", to: "2" }],
  ["\x1b2", { kind: "switch", to: 2, draft: "" }],
  ["\x1b2half a li", { kind: "switch", to: 2, draft: "half a li" }],
  ["at broadcast://a:1#b", { kind: "say", text: "at broadcast://a:1#b" }],
  ["/topic", { kind: "topic", text: undefined }],
  ["/topic all  is new", { kind: "topic", text: "all  is new" }],
  ["/history", { kind: "history", count: 50, before: undefined }],
  ["/close", { kind: "close", name: undefined }],
  ["/close #team", { kind: "close", name: "team" }],
  ["/history 5 #120", { kind: "history", count: 5, before: 120 }],
  ["/history 1000", { kind: "history", count: 500, before: undefined }],
  ["/search two words", { kind: "search", word: "two words" }],
  ["/reply yes", { kind: "reply", seq, text: "yes" }],
  ["/reply 12 yes", { kind: "reply", seq: 12, text: "yes" }],
  ["/reply #12  two  words", { kind: "reply", seq: 12, text: "two  words" }],
  ["/reply 42", { kind: "reply", seq, text: "42" }],
  ["/edit that is better", { kind: "edit", seq, text: "that is better" }],
  ["/edit 7 better", { kind: "edit", seq: 7, text: "better" }],
  ["/edit #7 3 o'clock", { kind: "edit", seq: 7, text: "3 o'clock" }],
  ["/delete", { kind: "delete", seq }],
  ["/delete #7", { kind: "delete", seq: 7 }],
  ["/react 👍", { kind: "react", seq, text: "👍" }],
  ["/react 7 👍", { kind: "react", seq: 7, text: "👍" }],
  ["/react 7 off", { kind: "react", seq: 7, text: "" }],
  ["/receipts", { kind: "receipts", seq }],
  ["/receipts 7", { kind: "receipts", seq: 7 }],
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
  ["/kik Bob", /Did you mean \/kick\?/],
  ["/usr/bin/env", /no command \/usr\/bin\/env\. \/help lists.*type \/\//],
  ["/", /no command \/\. \/help lists/],
  ["/ me", /no command \/\. /],
  ["/toString", /no command \/toString\./],
  [`/${"x".repeat(1000)}`, /no command \/x{20}…\. \/help lists/],
  ["/me", /^Type \/me TEXT to say what you do/],
  ["/quit now", /^Type \/quit to leave/],
  ["/part two rooms", /^Type \/part \[ROOM\] to leave this room/],
  [" broadcast://host:9000/team#a.b.c ", /^Not sent: .* \/quit, then broadcast connect 'LINK'/],
  ["/join broadcast://host:9000/team#a", /^A link is for a new connection\. .* \/quit, then/],
  ["/kick", /^WHO is missing\. It is typed: \/kick WHO \[WHY\]\. \/help kick tells more\.$/],
  ["/ban Bob 1x", /"1x" is no time/],
  ["/join", /^ROOM is missing\. It is typed: \/join ROOM/],
  ["/join two rooms", /"rooms" is too much/],
  ["/history soon", /"soon" is no whole number/],
  ["/search", /^Type \/search TEXT/],
  ["/edit", /^Type \/edit \[N\] TEXT/],
  ["/edit #12", /^Type \/edit \[N\] TEXT/],
  ["/delete it", /^Type \/delete \[N\]/],
  ["/react", /^Type \/react \[N\] EMOJI/],
  ["/react 12", /^Type \/react/],
  ["/react two words", /^Type \/react/],
  [`/react ${"x".repeat(65)}`, /^A reaction is an emoji or a short word/],
  [`/topic ${"x".repeat(1025)}`, /^TEXT is too long/],
];

for (const [line, hint] of mistakes) {
  Deno.test(`parseInput tells what to type instead of ${line.slice(0, 20)}`, () => {
    const intent = parseInput(line, bytesMax);
    assert(intent.kind === "mistake", JSON.stringify(intent));
    assertMatch(intent.hint, hint);
  });
}

Deno.test("parseInput counts bytes, of what would be sent", () => {
  assertEquals(parseInput("é".repeat(10), bytesMax).kind, "say");
  assertEquals(parseInput(`/me ${"x".repeat(20)}`, bytesMax).kind, "me");
  assertEquals(parseInput(`//${"x".repeat(19)}`, bytesMax).kind, "say");
  assertEquals(parseInput("é".repeat(11), bytesMax), {
    kind: "too_long",
    bytes: 22,
    bytesMax: 20,
    hint: "The line has 22 bytes; a message may have 20. Send it in parts.",
  });
  for (const command of ["me", "reply", "edit", "edit #12"]) {
    assertEquals(parseInput(`/${command} ${"x".repeat(21)}`, bytesMax).kind, "too_long");
  }
});
