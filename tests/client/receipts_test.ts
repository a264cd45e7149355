import { assertEquals } from "@std/assert";
import type { ClientRoom } from "../../client/events.ts";
import { Receipts } from "../../client/receipts.ts";
import type { Session } from "../../client/session.ts";
import { seenMs, seenRoomsMax, typingMs } from "../../protocol/limits.ts";
import { FakeClock } from "../fixtures/fake_clock.ts";

/** The room without keys. */
const unreadable = 99;

/** Receipts, and what they have told and kept. */
function desk() {
  const clock = new FakeClock();
  const told: string[] = [];
  const kept: string[] = [];
  const receipts = new Receipts(clock, {
    keep: ({ id, readSeq }) => void kept.push(`${id[0]} ${readSeq}`),
    canRead: ({ id }) => id[0] !== unreadable,
  });
  const session = {
    seen: (id: Uint8Array, delivered: number, read: number) =>
      void told.push(`${id[0]} ${delivered} ${read}`),
    sendTyping: (id: Uint8Array) => void told.push(`${id[0]} types`),
  } as unknown as Session;
  return { clock, receipts, session, told, kept, taken: () => told.splice(0) };
}

function room(number: number, seq: number, readSeq: number): ClientRoom {
  return {
    id: new Uint8Array(16).fill(number),
    cursor: { seq, hash: new Uint8Array(32) },
    readSeq,
  } as ClientRoom;
}

Deno.test("what has come and was read is told at once, then once a second, the newest only", async () => {
  const { clock, receipts, session, taken, kept } = desk();
  receipts.open(session);
  for (const seq of [1, 2, 3, 4]) receipts.note(room(1, seq, seq - 1));
  assertEquals(taken(), ["1 1 0"]);
  await clock.advance(seenMs - 1);
  assertEquals(taken(), []);
  await clock.advance(1);
  assertEquals([taken(), kept], [["1 4 3"], ["1 0", "1 3"]]);
  await clock.advance(10 * seenMs);
  assertEquals([taken(), clock.waiting], [[], 0]);
  receipts.note(room(1, 4, 3));
  assertEquals([taken(), clock.waiting], [[], 0], "nothing new");
});

Deno.test("many rooms are told a few at a time, each in the end", async () => {
  const { clock, receipts, session, taken } = desk();
  receipts.open(session);
  receipts.note(room(0, 1, 1));
  for (let number = 1; number <= 2 * seenRoomsMax; number++) receipts.note(room(number, 1, 1));
  assertEquals(taken().length, 1);
  await clock.advance(seenMs);
  assertEquals(taken().length, seenRoomsMax);
  await clock.advance(seenMs);
  assertEquals(taken().length, seenRoomsMax);
});

Deno.test("without a session it is kept up to where a room was read, and told in the next one", async () => {
  const { clock, receipts, session, taken, kept } = desk();
  receipts.note(room(1, 5, 4));
  receipts.note(room(1, 5, 5));
  receipts.close();
  assertEquals([taken(), kept, clock.waiting], [[], ["1 4", "1 5"], 0]);
  receipts.open(session);
  receipts.note(room(1, 5, 5));
  assertEquals(taken(), ["1 5 5"]);
  receipts.close();
  await clock.advance(seenMs);
  receipts.open(session);
  receipts.note(room(1, 5, 5));
  assertEquals(taken(), ["1 5 5"]);
});

Deno.test("nothing is told of a room that was left", async () => {
  const { clock, receipts, session, taken } = desk();
  receipts.open(session);
  receipts.note(room(1, 1, 1));
  receipts.note(room(2, 1, 1));
  receipts.forget(room(2, 1, 1));
  await clock.advance(seenMs);
  assertEquals(taken(), ["1 1 1"]);
});

Deno.test("that somebody types is told every few seconds, room by room", async () => {
  const { clock, receipts, session, taken } = desk();
  receipts.typing(room(1, 1, 1));
  receipts.open(session);
  for (let times = 0; times < 5; times++) receipts.typing(room(1, 1, 1));
  receipts.typing(room(2, 1, 1));
  assertEquals(taken(), ["1 types", "2 types"]);
  await clock.advance(typingMs - 1);
  receipts.typing(room(1, 1, 1));
  await clock.advance(1);
  assertEquals(taken(), []);
  receipts.typing(room(1, 1, 1));
  assertEquals(taken(), ["1 types"]);
});

Deno.test("of what cannot be read nothing is told, but where one stands is kept", async () => {
  const { clock, receipts, session, taken, kept } = desk();
  receipts.open(session);
  receipts.note(room(unreadable, 4, 4));
  receipts.note(room(1, 2, 1));
  await clock.advance(seenMs);
  assertEquals([taken(), kept], [["1 2 1"], [`${unreadable} 4`, "1 1"]]);
});
