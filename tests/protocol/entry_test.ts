import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { concat, writeU32 } from "../../protocol/bytes.ts";
import {
  chainEntry,
  chainHash,
  chainStart,
  decodeCore,
  decodeRows,
  type Draft,
  encodeCore,
  encodeCoreHead,
  type Entry,
  epochOf,
  eraseRow,
  messageIdOf,
  payloadHashOf,
  payloadStart,
  Proof,
  rowAfterMsMax,
  rowBytes,
  signedFields,
  writeRow,
} from "../../protocol/entry.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { payloadBytesMax } from "../../protocol/limits.ts";
import { anyBytes, numbered } from "../fixtures/bytes.ts";

const id = anyBytes(16);
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });

const draft = fc.record({
  proof: fc.constantFrom(...Object.values(Proof)),
  content: fc.integer({ min: 0, max: 255 }),
  messageId: id,
  target: anyBytes(32),
  epoch: fc.record({ generation: u32, epoch: fc.nat(Number.MAX_SAFE_INTEGER) }),
  payload: anyBytes(0, 200),
}, { requiredKeys: ["proof", "content", "messageId", "payload"] }) as fc.Arbitrary<Draft>;

/** A draft with the signature that its proof asks for. */
const signed = fc.tuple(draft, anyBytes(64)).map(([draft, signature]) => ({
  draft,
  signature: draft.proof === Proof.signature ? signature : undefined,
}));

const core = signed.map(({ draft, signature }) => encodeCore(draft, signature));

/** What a row is made of. */
const row = fc.record({ afterMs: fc.nat(rowAfterMsMax), deviceId: id, core });

function layOut(rows: readonly { afterMs: number; deviceId: Uint8Array; core: Uint8Array }[]) {
  const bytes = new Uint8Array(rows.reduce((sum, { core }) => sum + rowBytes(core), 0));
  let at = 0;
  for (const { afterMs, deviceId, core } of rows) at = writeRow(bytes, at, afterMs, deviceId, core);
  assertEquals(at, bytes.length);
  return bytes;
}

function refusalOf(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
}

Deno.test("a core comes out as it went in", () => {
  fc.assert(fc.property(signed, ({ draft, signature }) => {
    const bytes = encodeCore(draft, signature);
    const core = decodeCore(bytes);
    const { version, signed, payloadAt, bytes: same, signature: found, ...rest } = core;
    assertEquals<unknown>(rest, draft);
    assertEquals([version, found, same], [1, signature, bytes]);
    assertEquals(signed, encodeCoreHead(draft));
    assertEquals(messageIdOf(bytes), draft.messageId);
    assertEquals(epochOf(bytes), draft.epoch);
    assertEquals(payloadStart(bytes), payloadAt);
  }));
});

Deno.test("a core cut in front of its payload is refused", () => {
  fc.assert(fc.property(core, (bytes) => {
    for (let length = 0; length < payloadStart(bytes); length++) {
      assertEquals(refusalOf(() => decodeCore(bytes.subarray(0, length))), "bad_message");
    }
  }));
});

const example: Draft = {
  proof: Proof.unverified,
  content: 0,
  messageId: numbered(16),
  payload: numbered(10),
};

const badCores: readonly [what: string, at: number, byte: number][] = [
  ["version 0", 0, 0],
  ["a later version", 0, 2],
  ["an unknown proof", 1, 3],
  ["an unknown flag", 3, 4],
  ["the highest flag", 3, 128],
];

for (const [what, at, byte] of badCores) {
  Deno.test(`a core of ${what} is refused`, () => {
    const bytes = encodeCore(example);
    bytes[at] = byte;
    assertEquals(refusalOf(() => decodeCore(bytes)), "bad_message");
  });
}

Deno.test("a payload may have so many bytes and not one more", () => {
  const fits = encodeCore({ ...example, payload: new Uint8Array(payloadBytesMax) });
  assertEquals(decodeCore(fits).payload.length, payloadBytesMax);
  const over = encodeCore({ ...example, payload: new Uint8Array(payloadBytesMax + 1) });
  assertEquals(refusalOf(() => decodeCore(over)), "too_large");
});

