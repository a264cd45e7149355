import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { concat, equal } from "../../protocol/bytes.ts";
import { frame } from "../../protocol/framer.ts";
import { controlBytesMax, frameMessagesBytesMax } from "../../protocol/limits.ts";
import { type Source, Writer } from "../../server/fanout/writer.ts";
import { anyBytes, numbered } from "../fixtures/bytes.ts";
import { FakeClock, settled } from "../fixtures/fake_clock.ts";
import { type PipeRules, Wire } from "../fixtures/memory_link.ts";

/** A writer, and what came out at the other end. */
class Desk {
  readonly clock = new FakeClock();
  readonly writer: Writer;
  readonly failures: unknown[] = [];
  readonly received: Uint8Array[] = [];
  readonly wire: Wire;
  /** Acts that complete writes, while they are held back. */
  #held: (() => void)[] | undefined;

  constructor(rules: PipeRules = {}) {
    const complete = (act: () => void) => {
      if (this.#held) this.#held.push(act);
      else queueMicrotask(act);
    };
    this.wire = new Wire("127.0.0.1:1", {}, { complete, ...rules });
    this.writer = new Writer(
      this.wire.far,
      (messages) => Promise.resolve([seal, messages]),
      this.clock,
      (cause) => this.failures.push(cause),
    );
    void this.#readAll();
  }

  /** No write completes … */
  hold(): void {
    this.#held ??= [];
  }

  /** … until now. */
  async release(): Promise<void> {
    const acts = this.#held ?? [];
    this.#held = undefined;
    for (const act of acts) act();
    await settled();
  }

  get bytes(): Uint8Array {
    return concat(this.received);
  }

  async #readAll(): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    const { near } = this.wire;
    try {
      for (let count = await near.read(buffer); count !== null; count = await near.read(buffer)) {
        this.received.push(buffer.slice(0, count));
      }
    } catch {
      // The test has cut it.
    }
  }
}

/** What sealing puts in front of the messages. */
const seal = numbered(12);

/** The frame of these messages. */
function sealed(...messages: readonly Uint8Array[]): Uint8Array {
  return frame(seal, ...messages);
}

/** A source of these views, one after the other. */
class Views implements Source {
  readonly #views: Uint8Array[];
  /** Bytes that were reported written, write by write. */
  readonly reports: number[] = [];
  asked = 0;

  constructor(...views: Uint8Array[]) {
    this.#views = views;
  }

  view(): Uint8Array | undefined {
    this.asked++;
    return this.#views.shift();
  }

  written(bytes: number): void {
    this.reports.push(bytes);
  }
}

Deno.test("a writer sends what waits on channel 0 together, in order", async () => {
  const desk = new Desk();
  const [one, two, three, four] = [1, 2, 3, 4].map((start) => numbered(30, start));
  for (const message of [one!, two!, three!, four!]) desk.writer.send(message);
  await settled();
  // The first went by itself: nothing else waited when it was sealed.
  assertEquals(desk.bytes, concat([sealed(one!), sealed(two!, three!, four!)]));
});

Deno.test("a writer puts no more into a frame than a frame takes", async () => {
  const desk = new Desk();
  const messages = Array.from({ length: 5 }, (_, at) => numbered(100_000, at));
  const frames = [messages.slice(0, 1), messages.slice(1, 3), messages.slice(3, 5)];
  assert(300_000 > frameMessagesBytesMax);
  for (const message of messages) desk.writer.send(message);
  await desk.writer.idle();
  await settled();
  assert(equal(desk.bytes, concat(frames.map((frame) => sealed(...frame)))));
});

Deno.test("a writer finishes the frame that is under way, then channel 0, then rooms", async () => {
  const desk = new Desk({ share: (max) => Math.min(max, 7) });
  const [first, later, control] = [numbered(40, 1), numbered(40, 2), numbered(40, 3)];
  desk.hold();
  desk.writer.wake(new Views(first));
  desk.writer.wake(new Views(later));
  desk.writer.send(control);
  await desk.release();
  await desk.writer.idle();
  await settled();
  assertEquals(desk.bytes, concat([first, sealed(control), later]));
});

Deno.test("rooms take turns, and one that waits alone gets all that is there", async () => {
  const desk = new Desk();
  const views = (start: number) => [0, 1, 2].map((at) => numbered(20, start + at));
  const [one, two] = [views(10), views(20)];
  const sources = [new Views(...one), new Views(...two)];
  desk.hold();
  for (const source of sources) desk.writer.wake(source);
  await desk.release();
  const expected = [0, 1, 2].flatMap((at) => [one[at]!, two[at]!]);
  assertEquals(desk.bytes, concat(expected));
  for (const { reports } of sources) assertEquals(reports, [20, 20, 20]);
});

Deno.test("a source is told once all of a view is written, however it was cut", async () => {
  const desk = new Desk({ share: () => 1 });
  const source = new Views(numbered(50), numbered(3));
  desk.writer.wake(source);
  await desk.writer.idle();
  assertEquals(source.reports, [50, 3]);
});

Deno.test("a source that is woken twice is asked once", async () => {
  const desk = new Desk();
  const source = new Views(numbered(50));
  desk.hold();
  desk.writer.wake(source);
  desk.writer.wake(source);
  await desk.release();
  assertEquals([source.asked, desk.bytes.length], [2, 50], "the second time there was nothing");
});

