import { assertEquals, assertThrows } from "@std/assert";
import { type CommitPayload, decodeCommit, encodeCommit } from "../../protocol/commit.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { objectBytesMax } from "../../protocol/limits.ts";
import { numbered } from "../fixtures/bytes.ts";

const hash = numbered(32);
const hashHex = "00070e151c232a31383f464d545b626970777e858c939aa1a8afb6bdc4cbd2d9";

/** What is laid out, and the bytes that it comes to. */
const golden: readonly [commit: CommitPayload, hex: string][] = [
  [{ mls: Uint8Array.of(1, 2, 3) }, "00010203"],
  [{ object: { hash, bytes: 1 } }, `01${hashHex}00000001`],
  [{ object: { hash, bytes: objectBytesMax } }, `01${hashHex}00100000`],
];

for (const [commit, hex] of golden) {
  Deno.test(`a commit's payload is laid out as ${hex}, and comes out as it went in`, () => {
    const payload = encodeCommit(commit);
    assertEquals(payload.toHex(), hex);
    assertEquals(decodeCommit(payload), commit);
  });
}

Deno.test("what is no commit's payload is refused, wherever it is cut and whatever it says", () => {
  const object = encodeCommit({ object: { hash, bytes: 1 } });
  const wrong = [
    new Uint8Array(),
    Uint8Array.of(0),
    Uint8Array.of(2, 1, 2, 3),
    Uint8Array.of(255),
    Uint8Array.of(...object, 0),
    encodeCommit({ object: { hash, bytes: 0 } }),
    encodeCommit({ object: { hash, bytes: objectBytesMax + 1 } }),
    encodeCommit({ object: { hash, bytes: 2 ** 32 - 1 } }),
    ...Array.from(object, (_, length) => object.subarray(0, length)),
  ];
  for (const payload of wrong) {
    const error = assertThrows(
      () => decodeCommit(payload),
      ProtocolError,
      undefined,
      payload.toHex(),
    );
    assertEquals(error.code, "bad_message");
  }
});
