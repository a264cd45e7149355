import { assert, assertEquals } from "@std/assert";
import { prompts, type PromptState } from "../../client/chat/prompt.ts";
import { cells } from "../../client/chat/wrap.ts";

const team: PromptState = {
  room: { name: "team", sealed: false },
  isConnected: true,
  unread: [],
  typists: [],
};
const lobby = { name: "lobby", unread: 3, isMentioned: false };
const ops = { name: "ops", unread: 1, isMentioned: true };

const cases: readonly [state: Partial<PromptState>, prompts: readonly string[]][] = [
  [{}, ["team (open)> "]],
  [{ room: { name: "team", sealed: true } }, ["team (sealed)> "]],
  [{ isConnected: false }, ["team (not connected)> "]],
  [{ room: undefined }, ["(no room)> "]],
  [{ room: undefined, isConnected: false }, ["(not connected)> "]],
  [{ unread: [lobby, ops] }, [
    "team (open) [ops 1!, lobby 3]> ",
    "team (open) [4!]> ",
    "team (open)> ",
  ]],
  [{ typists: ["Bob"] }, ["team (open) Bob is typing…> ", "team (open)> "]],
  [{ typists: ["Bob", "Eve"] }, ["team (open) Bob and Eve are typing…> ", "team (open)> "]],
  [{ typists: ["A", "B", "C"] }, ["team (open) several are typing…> ", "team (open)> "]],
  [{ room: { name: "a\x1b[2J", sealed: false } }, ["a\\x1b[2J (open)> "]],
];

for (const [state, expected] of cases) {
  Deno.test(`the prompt says ${JSON.stringify(expected[0])}`, () => {
    assertEquals(prompts({ ...team, ...state }), expected);
  });
}

Deno.test("many rooms with something new are counted, and prompts only get shorter", () => {
  const unread = Array.from({ length: 9 }, (_, at) => ({ ...lobby, name: `room${at}` }));
  const all = prompts({ ...team, unread: [...unread, ops], typists: ["Bob"] });
  assertEquals(all[1], "team (open) [ops 1!, room0 3, room1 3, room2 3, +6]> ");
  const widths = all.map(cells);
  assertEquals(widths, widths.toSorted((a, b) => b - a));
  assert(all.every((prompt) => prompt.startsWith("team (open)")));
});
