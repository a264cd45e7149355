import { assert, assertEquals, assertThrows } from "@std/assert";
import { nativeAead, nativeSigningKey } from "../../cli/native_crypto.ts";
import { nonce, webAead } from "../../crypto/aes_gcm.ts";
import { importSigningKey, label, sign, verify } from "../../crypto/identity.ts";
import { numbered } from "../fixtures/bytes.ts";

const key = numbered(32, 7);
const lengths = [0, 1, 400, 1008, 1024, 1025, 70_000];

for (const length of lengths) {
  Deno.test(`native AES-GCM and WebCrypto's are the same for ${length} bytes`, async () => {
    const [native, web] = [await nativeAead(key, "encrypt"), await webAead(key, "encrypt")];
    const iv = nonce(3, 2 ** 40);
    const plaintext = numbered(length);
    const sealed = await native.seal(iv, plaintext);
    assertEquals(sealed, await web.seal(iv, plaintext));
    const opening = await nativeAead(key, "decrypt");
    assertEquals(new Uint8Array(await opening.open(iv, sealed)), plaintext);
  });
}

Deno.test("native AES-GCM opens nothing that was changed", async () => {
  const iv = nonce(0, 1);
  const sealed = await (await nativeAead(key, "encrypt")).seal(iv, numbered(100));
  const opening = await nativeAead(key, "decrypt");
  for (const at of [0, 99, 100, 115]) {
    const changed = sealed.slice();
    changed[at]! ^= 1;
    assertThrows(() => opening.open(iv, changed));
  }
  assertThrows(() => opening.open(nonce(0, 2), sealed));
});

Deno.test("a native signing key signs as any other", async () => {
  const secret = numbered(32, 9);
  const [native, web] = [await nativeSigningKey(secret), await importSigningKey(secret)];
  const fields = [numbered(16), numbered(32)];
  const signature = await sign(native, label.head, fields);
  assertEquals(signature, await sign(web, label.head, fields));
  assert(await verify(web.publicKey, label.head, fields, signature));
});
