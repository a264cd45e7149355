import { assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { argsSchema, type Command, type CommandName, commands } from "../../protocol/command.ts";
import { findCommand, parseLine, parseWords, usageOf } from "../../protocol/command_line.ts";

const hour = 3600_000;

const right: readonly [name: CommandName, line: string, args: Record<string, unknown>][] = [
  ["rooms", "", {}],
  ["join", "team", { name: "team" }],
  ["join", "#team --open", { name: "team", open: true }],
  ["join", "--open team", { name: "team", open: true }],
  ["topic", "all  that is   new", { text: "all  that is   new" }],
  ["topic", "--open is not a flag here", { text: "--open is not a flag here" }],
  ["away", "", {}],
  ["away", "back at 5", { text: "back at 5" }],
  ["history", "", {}],
  ["history", "50", { count: 50 }],
  ["history", "50 1000", { count: 50, before: 1000 }],
  ["invite", "", {}],
  ["invite", "1d", { forMs: 24 * hour }],
  ["invite", "1d 5", { forMs: 24 * hour, uses: 5 }],
  ["invite", "5", { uses: 5 }],
  ["kick", "@Bob", { user: "Bob" }],
  ["kick", "Bob 3 times warned", { user: "Bob", why: "3 times warned" }],
  ["ban", "Bob", { who: "Bob" }],
  ["ban", "Bob 1h", { who: "Bob", forMs: hour }],
  ["ban", "Bob 1h30m spam", { who: "Bob", forMs: 1.5 * hour, why: "spam" }],
  ["ban", "Bob spam for 1h", { who: "Bob", why: "spam for 1h" }],
  ["ban", "192.0.2.0/24 2W", { who: "192.0.2.0/24", forMs: 14 * 24 * hour }],
  ["mute", "Bob 5m", { user: "Bob", forMs: hour / 12 }],
  ["slow", "0s", { everyMs: 0 }],
  ["slow", "30s", { everyMs: 30_000 }],
  ["announce", "on", { isOn: true }],
  ["drain", "OFF", { isOn: false }],
  ["role", "Bob moderator", { user: "Bob", role: "moderator" }],
  ["admin", "Bob on", { user: "Bob", isOn: true }],
];

for (const [name, line, args] of right) {
  Deno.test(`"${name} ${line}" is understood`, () => {
    assertEquals(parseLine(name, line), { type: "args", args });
    const command: Command = commands[name];
    const room = command.inRoom ? { room: "AAAAAAAAAAAAAAAAAAAAAA" } : {};
    assertEquals(argsSchema(command).safeParse({ ...args, ...room }).success, true);
  });
}

const wrong: readonly [name: CommandName, line: string, told: RegExp][] = [
  ["kick", "", /^WHO is missing\. It is typed: kick WHO \[WHY\]$/],
  ["topic", "", /^TEXT is missing\./],
  ["topic", "x".repeat(1025), /^TEXT is too long: 1025 characters\./],
  ["rooms", "all", /^"all" is too much\. It is typed: rooms$/],
  ["join", "team --opne", /^There is no "--opne" here\. It is typed: join ROOM \[--open\]$/],
  ["join", "-", /^"-" is not what ROOM can be\./],
  ["ban", "Bob 5x", /^"5x" is no time: that would be 30s, 5m, 1h, 2d or 1w\./],
  ["ban", "Bob 3 strikes", /^"3" is no time/],
  ["ban", "Bob 0s", /^HOW LONG cannot be 0s: that is too little or too much\./],
  ["ban", "Bob 999999999w", /^HOW LONG cannot be 999999999w/],
  ["slow", "fast", /^"fast" is no time/],
  ["slow", "2d", /^HOW LONG cannot be 2d/],
  ["history", "0", /^HOW MANY cannot be 0/],
  ["history", "many", /^"many" is no whole number for HOW MANY\./],
  ["history", "-1", /^"-1" is no whole number for HOW MANY\./],
  ["announce", "perhaps", /^"perhaps" is neither on nor off\./],
  ["role", "Bob boss", /^"boss" would have to be reader, member, moderator or owner\./],
  ["role", "Bob", /^reader\|member\|moderator\|owner is missing\./],
];

for (const [name, line, told] of wrong) {
  Deno.test(`"${name} ${line.slice(0, 20)}" is a mistake, and what would be right is said`, () => {
    const parsed = parseLine(name, line);
    assertMatch(parsed.type === "mistake" ? parsed.text : "none", told);
  });
}

Deno.test("words that a shell has split are one text at the end", () => {
  const parsed = parseWords("topic", ["all is", "new"]);
  assertEquals(parsed, { type: "args", args: { text: "all is new" } });
});

Deno.test("usage puts what may be left out in brackets", () => {
  assertEquals(usageOf("ban"), "ban WHO [HOW LONG] [WHY]");
  assertEquals(usageOf("role"), "role WHO reader|member|moderator|owner");
  assertEquals(usageOf("stats"), "stats");
});

Deno.test("a command that is not there is answered with the one that was meant", () => {
  assertEquals(findCommand("stats"), { name: "stats" });
  const text = `There is no command "usres". Did you mean "users"?`;
  assertEquals(findCommand("usres"), { mistake: text });
  assertEquals(findCommand("toString"), { mistake: `There is no command "toString".` });
});

Deno.test("whatever is typed gives arguments that the table takes, or a mistake", () => {
  const names = Object.keys(commands) as CommandName[];
  const words = ["Bob", "#team", "1h", "5", "on", "--open", "moderator", "\u202e", "0s", "x y"];
  const word = fc.oneof(fc.constantFrom(...words), fc.string());
  const typed = fc.tuple(fc.constantFrom(...names), fc.array(word, { maxLength: 5 }));
  fc.assert(fc.property(typed, ([name, words]) => {
    for (const parsed of [parseWords(name, words), parseLine(name, words.join(" "))]) {
      if (parsed.type === "mistake") continue;
      const command: Command = commands[name];
      const room = command.inRoom ? { room: "AAAAAAAAAAAAAAAAAAAAAA" } : {};
      assertEquals(argsSchema(command).safeParse({ ...parsed.args, ...room }).success, true);
    }
  }));
});
