import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Bytes, concat, writeU32 } from "../../protocol/bytes.ts";
import { promptSkipper } from "../../protocol/classic_server_reader.ts";
import { CutShort, ProtocolError } from "../../protocol/errors.ts";
import { frame, FrameStream, UnframeStream } from "../../protocol/framer.ts";
import { frameBytesMax } from "../../protocol/limits.ts";
import { through } from "../../protocol/link.ts";
import { anyBytes, cutAt, numbered } from "../fixtures/bytes.ts";
import { settled } from "../fixtures/fake_clock.ts";
import { Wire } from "../fixtures/memory_link.ts";

const bodyBytesMin = 28;
const bodies = [numbered(bodyBytesMin), numbered(100, 50), numbered(29, 99)];
const stream = concat(bodies.map((body) => frame(body)));
/** Where in the stream a frame ends. */
const borders = bodies.map((_, at) => concat(bodies.slice(0, at + 1)).length + 4 * (at + 1));

/** What came out before the end, and why it ended where it was no good end. */
interface Unframed {
  readonly bodies: Bytes[];
  readonly error: unknown;
}

/** Gives the chunks to an unframer one by one, each in the same buffer as the one before. */
async function unframe(
  chunks: Iterable<Uint8Array>,
  bytesMax: () => number = () => frameBytesMax,
): Promise<Unframed> {
  const unframer = new UnframeStream(bytesMax);
  const reading = readAll(unframer.readable);
  const writer = unframer.writable.getWriter();
  const reused = new Uint8Array(64 * 1024);
  try {
    for (const chunk of chunks) {
      reused.set(chunk);
      await writer.write(reused.subarray(0, chunk.length));
      reused.fill(0xee);
    }
    await writer.close();
  } catch {
    // The reading side says why.
  }
  return await reading;
}

