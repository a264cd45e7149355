import { assert, assertEquals, assertRejects } from "@std/assert";
import { XWing } from "@hpke/hybridkem-x-wing";
import { defaultCryptoProvider, getCiphersuiteFromName, getCiphersuiteImpl } from "ts-mls";
import { suiteName, suiteOf, verifyingSuite as ours } from "../../crypto/group/suite.ts";
import {
  decapsulate,
  derivePublicKey,
  encapsulate,
  isSealableKey,
  seedFrom,
} from "../../crypto/group/x_wing.ts";
import { generateSigningKey } from "../../crypto/identity.ts";

const theirs = await getCiphersuiteImpl(getCiphersuiteFromName(suiteName), defaultCryptoProvider);
const bytes = (length: number, value = 5) => new Uint8Array(length).fill(value);
const info = bytes(30, 1);
const aad = bytes(9, 2);

Deno.test("hashes, MACs and HKDF are those of the library's own suite", async () => {
  for (const length of [0, 1, 200, 5000]) {
    assertEquals(await ours.hash.digest(bytes(length)), await theirs.hash.digest(bytes(length)));
    const mac = await theirs.hash.mac(bytes(64), bytes(length));
    assert(await ours.hash.verifyMac(bytes(64), mac, bytes(length)));
    assert(!await ours.hash.verifyMac(bytes(64), mac.with(3, mac[3]! ^ 1), bytes(length)));
    assert(!await ours.hash.verifyMac(bytes(64), mac.subarray(1), bytes(length)));
    assertEquals(
      await ours.kdf.extract(bytes(64, 3), bytes(length)),
      await theirs.kdf.extract(bytes(64, 3), bytes(length)),
    );
  }
  assertEquals(
    await ours.kdf.expand(bytes(64), info, 200),
    await theirs.kdf.expand(bytes(64), info, 200),
  );
});

Deno.test("key pairs grow from the same material", async () => {
  for (const value of [0, 1, 255]) {
    const [a, b] = await Promise.all(
      [ours, theirs].map(async ({ hpke }) => {
        const { privateKey, publicKey } = await hpke.deriveKeyPair(bytes(64, value));
        return [await hpke.exportPrivateKey(privateKey), await hpke.exportPublicKey(publicKey)];
      }),
    );
    assertEquals(a, b);
  }
});

Deno.test("what one seals, the other opens", async () => {
  const material = bytes(64, 9);
  for (const [from, to] of [[ours, theirs], [theirs, ours]] as const) {
    const { publicKey, privateKey } = await to.hpke.deriveKeyPair(material);
    const raw = await to.hpke.exportPublicKey(publicKey);
    const sealed = await from.hpke.seal(await from.hpke.importPublicKey(raw), bytes(70), info, aad);
    const opened = await to.hpke.open(privateKey, sealed.enc, sealed.ct, info, aad);
    assertEquals(opened, bytes(70));
    await assertRejects(() => to.hpke.open(privateKey, sealed.enc, sealed.ct, aad, aad));
    const { enc, secret } = await from.hpke.exportSecret(
      await from.hpke.importPublicKey(raw),
      bytes(20),
      64,
      info,
    );
    assertEquals(await to.hpke.importSecret(privateKey, bytes(20), enc, 64, info), secret);
    const ct = await from.hpke.encryptAead(bytes(32), bytes(12), aad, bytes(40));
    assertEquals(await to.hpke.decryptAead(bytes(32), bytes(12), aad, ct), bytes(40));
  }
});

Deno.test("signatures are by the device, and hold for the library too", async () => {
  const { key } = await generateSigningKey();
  const signature = await suiteOf(key).signature.sign(new Uint8Array(0), info);
  assert(await theirs.signature.verify(key.publicKey, info, signature));
  assert(await ours.signature.verify(key.publicKey, info, signature));
  assert(!await ours.signature.verify(key.publicKey, aad, signature));
  assert(!await ours.signature.verify(new Uint8Array(32), info, signature));
});

Deno.test("X-Wing is that of its other implementation", async () => {
  const seed = seedFrom(bytes(64));
  const kem = new XWing();
  const raw = await derivePublicKey(seed);
  const publicKey = await kem.deserializePublicKey(raw.buffer);
  const { enc, sharedSecret } = await kem.encap({ recipientPublicKey: publicKey });
  assertEquals(await decapsulate(seed, new Uint8Array(enc)), new Uint8Array(sharedSecret));
  const made = await encapsulate(raw);
  const recipientKey = await kem.deserializePrivateKey(seed.slice().buffer);
  const back = await kem.decap({ recipientKey, enc: made.enc.buffer });
  assertEquals(new Uint8Array(back), made.secret);
});

Deno.test("keys that nobody can seal for are known as such", async () => {
  const raw = await derivePublicKey(seedFrom(bytes(64)));
  assert(isSealableKey(raw));
  assert(!isSealableKey(raw.subarray(1)));
  assert(!isSealableKey(new Uint8Array([...raw, 0])));
  for (const at of [0, 600, 1149]) {
    const bad = raw.slice();
    bad.set([0xff, 0xff, 0xff], at - at % 3);
    assert(!isSealableKey(bad));
  }
  await encapsulate(raw.slice().fill(0, 1184)); // X25519 of small order: ML-KEM holds alone.
});
