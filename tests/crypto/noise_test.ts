import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { importKey, nonce, open, seal } from "../../crypto/aes_gcm.ts";
import {
  type DhKeyPair,
  generateDhKeyPair,
  HandshakeError,
  type HandshakeResult,
  initiate,
  respond,
} from "../../crypto/noise.ts";
import { dhKeyPair } from "./keys.ts";

const prologue = new TextEncoder().encode("a prologue");
const hello = new TextEncoder().encode("hello");
const welcome = new TextEncoder().encode("welcome");

/** A vector in the form of the Noise wiki; the later messages are transport messages. */
interface Vector {
  readonly init_prologue: string;
  readonly init_ephemeral: string;
  readonly resp_static: string;
  readonly resp_ephemeral: string;
  readonly handshake_hash?: string;
  readonly messages: readonly { readonly payload: string; readonly ciphertext: string }[];
}

const vectors = readVectors(
  `${import.meta.dirname}/../../../shared/vectors/noise_nx_25519_aesgcm_sha256.json`,
);

Deno.test({
  name: "the handshake and what follows are as other implementations have them",
  ignore: vectors.length === 0, // The vectors are not part of the project.
  async fn() {
    for (const vector of vectors) await checkVector(vector);
  },
});

async function checkVector(vector: Vector): Promise<void> {
  const [first, second, ...transport] = vector.messages.map(({ payload, ciphertext }) => ({
    payload: Uint8Array.fromHex(payload),
    ciphertext: Uint8Array.fromHex(ciphertext),
  }));
  const prologue = Uint8Array.fromHex(vector.init_prologue);
  const initiator = await initiate(prologue, first!.payload, await pairOf(vector.init_ephemeral));
  assertEquals(initiator.message, first!.ciphertext);
  const response = await respond(
    prologue,
    await pairOf(vector.resp_static),
    initiator.message,
    (payload) => {
      assertEquals(payload, first!.payload);
      return second!.payload;
    },
    await pairOf(vector.resp_ephemeral),
  );
  assertEquals(response.message, second!.ciphertext);
  const result = await initiator.finish(response.message);
  assertEquals(result.payload, second!.payload);
  assertEquals(result.serverStatic, (await pairOf(vector.resp_static)).publicKey);
  assertEquals(keysOf(result), keysOf(response));
  if (vector.handshake_hash) assertEquals(result.hash.toHex(), vector.handshake_hash);

  assert(transport.length > 0);
  for (const [at, { payload, ciphertext }] of transport.entries()) {
    const raw = at % 2 === 0 ? result.clientKey : result.serverKey;
    const iv = nonce(0, Math.floor(at / 2));
    assertEquals(await seal(await importKey(raw, "encrypt"), iv, payload), ciphertext);
    assertEquals(await open(await importKey(raw, "decrypt"), iv, ciphertext), payload);
  }
}

Deno.test("both sides have the same keys in the end, one for each direction", async () => {
  const serverKey = await generateDhKeyPair();
  const { initiator, response } = await shake(serverKey);
  const result = await initiator.finish(response.message);
  assertEquals(keysOf(result), keysOf(response));
  assertEquals(result.payload, welcome);
  assertEquals(result.serverStatic, serverKey.publicKey);
  assertNotEquals(result.clientKey, result.serverKey);
  const again = await shake(serverKey);
  assertNotEquals(keysOf(again.response), keysOf(response));
});

Deno.test("a first message that is changed at any byte does not lead to a session", async () => {
  const serverKey = await generateDhKeyPair();
  for (let at = 0; at < 32 + hello.length; at++) {
    for (const bit of [1, 0x80]) {
      const initiator = await initiate(prologue, hello);
      const message = flip(initiator.message, at, bit);
      const response = await respond(prologue, serverKey, message, () => welcome);
      await assertRejects(() => initiator.finish(response.message), HandshakeError);
    }
  }
});