async function readAll(frames: ReadableStream<Bytes[]>): Promise<Unframed> {
  const bodies: Bytes[] = [];
  try {
    for await (const some of frames) bodies.push(...some);
    return { bodies, error: undefined };
  } catch (error) {
    return { bodies, error };
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof ProtocolError ? error.code : undefined;
}

/** The length of a frame to come. */
function header(length: number): Bytes {
  const bytes = new Uint8Array(4);
  writeU32(bytes, 0, length);
  return bytes;
}

Deno.test("the unframer gives the same frames wherever a read is cut", async () => {
  for (let at = 0; at <= stream.length; at++) {
    assertEquals(await unframe(cutAt(stream, [at])), { bodies, error: undefined }, `cut at ${at}`);
  }
});

Deno.test("the unframer gives the same frames from reads of every length", async () => {
  for (let length = 1; length <= stream.length; length++) {
    const places = Array.from(
      { length: Math.floor(stream.length / length) },
      (_, n) => n * length,
    );
    assertEquals((await unframe(cutAt(stream, places))).bodies, bodies, `reads of ${length}`);
  }
});

Deno.test("the unframer hands out together what one read completes", async () => {
  const unframer = new UnframeStream(() => frameBytesMax);
  const reader = unframer.readable.getReader();
  const writer = unframer.writable.getWriter();
  void writer.write(stream);
  assertEquals((await reader.read()).value, bodies);
  void writer.close();
  assertEquals((await reader.read()).done, true);
});

Deno.test("the unframer undoes the framer, whatever the bodies and the reads", async () => {
  const anyBodies = fc.array(anyBytes(bodyBytesMin, 3000), { maxLength: 8 });
  await fc.assert(fc.asyncProperty(anyBodies, fc.array(fc.nat()), async (bodies, cuts) => {
    const framed: Uint8Array[] = [];
    const frames = ReadableStream.from(bodies).pipeThrough(new FrameStream());
    for await (const bytes of frames) framed.push(bytes);
    const stream = concat(framed);
    const chunks = cutAt(stream, cuts.map((cut) => cut % (stream.length + 1)));
    assertEquals(await unframe(chunks), { bodies, error: undefined });
  }));
});

Deno.test("the unframer says that the end came too early, unless a frame ended there", async () => {
  for (let length = 0; length <= stream.length; length++) {
    const unframed = await unframe([stream.subarray(0, length)]);
    const whole = borders.filter((border) => border <= length).length;
    assertEquals(unframed.bodies, bodies.slice(0, whole), `cut at ${length}`);
    const isBorder = length === 0 || borders.includes(length);
    assertEquals(unframed.error instanceof CutShort, !isBorder, `cut at ${length}`);
  }
});

const badLengths: readonly [length: number, code: string][] = [
  [0, "bad_frame"],
  [1, "bad_frame"],
  [bodyBytesMin - 1, "bad_frame"],
  [1025, "too_large"],
  [2 ** 31, "too_large"],
  [2 ** 32 - 1, "too_large"],
];

for (const [length, code] of badLengths) {
  Deno.test(`the unframer refuses a length of ${length} before a byte of its body comes`, async () => {
    const good = frame(numbered(1024));
    for (const before of [[], [good], [good.subarray(0, 9), good.subarray(9)]]) {
      const bytes = concat([...before, header(length)]);
      for (let at = bytes.length - 4; at <= bytes.length; at++) {
        const { bodies, error } = await unframe(cutAt(bytes, [at]), () => 1024);
        assertEquals(codeOf(error), code);
        // What came whole in the same read as the bad length goes with it.
        assert(bodies.length <= before.length);
      }
    }
  });
}

Deno.test("the unframer takes a frame of exactly the limit that is in force when it comes", async () => {
  const limits = [100, 200, 150];
  let limit = 0;
  function* chunks() {
    for (limit of limits) yield frame(numbered(limit));
    yield header(151);
  }
  const { bodies, error } = await unframe(chunks(), () => limit);
  assertEquals([bodies.map(({ length }) => length), codeOf(error)], [limits, "too_large"]);
});

Deno.test("the unframer gives nothing over the limit of random bytes", async () => {
  await fc.assert(fc.asyncProperty(anyBytes(0, 4096), fc.array(fc.nat(4096)), async (bytes, at) => {
    const cuts = at.map((place) => Math.min(place, bytes.length));
    const { bodies, error } = await unframe(cutAt(bytes, cuts), () => 64);
    for (const { length } of bodies) assert(length >= bodyBytesMin && length <= 64);
    assert(error === undefined || error instanceof ProtocolError);
  }));
});

Deno.test("the unframer holds no more than twice what has come of a huge frame", async () => {
  const unframer = new UnframeStream(() => frameBytesMax);
  const reader = unframer.readable.getReader();
  const writer = unframer.writable.getWriter();
  void reader.read();
  const allocations = watchAllocations();
  try {
    await writer.write(header(frameBytesMax));
    for (let came = 4; came < 40_000; came += 100) {
      await writer.write(new Uint8Array(100));
      assert(allocations.largest <= 2 * (came + 100), `${allocations.largest} after ${came}`);
    }
  } finally {
    allocations.stop();
  }
});

/** Watches how much is allocated at once, until it is told to stop. */
function watchAllocations() {
  const { Uint8Array: before } = globalThis;
  const watch = { largest: 0, stop: () => void (globalThis.Uint8Array = before) };
  globalThis.Uint8Array = new Proxy(before, {
    construct(target, args, newTarget) {
      if (typeof args[0] === "number") watch.largest = Math.max(watch.largest, args[0]);
      return Reflect.construct(target, args, newTarget);
    },
  });
  return watch;
}

Deno.test("frames of a link stay whole when nobody asks for them while more comes", async () => {
  const bodies = Array.from({ length: 40 }, (_, number) => numbered(60, number));
  for (const prepare of [undefined, promptSkipper()]) {
    const wire = new Wire();
    const unframer = new UnframeStream(() => frameBytesMax, prepare);
    const frames = through(wire.near, unframer).getReader();
    const received: Bytes[] = [];
    for (const body of bodies) {
      await wire.far.write(frame(body));
      await settled();
      if (received.length % 3 === 0) received.push(...(await frames.read()).value!);
    }
    wire.far.close();
    for (let next = await frames.read(); !next.done; next = await frames.read()) {
      received.push(...next.value);
    }
    assertEquals(received, bodies);
  }
});
