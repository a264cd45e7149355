import { assert, assertEquals, assertNotEquals } from "@std/assert";
import {
  certify,
  deviceIdOf,
  fingerprint,
  generateIdentity,
  generateSigningKey,
  importSigningKey,
  importVerifier,
  isUsablePublicKey,
  label,
  sign,
  verify,
  verifyCertificate,
} from "../../crypto/identity.ts";

const fields = [new Uint8Array([1, 2]), new Uint8Array([3]), new Uint8Array(0)];

/** 2^255 - 19, little-endian. */
const prime = "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";

/** The eight points of small order, in every way in which they can be written. */
const smallOrder = [
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "0000000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
];
const notCanonical = [
  prime,
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];
const badKeys = [...smallOrder, ...notCanonical].flatMap((hex) => {
  const key = Uint8Array.fromHex(hex);
  return [key, flip(key, 31, 0x80)];
});

Deno.test("keys of small order and keys written in another way are refused", async () => {
  for (const key of badKeys) {
    assertEquals(isUsablePublicKey(key), false, key.toHex());
    assertEquals(await importVerifier(key), undefined, key.toHex());
  }
});

Deno.test("a signature that holds for every message under a weak key does not hold here", async () => {
  const identityPoint = Uint8Array.fromHex(smallOrder[0]!);
  const forged = new Uint8Array([...identityPoint, ...new Uint8Array(32)]);
  for (const key of badKeys) {
    assertEquals(await verify(key, label.login, fields, forged), false);
    assertEquals(await verifyCertificate(key, identityPoint, forged), false);
  }
});

Deno.test("keys of any other length are refused", async () => {
  const { key: { publicKey } } = await generateSigningKey();
  for (let length = 0; length < 32; length++) {
    assertEquals(isUsablePublicKey(publicKey.subarray(0, length)), false);
  }
  assertEquals(isUsablePublicKey(new Uint8Array([...publicKey, 0])), false);
  assert(isUsablePublicKey(publicKey));
});

Deno.test("a key is the one that RFC 8032 has for its secret", async () => {
  const secret = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
  const { publicKey, privateKey } = await importSigningKey(Uint8Array.fromHex(secret));
  assertEquals(
    publicKey.toHex(),
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
  );
  assertEquals(privateKey.extractable, false);
});

Deno.test("a key that is kept as its secret is the same key again", async () => {
  const { key, secret } = await generateSigningKey();
  const again = await importSigningKey(secret);
  assertEquals(again.publicKey, key.publicKey);
  assertEquals(await sign(again, label.head, fields), await sign(key, label.head, fields));
});

Deno.test("a signature with one label does not pass with another", async () => {
  const { key } = await generateSigningKey();
  const labels = Object.values(label);
  assertEquals(new Set(labels).size, labels.length);
  for (const signed of labels) {
    const signature = await sign(key, signed, fields);
    for (const claimed of labels) {
      const holds = await verify(key.publicKey, claimed, fields, signature);
      assertEquals(holds, signed === claimed, `${signed} as ${claimed}`);
    }
  }
});

Deno.test("a signature is over these fields, and where each begins and ends", async () => {
  const { key } = await generateSigningKey();
  const signature = await sign(key, label.entry, fields);
  const others = [
    [],
    [new Uint8Array([1]), new Uint8Array([2, 3]), new Uint8Array(0)],
    [new Uint8Array([1, 2]), new Uint8Array([3])],
    [...fields, new Uint8Array(0)],
    [new Uint8Array([1, 2, 3])],
    [new Uint8Array([3]), new Uint8Array([1, 2]), new Uint8Array(0)],
  ];
  assert(await verify(key.publicKey, label.entry, fields, signature));
  for (const other of others) {
    assertEquals(await verify(key.publicKey, label.entry, other, signature), false);
  }
  // A field cannot stand for the label.
  const [first, ...rest] = [new TextEncoder().encode(label.entry), ...fields];
  assertEquals(await verify(key.publicKey, label.head, [first!, ...rest], signature), false);
});

Deno.test("a signature that is changed, cut, longer or of another key does not hold", async () => {
  const { key } = await generateSigningKey();
  const { key: other } = await generateSigningKey();
  const signature = await sign(key, label.head, fields);
  for (let at = 0; at < signature.length; at++) {
    for (const bit of [1, 0x80]) {
      const changed = flip(signature, at, bit);
      assertEquals(await verify(key.publicKey, label.head, fields, changed), false, `${at}`);
    }
    const cut = signature.subarray(0, at);
    assertEquals(await verify(key.publicKey, label.head, fields, cut), false);
  }
  const longer = new Uint8Array([...signature, 0]);
  assertEquals(await verify(key.publicKey, label.head, fields, longer), false);
  assertEquals(await verify(other.publicKey, label.head, fields, signature), false);
});

/** The order of the base point, little-endian. */
const order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

Deno.test("there is no second signature by adding the group's order", async () => {
  const { key } = await generateSigningKey();
  const signature = await sign(key, label.head, fields);
  const scalar = littleEndian(signature.subarray(32)) + littleEndian(Uint8Array.fromHex(order));
  const second = signature.slice();
  for (let at = 0; at < 32; at++) second[32 + at] = Number(scalar >> BigInt(8 * at) & 0xffn);
  assertEquals(await verify(key.publicKey, label.head, fields, second), false);
});

Deno.test("a certificate is for one user's one device", async () => {
  const { identity: { user, device, certificate } } = await generateIdentity();
  const { identity: other } = await generateIdentity();
  assert(await verifyCertificate(user.publicKey, device.publicKey, certificate));
  for (
    const [userKey, deviceKey, what] of [
      [other.user.publicKey, device.publicKey, "another user"],
      [user.publicKey, other.device.publicKey, "another device"],
      [device.publicKey, user.publicKey, "the wrong way round"],
      [device.publicKey, device.publicKey, "signed by itself"],
    ] as const
  ) {
    assertEquals(await verifyCertificate(userKey, deviceKey, certificate), false, what);
  }
  for (let at = 0; at < certificate.length; at++) {
    const changed = flip(certificate, at, 4);
    assertEquals(await verifyCertificate(user.publicKey, device.publicKey, changed), false);
  }
  const second = await certify(user, other.device);
  assert(await verifyCertificate(user.publicKey, other.device.publicKey, second.certificate));
});

Deno.test("what a device signs in one place is no certificate", async () => {
  const { identity: { device } } = await generateIdentity();
  const { key: victim } = await generateSigningKey();
  for (const kind of [label.login, label.entry, label.head, label.serverKey]) {
    const signature = await sign(device, kind, [victim.publicKey]);
    assertEquals(
      await verifyCertificate(device.publicKey, victim.publicKey, signature),
      false,
      kind,
    );
  }
});

Deno.test("ids and fingerprints name keys, and differ for different keys", async () => {
  const [one, other] = [(await generateSigningKey()).key, (await generateSigningKey()).key];
  assertEquals(deviceIdOf(one.publicKey).length, 16);
  assertNotEquals(deviceIdOf(one.publicKey), deviceIdOf(other.publicKey));
  assert(/^[\w-]{43}$/.test(fingerprint(one.publicKey)));
  assertNotEquals(fingerprint(one.publicKey), fingerprint(other.publicKey));
});

function flip(bytes: Uint8Array, at: number, bit: number): Uint8Array<ArrayBuffer> {
  const flipped = new Uint8Array(bytes);
  flipped[at]! ^= bit;
  return flipped;
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
}
