import type { Result } from "../../protocol/command.ts";
import { assert, assertEquals } from "@std/assert";
import { label, sign } from "../../crypto/identity.ts";
import { type Bytes, concat, toBase64Url, writeU32 } from "../../protocol/bytes.ts";
import { encodeCore, encodeCoreHead, Proof, signedFields } from "../../protocol/entry.ts";
import { frameMessagesMax } from "../../protocol/limits.ts";
import { encodeBatch, encodeControl, encodePublish } from "../../protocol/message.ts";
import { askWho, type Insider, join, logIn, publishMessage } from "./peer.ts";
import { within } from "../fixtures/within.ts";
import { hostile } from "./served.ts";

/** A message of any kind and body. */
function message(kind: number, body: string | Uint8Array): Bytes {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const header = new Uint8Array(5);
  writeU32(header, 0, 1 + bytes.length);
  header[4] = kind;
  return concat([header, bytes]);
}

const kinds = { ping: 4, join: 6, publish: 9, people: 12, request: 14 };
const id = new Uint8Array(16).fill(7);
const hash = new Uint8Array(32).fill(7);
const signature = new Uint8Array(64).fill(7);

/** A core as it should be, but for its signature. */
function core(changes: Record<number, number> = {}, payload = new Uint8Array(3)): Bytes {
  const draft = { proof: Proof.signature, content: 0, messageId: id, payload };
  const bytes = encodeCore(draft, signature);
  for (const [at, byte] of Object.entries(changes)) bytes[Number(at)] = byte;
  return bytes;
}

type Case = (insider: Insider) => Bytes;
const publishing = (core: Uint8Array): Case => ({ room }) => encodePublish(room, core);
const asking = (json: string): Case => ({ room }) =>
  message(kinds.request, json.replaceAll("ROOM", toBase64Url(room)));
const joining = (cursor: string): Case => ({ room }) =>
  message(kinds.join, `{"room":"${toBase64Url(room)}","cursor":${cursor}}`);

/** What ends a session, by the code that the peer is told. */
const fatal: Record<string, Record<string, Case>> = {
  bad_message: {
    "a message without a kind": () => new Uint8Array(4),
    "half a header": () => new Uint8Array(3),
    "a length that says more than there is": () => Uint8Array.of(0, 0, 0, 9, 4),
    "a length of 4 GiB": () => Uint8Array.of(255, 255, 255, 255, 4, 123, 125),
    "bytes behind the last message": () => concat([message(kinds.ping, "{}"), Uint8Array.of(1)]),
    "kind 0": () => message(0, "{}"),
    "kind 17": () => message(17, "{}"),
    "kind 127": () => message(127, "{}"),
    "more messages than one frame may have": () =>
      concat(Array.from({ length: frameMessagesMax + 1 }, () => message(200, ""))),
    "a second login": () =>
      encodeControl("login", {
        name: "Mallory",
        userKey: hash,
        deviceKey: hash,
        certificate: signature,
        signature,
      }),
    "a welcome": ({ welcome }) => encodeControl("welcome", welcome),
    "an error": () => encodeControl("error", { code: "internal", text: "", fatal: true }),
    "an attach": ({ room }) =>
      encodeControl("attach", {
        room,
        channel: 1,
        key: hash,
        counter: 0,
        cursor: { seq: 0, hash },
      }),
    "a reset": ({ room }) => encodeControl("reset", { room, reason: "", cursor: { seq: 0, hash } }),
    "a stored": ({ room }) => encodeControl("stored", { room, messageId: id, seq: 1 }),
    "an answer to people": () => encodeControl("peopleAnswer", { request: 1, people: [] }),
    "an answer": () => encodeControl("answer", { request: 1, value: {} }),
    "who is here": ({ room }) => encodeControl("presence", { room, here: [], gone: [], more: 0 }),
    "that it was sent out": ({ room }) =>
      encodeControl("removed", { room, name: "lobby", reason: "" }),
    "a batch": ({ room }) =>
      encodeBatch({ room, firstSeq: 1, timeMs: 0, rows: new Uint8Array(0), hash, signature }),
    "no JSON": () => message(kinds.ping, ""),
    "cut JSON": () => message(kinds.ping, "{"),
    "JSON that is no object": () => message(kinds.ping, "null"),
    "bytes that are no UTF-8": () => message(kinds.ping, Uint8Array.of(0x7b, 0x22, 0xff, 0x22)),
    "half a surrogate pair in UTF-8": () =>
      message(kinds.ping, Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22)),
    "arrays 100,000 deep": () => message(kinds.ping, "[".repeat(100_000) + "]".repeat(100_000)),
    "arrays 200,000 deep that do not end": () => message(kinds.ping, "[".repeat(200_000)),
    "80,000 devices": () =>
      message(kinds.people, `{"request":1,"devices":[${Array(80_000).fill('""')}]}`),
    "65 devices": () =>
      message(
        kinds.people,
        `{"request":1,"devices":[${Array(65).fill(`"${toBase64Url(id)}"`)}]}`,
      ),
    "a request numbered with infinity": asking(
      '{"request":1e999,"command":"who","args":{"room":"ROOM"}}',
    ),
    "a request with a number below zero": asking(
      '{"request":-1,"command":"who","args":{"room":"ROOM"}}',
    ),
    "a request with a fraction": asking('{"request":1.5,"command":"who","args":{"room":"ROOM"}}'),
    "a request above 2^53": asking(
      '{"request":9007199254740993,"command":"who","args":{"room":"ROOM"}}',
    ),
    "a request numbered with a text": asking(
      '{"request":"1","command":"who","args":{"room":"ROOM"}}',
    ),
    "a prototype for a request": asking(
      '{"__proto__":{"request":1,"command":"who","args":{"room":"ROOM"}}}',
    ),
    "a room that is no base64url": () => message(kinds.join, '{"room":"!!!!!!!!!!!!!!!!!!!!!!"}'),
    "a room of 15 bytes": () => message(kinds.join, `{"room":"${toBase64Url(id.subarray(1))}"}`),
    "a room that is very long": () => message(kinds.join, `{"room":"${"A".repeat(100_000)}"}`),
    "a cursor at 2^53": joining(`{"seq":9007199254740992,"hash":"${toBase64Url(hash)}"}`),
    "a cursor below zero": joining(`{"seq":-1,"hash":"${toBase64Url(hash)}"}`),
    "a cursor with a fraction": joining(`{"seq":0.5,"hash":"${toBase64Url(hash)}"}`),
    "a cursor without a hash": joining(`{"seq":1}`),
    "a cursor with a short hash": joining(`{"seq":1,"hash":"AAAA"}`),
    "a publish without a room": () => message(kinds.publish, new Uint8Array(15)),
    "a publish of nothing": publishing(new Uint8Array(0)),
    "a core that is cut short": publishing(core().subarray(0, 40)),
    "a core of another version": publishing(core({ 0: 2 })),
    "a core with an unknown proof": publishing(core({ 1: 3 })),
    "a core with an unknown flag": publishing(core({ 3: 4 })),
    "a core too short for its flags": publishing(core({ 3: 3 }).subarray(0, 90)),
  },
  too_large: {
    "a payload over the limit": publishing(core({}, new Uint8Array(64 * 1024 + 1))),
  },
};

