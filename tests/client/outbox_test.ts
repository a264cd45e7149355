import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Outbox } from "../../client/outbox.ts";
import type { OwnMessage } from "../../client/store/store.ts";
import { encodeCore, messageIdOf, Proof } from "../../protocol/entry.ts";
import { outboxBytesMax, outboxWindowMax } from "../../protocol/limits.ts";
import { FakeClock, settled } from "../fixtures/fake_clock.ts";

/** Something said, known by a number. */
function core(number: number, payloadBytes = 10): Uint8Array {
  const messageId = new Uint8Array(16);
  new DataView(messageId.buffer).setUint32(0, number);
  const payload = new Uint8Array(payloadBytes);
  return encodeCore({ proof: Proof.unverified, content: 0, messageId, payload });
}

function idOf(number: number): Uint8Array {
  return messageIdOf(core(number));
}

/** The same, in a room. */
function message(number: number, payloadBytes?: number, room = lobby): OwnMessage {
  return { room, core: core(number, payloadBytes) };
}

function numberOf({ core }: OwnMessage): number {
  return new DataView(core.buffer, core.byteOffset).getUint32(4);
}

const lobby = new Uint8Array(16).fill(1);
const team = new Uint8Array(16).fill(2);

/** An outbox, and what it has sent in the session there is. */
class Desk {
  readonly clock = new FakeClock();
  readonly outbox = new Outbox(this.clock);
  sent: number[] = [];

  open(): void {
    this.sent = [];
    this.outbox.open((message) => this.sent.push(numberOf(message)));
  }

  say(...numbers: readonly number[]): void {
    for (const number of numbers) this.outbox.add(message(number));
  }

  /** What was sent since the last time that was asked for. */
  taken(): number[] {
    return this.sent.splice(0);
  }
}

function upTo(count: number, from = 1): number[] {
  return Array.from({ length: count }, (_, at) => from + at);
}

Deno.test("an outbox sends at once while there is a session, and keeps what is said without one", () => {
  const desk = new Desk();
  desk.say(1, 2);
  assertEquals([desk.sent, desk.outbox.size], [[], 2]);
  desk.open();
  desk.say(3);
  assertEquals(desk.taken(), [1, 2, 3]);
  desk.outbox.close();
  desk.say(4);
  assertEquals(desk.taken(), []);
});

Deno.test("an outbox sends again in the next session what was not settled, the oldest first", () => {
  const desk = new Desk();
  desk.open();
  desk.say(1, 2, 3, 4);
  desk.outbox.settle(idOf(2));
  desk.outbox.close();
  desk.say(5);
  desk.open();
  assertEquals(desk.taken(), [1, 3, 4, 5]);
});

Deno.test("an outbox settles each message once, and knows only its own", () => {
  const desk = new Desk();
  desk.open();
  desk.say(1);
  const settled = [idOf(9), idOf(1), idOf(1)].map((id) => desk.outbox.settle(id));
  assertEquals([settled, desk.outbox.size], [[false, true, false], 0]);
});

Deno.test("an outbox sends only so much ahead of acknowledgements", () => {
  const desk = new Desk();
  desk.open();
  desk.say(...upTo(outboxWindowMax + 10));
  assertEquals(desk.taken(), upTo(outboxWindowMax));
  desk.outbox.settle(idOf(1));
  desk.outbox.settle(idOf(5));
  assertEquals(desk.taken(), upTo(2, outboxWindowMax + 1));
});

Deno.test("an outbox that is told to slow down waits, then sends from there on, gently at first", async () => {
  const desk = new Desk();
  desk.open();
  desk.say(1, 2, 3, 4, 5);
  desk.taken();
  desk.outbox.settle(idOf(1));
  for (const number of [2, 3, 4, 5]) desk.outbox.slowDown(idOf(number), 200);
  desk.say(6);
  await desk.clock.advance(199);
  assertEquals(desk.taken(), []);
  await desk.clock.advance(1);
  assertEquals(desk.taken(), [2]);
  desk.outbox.settle(idOf(2));
  assertEquals(desk.taken(), [3, 4], "the window opens with each acknowledgement");
  desk.outbox.settle(idOf(3));
  assertEquals(desk.taken(), [5, 6]);
});