Deno.test("a source that is forgotten is asked no more, and its view is finished", async () => {
  const desk = new Desk({ share: (max) => Math.min(max, 7) });
  const [source, waiting] = [new Views(numbered(50), numbered(50)), new Views(numbered(50))];
  desk.hold();
  desk.writer.wake(source);
  desk.writer.wake(waiting);
  desk.writer.forget(source);
  desk.writer.forget(waiting);
  await desk.release();
  await desk.writer.idle();
  await settled();
  assertEquals([source.asked, source.reports, waiting.asked], [1, [], 0]);
  assertEquals(desk.bytes, numbered(50));
});

Deno.test("a writer refuses more for channel 0 than may wait there, and takes it again later", async () => {
  const desk = new Desk();
  const message = numbered(64 * 1024);
  desk.hold();
  let taken = 0;
  while (desk.writer.send(message)) taken++;
  assertEquals(taken, Math.floor(controlBytesMax / message.length));
  await desk.release();
  await desk.writer.idle();
  assertEquals(desk.writer.send(message), true);
});

Deno.test("a writer knows for how long its peer has taken nothing", async () => {
  const desk = new Desk({ share: (max) => Math.min(max, 10) });
  const stalled = () => desk.writer.stalledMs(desk.clock.now());
  await desk.clock.advance(1_000);
  assertEquals(stalled(), 0, "nothing to write");
  desk.hold();
  desk.writer.wake(new Views(numbered(30)));
  await desk.clock.advance(1_000);
  assertEquals(stalled(), 1_000);
  await desk.release();
  assertEquals(stalled(), 0);
});

Deno.test("progress within a frame counts as progress", async () => {
  const steps: (() => void)[] = [];
  const complete = (act: () => void) => void steps.push(act);
  const desk = new Desk({ share: () => 10, complete });
  desk.writer.wake(new Views(numbered(30)));
  for (const bytes of [10, 20]) {
    await desk.clock.advance(500);
    assertEquals(desk.writer.stalledMs(desk.clock.now()), 500);
    steps.shift()!();
    await settled();
    assertEquals([desk.bytes.length, desk.writer.stalledMs(desk.clock.now())], [bytes, 0]);
  }
});

Deno.test("a writer is idle when all is written, and not before", async () => {
  const desk = new Desk();
  const order: string[] = [];
  await desk.writer.idle();
  desk.hold();
  desk.writer.send(numbered(30));
  void desk.writer.idle().then(() => order.push("idle"));
  void desk.writer.idle().then(() => order.push("idle too"));
  await settled();
  order.push(desk.writer.isIdle ? "says so" : "not yet");
  await desk.release();
  await settled();
  assertEquals(order, ["not yet", "idle", "idle too"]);
});

Deno.test("a writer that fails says so once, and writes no more", async () => {
  const desk = new Desk();
  desk.hold();
  desk.writer.wake(new Views(numbered(30), numbered(30)));
  desk.writer.send(numbered(30));
  const idle = desk.writer.idle();
  desk.wire.cut();
  await desk.release();
  await idle;
  assertEquals(desk.failures.length, 1);
  assertEquals(desk.writer.send(numbered(30)), true, "there is nobody to count as slow");
  desk.writer.wake(new Views(numbered(30)));
  await settled();
  assertEquals([desk.failures.length, desk.bytes.length], [1, 0]);
});

Deno.test("a writer that is closed keeps quiet about the write that then fails", async () => {
  const desk = new Desk();
  desk.hold();
  desk.writer.wake(new Views(numbered(30)));
  const idle = desk.writer.idle();
  desk.writer.close();
  await idle;
  desk.wire.cut();
  await desk.release();
  assertEquals(desk.failures, []);
});

Deno.test("whatever is sent and woken, all of it comes whole, channel 0 in order", async () => {
  const step = fc.oneof(
    fc.record({ view: anyBytes(1, 300) }),
    fc.record({ message: anyBytes(1, 300) }),
    fc.constant({ pause: true }),
  );
  await fc.assert(fc.asyncProperty(
    fc.array(step, { maxLength: 30 }),
    fc.integer({ min: 1, max: 400 }),
    async (steps, shareMax) => {
      const desk = new Desk({ share: (max) => Math.min(max, shareMax) });
      for (const step of steps) {
        if ("view" in step) desk.writer.wake(new Views(frame(Uint8Array.of(1), step.view)));
        else if ("message" in step) desk.writer.send(step.message);
        else await settled();
      }
      await desk.writer.idle();
      await settled();
      const { views, messages } = takeApart(desk.bytes);
      const sent = steps.flatMap((step) => "view" in step ? [step.view.toHex()] : []);
      const said = steps.flatMap((step) => "message" in step ? [step.message] : []);
      assertEquals(views.toSorted(), sent.toSorted());
      assertEquals(messages, concat(said));
    },
  ));
});

/** What rooms and channel 0 sent, apart. */
function takeApart(bytes: Uint8Array): { views: string[]; messages: Uint8Array } {
  const views: string[] = [];
  const messages: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0);
    const body = bytes.subarray(at + 4, end);
    if (body[0] === 1) views.push(body.subarray(1).toHex());
    else messages.push(body.subarray(seal.length));
    at = end;
  }
  return { views, messages: concat(messages) };
}