Deno.test("a core is not encoded with a signature that does not fit its proof", () => {
  const wrong: readonly [Proof, number | undefined][] = [
    [Proof.unverified, 64],
    [Proof.mls, 64],
    [Proof.signature, undefined],
    [Proof.signature, 63],
  ];
  for (const [proof, length] of wrong) {
    const signature = length === undefined ? undefined : new Uint8Array(length);
    assertThrows(() => encodeCore({ ...example, proof }, signature), TypeError);
  }
});

Deno.test("rows come out as they went in, numbered without gaps", () => {
  const firstSeq = fc.integer({ min: 1, max: 1e9 });
  fc.assert(fc.property(fc.array(row, { maxLength: 6 }), firstSeq, (rows, firstSeq) => {
    const entries = decodeRows(layOut(rows), firstSeq, 1000);
    assertEquals(
      entries.map(({ core, ...rest }) => ({ ...rest, core: core.bytes })),
      rows.map(({ afterMs, deviceId, core }, at) => ({
        seq: firstSeq + at,
        timeMs: 1000 + afterMs,
        deviceId,
        core,
        isErased: false,
      })),
    );
  }));
});

Deno.test("rows cut anywhere but between two of them are refused", () => {
  fc.assert(
    fc.property(row, row, (one, two) => {
      const bytes = layOut([one, two]);
      for (let length = 1; length < bytes.length; length++) {
        const code = refusalOf(() => decodeRows(bytes.subarray(0, length), 1, 0));
        assertEquals(code, length === rowBytes(one.core) ? undefined : "bad_message");
      }
    }),
    { numRuns: 20 },
  );
});

Deno.test("rows whose length lies are refused", () => {
  const bytes = layOut([{ afterMs: 0, deviceId: numbered(16), core: encodeCore(example) }]);
  for (const length of [0, 19, 20, 39, bytes.length - 3, 2 ** 31, 2 ** 32 - 1]) {
    writeU32(bytes, 0, length);
    assertEquals(refusalOf(() => decodeRows(bytes, 1, 0)), "bad_message", `${length}`);
  }
});

Deno.test("random rows are refused or decoded, and nothing else happens", () => {
  fc.assert(
    fc.property(anyBytes(0, 300), (bytes) => {
      refusalOf(() => decodeRows(bytes, 1, 0));
    }),
    { numRuns: 1000 },
  );
});

/** Where each row begins. */
function rowStarts(rows: readonly { core: Uint8Array }[]): number[] {
  let at = 0;
  return rows.map(({ core }) => (at += rowBytes(core)) - rowBytes(core));
}

Deno.test("an erased row has only its payload's hash left, and all hashes stay", () => {
  const some = fc.array(row, { minLength: 1, maxLength: 5 });
  fc.assert(fc.property(some, fc.nat(), (rows, which) => {
    const index = which % rows.length;
    const bytes = layOut(rows);
    const kept = bytes.slice();
    const before = decodeRows(bytes, 1, 1000);
    const after = decodeRows(eraseRow(bytes, rowStarts(rows)[index]!), 1, 1000);
    assertEquals(bytes, kept, "what was handed to it");
    for (const [at, { core, isErased, ...rest }] of after.entries()) {
      const { core: was, isErased: _, ...restBefore } = before[at]!;
      assertEquals(rest, restBefore);
      assertEquals(isErased, at === index);
      const { payload, bytes: coreBytes } = core;
      assertEquals(coreBytes.subarray(0, core.payloadAt), was.bytes.subarray(0, was.payloadAt));
      assertEquals(payload, isErased ? payloadHashOf(before[at]!) : was.payload);
      assertEquals(payloadHashOf(after[at]!), payloadHashOf(before[at]!));
    }
    assertEquals(chain(after), chain(before));
  }));
});

