import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { createSecretTree, deriveKey, deriveNonce, ratchetUntil } from "ts-mls/secretTree.js";
import { GroupError } from "../../crypto/group/error.ts";
import { aheadMax, type Expand, SecretTree, skippedMax } from "../../crypto/group/secret_tree.ts";
import { expandNow, verifyingSuite as suite } from "../../crypto/group/suite.ts";

const secret = () => new Uint8Array(64).fill(3);

/** A tree, and how often it hashed. */
function counting(width = 4): { tree: SecretTree; calls: () => number } {
  let calls = 0;
  const expand: Expand = (...parameters) => (calls++, expandNow(...parameters));
  return { tree: SecretTree.create(width, secret(), expand), calls: () => calls };
}

Deno.test("every key is the one that the library works out", async () => {
  for (const width of [1, 2, 8]) {
    const theirs = await createSecretTree(width, secret(), suite.kdf);
    const ours = SecretTree.create(width, secret());
    const config = {
      retainKeysForGenerations: 9,
      retainKeysForEpochs: 3,
      maximumForwardRatchetSteps: 9,
    };
    for (let leaf = width - 1; leaf >= 0; leaf--) {
      for (const generation of [0, 3]) {
        const start = theirs[leaf * 2]!.application;
        const [{ secret }] = await ratchetUntil(start, generation, config, suite.kdf);
        const { key } = ours.find(leaf, generation);
        assertEquals(key.key, await deriveKey(secret, generation, suite));
        assertEquals(key.nonce, await deriveNonce(secret, generation, suite));
      }
    }
  }
});

Deno.test("a key is given out once, and comes to the other side as the same", () => {
  const [from, to] = [counting().tree, counting().tree];
  for (let generation = 0; generation < 5; generation++) {
    const { generation: given, ...key } = from.next(2);
    assertEquals(given, generation);
    const found = to.find(2, generation);
    assertEquals(found.key, key);
    found.use();
    assertThrows(() => to.find(2, generation), GroupError);
  }
});

Deno.test("a key that was found and not used changes nothing", () => {
  const { tree } = counting();
  tree.find(1, 0);
  const before = tree.encode();
  tree.find(1, 20);
  assertEquals(tree.encode(), before);
});

Deno.test("what is too far ahead costs a way down the tree and nothing more", () => {
  const { tree, calls } = counting();
  tree.find(0, 0);
  const before = calls();
  for (const generation of [aheadMax + 1, 2 ** 31, 2 ** 32 - 1]) {
    assertThrows(() => tree.find(0, generation), GroupError);
  }
  assertEquals(calls(), before);
  tree.find(0, aheadMax);
  assert(calls() - before <= aheadMax + 2 * skippedMax + 3);
});

Deno.test("the keys of the last skipped messages are kept, each for one message", () => {
  const { tree } = counting();
  tree.find(3, 100).use();
  assertThrows(() => tree.find(3, 99 - skippedMax), GroupError);
  for (let generation = 100 - skippedMax; generation < 100; generation++) {
    tree.find(3, generation).use();
    assertThrows(() => tree.find(3, generation), GroupError);
  }
  tree.find(3, 101);
});

Deno.test("nothing is kept from which a used key could be worked out again", () => {
  const { tree } = counting(2);
  const used = tree.find(0, 0);
  const ratchet = tree.encode();
  used.use();
  const after = tree.encode().toHex();
  assert(!after.includes(used.key.key.toHex()));
  assert(!after.includes(secret().toHex()));
  assert(!after.includes(ratchet.slice(-68, -4).toHex()), "the old ratchet secret is still there");
});

Deno.test("a tree comes back from its bytes, whatever was done with it", () => {
  const step = fc.record({ leaf: fc.nat(7), generation: fc.nat(60), isUsed: fc.boolean() });
  fc.assert(fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
    const { tree } = counting(8);
    for (const { leaf, generation, isUsed } of steps) {
      try {
        const found = tree.find(leaf, generation);
        if (isUsed) found.use();
      } catch (error) {
        assert(error instanceof GroupError);
      }
    }
    const bytes = tree.encode();
    const back = SecretTree.decode(bytes);
    assertEquals(back.encode(), bytes);
    assertEquals(back.next(5), tree.next(5));
  }));
});

Deno.test("bytes that are cut short, or followed by others, are no tree", () => {
  const { tree } = counting();
  tree.find(1, 3).use();
  const bytes = tree.encode();
  for (let length = 0; length < bytes.length; length++) {
    assertThrows(() => SecretTree.decode(bytes.subarray(0, length)), GroupError);
  }
  assertThrows(() => SecretTree.decode(new Uint8Array([...bytes, 0])), GroupError);
});

Deno.test("a tree that was forgotten holds nothing", () => {
  const { tree } = counting();
  tree.find(1, 3).use();
  tree.forget();
  assertThrows(() => tree.next(1), GroupError);
  assertEquals(tree.encode().length, 12);
});
