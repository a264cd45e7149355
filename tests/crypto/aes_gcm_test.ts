import { assertEquals, assertRejects } from "@std/assert";
import { importKey, nonce, open, seal } from "../../crypto/aes_gcm.ts";

/** Test cases 13 to 16 of "The Galois/Counter Mode of Operation", McGrew and Viega: AES-256. */
const cases = [
  {
    key: "00".repeat(32),
    iv: "00".repeat(12),
    plaintext: "",
    data: "",
    sealed: "530f8afbc74536b9a963b4f1c4cb738b",
  },
  {
    key: "00".repeat(32),
    iv: "00".repeat(12),
    plaintext: "00".repeat(16),
    data: "",
    sealed: "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
  },
  {
    key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
    iv: "cafebabefacedbaddecaf888",
    plaintext: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" +
      "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
    data: "",
    sealed: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa" +
      "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad" +
      "b094dac5d93471bdec1a502270e3cc6c",
  },
  {
    key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
    iv: "cafebabefacedbaddecaf888",
    plaintext: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" +
      "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
    data: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
    sealed: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa" +
      "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662" +
      "76fc6ece0f4e1768cddf8853bb2d551b",
  },
].map((hex) => ({
  key: Uint8Array.fromHex(hex.key),
  iv: Uint8Array.fromHex(hex.iv),
  plaintext: Uint8Array.fromHex(hex.plaintext),
  data: Uint8Array.fromHex(hex.data),
  sealed: Uint8Array.fromHex(hex.sealed),
}));

Deno.test("seal and open do what the standard's authors say", async () => {
  for (const { key, iv, plaintext, data, sealed } of cases) {
    assertEquals(await seal(await importKey(key, "encrypt"), iv, plaintext, data), sealed);
    assertEquals(await open(await importKey(key, "decrypt"), iv, sealed, data), plaintext);
  }
});

Deno.test("nothing opens that was changed, cut, or sealed with something else", async () => {
  const { key: raw, iv, data, sealed } = cases[3]!;
  const key = await importKey(raw, "decrypt");
  const refuses = (...args: Parameters<typeof open>) =>
    assertRejects(() => open(...args), DOMException);
  for (let at = 0; at < sealed.length; at++) {
    await refuses(key, iv, flip(sealed, at), data);
    await refuses(key, iv, sealed.subarray(0, at), data);
  }
  for (let at = 0; at < iv.length; at++) await refuses(key, flip(iv, at), sealed, data);
  for (let at = 0; at < data.length; at++) await refuses(key, iv, sealed, flip(data, at));
  await refuses(key, iv, sealed);
  await refuses(await importKey(flip(raw, 0), "decrypt"), iv, sealed, data);
});

Deno.test("a nonce is the channel's number and the counter, and no two are alike", () => {
  const table: readonly [channel: number, counter: number, hex: string][] = [
    [0, 0, "000000000000000000000000"],
    [0, 1, "000000000000000000000001"],
    [1, 0, "000000010000000000000000"],
    [0x01020304, 0x05060708, "010203040000000005060708"],
    [2 ** 32 - 1, 2 ** 32, "ffffffff0000000100000000"],
    [7, Number.MAX_SAFE_INTEGER, "00000007001fffffffffffff"],
  ];
  for (const [channel, counter, hex] of table) assertEquals(nonce(channel, counter).toHex(), hex);
});

Deno.test("a key is for one direction, and cannot be taken out", async () => {
  const raw = new Uint8Array(32);
  for (const usage of ["encrypt", "decrypt"] as const) {
    const key = await importKey(raw, usage);
    assertEquals([key.extractable, key.usages], [false, [usage]]);
  }
});

function flip(bytes: Uint8Array<ArrayBuffer>, at: number): Uint8Array<ArrayBuffer> {
  const flipped = bytes.slice();
  flipped[at]! ^= 1 << at % 8;
  return flipped;
}