Deno.test("erasing a row twice is as erasing it once", () => {
  const bytes = layOut([{ afterMs: 7, deviceId: numbered(16), core: encodeCore(example) }]);
  const once = eraseRow(bytes, 0);
  assertEquals(eraseRow(once, 0), once);
});

Deno.test("rows in any order of erasing end up the same", () => {
  const rows = [1, 40, 9].map((length, at) => ({
    afterMs: at === 1 ? rowAfterMsMax : at,
    deviceId: numbered(16),
    core: encodeCore({ ...example, payload: numbered(length) }),
  }));
  const startOf = (bytes: Uint8Array, index: number) =>
    rowStarts(decodeRows(bytes, 1, 0).map(({ core }) => ({ core: core.bytes })))[index]!;
  const eraseAll = (order: readonly number[]) =>
    order.reduce((bytes, index) => eraseRow(bytes, startOf(bytes, index)), layOut(rows));
  assertEquals(eraseAll([0, 1, 2]), eraseAll([2, 0, 1]));
  const erased = decodeRows(eraseAll([0, 1, 2]), 1, 0);
  assertEquals(erased.map(({ timeMs }) => timeMs), [0, rowAfterMsMax, 2]);
});

Deno.test("a row that is marked as erased and has no hash is refused", () => {
  for (const length of [0, 31, 33]) {
    const core = encodeCore({ ...example, payload: numbered(length) });
    const bytes = layOut([{ afterMs: 2 ** 31, deviceId: numbered(16), core }]);
    assertEquals(refusalOf(() => decodeRows(bytes, 1, 0)), "bad_message", `${length}`);
  }
});

/** The chain's hash after entries, each with its predecessor's. */
function chain(entries: readonly Entry[], start = chainStart(numbered(16))): Uint8Array {
  return entries.reduce((hash, entry) => chainEntry(hash, entry), start);
}

Deno.test("the chain changes with each byte of each entry, and with the room", () => {
  const cores = [numbered(30), numbered(0), numbered(5)].map((payload) =>
    encodeCore({ ...example, proof: Proof.signature, payload }, numbered(64))
  );
  const rows = cores.map((core, at) => ({ afterMs: at, deviceId: numbered(16, at), core }));
  const bytes = layOut(rows);
  const before = chain(decodeRows(bytes, 1, 0));
  for (let at = 0; at < bytes.length; at++) {
    const changed = bytes.slice();
    changed[at]! ^= 1;
    let entries: Entry[];
    try {
      entries = decodeRows(changed, 1, 0);
    } catch {
      continue; // Refused before it is chained.
    }
    assertNotEquals(chain(entries), before, `byte ${at}`);
  }
  assertNotEquals(chain(decodeRows(bytes, 2, 0)), before, "the seqs");
  assertNotEquals(chain(decodeRows(bytes, 1, 1)), before, "the times");
  assertNotEquals(chain(decodeRows(bytes, 1, 0), chainStart(numbered(16, 1))), before, "the room");
  assertEquals(chain(decodeRows(bytes, 1, 0)), before);
});

Deno.test("the chain knows where a payload begins", () => {
  const bytes = encodeCore({ ...example, payload: concat([numbered(64), numbered(10)]) });
  const asSigned = bytes.slice();
  asSigned[1] = Proof.signature;
  const hashes = [bytes, asSigned].map((core) =>
    chainHash(chainStart(numbered(16)), 1, 0, numbered(16), core, payloadStart(core))
  );
  assertNotEquals(hashes[0], hashes[1]);
});

Deno.test("what an author signs names the room, the device, the head and the payload", () => {
  const head = encodeCoreHead(example);
  const [room, device, payload] = [numbered(16), numbered(16, 1), numbered(100)];
  const fields = signedFields(room, device, head, payload);
  assertEquals(fields.slice(0, 3), [room, device, head]);
  assertEquals(fields[3]!.length, 32);
  assert(
    !signedFields(room, device, head, payload.subarray(1))[3]!.every(
      (byte, at) => byte === fields[3]![at],
    ),
  );
});