Deno.test("an outbox that is told to slow down twice waits for the first time only once", async () => {
  const desk = new Desk();
  desk.open();
  desk.say(1, 2);
  desk.taken();
  desk.outbox.slowDown(idOf(1), 100);
  await desk.clock.advance(50);
  desk.outbox.slowDown(idOf(2), 100);
  await desk.clock.advance(50);
  assertEquals(desk.taken(), [1]);
  assertEquals(desk.clock.waiting, 0);
});

Deno.test("an outbox does not mind being slowed down about what it no longer has", async () => {
  const desk = new Desk();
  desk.open();
  desk.say(1);
  desk.outbox.settle(idOf(1));
  desk.outbox.slowDown(idOf(1), 100);
  desk.outbox.slowDown(idOf(7), 100);
  desk.say(2);
  assertEquals([desk.taken(), desk.clock.waiting], [[1, 2], 0]);
  await desk.clock.advance(1_000);
  assertEquals(desk.taken(), []);
});

Deno.test("a session that ends while it is slowed down leaves no timer, and the next one does not wait", () => {
  const desk = new Desk();
  desk.open();
  desk.say(1, 2);
  desk.outbox.slowDown(idOf(1), 5_000);
  desk.outbox.close();
  assertEquals(desk.clock.waiting, 0);
  desk.open();
  assertEquals(desk.taken(), [1, 2]);
});

Deno.test("an outbox that is to send again sends all that is not settled, in order", () => {
  const desk = new Desk();
  desk.open();
  desk.say(1, 2, 3);
  desk.outbox.settle(idOf(2));
  desk.taken();
  desk.outbox.sendAgain(lobby);
  assertEquals(desk.taken(), [1, 3]);
  desk.outbox.close();
  desk.outbox.sendAgain(lobby);
  assertEquals(desk.taken(), []);
});

Deno.test("an outbox says when it is empty, and when it has room", async () => {
  const desk = new Desk();
  const told: string[] = [];
  await desk.outbox.empty();
  await desk.outbox.hasRoom();
  const large = [1, 2, 3].map((number) => message(number, outboxBytesMax / 2));
  for (const each of large) desk.outbox.add(each);
  void desk.outbox.empty().then(() => told.push("empty"));
  void desk.outbox.hasRoom().then(() => told.push("room"));
  for (const [at, expected] of [[], ["room"], ["room", "empty"]].entries()) {
    desk.outbox.settle(idOf(at + 1));
    await settled();
    assertEquals(told, expected);
  }
});

Deno.test("an outbox counts what is about to be added, until it is added or not", async () => {
  const { outbox } = new Desk();
  const told: string[] = [];
  const release = outbox.reserve(outboxBytesMax);
  void outbox.hasRoom().then(() => told.push("room"));
  await settled();
  assertEquals(told, []);
  release();
  await settled();
  assertEquals(told, ["room"]);
});

Deno.test("a room that is slow holds up no other", async () => {
  const desk = new Desk();
  const { outbox } = desk;
  desk.open();
  desk.say(1, 2);
  outbox.slowDown(idOf(1), 100_000);
  desk.taken();
  outbox.add(message(3, 1, team));
  desk.say(4);
  assertEquals(desk.taken(), [3]);
  await desk.clock.advance(100_000);
  assertEquals(desk.taken(), [1]);
});

Deno.test("an outbox has no more under way in all rooms together than the server remembers", () => {
  const desk = new Desk();
  desk.open();
  for (const number of upTo(outboxWindowMax)) {
    desk.outbox.add(message(number, 1, number % 2 ? lobby : team));
  }
  const third = new Uint8Array(16).fill(3);
  desk.outbox.add(message(9999, 1, third));
  assertEquals(desk.taken().length, outboxWindowMax);
  desk.outbox.settle(idOf(1));
  assertEquals(desk.taken(), [9999]);
});