for (const [code, cases] of Object.entries(fatal)) {
  hostile(`What is no valid message ends the session with ${code}`, async (served) => {
    await Promise.all(
      Object.entries(cases).map(async ([name, make]) => {
        const insider = await logIn(served);
        using peer = insider.peer;
        await peer.send(make(insider));
        await peer.assertEnds(code, name);
      }),
    );
    assertEquals(Object.keys(Object.prototype), []);
  });
}

/** What is refused, and the session goes on. */
const refused: Record<string, readonly [code: string, make: Case]> = {
  "who is in an unknown room": [
    "no_such_room",
    () => askWho(5, id),
  ],
  "a publish to an unknown room": ["forbidden", () => encodePublish(id, core())],
  "an entry that says who joined": ["forbidden", publishing(core({ 2: 128 }))],
  "an entry that says who left": ["forbidden", publishing(core({ 2: 129 }))],
  "an event of a later version": ["forbidden", publishing(core({ 2: 255 }))],
  "an entry that nobody vouches for": [
    "forbidden",
    publishing(encodeCore({ proof: Proof.unverified, content: 0, messageId: id, payload: id })),
  ],
  "an entry for a sealed room": [
    "forbidden",
    publishing(encodeCore({ proof: Proof.mls, content: 0, messageId: id, payload: id })),
  ],
};

hostile("What is not allowed is refused by name, and the session goes on", async (served) => {
  for (const [name, [code, make]] of Object.entries(refused)) {
    const insider = await join(served);
    using peer = insider.peer;
    await peer.send(make(insider));
    const error = await peer.message();
    assert(error?.type === "error" && !error.fatal, name);
    assertEquals(error.code, code, name);
    assert(error.request === 5 || error.messageId?.length === 16, name);
    await peer.send(askWho(1, insider.room));
    assertEquals((await peer.receive("answer")).request, 1);
  }
});

