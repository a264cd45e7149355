import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { concat } from "../../protocol/bytes.ts";
import { classicPrompt } from "../../protocol/classic.ts";
import {
  type ClassicOutput,
  ClassicServerReader,
  promptSkipper,
} from "../../protocol/classic_server_reader.ts";

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function readAll(pieces: Iterable<Uint8Array>): ClassicOutput[] {
  const reader = new ClassicServerReader();
  return [...[...pieces].flatMap((piece) => reader.push(piece)), ...reader.end()];
}

const session = encode(
  "Enter your username:" +
    "Username cannot be empty. Try again:Enter your username:" +
    "This name already taken.Try otherEnter your username:" +
    "[Alice]: Hello everyone!\n[Zoë]: Enter your username:\r\n" +
    "This name already taken.Try other\n[Bob]: cut off",
);
const outputs: ClassicOutput[] = [
  { kind: "prompt" },
  { kind: "refusal", reason: "empty" },
  { kind: "prompt" },
  { kind: "refusal", reason: "taken" },
  { kind: "prompt" },
  { kind: "line", text: "[Alice]: Hello everyone!" },
  { kind: "line", text: "[Zoë]: Enter your username:" },
  { kind: "line", text: "This name already taken.Try other" }, // a message with a newline in it
  { kind: "line", text: "[Bob]: cut off" },
];

Deno.test("ClassicServerReader tells prompts, refusals and lines apart", () => {
  assertEquals(readAll([session]), outputs);
});

Deno.test("ClassicServerReader reads the same wherever the bytes are cut", () => {
  assertEquals(readAll(Array.from(session, (byte) => Uint8Array.of(byte))), outputs);
  for (let at = 0; at <= session.length; at++) {
    assertEquals(readAll([session.subarray(0, at), session.subarray(at)]), outputs);
  }
});

Deno.test("ClassicServerReader gives a prompt as soon as it is whole", () => {
  const reader = new ClassicServerReader();
  assertEquals(reader.push(encode("Enter your username")), []);
  assertEquals(reader.push(encode(":")), [{ kind: "prompt" }]);
});

Deno.test("ClassicServerReader takes what is no prompt for a line", () => {
  assertEquals(readAll([encode("Enter your password:\n")]), [
    { kind: "line", text: "Enter your password:" },
  ]);
});

Deno.test("ClassicServerReader drops the rest of an endless line", () => {
  const reader = new ClassicServerReader();
  const lines: string[] = [];
  const take = (text: string) => {
    for (const output of reader.push(encode(text))) {
      if (output.kind === "line") lines.push(output.text);
    }
  };
  for (let i = 0; i < 100; i++) take(`[Eve]: ${"x".repeat(1000)}`);
  take("[Bob]: forged\n[Bob]: real\n");
  assertEquals(lines.length, 2);
  assertEquals(lines[0]!.slice(-2), "x…");
  assertEquals(lines[1], "[Bob]: real");
});

Deno.test("ClassicServerReader survives random bytes", () => {
  fc.assert(fc.property(fc.array(fc.uint8Array()), (reads) => void readAll(reads)));
});

function skip(pieces: Uint8Array[]): string {
  const skipPrompt = promptSkipper();
  return new TextDecoder().decode(concat(pieces.map(skipPrompt)));
}

Deno.test("promptSkipper drops one exact prompt, wherever it is cut", () => {
  for (
    const [sent, left] of [
      [classicPrompt, ""],
      [`${classicPrompt}\0\0\0x`, "\0\0\0x"],
      [`${classicPrompt}${classicPrompt}`, classicPrompt],
      ["\0\0\x01\0 a frame", "\0\0\x01\0 a frame"],
      ["Enter your password:", "Enter your password:"],
      ["Enter", ""], // more may come
      ["", ""],
    ]
  ) {
    const bytes = encode(sent!);
    assertEquals(skip(Array.from(bytes, (byte) => Uint8Array.of(byte))), left);
    for (let at = 0; at <= bytes.length; at++) {
      assertEquals(skip([bytes.subarray(0, at), bytes.subarray(at)]), left);
    }
  }
});
