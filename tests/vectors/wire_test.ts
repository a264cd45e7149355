import { assert, assertEquals } from "@std/assert";
import { OpeningChannel, pairChannel } from "../../crypto/channel.ts";
import { openClassicFrame } from "../../crypto/classic_frame.ts";
import {
  deviceIdOf,
  fingerprint,
  label,
  verify,
  verifyCertificate,
} from "../../crypto/identity.ts";
import { equal, readU32, writeU64 } from "../../protocol/bytes.ts";
import { decodeClassicFrame } from "../../protocol/classic.ts";
import {
  chainEntry,
  chainStart,
  decodeCore,
  decodeRows,
  signedFields,
} from "../../protocol/entry.ts";
import { decodeHello, decodeRefusal } from "../../protocol/hello.ts";
import { type Batch, decodeMessages, type Message, personPayload } from "../../protocol/message.ts";
import golden from "./wire.json" with { type: "json" };
import { computeVectors, controls, drafts, given, givenKeys } from "./wire.ts";

const { keys, handshake, messages, entries, frames, classic } = golden;
const hex = (text: string) => Uint8Array.fromHex(text);

/** The body of a frame, whose length is right. */
function bodyOf(text: string): Uint8Array<ArrayBuffer> {
  const bytes = hex(text);
  assertEquals(readU32(bytes, 0), bytes.length - 4);
  return bytes.subarray(4);
}

Deno.test("the code still makes the golden bytes", async () => {
  const hint = "The wire has changed. If that is meant, tests/vectors/make.ts writes them anew";
  const computed = await computeVectors();
  assertEquals(JSON.parse(JSON.stringify(computed)), golden, hint);
});

Deno.test("the golden keys are who they say", async () => {
  assert(await verifyCertificate(hex(keys.user), hex(keys.device), hex(keys.certificate)));
  assertEquals(deviceIdOf(hex(keys.device)).toHex(), keys.deviceId);
  assertEquals(fingerprint(hex(keys.server)).length, 43);
});

Deno.test("the golden handshake frames are read", () => {
  const hello = bodyOf(handshake.hello);
  const payload = new TextDecoder().decode(decodeHello(hello).subarray(32));
  assertEquals(JSON.parse(payload), { versions: [2], capabilities: [] });
  assertEquals(decodeRefusal(bodyOf(handshake.answer)), undefined);
  assertEquals(decodeRefusal(bodyOf(handshake.refusal)), {
    code: "server_full",
    text: "Try again in a while.",
    retryAfterMs: 1000,
  });
});

Deno.test("the golden messages are read", async () => {
  const { person, deviceId } = await givenKeys();
  for (const [name, value] of Object.entries(controls(person, deviceId))) {
    const [message, ...more] = decodeMessages(hex(messages[name as keyof typeof messages]));
    assertEquals(more, []);
    assertEquals<unknown>(message, { type: name, ...value }, name);
  }
});

Deno.test("the golden login is signed over its handshake", async () => {
  const [login] = await open(frames.login, pairChannel, hex(handshake.clientKey));
  assert(login?.type === "login");
  assertEquals(login.name, given.name);
  assertEquals(login.invitation, given.invitation);
  const fields = [
    hex(handshake.hash),
    hex(keys.server),
    login.userKey,
    login.deviceKey,
    new TextEncoder().encode(login.name),
  ];
  assert(await verify(hex(keys.device), label.login, fields, login.signature));
});

Deno.test("the golden entries are read, chained and signed", async () => {
  const { person, deviceId } = await givenKeys();
  const [batch] = decodeMessages(hex(entries.batch)) as [Batch];
  assertEquals([batch.firstSeq, batch.timeMs], [given.firstSeq, given.timeMs]);
  const read = decodeRows(batch.rows, batch.firstSeq, batch.timeMs);
  assertEquals(read.map(({ seq, timeMs }) => [seq, timeMs - given.timeMs]), [
    [41, 0],
    [42, 7],
    [43, 14],
  ]);
  const chain = [chainStart(given.room)];
  for (const entry of read) chain.push(chainEntry(chain.at(-1)!, entry));
  assertEquals(chain.map((hash) => hash.toHex()), entries.chain);

  for (const [at, draft] of drafts(person).entries()) {
    const { core } = read[at]!;
    assertEquals(core.bytes.toHex(), entries.cores[at]);
    for (const [name, value] of Object.entries(draft)) {
      assertEquals<unknown>(core[name as keyof typeof core], value, name);
    }
    if (!core.signature) continue;
    const fields = signedFields(given.room, deviceId, core.signed, core.payload);
    assert(await verify(hex(keys.device), label.entry, fields, core.signature));
  }
  assertEquals(personPayload.decode(read[2]!.core.payload), person);

  const seq = new Uint8Array(8);
  writeU64(seq, 0, 43);
  assert(
    await verify(hex(keys.server), label.head, [given.room, seq, batch.hash], batch.signature),
  );
});

Deno.test("the golden frames open, in order", async () => {
  const types = async (channel: number, key: Uint8Array, ...sealed: string[]) => {
    const opening = await OpeningChannel.create(channel, key);
    const opened: string[][] = [];
    for (const text of sealed) {
      const messages = decodeMessages(await opening.open(bodyOf(text)));
      opened.push(messages.map(({ type }) => type));
    }
    return opened;
  };
  assertEquals(
    await types(pairChannel, hex(handshake.clientKey), frames.login, frames.joinAndPublish),
    [["login"], ["join", "publish"]],
  );
  assertEquals(
    await types(pairChannel, hex(handshake.serverKey), frames.welcome, frames.attach),
    [["welcome"], ["attach"]],
  );
  assertEquals(
    await types(given.roomChannel, given.roomKey, frames.batch, frames.emptyOnRoom),
    [["batch"], []],
  );
});

Deno.test("the golden publish holds the first core", () => {
  const [publish] = decodeMessages(hex(entries.publish));
  assert(publish?.type === "publish");
  assert(equal(publish.room, given.room));
  assertEquals(publish.core.toHex(), entries.cores[0]);
  assertEquals(new TextDecoder().decode(decodeCore(publish.core).payload), given.text);
});

Deno.test("the golden classic bytes are read", async () => {
  const opened = await openClassicFrame(decodeClassicFrame(bodyOf(classic.frame)));
  assertEquals(new TextDecoder().decode(opened), given.text);
  assertEquals(new TextDecoder().decode(hex(classic.name)), `${given.name}\n`);
  assertEquals(
    new TextDecoder().decode(hex(classic.message)),
    `[${given.name}]: ${given.text}\n[${given.name}]: \\x1b[2J\n`,
  );
  assertEquals(new TextDecoder().decode(hex(classic.action)), `* ${given.name} waves\n`);
});

async function open(text: string, channel: number, key: Uint8Array): Promise<Message[]> {
  return decodeMessages(await (await OpeningChannel.create(channel, key)).open(bodyOf(text)));
}