Deno.test("an answer that is changed at any byte does not lead to a session", async () => {
  const serverKey = await generateDhKeyPair();
  const { response: { message: { length } } } = await shake(serverKey);
  for (let at = 0; at < length; at++) {
    for (const bit of [1, 0x80]) {
      const { initiator, response } = await shake(serverKey);
      await assertRejects(() => initiator.finish(flip(response.message, at, bit)), HandshakeError);
    }
  }
});

Deno.test("messages that are cut short or too long are refused", async () => {
  const serverKey = await generateDhKeyPair();
  const answer = () => welcome;
  for (let length = 0; length < 32; length++) {
    const cut = new Uint8Array(length);
    await assertRejects(() => respond(prologue, serverKey, cut, answer), HandshakeError);
  }
  const { length } = (await shake(serverKey)).response.message;
  for (let cut = 0; cut < length; cut++) {
    const { initiator, response } = await shake(serverKey);
    await assertRejects(
      () => initiator.finish(response.message.subarray(0, cut)),
      HandshakeError,
    );
  }
  const { initiator, response } = await shake(serverKey);
  const longer = new Uint8Array([...response.message, 0]);
  await assertRejects(() => initiator.finish(longer), HandshakeError);
});

Deno.test("another prologue, and the answer to somebody else, are noticed", async () => {
  const serverKey = await generateDhKeyPair();
  const initiator = await initiate(prologue, hello);
  const stripped = prologue.subarray(1);
  const elsewhere = await respond(stripped, serverKey, initiator.message, () => welcome);
  await assertRejects(() => initiator.finish(elsewhere.message), HandshakeError);
  const [one, other] = [await shake(serverKey), await shake(serverKey)];
  await assertRejects(() => one.initiator.finish(other.response.message), HandshakeError);
});

/** The u coordinates, little-endian, whose product with any key is zero (RFC 7748, section 6.1). */
const weakPoints = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].flatMap((hex) => {
  const point = Uint8Array.fromHex(hex);
  return [point, flip(point, 31, 0x80)]; // The top bit is ignored.
});

Deno.test("keys whose shared secret would be zero are refused on both sides", async () => {
  const serverKey = await generateDhKeyPair();
  for (const point of weakPoints) {
    const message = new Uint8Array([...point, ...hello]);
    await assertRejects(
      () => respond(prologue, serverKey, message, () => welcome),
      HandshakeError,
      "not a usable X25519 key",
    );
    const initiator = await initiate(prologue, hello);
    const answer = new Uint8Array([...point, ...new Uint8Array(48 + 16)]);
    await assertRejects(() => initiator.finish(answer), HandshakeError, "not a usable X25519 key");
    // A server that means it: its static key is one of them.
    const weak = { ...serverKey, publicKey: point };
    const { message: honest } = await respond(prologue, weak, initiator.message, () => welcome);
    await assertRejects(() => initiator.finish(honest), HandshakeError);
  }
});

Deno.test("private keys cannot be taken out", async () => {
  const { privateKey } = await generateDhKeyPair();
  assertEquals(privateKey.extractable, false);
});

async function shake(serverKey: DhKeyPair) {
  const initiator = await initiate(prologue, hello);
  const response = await respond(prologue, serverKey, initiator.message, () => welcome);
  return { initiator, response };
}

function keysOf({ clientKey, serverKey, hash }: HandshakeResult): HandshakeResult {
  return { clientKey, serverKey, hash };
}

function pairOf(hex: string): Promise<DhKeyPair> {
  return dhKeyPair(Uint8Array.fromHex(hex));
}

function flip(bytes: Uint8Array, at: number, bit: number): Uint8Array<ArrayBuffer> {
  const flipped = new Uint8Array(bytes);
  flipped[at]! ^= bit;
  return flipped;
}

function readVectors(path: string): readonly Vector[] {
  try {
    return JSON.parse(Deno.readTextFileSync(path)).vectors;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
