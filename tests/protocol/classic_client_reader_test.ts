import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { concat } from "../../protocol/bytes.ts";
import { classicBodyBytesMax, encodeClassicFrame } from "../../protocol/classic.ts";
import { ClassicClientReader } from "../../protocol/classic_client_reader.ts";
import { ProtocolError } from "../../protocol/errors.ts";

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function frameOf(filled: number, textBytes = 3): Uint8Array<ArrayBuffer> {
  return encodeClassicFrame({
    key: new Uint8Array(32).fill(filled),
    nonce: new Uint8Array(12),
    ciphertext: new Uint8Array(textBytes + 16),
  });
}

/** What a reader makes of the pieces, short: names as they are, frames by the byte in their key. */
function readAll(
  pieces: Iterable<Uint8Array>,
  accepts = (name: string): boolean => name === "Alice",
) {
  const reader = new ClassicClientReader();
  const seen: (string | number)[] = [];
  for (const piece of pieces) {
    const reused = piece.slice();
    reader.push(reused);
    for (let input; (input = reader.next()) !== undefined;) {
      seen.push(input.kind === "name" ? input.name : input.frame.key[0]!);
      if (input.kind === "name" && accepts(input.name)) reader.acceptName();
    }
    reused.fill(0xff);
  }
  return seen;
}

const session = concat([encode("\n Bob \r\nAlice\n"), frameOf(7), frameOf(8, 0), frameOf(9, 5000)]);
const inputs = ["", "Bob", "Alice", 7, 8, 9];

Deno.test("ClassicClientReader finds a name and frames that come in one read", () => {
  assertEquals(readAll([session]), inputs);
});

Deno.test("ClassicClientReader reads the same wherever the bytes are cut", () => {
  assertEquals(readAll(Array.from(session, (byte) => Uint8Array.of(byte))), inputs);
  for (let at = 0; at < 300; at++) {
    assertEquals(readAll([session.subarray(0, at), session.subarray(at)]), inputs);
  }
  fc.assert(
    fc.property(fc.array(fc.nat(session.length), { maxLength: 8 }), (cuts) => {
      const at = [0, ...cuts.sort((a, b) => a - b), session.length];
      assertEquals(readAll(at.slice(1).map((to, i) => session.subarray(at[i], to))), inputs);
    }),
  );
});

Deno.test("ClassicClientReader takes a frame for a name while none is accepted", () => {
  // The original client sends its second line as a frame, also when its name was refused.
  const bytes = concat([encode("Taken\n"), frameOf(5), encode("Alice\n"), frameOf(6)]);
  assertEquals(readAll([bytes]), ["Taken", 5, "Alice", 6]);
});

Deno.test("ClassicClientReader waits for the rest of what is truncated", () => {
  for (let length = 0; length < session.length; length += length < 300 ? 1 : 97) {
    const seen = readAll([session.subarray(0, length)]);
    assertEquals(seen, inputs.slice(0, seen.length));
  }
});

Deno.test("ClassicClientReader refuses a length before the body comes", () => {
  const named: readonly [number, string][] = [
    [0, "bad_frame"],
    [12, "bad_frame"],
    [59, "bad_frame"],
    [classicBodyBytesMax + 1, "too_large"],
    [0xffffffff, "too_large"],
    [0x41414141, "too_large"], // text where a frame is due
  ];
  for (const [length, code] of named) {
    const head = new Uint8Array(4);
    new DataView(head.buffer).setUint32(0, length);
    const error = assertThrows(() => readAll([encode("Alice\n"), head]), ProtocolError);
    assertEquals((error as ProtocolError).code, code);
  }
  // Before there is a name, only as much as a name needs.
  assertThrows(() => readAll([frameOf(1, 1025)]), ProtocolError, "longer than");
});

Deno.test("ClassicClientReader refuses a line that does not end", () => {
  assertEquals(readAll([encode("x".repeat(1023))]), []);
  assertThrows(() => readAll([encode("x".repeat(1024))]), ProtocolError);
  assertThrows(() => readAll([encode(`${"x".repeat(1024)}\n`)]), ProtocolError);
});

Deno.test("ClassicClientReader survives random bytes", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 100 })),
      fc.boolean(),
      (reads, any) => {
        try {
          readAll(reads, () => any);
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
        }
      },
    ),
  );
});
