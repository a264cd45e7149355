import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { bucketOf, pad, unpad } from "../../crypto/padding.ts";

Deno.test("what is padded comes back, whatever its length", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 5000 }), (plaintext) => {
    const padded = pad(plaintext);
    assertEquals(padded.length, bucketOf(plaintext.length + 4));
    assertEquals(unpad(padded), plaintext.slice());
  }));
});

Deno.test("buckets are never smaller than what is in them, and never much larger", () => {
  let last = 0;
  for (let length = 1; length < 300_000; length += 1 + (length >> 8)) {
    const bucket = bucketOf(length);
    assert(bucket >= length && bucket >= last);
    assertEquals(bucketOf(bucket), bucket);
    if (length > 1024) assert(bucket <= length * 1.0625 + 1, `${length} in ${bucket}`);
    last = bucket;
  }
  assertEquals([1, 256, 257, 1024, 1025, 65_540].map(bucketOf), [
    256,
    256,
    512,
    1024,
    1088,
    67_584,
  ]);
});

Deno.test("what was padded in another way is refused", () => {
  const padded = pad(new Uint8Array(10));
  assertEquals(unpad(padded.subarray(0, 3)), undefined);
  assertEquals(unpad(padded.subarray(0, 255)), undefined);
  assertEquals(unpad(new Uint8Array(512)), undefined);
  assertEquals(unpad(padded.with(200, 1)), undefined);
  assertEquals(unpad(padded.with(0, 255)), undefined);
});
