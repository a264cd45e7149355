import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type Bytes, concat, writeU32 } from "../../protocol/bytes.ts";
import { accesses, roles } from "../../protocol/command.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import {
  type Control,
  type ControlName,
  decodeMessages,
  encodeBatch,
  encodeControl,
  encodePublish,
  ignorableFrom,
  type Message,
  personPayload,
} from "../../protocol/message.ts";
import { anyBytes, numbered } from "../fixtures/bytes.ts";

const id = anyBytes(16);
const key = anyBytes(32);
const signature = anyBytes(64);
const count = fc.nat(Number.MAX_SAFE_INTEGER);
const text = fc.string({ unit: "binary-ascii", maxLength: 100 });
const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 10 });
const cursor = fc.record({ seq: count, hash: key });

/** Fields that are there, or left out. */
function some<T>(fields: { [Name in keyof T]: fc.Arbitrary<T[Name]> }, required: (keyof T)[]) {
  return fc.record(fields, { requiredKeys: required }) as fc.Arbitrary<Partial<T>>;
}

const person = some({
  deviceId: id,
  userId: id,
  name,
  userKey: key,
  keys: fc.record({ user: key, device: key, certificate: signature }),
}, ["deviceId", "userId", "name"]);

const roomInfo = fc.record({
  id,
  name,
  sealed: fc.boolean(),
  topic: text,
  role: fc.constantFrom(...roles),
  access: fc.constantFrom(...accesses),
  slowMs: count,
  isAnnounce: fc.boolean(),
  direct: fc.boolean(),
});

/** What each control message may hold. */
const controls: { readonly [Name in ControlName]: fc.Arbitrary<unknown> } = {
  login: some({
    name,
    userKey: key,
    deviceKey: key,
    certificate: signature,
    signature,
    invitation: anyBytes(0, 64),
  }, ["name", "userKey", "deviceKey", "certificate", "signature"]),
  welcome: fc.record({
    userId: id,
    deviceId: id,
    name,
    registered: fc.boolean(),
    isAdmin: fc.boolean(),
    rooms: fc.array(roomInfo, { maxLength: 3 }),
  }),
  error: some({
    code: text.map((code) => code.slice(0, 64)),
    text,
    retryAfterMs: fc.nat(),
    request: count,
    messageId: id,
    fatal: fc.boolean(),
  }, ["code", "text"]),
  ping: fc.constant({}),
  pong: fc.constant({}),
  join: some({ room: id, cursor }, ["room"]),
  attach: fc.record({
    room: id,
    channel: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    key,
    counter: count,
    cursor,
  }),
  reset: fc.record({ room: id, reason: text, cursor }),
  stored: fc.record({ room: id, messageId: id, seq: count }),
  people: fc.record({ request: count, devices: fc.array(id, { maxLength: 64 }) }),
  peopleAnswer: fc.record({ request: count, people: fc.array(person, { maxLength: 3 }) }),
  request: fc.record({ request: count, command: name, args: fc.constant({ count: 1 }) }),
  answer: fc.record({ request: count, value: fc.constant({ total: 2 }) }),
  presence: fc.record({
    room: id,
    here: fc.array(name, { maxLength: 9 }),
    gone: fc.array(name, { maxLength: 9 }),
    more: count,
  }),
  typing: some({ room: id, name }, ["room"]),
  seen: fc.record({ room: id, delivered: count, read: count }),
  room: fc.record({ room: roomInfo }),
  removed: fc.record({ room: id, name, reason: text }),
  goodbye: fc.constant({}),
};
const names = Object.keys(controls) as ControlName[];

/** A message and what it should decode to. */
interface Encoded {
  readonly bytes: Bytes;
  readonly message: Message;
}

function encoded(name: ControlName, value: unknown): Encoded {
  return {
    bytes: encodeControl(name, value as Control<ControlName>),
    message: { type: name, ...(value as object) } as Message,
  };
}

const publish = fc.record({ room: id, core: anyBytes(0, 300) }).map((value): Encoded => ({
  bytes: encodePublish(value.room, value.core),
  message: { type: "publish", ...value },
}));

const batch = fc.record({
  room: id,
  firstSeq: count,
  timeMs: count,
  rows: anyBytes(0, 300),
  hash: key,
  signature,
}).map((value): Encoded => ({ bytes: encodeBatch(value), message: { type: "batch", ...value } }));

const control = fc.oneof(
  ...names.map((name) => controls[name].map((value) => encoded(name, value))),
);
const any = fc.oneof(publish, batch, control);

/** One of each kind, always the same. */
const examples = [
  ...names.map((name) => encoded(name, fc.sample(controls[name], { seed: 1, numRuns: 1 })[0])),
  ...fc.sample(publish, { seed: 1, numRuns: 1 }),
  ...fc.sample(batch, { seed: 1, numRuns: 1 }),
];

function raw(kind: number, body: Uint8Array): Bytes {
  const bytes = concat([new Uint8Array(4), Uint8Array.of(kind), body]);
  writeU32(bytes, 0, bytes.length - 4);
  return bytes;
}

function json(value: unknown): Bytes {
  return new TextEncoder().encode(JSON.stringify(value));
}

function assertRefused(frame: Uint8Array, what?: string): void {
  const error = assertThrows(() => decodeMessages(frame), ProtocolError, undefined, what);
  assertEquals(error.code, "bad_message", what);
}

for (const name of names) {
  Deno.test(`a message ${name} comes out as it went in`, () => {
    fc.assert(fc.property(controls[name], (value) => {
      const { bytes, message } = encoded(name, value);
      assertEquals(decodeMessages(bytes), [message]);
    }));
  });
}

