import { assert, assertEquals } from "@std/assert";
import { createDecipheriv } from "node:crypto";
import { openClassicFrame, sealClassicFrame } from "../../crypto/classic_frame.ts";

const hello = new TextEncoder().encode("Hello everyone!");

Deno.test("a sealed classic frame opens again", async () => {
  for (const plaintext of [hello, new Uint8Array(0), new Uint8Array(64 * 1024).fill(7)]) {
    const frame = await sealClassicFrame(plaintext);
    assertEquals([frame.key.length, frame.nonce.length], [32, 12]);
    assertEquals(frame.ciphertext.length, plaintext.length + 16);
    assertEquals(await openClassicFrame(frame), plaintext);
  }
});

Deno.test("a sealed classic frame is AES-256-GCM with the tag at the end", async () => {
  const { key, nonce, ciphertext } = await sealClassicFrame(hello);
  const decipher = createDecipheriv("aes-256-gcm", key, nonce);
  decipher.setAuthTag(ciphertext.subarray(-16));
  assertEquals(new Uint8Array(decipher.update(ciphertext.subarray(0, -16))), hello);
  decipher.final();
});

Deno.test("every classic frame has a key and a nonce of its own", async () => {
  const [one, two] = [await sealClassicFrame(hello), await sealClassicFrame(hello)];
  assert(one.key.toHex() !== two.key.toHex());
  assert(one.nonce.toHex() !== two.nonce.toHex());
});

Deno.test("a damaged classic frame does not open", async () => {
  for (const part of ["key", "nonce", "ciphertext"] as const) {
    const frame = await sealClassicFrame(hello);
    frame[part][0]! ^= 1;
    assertEquals(await openClassicFrame(frame), undefined);
  }
});

Deno.test("a classic frame opens a known answer of AES-256-GCM", async () => {
  // Test case 14 of "The Galois/Counter Mode of Operation" (McGrew and Viega), appendix B.
  const frame = {
    key: new Uint8Array(32),
    nonce: new Uint8Array(12),
    ciphertext: Uint8Array.fromHex(
      "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
    ),
  };
  assertEquals(await openClassicFrame(frame), new Uint8Array(16));
});
