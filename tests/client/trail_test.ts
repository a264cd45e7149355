import { assertEquals, assertThrows } from "@std/assert";
import { decodeSaid, encodeSaid, Trail } from "../../client/sealed/trail.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { trailMax } from "../../protocol/limits.ts";
import type { Cursor } from "../../protocol/message.ts";
import { numbered } from "../fixtures/bytes.ts";

/** Where one stands in a log, and in another. */
const at = (seq: number, log = 1): Cursor => ({ seq, hash: numbered(32, seq + 7 * log) });

/** A log that was read from one entry to another. */
function trail(from: number, to: number): Trail {
  const trail = new Trail();
  trail.begin(at(from));
  for (let seq = from + 1; seq <= to; seq++) trail.add(at(seq));
  return trail;
}

Deno.test("somebody's place in the log is contradicted by another hash, and by what is still to come", () => {
  const log = trail(5, 9);
  for (let seq = 5; seq <= 9; seq++) {
    assertEquals([log.contradicts(at(seq)), log.contradicts(at(seq, 2))], [false, true]);
  }
  assertEquals([log.contradicts(at(10)), log.contradicts(at(4, 2))], [true, false]);
  assertEquals(log.end, at(9));
});

Deno.test("a log that goes on elsewhere is another one, and one that is read on is the same", () => {
  const log = trail(5, 9);
  log.begin(at(9));
  assertEquals(log.contradicts(at(7, 2)), true);
  log.begin(at(9, 2));
  assertEquals([log.contradicts(at(7, 2)), log.contradicts(at(9))], [false, true]);
});

Deno.test("only the last part of a log is remembered", () => {
  const log = trail(0, trailMax + 1);
  assertEquals([log.contradicts(at(1, 2)), log.contradicts(at(2, 2))], [false, true]);
});

Deno.test("what is said comes back with its place, and what is too short is none", () => {
  const said = encodeSaid(at(2 ** 40), numbered(3));
  assertEquals(decodeSaid(said), { at: at(2 ** 40), payload: numbered(3) });
  assertEquals(decodeSaid(said.subarray(0, 40)).payload.length, 0);
  for (let length = 0; length < 40; length++) {
    assertThrows(() => decodeSaid(said.subarray(0, length)), ProtocolError);
  }
});
