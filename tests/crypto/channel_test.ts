import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import {
  ChannelError,
  channelOf,
  OpeningChannel,
  pairChannel,
  SealingChannel,
} from "../../crypto/channel.ts";
import { concat } from "../../protocol/bytes.ts";
import { anyBytes, numbered } from "../fixtures/bytes.ts";

const key = numbered(32);

/** Both ends of a channel. */
async function pair(id = 5, raw: Uint8Array = key) {
  return {
    sealing: await SealingChannel.create(id, raw),
    opening: await OpeningChannel.create(id, raw),
  };
}

/** A body as it comes off the wire. */
async function seal(channel: SealingChannel, messages: Uint8Array): Promise<Uint8Array> {
  return concat(await channel.seal(messages));
}

async function assertRefused(channel: OpeningChannel, body: Uint8Array, what?: string) {
  await assertRejects(() => channel.open(body), ChannelError, undefined, what);
}

Deno.test("a channel opens what it sealed, in the order sealed", async () => {
  const texts = fc.array(anyBytes(0, 500), { maxLength: 6 });
  await fc.assert(fc.asyncProperty(texts, anyBytes(32), async (texts, raw) => {
    const { sealing, opening } = await pair(7, raw);
    for (const [at, text] of texts.entries()) {
      assertEquals(await opening.open(await seal(sealing, text)), text);
      assertEquals([sealing.counter, opening.counter], [at + 1, at + 1]);
    }
    assertEquals(sealing.bytes, concat(texts).length);
    assertEquals(opening.bytes, concat(texts).length + 28 * texts.length);
  }));
});

Deno.test("a body begins with its channel and its counter, big-endian", async () => {
  const sealing = await SealingChannel.create(0x01020304, key);
  await sealing.seal(numbered(1));
  const body = await seal(sealing, numbered(1));
  assertEquals(body.subarray(0, 12), Uint8Array.of(1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 1));
  assertEquals(channelOf(body), 0x01020304);
  assertEquals(channelOf(concat([numbered(3), body]).subarray(3)), 0x01020304);
});

Deno.test("counters above 32 bits are written whole", async () => {
  const counter = 2 ** 32 + 5;
  const opening = await OpeningChannel.create(1, key, counter);
  const iv = Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 5);
  const aes = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]);
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, aes, numbered(9));
  assertEquals(await opening.open(concat([iv, new Uint8Array(sealed)])), numbered(9));
  assertEquals(opening.counter, counter + 1);
});

Deno.test("nothing is sealed twice with the same nonce, however many seals are under way", async () => {
  const { sealing, opening } = await pair();
  const texts = Array.from({ length: 50 }, (_, at) => numbered(at * 40, at));
  const bodies = await Promise.all(texts.map((text) => seal(sealing, text)));
  const nonces = new Set(bodies.map((body) => body.subarray(0, 12).toHex()));
  assertEquals(nonces.size, texts.length);
  for (const [at, body] of bodies.entries()) assertEquals(await opening.open(body), texts[at]);
});

Deno.test("bodies opened side by side come out in order", async () => {
  const { sealing, opening } = await pair();
  const texts = Array.from({ length: 50 }, (_, at) => numbered((50 - at) * 500, at));
  const bodies = await Promise.all(texts.map((text) => seal(sealing, text)));
  assertEquals(await Promise.all(bodies.map((body) => opening.open(body))), texts);
});

const outOfOrder: readonly [what: string, order: readonly number[]][] = [
  ["a body that came before", [0, 0]],
  ["a body from long ago", [0, 1, 2, 0]],
  ["a body before its turn", [1]],
  ["a body left out", [0, 2]],
];

for (const [what, order] of outOfOrder) {
  Deno.test(`a channel refuses ${what}`, async () => {
    const { sealing, opening } = await pair();
    const bodies = await Promise.all([0, 1, 2, 3].map((at) => seal(sealing, numbered(10, at))));
    for (const at of order.slice(0, -1)) await opening.open(bodies[at]!);
    await assertRefused(opening, bodies[order.at(-1)!]!);
    // It stands where it stood: the right one is taken still.
    assertEquals(opening.counter, order.length - 1);
    assertEquals(await opening.open(bodies[order.length - 1]!), numbered(10, order.length - 1));
  });
}

Deno.test("of two replays side by side only the first opens", async () => {
  const { sealing, opening } = await pair();
  const body = await seal(sealing, numbered(10));
  const [first, second] = await Promise.allSettled([opening.open(body), opening.open(body)]);
  assertEquals([first.status, second.status], ["fulfilled", "rejected"]);
});

Deno.test("a channel refuses bodies of other channels and other keys", async () => {
  const { sealing, opening } = await pair(5);
  const others = [
    await SealingChannel.create(6, key),
    await SealingChannel.create(pairChannel, key),
    await SealingChannel.create(5 + 2 ** 24, key),
  ];
  for (const other of others) await assertRefused(opening, await seal(other, numbered(10)));
  const stranger = await SealingChannel.create(5, numbered(32, 1));
  await assertRefused(await OpeningChannel.create(5, key), await seal(stranger, numbered(10)));
  assertEquals(await opening.open(await seal(sealing, numbered(10))), numbered(10));
});

Deno.test("a body with any one bit changed is refused", async () => {
  const { sealing } = await pair();
  const body = await seal(sealing, numbered(20));
  for (let bit = 0; bit < 8 * body.length; bit++) {
    const changed = body.slice();
    changed[bit >>> 3]! ^= 1 << (bit & 7);
    await assertRefused(await OpeningChannel.create(5, key), changed, `bit ${bit}`);
  }
});

Deno.test("a body cut anywhere, or longer than it was, is refused", async () => {
  const { sealing } = await pair();
  const body = await seal(sealing, numbered(20));
  for (let length = 0; length < body.length; length++) {
    await assertRefused(await OpeningChannel.create(5, key), body.subarray(0, length), `${length}`);
  }
  await assertRefused(await OpeningChannel.create(5, key), concat([body, new Uint8Array(1)]));
});

Deno.test("random bodies are refused", async () => {
  await fc.assert(fc.asyncProperty(anyBytes(0, 100), async (body) => {
    await assertRefused(await OpeningChannel.create(0, new Uint8Array(32)), body);
  }));
});

Deno.test("neither key nor plaintext shows in a channel's text or errors", async () => {
  const { sealing, opening } = await pair(5, new Uint8Array(32).fill(0x41));
  const body = await seal(sealing, new TextEncoder().encode("secret"));
  body[20]! ^= 1;
  const error = await assertRejects(() => opening.open(body), ChannelError);
  const shown = [sealing, opening].map((channel) =>
    Deno.inspect(channel) + JSON.stringify(channel)
  );
  for (const text of [...shown, Deno.inspect(error)]) {
    assert(!/secret|AAAA|41, ?41|65, ?65/.test(text), text);
  }
});
