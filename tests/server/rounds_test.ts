import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { concat, equal } from "../../protocol/bytes.ts";
import { frame } from "../../protocol/framer.ts";
import { laggardMs, roundMs, roundWritesPerTurn, stuckMs } from "../../protocol/limits.ts";
import { type Place, Rounds } from "../../server/fanout/rounds.ts";
import { Tail } from "../../server/fanout/tail.ts";
import { Writer } from "../../server/fanout/writer.ts";
import { numbered } from "../fixtures/bytes.ts";
import { FakeClock, settled } from "../fixtures/fake_clock.ts";
import { type PipeRules, Wire } from "../fixtures/memory_link.ts";

/** One reader of a room: its writer's other end. */
interface Listener {
  readonly wire: Wire;
  readonly writer: Writer;
  readonly place: Place;
  /** The views that its link was given. */
  readonly views: Uint8Array[];
  readonly received: Uint8Array[];
}

/** A room's tail and rounds, and who reads them. */
class Stage {
  readonly clock = new FakeClock();
  readonly tail = new Tail();
  readonly rounds = new Rounds(this.clock, this.tail);
  /** All that was ever in the tail. */
  readonly log: Uint8Array[] = [];
  #seq = 0;

  /** Adds a frame and tells the rounds. */
  append(bodyBytes = 50): void {
    const body = numbered(bodyBytes, ++this.#seq);
    this.log.push(frame(body));
    this.tail.append([body], { seq: this.#seq, hash: body, channel: 1, counter: this.#seq });
    this.rounds.announce();
  }

  /** Adds a reader at the tail's end. */
  add(rules: PipeRules = {}): Listener {
    const wire = new Wire("127.0.0.1:1", {}, rules);
    const views: Uint8Array[] = [];
    const write = (bytes: Uint8Array) => {
      views.push(bytes);
      return wire.far.write(bytes);
    };
    const writer = new Writer({ ...wire.far, write }, never, this.clock, () => {});
    const start = { position: this.tail.end, seq: this.#seq, hash: numbered(32) };
    const received: Uint8Array[] = [];
    void readAll(wire, received);
    return { wire, writer, place: this.rounds.add(writer, start), views, received };
  }

  /** What follows a position, up to another. */
  between(from: number, to = this.tail.end): Uint8Array {
    return concat(this.log).subarray(from, to);
  }
}

const never = () => Promise.reject(new Error("nothing is sealed here"));

async function readAll({ near }: Wire, into: Uint8Array[]): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  for (let count = await near.read(buffer); count !== null; count = await near.read(buffer)) {
    into.push(buffer.slice(0, count));
  }
}

/** A pipe that takes bytes only while it is told to. */
function gated(): { rules: PipeRules; open: () => void; shut: () => void } {
  let waiting: (() => void)[] | undefined;
  return {
    rules: { complete: (act) => waiting ? waiting.push(act) : queueMicrotask(act) },
    shut: () => waiting ??= [],
    open() {
      const acts = waiting ?? [];
      waiting = undefined;
      for (const act of acts) act();
    },
  };
}

function lengthsOf(chunks: readonly Uint8Array[]): number[] {
  return chunks.map(({ length }) => length);
}

Deno.test("a round gives all readers the very same view of all there is", async () => {
  const stage = new Stage();
  const listeners = [stage.add(), stage.add(), stage.add()];
  stage.append();
  await settled();
  const [first, ...others] = listeners;
  assertEquals(lengthsOf(first!.views), [54]);
  for (const { views } of others) assertStrictEquals(views[0], first!.views[0]);
  for (const { received } of listeners) assertEquals(concat(received), stage.between(0));
});

Deno.test("what arrives during a round goes out together with the next one", async () => {
  const stage = new Stage();
  const gate = gated();
  const listener = stage.add(gate.rules);
  gate.shut();
  for (let count = 0; count < 5; count++) stage.append();
  gate.open();
  await settled();
  assertEquals(lengthsOf(listener.views), [54, 4 * 54]);
});

Deno.test("a round waits for nearly all readers, but not for the last few", async () => {
  const stage = new Stage();
  const [slow, ...fast] = Array.from({ length: 20 }, () => gated());
  const listeners = [slow!, ...fast].map(({ rules }) => stage.add(rules));
  slow!.shut();
  stage.append();
  await settled();
  stage.append();
  await settled();
  assertEquals(lengthsOf(listeners[1]!.views), [54, 54], "19 of 20 are enough");
  for (const gate of fast.slice(0, 2)) gate.shut();
  stage.append();
  stage.append();
  await settled();
  assertEquals(lengthsOf(listeners[10]!.views), [54, 54, 54], "17 of 20 are not");
  await stage.clock.advance(roundMs);
  assertEquals(lengthsOf(listeners[10]!.views), [54, 54, 54, 54], "time is up");
});

Deno.test("a stuck reader is not waited for, until it takes something again", async () => {
  const stage = new Stage();
  const gate = gated();
  const [stuck, other] = [stage.add(gate.rules), stage.add()];
  gate.shut();
  stage.append();
  await stage.clock.advance(stuckMs + 1);
  stage.append();
  await stage.clock.advance(roundMs);
  assert(stuck.place.isStuck);
  for (let count = 0; count < 3; count++) {
    stage.append();
    await settled();
    assertEquals(other.views.length, 3 + count, "at once");
  }
  gate.open();
  await settled();
  assertEquals(concat(stuck.received), stage.between(0));
  assert(!stuck.place.isStuck);
});

Deno.test("a round wakes no more than so many readers in one turn", async () => {
  const stage = new Stage();
  const listeners = Array.from({ length: 2 * roundWritesPerTurn + 1 }, () => stage.add());
  const woken = () => listeners.filter(({ views }) => views.length > 0).length;
  stage.append();
  assertEquals(woken(), roundWritesPerTurn);
  stage.clock.next()?.();
  assertEquals(woken(), 2 * roundWritesPerTurn);
  stage.clock.next()?.();
  assertEquals(woken(), listeners.length);
  await settled();
  for (const { received } of listeners) assertEquals(concat(received), stage.between(0));
});

Deno.test("who has not been come by yet in a round gets what arrives meanwhile along with it", async () => {
  const stage = new Stage();
  const listeners = Array.from({ length: 2 * roundWritesPerTurn }, () => stage.add());
  stage.append();
  await settled();
  stage.append();
  stage.clock.next()?.();
  assertEquals(lengthsOf(listeners[0]!.views), [54]);
  assertEquals(lengthsOf(listeners.at(-1)!.views), [2 * 54]);
  await settled();
  await stage.clock.advance(0);
  assertEquals(lengthsOf(listeners[0]!.views), [54, 54], "the next round brings the rest");
  assertEquals(lengthsOf(listeners.at(-1)!.views), [2 * 54]);
});

Deno.test("while more arrives all the time nobody is left out", async () => {
  const stage = new Stage();
  const turns = 16;
  const listeners = Array.from({ length: turns * roundWritesPerTurn }, () => stage.add());
  stage.append();
  for (let turn = 1; turn < 2 * turns; turn++) {
    await settled();
    stage.append();
    stage.clock.next()?.();
  }
  await settled();
  for (const { place } of listeners) assert(place.position >= turns * 54, "it is a round behind");
});

Deno.test("a reader who is removed gets whole frames, and is asked for no more", async () => {
  const stage = new Stage();
  const gate = gated();
  const [leaving, staying] = [stage.add({ ...gate.rules, share: () => 1 }), stage.add()];
  gate.shut();
  stage.append();
  stage.rounds.remove(leaving.place);
  stage.append();
  gate.open();
  for (let turn = 0; turn < 10; turn++) await settled();
  assertEquals(concat(leaving.received), stage.between(0, 54));
  assertEquals(leaving.place.goesTo, 54);
  assertEquals(concat(staying.received), stage.between(0));
});

Deno.test("a reader who is last among many still gets all when others are removed meanwhile", async () => {
  const stage = new Stage();
  const listeners = Array.from({ length: roundWritesPerTurn + 10 }, () => stage.add());
  stage.append();
  for (const { place } of listeners.slice(0, 10)) stage.rounds.remove(place);
  await stage.clock.advance(0);
  for (const { received } of listeners.slice(10)) assertEquals(concat(received), stage.between(0));
});

Deno.test("a reader whose socket takes nothing holds the tail up from its first frame on", async () => {
  const stage = new Stage();
  const gate = gated();
  gate.shut();
  const slow = stage.add(gate.rules);
  slow.writer.wake({ view: () => numbered(10), written() {} }); // Its socket is busy already.
  stage.add();
  for (let count = 0; stage.tail.hasRoomFor(100_000); count++) {
    assert(count < 20, "its frames were dropped before it could get into their segment");
    stage.append(100_000);
    await settled();
  }
  await stage.clock.advance(laggardMs);
  assertEquals(stage.rounds.laggards(), [slow.place]);
});

Deno.test("readers who were at rest hold the tail up from the next frame on", async () => {
  const stage = new Stage();
  const gate = gated();
  const slow = stage.add(gate.rules);
  stage.append();
  await settled();
  assert(stage.rounds.isAtRest);
  stage.rounds.rest();
  stage.tail.clear();
  gate.shut();
  slow.writer.wake({ view: () => numbered(10), written() {} });
  stage.append(100_000);
  stage.append(100_000);
  assertEquals(stage.tail.segmentAt(54)!.readers, 1);
});

/** What may happen to a room; `who` is one of those present. */
type Happening =
  | { readonly what: "append"; readonly size: number }
  | { readonly what: "add" }
  | { readonly what: "rest" }
  | { readonly what: "pass"; readonly ms: number }
  | { readonly what: "remove" | "shut" | "open"; readonly who: number };

const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({ what: fc.constant("append" as const), size: fc.integer({ min: 28, max: 60_000 }) }),
  fc.record({ what: fc.constant("add" as const) }),
  fc.record({ what: fc.constant("rest" as const) }),
  fc.record({ what: fc.constant("pass" as const), ms: fc.nat(60) }),
  fc.record({ what: fc.constantFrom("remove", "shut", "open"), who: fc.nat() }),
);

Deno.test("every reader gets every byte from its start on, whatever happens to the others", async () => {
  const story = fc.array(happening, { maxLength: 120 });
  await fc.assert(
    fc.asyncProperty(story, fc.integer({ min: 1, max: 9000 }), async (story, shareMax) => {
      const audience = new Audience(shareMax);
      for (const step of story) await audience.meet(step);
      await audience.check();
    }),
    { numRuns: 40 },
  );
});

/** One who reads, or has read. */
interface Reader {
  readonly listener: Listener;
  readonly gate: ReturnType<typeof gated>;
  readonly start: number;
}

/** A stage with readers who come and go. */
class Audience {
  readonly #stage = new Stage();
  readonly #share: (max: number) => number;
  readonly #present: Reader[] = [];
  readonly #gone: Reader[] = [];

  constructor(shareMax: number) {
    this.#share = (max) => Math.min(max, shareMax);
  }

  async meet(step: Happening): Promise<void> {
    switch (step.what) {
      case "append":
        return await this.#append(step.size);
      case "add":
        return this.#add();
      case "rest":
        return this.#rest();
      case "pass":
        return await this.#stage.clock.advance(step.ms);
      default:
        if (this.#present.length > 0) this.#touch(step.what, step.who % this.#present.length);
    }
  }

  /** Who stayed has everything from the start on; who was removed has whole frames. */
  async check(): Promise<void> {
    const { clock } = this.#stage;
    const readers = [...this.#present, ...this.#gone];
    for (const { gate } of readers) gate.open();
    for (let turn = 0; turn < 20; turn++) await clock.advance(roundMs);
    for (const reader of readers) {
      const { listener, start } = reader;
      await drained(listener);
      const end = this.#present.includes(reader) ? undefined : listener.place.goesTo;
      assert(equal(concat(listener.received), this.#stage.between(start, end)));
    }
  }

  async #append(bytes: number): Promise<void> {
    const { tail, rounds, clock } = this.#stage;
    while (!tail.hasRoomFor(bytes)) {
      await clock.advance(1_000);
      const laggards = rounds.laggards();
      const at = this.#present.findIndex(({ listener }) => laggards.includes(listener.place));
      if (at >= 0) this.#touch("remove", at);
    }
    this.#stage.append(bytes);
  }

  #add(): void {
    const gate = gated();
    const start = this.#stage.tail.end;
    const listener = this.#stage.add({ ...gate.rules, share: this.#share });
    this.#present.push({ listener, gate, start });
  }

  #rest(): void {
    const { rounds, tail } = this.#stage;
    if (!rounds.isAtRest) return;
    rounds.rest();
    tail.clear();
  }

  #touch(what: "remove" | "shut" | "open", at: number): void {
    const reader = this.#present[at]!;
    if (what !== "remove") return reader.gate[what]();
    this.#present.splice(at, 1);
    this.#gone.push(reader);
    this.#stage.rounds.remove(reader.listener.place);
  }
}

/** Resolves when a writer has written all, and its peer has read that. */
async function drained({ writer, wire }: Listener): Promise<void> {
  await writer.idle();
  while (wire.inward.bytes > 0) await settled();
  await settled();
}