Deno.test("a message publish and a message batch come out as they went in", () => {
  fc.assert(fc.property(fc.oneof(publish, batch), ({ bytes, message }) => {
    assertEquals(decodeMessages(bytes), [message]);
  }));
});

Deno.test("the messages of a frame come out in order", () => {
  fc.assert(fc.property(fc.array(any, { maxLength: 5 }), (all) => {
    const frame = concat(all.map(({ bytes }) => bytes));
    assertEquals(decodeMessages(frame), all.map(({ message }) => message));
  }));
});

for (const { bytes, message: { type } } of examples) {
  Deno.test(`a message ${type} that is cut anywhere is refused`, () => {
    for (let length = 1; length < bytes.length; length++) {
      assertRefused(bytes.subarray(0, length), `cut at ${length}`);
      assertRefused(concat([examples[0]!.bytes, bytes.subarray(0, length)]), `second, ${length}`);
    }
  });

  Deno.test(`a message ${type} whose length is made to fit a cut never says more than there was`, () => {
    for (let length = 0; length < bytes.length - 5; length++) {
      const cut = raw(bytes[4]!, bytes.subarray(5, 5 + length));
      try {
        const [message] = decodeMessages(cut);
        assert(type === "publish" || type === "batch" || message === undefined, `cut at ${length}`);
      } catch (error) {
        assert(error instanceof ProtocolError && error.code === "bad_message");
      }
    }
  });
}

Deno.test("unknown kinds below 128 are refused, others ignored", () => {
  const known = new Set(examples.map(({ bytes }) => bytes[4]!));
  const [before, after] = [examples[0]!, examples[1]!];
  for (let kind = 0; kind < 256; kind++) {
    if (known.has(kind)) continue;
    const frame = concat([before.bytes, raw(kind, numbered(40)), after.bytes]);
    if (kind < ignorableFrom) assertRefused(frame, `kind ${kind}`);
    else assertEquals(decodeMessages(frame), [before.message, after.message], `kind ${kind}`);
  }
});

const lengths: readonly [what: string, length: number][] = [
  ["zero, without even a kind", 0],
  ["one more than there is", 6],
  ["2^31", 2 ** 31],
  ["2^32 - 1", 2 ** 32 - 1],
  ["2^32 - 4, which with its own four bytes is 2^32", 2 ** 32 - 4],
];

for (const [what, length] of lengths) {
  Deno.test(`a message whose length says ${what} is refused`, () => {
    for (const kind of [4, 9, 10, 200]) {
      const bytes = raw(kind, new Uint8Array(4));
      writeU32(bytes, 0, length);
      assertRefused(bytes, `kind ${kind}`);
    }
  });
}

Deno.test("fields that are not known are ignored, at every depth", () => {
  const room = numbered(16).toBase64({ alphabet: "base64url", omitPadding: true });
  const hash = numbered(32).toBase64({ alphabet: "base64url", omitPadding: true });
  const body = json({ room, cursor: { seq: 7, hash, more: [] }, later: { x: 1 }, type: "reset" });
  assertEquals(decodeMessages(raw(6, body)), [
    { type: "join", room: numbered(16), cursor: { seq: 7, hash: numbered(32) } },
  ]);
});

const base64 = (length: number) =>
  numbered(length).toBase64({ alphabet: "base64url", omitPadding: true });

const badBodies: readonly [what: string, kind: number, body: Uint8Array][] = [
  ["no JSON", 4, new TextEncoder().encode("{")],
  ["nothing", 4, new Uint8Array(0)],
  ["bytes that are no UTF-8", 4, Uint8Array.of(0x22, 0xff, 0x22)],
  ["an array", 4, json([])],
  ["null", 4, json(null)],
  ["a field left out", 6, json({})],
  ["a field of another type", 6, json({ room: 5 })],
  ["an id that is too short", 6, json({ room: base64(15) })],
  ["an id that is too long", 6, json({ room: base64(17) })],
  ["an id that is no base64url", 6, json({ room: "+".repeat(22) })],
  ["a negative number", 11, json({ room: base64(16), messageId: base64(16), seq: -1 })],
  ["a number with a fraction", 11, json({ room: base64(16), messageId: base64(16), seq: 1.5 })],
  [
    "a number that is not exact",
    11,
    json({ room: base64(16), messageId: base64(16), seq: 2 ** 53 }),
  ],
  [
    "more devices than one may ask about",
    12,
    json({
      request: 1,
      devices: Array(65).fill(base64(16)),
    }),
  ],
  ["an endless text", 3, json({ code: "x", text: "x".repeat(2000) })],
  ["__proto__ in the place of a field", 6, new TextEncoder().encode('{"__proto__":{"room":"x"}}')],
];

for (const [what, kind, body] of badBodies) {
  Deno.test(`a control message that holds ${what} is refused`, () => {
    assertRefused(raw(kind, body));
  });
}

Deno.test("random bytes are refused or decoded, and nothing else happens", () => {
  const kinds = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(
      fc.oneof(
        anyBytes(0, 200),
        kinds.chain((kind) => anyBytes(0, 200).map((body) => raw(kind, body))),
      ),
      (bytes) => {
        try {
          decodeMessages(bytes);
        } catch (error) {
          assert(error instanceof ProtocolError, String(error));
        }
      },
    ),
    { numRuns: 1000 },
  );
});

Deno.test("a person in a payload comes out as it went in, and damaged is refused", () => {
  fc.assert(fc.property(person, (value) => {
    const payload = personPayload.encode(value as Parameters<typeof personPayload.encode>[0]);
    assertEquals<unknown>(personPayload.decode(payload), value);
    assertThrows(() => personPayload.decode(payload.subarray(1)), ProtocolError);
  }));
});