Deno.test("an outbox keeps the order in each room, and gives up a room's messages on their own", () => {
  const desk = new Desk();
  const { outbox } = desk;
  outbox.add(message(1));
  outbox.add(message(2, 1, team));
  outbox.add(message(3));
  desk.open();
  assertEquals([desk.taken(), outbox.rooms], [[1, 3, 2], [lobby, team]]);
  assertEquals([outbox.drop(team).map(numberOf), outbox.size], [[2], 2]);
});

/** What may happen to an outbox. */
type Happening =
  | { readonly what: "say" | "answer" | "drop" | "connect" | "again" }
  | { readonly what: "pass"; readonly ms: number };

const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({ what: fc.constantFrom("say", "answer", "answer", "drop", "connect", "again") }),
  fc.record({ what: fc.constant("pass" as const), ms: fc.nat(300) }),
);

/** A server that refuses some, and then takes none before the one refused comes again. */
class Server {
  readonly log: number[] = [];
  readonly #outbox: Outbox;
  #coming: number[] = [];
  #owed: number | undefined;
  #refusals: number[];

  constructor(outbox: Outbox, refusals: readonly number[]) {
    this.#outbox = outbox;
    this.#refusals = [...refusals];
  }

  connect(): void {
    this.#coming = [];
    this.#owed = undefined;
    this.#outbox.open((message) => this.#coming.push(numberOf(message)));
  }

  drop(): void {
    this.#coming = [];
    this.#outbox.close();
  }

  /** Deals with the next message that has come; false when there is none. */
  answer(): boolean {
    const number = this.#coming.shift();
    if (number === undefined) return false;
    if (this.log.includes(number)) {
      this.#outbox.settle(idOf(number));
    } else if (this.#owed !== undefined && this.#owed !== number || this.#refuses()) {
      this.#owed ??= number;
      this.#outbox.slowDown(idOf(number), 100);
    } else {
      this.#owed = undefined;
      this.log.push(number);
      this.#outbox.settle(idOf(number));
    }
    return true;
  }

  #refuses(): boolean {
    return (this.#refusals.shift() ?? 0) > 6;
  }
}

Deno.test("whatever happens, all that was said is in the log once, in order", async () => {
  const story = fc.array(happening, { maxLength: 150 });
  const refusals = fc.array(fc.nat(9), { maxLength: 60 });
  await fc.assert(fc.asyncProperty(story, refusals, async (story, refusals) => {
    const { clock, outbox } = new Desk();
    const server = new Server(outbox, refusals);
    let said = 0;
    for (const step of story) {
      if (step.what === "say") outbox.add(message(++said));
      else if (step.what === "pass") await clock.advance(step.ms);
      else if (step.what === "again") outbox.sendAgain(lobby);
      else server[step.what]();
    }
    server.connect();
    for (let turn = 0; outbox.size > 0; turn++) {
      assert(turn < 10_000, "it never becomes empty");
      if (!server.answer()) await clock.advance(100);
    }
    assertEquals(server.log, upTo(said));
  }));
});

Deno.test("a refusal of an earlier copy says nothing of the one that is under way", async () => {
  const desk = new Desk();
  desk.open();
  desk.say(1, 2, 3);
  desk.outbox.slowDown(idOf(1), 100);
  desk.outbox.settle(idOf(3)); // Had been stored, before or after: now more may be under way.
  desk.taken();
  await desk.clock.advance(100);
  assertEquals(desk.taken(), [1, 2]);
  assertEquals(desk.outbox.slowDown(idOf(2), 100), false); // That is of the first copy.
  await desk.clock.advance(1_000);
  assertEquals(desk.taken(), []);
  desk.outbox.slowDown(idOf(1), 100);
  desk.outbox.slowDown(idOf(2), 100);
  await desk.clock.advance(1_000);
  assertEquals(desk.taken(), [1]);
});
