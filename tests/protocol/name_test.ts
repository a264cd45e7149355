import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../protocol/errors.ts";
import { normalizeName, skeleton } from "../../protocol/name.ts";

const names: readonly [text: string, normal: string][] = [
  ["Alice", "Alice"],
  [" Alice\t", "Alice"],
  ["a", "a"],
  ["7of9", "7of9"],
  ["a.b_c-d", "a.b_c-d"],
  ["ＡＢＣ", "ABC"],
  ["ﬁona", "fiona"],
  ["Jose\u0301", "Jos\u00e9"],
  ["Ελένη", "Ελένη"],
  ["Наташа", "Наташа"],
  ["名前", "名前"],
  ["हिन्दी", "हिन्दी"],
  ["x".repeat(32), "x".repeat(32)],
  ["𠮷".repeat(32), "𠮷".repeat(32)],
];

for (const [text, normal] of names) {
  Deno.test(`normalizeName makes ${JSON.stringify(text)} "${normal}"`, () => {
    assertEquals(normalizeName(text), normal);
    assertEquals(normalizeName(normal), normal);
  });
}

const none = [
  "",
  " ",
  "two words",
  "x".repeat(33),
  ".hidden",
  "_a",
  "-a",
  "a/b",
  "a\\b",
  "[Bob]:",
  "a\u200bb",
  "a\u202eb",
  "a\u00adb",
  "a\u115fb",
  "a\u3164b",
  "a\nb",
  "a\x1b[2Jb",
  "\u0301a",
  "😀",
  "*",
];

for (const text of none) {
  Deno.test(`normalizeName refuses ${JSON.stringify(text)}`, () => {
    assertEquals(assertThrows(() => normalizeName(text), ProtocolError).code, "bad_name");
  });
}

const alike: readonly [one: string, other: string][] = [
  ["Alice", "alice"],
  ["Alice", "AIice"],
  ["Alice", "A1ice"],
  ["Alice", "Аlice"], // A Cyrillic А.
  ["Alice", "Alicе"], // A Cyrillic е.
  ["Alpha", "Αlpha"], // A Greek Α.
  ["paypal", "раураl"],
  ["Bob", "B0b"],
  ["modern", "modem"],
  ["Jose", "José"],
  ["Jorg", "Jörg"],
  ["Ivan", "Ӏvan"], // A palochka.
  ["Istanbul", "İstanbul"],
  ["fiona", "ﬁona"],
];

for (const [one, other] of alike) {
  Deno.test(`"${one}" and "${other}" look alike`, () => {
    assertEquals(skeleton(other), skeleton(one));
  });
}

const different: readonly [one: string, other: string][] = [
  ["Alice", "Alicia"],
  ["Anna", "Hanna"],
  ["user1", "user2"],
  ["a.b", "a-b"],
  ["名前", "名刺"],
  ["Наташа", "Natasha"],
];

for (const [one, other] of different) {
  Deno.test(`"${one}" and "${other}" do not look alike`, () => {
    assertNotEquals(skeleton(other), skeleton(one));
  });
}
