import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { concat, equal } from "../../protocol/bytes.ts";
import { frame } from "../../protocol/framer.ts";
import { segmentBytesMax, segmentBytesMin, tailBytesMax } from "../../protocol/limits.ts";
import { type Segment, Tail } from "../../server/fanout/tail.ts";
import { numbered } from "../fixtures/bytes.ts";

/** A tail with bodies of these lengths; entry `n` ends with body `n`. */
function tailOf(lengths: readonly number[], tail = new Tail()): Tail {
  for (const [at, length] of lengths.entries()) append(tail, at + 1, length);
  return tail;
}

function append(tail: Tail, seq: number, length: number): void {
  tail.append([numbered(12, seq), numbered(length - 12, seq)], {
    seq,
    hash: numbered(32, seq),
    channel: 1,
    counter: seq,
  });
}

/** What lies behind a position. */
function bytesBehind(tail: Tail, position: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let segment = tail.segmentAt(position); segment; segment = segment.next) {
    const view = segment.view(Math.max(position, segment.start), segment.end);
    parts.push(view);
  }
  return concat(parts);
}

function framed(seq: number, length: number): Uint8Array {
  return frame(numbered(12, seq), numbered(length - 12, seq));
}

function segments(tail: Tail): Segment[] {
  const found: Segment[] = [];
  for (let segment = tail.segmentAt(-1); segment; segment = segment.next) found.push(segment);
  return found;
}

Deno.test("a tail lays frames back to back, each with its length", () => {
  const lengths = [28, 100, 4000, 5000, 300_000, 30];
  const tail = tailOf(lengths);
  const whole = concat(lengths.map((length, at) => framed(at + 1, length)));
  assertEquals(tail.end, whole.length);
  let position = 0;
  for (const length of [0, ...lengths.map((length) => length + 4)]) {
    position += length;
    assert(equal(bytesBehind(tail, position), whole.subarray(position)), `behind ${position}`);
  }
});

Deno.test("readers at the same place are handed the very same view", () => {
  const tail = tailOf([100, 200]);
  const segment = tail.segmentAt(0)!;
  const view = segment.view(0, 308);
  assertStrictEquals(segment.view(0, 308), view);
  assertEquals(segment.view(104, 308), view.subarray(104));
  assertEquals(view.buffer, segment.view(104, 308).buffer);
});

Deno.test("a view handed out does not change when more is added", () => {
  const tail = tailOf([100]);
  const view = tail.segmentAt(0)!.view(0, 104);
  const before = view.slice();
  append(tail, 2, 100);
  assertEquals(view, before);
});

Deno.test("segments grow from the least to the most, and no frame lies in two", () => {
  const tail = tailOf(Array(14_000).fill(60));
  const lengths = segments(tail).map(({ bytes }) => bytes.length);
  assertEquals(lengths[0], segmentBytesMin);
  assertEquals(Math.max(...lengths), segmentBytesMax);
  for (const [at, length] of lengths.entries()) {
    assertEquals(length, Math.min(segmentBytesMin * 2 ** at, segmentBytesMax));
  }
  for (const { used } of segments(tail)) assertEquals(used % 64, 0);
});

Deno.test("a tail holds no more than it may, and drops whole segments that nobody is in", () => {
  const tail = new Tail();
  let seq = 0;
  for (; seq < 3000; seq++) {
    assertEquals(tail.hasRoomFor(1000), true);
    append(tail, seq + 1, 1000);
    const held = tail.end - segments(tail)[0]!.start;
    assert(held <= tailBytesMax, `${held}`);
  }
  assert(tail.end - segments(tail)[0]!.start > tailBytesMax - 2 * segmentBytesMax);
});

Deno.test("a full tail has no room while somebody is in its oldest segment", () => {
  const tail = new Tail();
  append(tail, 1, 1000);
  const oldest = tail.segmentAt(0)!;
  oldest.readers = 2;
  for (let seq = 2; tail.hasRoomFor(1000); seq++) append(tail, seq, 1000);
  let calls = 0;
  tail.onRoom = () => calls++;
  tail.left(oldest);
  assertEquals([calls, tail.hasRoomFor(1000)], [0, false]);
  tail.left(oldest);
  assertEquals([calls, tail.hasRoomFor(1000)], [1, true]);
  assertEquals(tail.segmentAt(0) === oldest, false);
});

