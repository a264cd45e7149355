import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  decodeKeyFile,
  encodeKeyFile,
  newKey,
  unwrapKey,
  wrapKey,
  WrongPassphraseError,
} from "../../client/store/key_file.ts";
import { ClientStoreError } from "../../client/store/store.ts";
import { boundTo, type Part, Vault } from "../../client/store/vault.ts";
import { id } from "./store_contract.ts";

const secret = new TextEncoder().encode("hidden treasure");
const vault = new Vault(id(1, 32));

Deno.test("a vault opens what it sealed, and never seals twice the same way", () => {
  const kept = Array.from({ length: 50 }, () => vault.seal(secret, "what", "place"));
  for (const sealed of kept) assertEquals(vault.open(sealed, "what", "place"), secret);
  assertEquals(new Set(kept.map((sealed) => sealed.toHex())).size, kept.length);
  const empty = vault.seal(new Uint8Array(0), "what");
  assertEquals(vault.open(empty, "what"), new Uint8Array(0));
  const long = crypto.getRandomValues(new Uint8Array(65_000));
  assertEquals(vault.open(vault.seal(long, "what"), "what"), long);
});

Deno.test("a vault opens nothing as what it is not, nor as somebody else's", () => {
  const mine = vault.of(id(2), "alice");
  const sealed = mine.seal(secret, "what", id(3), 4);
  const others: [Vault, string, ...Part[]][] = [
    [vault, "what", id(3), 4],
    [vault.of(id(2), "bob"), "what", id(3), 4],
    [vault.of(id(9), "alice"), "what", id(3), 4],
    [new Vault(id(7, 32)).of(id(2), "alice"), "what", id(3), 4],
    [mine, "other", id(3), 4],
    [mine, "what", id(3), 5],
    [mine, "what", id(8), 4],
    [mine, "what", id(3)],
    [mine, "what", id(3), 4, ""],
    [mine, "what", 4, id(3)],
  ];
  for (const [of, kind, ...place] of others) {
    assertThrows(() => of.open(sealed, kind, ...place), ClientStoreError);
  }
  assertEquals(mine.open(sealed, "what", id(3), 4), secret);
});

Deno.test("a vault opens nothing that was cut short or changed at any byte", () => {
  const sealed = vault.seal(secret, "what");
  for (let at = 0; at < sealed.length; at++) {
    assertThrows(() => vault.open(sealed.subarray(0, at), "what"), ClientStoreError);
    const changed = sealed.slice();
    changed[at]! ^= 1;
    assertThrows(() => vault.open(changed, "what"), ClientStoreError);
  }
});

Deno.test("no two lists of parts are bound alike", () => {
  const lists: Part[][] = [
    [],
    [""],
    ["", ""],
    ["ab"],
    ["a", "b"],
    ["ab", ""],
    ["", "ab"],
    [1],
    [
      new Uint8Array(7),
    ],
    [1, "a"],
    ["a", 1],
  ];
  assertEquals(new Set(lists.map((parts) => boundTo(parts).toHex())).size, lists.length);
});

Deno.test("a key file gives its key back, under a passphrase only to who knows that", async () => {
  const key = newKey();
  assertEquals(decodeKeyFile(encodeKeyFile(key)), key);
  const wrapped = await wrapKey(key, "Café at eight");
  const text = encodeKeyFile(wrapped);
  const read = decodeKeyFile(text);
  assert(read && "wrapped" in read);
  assert(!text.includes(key.key.toBase64({ alphabet: "base64url", omitPadding: true })));
  assertEquals(await unwrapKey(read, "Café at eight"), key);
  assertEquals(
    await unwrapKey(read, "Cafe\u0301 at eight"),
    key,
    "It is the same on any keyboard.",
  );
  for (const passphrase of ["", "café at eight", "Café at eight "]) {
    await assertRejects(() => unwrapKey(read, passphrase), WrongPassphraseError);
  }
  const cheaper = { ...read, argon2id: { ...read.argon2id, passes: 2 } };
  await assertRejects(() => unwrapKey(cheaper, "Café at eight"), WrongPassphraseError);
  const another = { ...read, id: id(9).slice() };
  await assertRejects(() => unwrapKey(another, "Café at eight"), WrongPassphraseError);
});

Deno.test("a key file that is cut short, of another version or asks for too much is none", async () => {
  const open = encodeKeyFile(newKey());
  const wrapped = encodeKeyFile(await wrapKey(newKey(), "passphrase"));
  for (const text of [open, wrapped]) {
    assert(decodeKeyFile(text));
    for (let at = 0; at < text.length - 1; at++) {
      assertEquals(decodeKeyFile(text.slice(0, at)), undefined);
    }
    assertEquals(decodeKeyFile(text.replace('"version":1', '"version":2')), undefined);
    assertEquals(decodeKeyFile(text.replace(/"id":"../, '"id":"')), undefined);
  }
  const changes: [from: string, to: string][] = [
    ['"memoryKiB":65536', '"memoryKiB":1048577'],
    ['"memoryKiB":65536', '"memoryKiB":8191'],
    ['"memoryKiB":65536', '"memoryKiB":65536.5'],
    ['"memoryKiB":65536', '"memoryKiB":"65536"'],
    ['"passes":3', '"passes":17'],
    ['"passes":3', '"passes":0'],
    ['"lanes":1', '"lanes":5'],
    ['"lanes":1', '"lanes":-1'],
    ['"salt":"', '"salt":"AA'],
    ['"wrapped":"', '"wrapped":"AAAA'],
    ['"wrapped":"', '"more":1,"wrapped":"'],
  ];
  for (const [from, to] of changes) {
    assert(wrapped.includes(from));
    assertEquals(decodeKeyFile(wrapped.replace(from, to)), undefined, to);
  }
});