/** What looks bad and has to be borne. */
const borne: Record<string, Case> = {
  "an empty frame": () => new Uint8Array(0),
  "kinds of later versions": () => concat([message(128, ""), message(255, hash)]),
  "fields of later versions": asking(
    '{"request":9,"command":"who","args":{"room":"ROOM"},"more":{"a":[1,2]}}',
  ),
  "a key twice: the last one counts": asking(
    '{"request":1,"request":9,"command":"who","args":{"room":"ROOM"}}',
  ),
  "__proto__ and constructor": asking(
    '{"request":9,"command":"who","args":{"room":"ROOM"},"__proto__":{"polluted":1},"constructor":{"prototype":1}}',
  ),
  "objects 30,000 deep in a field that nobody knows": asking(
    `{"request":9,"command":"who","args":{"room":"ROOM"},"x":${'{"a":'.repeat(30_000)}1${
      "}".repeat(30_000)
    }}`,
  ),
  "as many messages as one frame may have": () =>
    concat(Array.from({ length: frameMessagesMax }, () => message(200, ""))),
};

hostile("What a later version may send is borne", async (served) => {
  for (const [name, make] of Object.entries(borne)) {
    const insider = await logIn(served);
    using peer = insider.peer;
    await peer.send(make(insider));
    await peer.send(askWho(9, insider.room));
    assertEquals((await peer.receive("answer")).request, 9, name);
  }
  assertEquals("polluted" in {}, false);
});

hostile("Who has not joined a room may not publish in it", async (served) => {
  const stranger = await logIn(served);
  using peer = stranger.peer;
  await peer.send(await publishMessage(stranger, "let me in"));
  const error = await peer.message();
  assert(error?.type === "error" && error.code === "forbidden" && error.messageId);
});

hostile("Who reads a room that is not there is told that they are not in it", async (served) => {
  const { peer } = await logIn(served);
  await peer.send(encodeControl("join", { room: id }));
  assertEquals((await peer.receive("removed")).room, id);
  peer[Symbol.dispose]();
});

hostile("A cursor that is none is answered with a reset, and reading goes on", async (served) => {
  const seqs = [0, 1, 2, 3, 1000, Number.MAX_SAFE_INTEGER];
  for (const seq of seqs) {
    const insider = await logIn(served);
    using peer = insider.peer;
    await peer.send(encodeControl("join", { room: insider.room, cursor: { seq, hash } }));
    await peer.receive("reset");
    await peer.receive("attach");
  }
});

hostile("A room is joined once, however often it is asked for", async (served, { alice }) => {
  const { peer, room } = await join(served, { name: "Mallory" });
  for (let more = 0; more < 50; more++) await peer.send(encodeControl("join", { room }));
  await peer.send(askWho(1, room));
  const { value } = await peer.receive("answer");
  const names = (value as Result<"who">).members.map(({ name }) => name);
  assertEquals(names, ["Alice", "Bob", "Mallory"]);
  peer[Symbol.dispose]();
  const arrivals = alice.events.filter((event) =>
    event.kind === "presence" && event.here.includes("Mallory")
  );
  assertEquals(arrivals.length, 1);
});

hostile("An entry that another device signed is shown as forged", async (served, { alice }) => {
  const mallory = await join(served, { name: "Mallory" });
  using peer = mallory.peer;
  // As Alice's device would sign it, with a key that is not hers.
  const payload = new TextEncoder().encode("I owe Mallory money");
  const draft = { proof: Proof.signature, content: 0, messageId: id, payload };
  const { deviceId } = alice.client.welcome;
  const fields = signedFields(mallory.room, deviceId, encodeCoreHead(draft), payload);
  const forged = await sign(mallory.identity.device, label.entry, fields);
  await peer.send(encodePublish(mallory.room, encodeCore(draft, forged)));
  await peer.send(await publishMessage(mallory, "and that is that"));
  await alice.hears("and that is that");
  const entry = alice.events.flatMap((event) => event.kind === "entries" ? event.entries : [])
    .find(({ core }) => new TextDecoder().decode(core.payload).startsWith("I owe"))!;
  assertEquals([entry.verified, entry.author?.name], ["failed", "Mallory"]);
});

hostile("Message ids are a device's own: another's cannot be used up", async (served) => {
  const [one, other] = [await join(served), await join(served)];
  await one.peer.send(await publishMessage(one, "first", id));
  await other.peer.send(await publishMessage(other, "second", id));
  await one.peer.send(await publishMessage(one, "again", id));
  const { seq } = await one.peer.receive("stored");
  await other.peer.send(await publishMessage(other, "again", id));
  assertEquals((await other.peer.receive("stored")).seq, seq + 1);
  for (const { peer } of [one, other]) peer[Symbol.dispose]();
});

hostile("The server does not fall for lines that take long to split", async (served, { bob }) => {
  const mallory = await join(served);
  using peer = mallory.peer;
  const startMs = performance.now();
  await peer.send(await publishMessage(mallory, "\n".repeat(60_000) + "end"));
  await within(bob.hears("\n".repeat(60_000) + "end"), "the lines");
  assert(performance.now() - startMs < 1_000);
});
