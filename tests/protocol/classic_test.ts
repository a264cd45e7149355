import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  classicBodyBytesMin,
  decodeClassicFrame,
  encodeClassicFrame,
  encodeClassicMessage,
  encodeClassicName,
  encodeClassicRefusal,
  looksClassic,
} from "../../protocol/classic.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { frame } from "../../protocol/framer.ts";
import { frameBytesMaxBeforeLogin } from "../../protocol/limits.ts";

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

Deno.test("classic refusals are the original's texts, each with the prompt behind it", () => {
  assertEquals(
    text(encodeClassicRefusal("empty")),
    "Username cannot be empty. Try again:Enter your username:",
  );
  assertEquals(
    text(encodeClassicRefusal("taken")),
    "This name already taken.Try otherEnter your username:",
  );
});

Deno.test("classic messages look as the original's", () => {
  assertEquals(
    text(encodeClassicMessage("Alice", "Hello everyone!")),
    "[Alice]: Hello everyone!\n",
  );
  assertEquals(text(encodeClassicMessage("Alice", "waves", true)), "* Alice waves\n");
});

Deno.test("classic messages name their sender on every line", () => {
  assertEquals(
    text(encodeClassicMessage("Mallory", "hi\n[Bob]: forged\r\x1b[A[Bob]: forged\n")),
    "[Mallory]: hi\n[Mallory]: [Bob]: forged\n[Mallory]: \\x1b[A[Bob]: forged\n",
  );
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.boolean(), (said, action) => {
      const lines = text(encodeClassicMessage("Mallory", said, action)).split("\n");
      assertEquals(lines.pop(), "");
      const lead = action ? "* Mallory " : "[Mallory]: ";
      for (const line of lines) assertEquals(line.slice(0, lead.length), lead);
    }),
  );
});

Deno.test("classic names are one line, short enough for the original's one read", () => {
  assertEquals(text(encodeClassicName("Zoë")), "Zoë\n");
  assertEquals(encodeClassicName("a".repeat(1023)).length, 1024);
  for (const name of ["a\nb", "\0", "a".repeat(1024)]) {
    assertThrows(() => encodeClassicName(name), RangeError, "Cannot use the name");
  }
});

Deno.test("a classic frame is length, key, nonce, ciphertext", () => {
  const key = new Uint8Array(32).fill(1);
  const nonce = new Uint8Array(12).fill(2);
  const ciphertext = new Uint8Array(18).fill(3);
  const bytes = encodeClassicFrame({ key, nonce, ciphertext });
  assertEquals(bytes.toHex(), "0000003e" + "01".repeat(32) + "02".repeat(12) + "03".repeat(18));
  assertEquals(decodeClassicFrame(bytes.subarray(4)), { key, nonce, ciphertext });
});

Deno.test("a classic frame without room for key, nonce and tag is refused", () => {
  assertEquals(classicBodyBytesMin, 60);
  for (let length = 0; length < 60; length++) {
    assertThrows(() => decodeClassicFrame(new Uint8Array(length)), ProtocolError, "too short");
  }
});

Deno.test("the first byte tells a typed name from a frame of ours", () => {
  for (const typed of ["Alice\n", "\n", "\r\n", " ", "é", "GET / HTTP/1.1"]) {
    assertEquals(looksClassic(new TextEncoder().encode(typed)[0]!), true);
  }
  assertEquals(looksClassic(frame(new Uint8Array(frameBytesMaxBeforeLogin))[0]!), false);
});
