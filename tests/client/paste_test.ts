import { assertEquals } from "@std/assert";
import { Paste } from "../../client/chat/paste.ts";

/** Pastes so many lines; those that are taken at once. */
function pasteInto(paste: Paste, count: number) {
  paste.begin();
  for (let at = 0; at < count; at++) assertEquals(paste.hold(`${at}`), true);
  return paste.end();
}

Deno.test("what is typed is no paste", () => {
  const paste = new Paste();
  assertEquals([paste.hold("typed"), paste.question], [false, undefined]);
  pasteInto(paste, 2);
  assertEquals(paste.hold("typed"), false);
});

Deno.test("five pasted lines are taken at once, six after a yes", () => {
  const paste = new Paste();
  assertEquals(pasteInto(paste, 5).lines.length, 5);
  for (const [answer, count] of [["y", 6], ["YES ", 6], ["", 0], ["n", 0], ["yesterday", 0]]) {
    assertEquals(pasteInto(paste, 6), { lines: [] });
    assertEquals(paste.question, "Send 6 lines? [y/N] ");
    assertEquals(paste.answer(`${answer}`).length, count);
    assertEquals(paste.question, undefined);
  }
});

Deno.test("what is pasted while it is asked is asked about too, and answers nothing", () => {
  const paste = new Paste();
  pasteInto(paste, 6);
  assertEquals(pasteInto(paste, 1), { lines: [] });
  assertEquals(paste.question, "Send 7 lines? [y/N] ");
  assertEquals(paste.answer("y").length, 7);
});

Deno.test("too long a paste is not kept, and why is told", () => {
  const paste = new Paste();
  const { lines, why } = pasteInto(paste, 10_001);
  assertEquals([lines.length, paste.question], [0, undefined]);
  assertEquals(why?.startsWith("10001 lines were pasted, and none was sent."), true);
  assertEquals(pasteInto(paste, 1).lines, ["0"]);
});
