import { assertEquals, assertRejects } from "@std/assert";
import { Refused } from "../../client/handshake.ts";
import { patiently } from "../../client/chat/patience.ts";
import { Typists } from "../../client/chat/typists.ts";
import { FakeClock } from "../fixtures/fake_clock.ts";

/** A clock on which every wait is over at once; what was waited for. */
function hurried() {
  const waits: number[] = [];
  const timer = (ms: number, act: () => void) => {
    waits.push(ms);
    queueMicrotask(act);
    return () => {};
  };
  return { waits, clock: { timer } };
}

function refusals(...errors: Error[]): () => Promise<string> {
  return () => {
    const error = errors.shift();
    return error ? Promise.reject(error) : Promise.resolve("done");
  };
}

Deno.test("what is refused for being too fast is done again, as late as was asked", async () => {
  const { waits, clock } = hurried();
  const told: string[] = [];
  const slow = (ms?: number) => new Refused("slow_down", "Too fast.", ms);
  const tell = (text: string) => told.push(text);
  assertEquals(await patiently(clock, tell, refusals(slow(500), slow(), slow(4_500))), "done");
  assertEquals(waits, [500, 1000, 4500]);
  assertEquals(told, ["The server asks to wait 5 s; then this goes on by itself."]);
});

Deno.test("nobody is kept waiting for ever, nor for what waiting does not mend", async () => {
  const { waits, clock } = hurried();
  const act = () => Promise.reject(new Refused("slow_down", "Too fast.", 25_000));
  await assertRejects(() => patiently(clock, () => {}, act), Refused, "Too fast.");
  assertEquals(waits, [25_000, 25_000]);
  const other = () => Promise.reject(new Refused("forbidden", "No.", 5));
  await assertRejects(() => patiently(clock, () => {}, other), Refused, "No.");
  assertEquals(waits.length, 2);
});

Deno.test("that somebody types is shown for a while after they last did", async () => {
  const clock = new FakeClock();
  let changes = 0;
  const typists = new Typists(clock, () => changes++);
  typists.note("Bob");
  await clock.advance(3_000);
  typists.note("Bob");
  typists.note("Eve");
  await clock.advance(3_000);
  assertEquals([typists.names, changes], [["Bob", "Eve"], 0]);
  typists.end("Eve");
  await clock.advance(1_000);
  assertEquals([typists.names, changes], [[], 1]);
  typists.note("Bob");
  typists.clear();
  await clock.advance(10_000);
  assertEquals([typists.names, changes], [[], 1]);
});
