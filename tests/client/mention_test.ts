import { assertEquals } from "@std/assert";
import { mentions } from "../../client/chat/mention.ts";

const cases: readonly [text: string, name: string, isMention: boolean][] = [
  ["Bob", "Bob", true],
  ["hi bob!", "Bob", true],
  ["@BOB: look", "Bob", true],
  ["(bob)", "Bob", true],
  ["ask alice,bob,carol", "Bob", true],
  ["that was bob.", "Bob", true],
  ["bob's turn", "Bob", true],
  ["漢字さん 漢字", "漢字", true],
  ["ＢＯＢ", "Bob", true],
  ["bob.smith, ops", "bob.smith", true],
  ["Bobby", "Bob", false],
  ["kebob", "Bob", false],
  ["bob_2", "Bob", false],
  ["bob2", "Bob", false],
  ["bob-cat", "Bob", false],
  ["bob.smith", "Bob", false],
  ["dr.bob", "Bob", false],
  ["me@bob", "Bob", false],
  ["bob@example.org", "Bob", false],
  ["Воb", "Bob", false], // Its first letters are Cyrillic.
  ["B\u043eb", "Bob", false],
  ["bob\u0301", "Bob", false],
  ["8ob", "Bob", false],
  ["", "Bob", false],
  ["bobby and bob", "Bob", true],
  ["anything", "", false],
];

for (const [text, name, isMention] of cases) {
  Deno.test(`${JSON.stringify(text)} ${isMention ? "means" : "does not mean"} ${name}`, () => {
    assertEquals(mentions(text, name), isMention);
  });
}