Deno.test("leaving a segment that is not the oldest makes no room", () => {
  const tail = tailOf(Array(20).fill(1000));
  const [oldest, second] = segments(tail);
  assertEquals([tail.isOldest(oldest!), tail.isOldest(second!)], [true, false]);
  let calls = 0;
  tail.onRoom = () => calls++;
  second!.readers = 1;
  tail.left(second!);
  assertEquals(calls, 0);
});

Deno.test("a frame as long as a tail may be drops all others", () => {
  const tail = tailOf(Array(20).fill(1000));
  assertEquals(tail.hasRoomFor(tailBytesMax - 4), true);
  assertEquals(segments(tail), []);
  append(tail, 21, tailBytesMax - 4);
  assertEquals(bytesBehind(tail, 20 * 1004).length, tailBytesMax);
});

Deno.test("marks say where frames end, for as long as the tail holds the frame", () => {
  const tail = tailOf(Array(10).fill(96));
  for (let seq = 1; seq <= 10; seq++) {
    const mark = tail.markAt(100 * seq)!;
    assertEquals([mark.position, mark.seq, mark.counter], [100 * seq, seq, seq]);
    assertEquals(tail.markBelow(seq), mark);
  }
  for (const position of [0, 1, 99, 101, 1001]) assertEquals(tail.markAt(position), undefined);
  assertEquals(tail.markBelow(0), undefined);
  assertEquals(tail.markBelow(99)!.seq, 10);
});

Deno.test("marks of frames that hold several entries are found from within", () => {
  const tail = new Tail();
  for (const seq of [3, 4, 9]) append(tail, seq, 100);
  const found = [2, 3, 4, 5, 8, 9, 10].map((seq) => tail.markBelow(seq)?.seq);
  assertEquals(found, [undefined, 3, 4, 4, 4, 9, 9]);
});

Deno.test("what a mark points behind is still there", () => {
  const tail = new Tail();
  for (let seq = 1; seq <= 3000; seq++) {
    tail.hasRoomFor(1000);
    append(tail, seq, 1000);
  }
  const first = segments(tail)[0]!.start;
  for (let seq = 0; seq <= 3000; seq++) {
    const mark = tail.markBelow(seq);
    assert(!mark || mark.seq === seq && mark.position >= first, `${seq}`);
    assertEquals(mark !== undefined, seq * 1004 >= first && seq > 0, `${seq}`);
  }
});

Deno.test("a cleared tail holds nothing, and goes on where it was", () => {
  const tail = tailOf(Array(10).fill(96));
  tail.clear();
  assertEquals([segments(tail), tail.end, tail.markBelow(9)], [[], 1000, undefined]);
  assertEquals(tail.markBelow(10)!.position, 1000);
  append(tail, 11, 96);
  assertEquals(bytesBehind(tail, 1000), framed(11, 96));
  assertEquals(segments(tail)[0]!.bytes.length, segmentBytesMin);
});

Deno.test("a tail gives every byte after any adds and drops, to who is in it", () => {
  const lengths = fc.array(fc.integer({ min: 28, max: 120_000 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(lengths, fc.nat(), (lengths, start) => {
      const tail = new Tail();
      const from = start % lengths.length;
      let reader: Segment | undefined;
      let position = 0;
      const expected: Uint8Array[] = [];
      for (const [at, length] of lengths.entries()) {
        if (!tail.hasRoomFor(length)) break;
        if (at === from) position = tail.end;
        append(tail, at + 1, length);
        if (at >= from) expected.push(framed(at + 1, length));
        if (at === from) reader = tail.segmentAt(position);
        if (reader) reader.readers = 1;
      }
      if (reader) assert(equal(bytesBehind(tail, position), concat(expected)));
    }),
    { numRuns: 50 },
  );
});
