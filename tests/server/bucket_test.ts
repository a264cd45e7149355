import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { outboxWindowMax } from "../../protocol/limits.ts";
import { TokenBucket } from "../../server/bucket.ts";
import { PublishBudget } from "../../server/publish_budget.ts";
import { numbered } from "../fixtures/bytes.ts";
import { FakeClock } from "../fixtures/fake_clock.ts";

/** What is done, so many ms after the step before, and what comes of it. */
type Step = readonly [afterMs: number, act: (bucket: TokenBucket) => number, expected: number];

const tryTake = (bucket: TokenBucket) => bucket.tryTake();
const waitMs = (bucket: TokenBucket) => bucket.waitMs();
const take = (count: number) => (bucket: TokenBucket) => bucket.take(count);

const cases: readonly [what: string, perSecond: number, burst: number, steps: readonly Step[]][] = [
  ["gives a burst at once, then says how long to wait", 5, 3, [
    [0, tryTake, 0],
    [0, tryTake, 0],
    [0, tryTake, 0],
    [0, tryTake, 200],
    [150, tryTake, 50],
    [50, tryTake, 0],
    [0, tryTake, 200],
  ]],
  ["earns no more than a burst", 10, 2, [
    [60_000, tryTake, 0],
    [0, tryTake, 0],
    [0, tryTake, 100],
  ]],
  ["takes nothing when it only tells the time", 10, 1, [
    [0, waitMs, 0],
    [0, waitMs, 0],
    [0, tryTake, 0],
    [0, waitMs, 100],
    [0, waitMs, 100],
    [100, waitMs, 0],
  ]],
  ["goes into debt, and says when that is paid", 1000, 100, [
    [0, take(100), 0],
    [0, take(50), 50],
    [0, take(50), 100],
    [100, take(0), 0],
    [0, take(1), 1],
  ]],
  ["gives nothing while in debt", 10, 5, [
    [0, take(10), 500],
    [0, tryTake, 600],
    [500, tryTake, 100],
    [100, tryTake, 0],
  ]],
  ["rounds the time up, so that who waits that long gets one", 3, 1, [
    [0, tryTake, 0],
    [0, tryTake, 334],
    [334, tryTake, 0],
  ]],
];

for (const [what, perSecond, burst, steps] of cases) {
  Deno.test(`a token bucket ${what}`, async () => {
    const clock = new FakeClock();
    const bucket = new TokenBucket(clock, perSecond, burst);
    for (const [at, [afterMs, act, expected]] of steps.entries()) {
      await clock.advance(afterMs);
      assertEquals(act(bucket), expected, `step ${at}`);
    }
  });
}

Deno.test("a token bucket does not mind a clock that goes back", () => {
  let nowMs = 1000;
  const bucket = new TokenBucket({ now: () => nowMs } as FakeClock, 1, 1);
  assertEquals(bucket.tryTake(), 0);
  nowMs = 0;
  assertEquals(bucket.tryTake(), 1000);
  nowMs = 1000;
  assertEquals(bucket.tryTake(), 0);
});

Deno.test("a token bucket never gives more than a burst and what the time earned", async () => {
  const pauses = fc.array(fc.nat(2000), { maxLength: 50 });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 100 }),
      fc.integer({ min: 1, max: 20 }),
      pauses,
      async (perSecond, burst, pauses) => {
        const clock = new FakeClock();
        const bucket = new TokenBucket(clock, perSecond, burst);
        let taken = 0;
        let passedMs = 0;
        for (const ms of pauses) {
          await clock.advance(ms);
          passedMs += ms;
          while (bucket.tryTake() === 0) taken++;
          assert(taken <= burst + passedMs * perSecond / 1000);
        }
      },
    ),
    { numRuns: 30 },
  );
});

Deno.test("a publish budget knows a message that it has taken, and not one that it refused", () => {
  const budget = new PublishBudget(new FakeClock(), 1, 1);
  const [one, two] = [numbered(16, 1), numbered(16, 2)];
  assertEquals([one, two].map((id) => budget.tryTakeMessage(id)), [0, 1000]);
  assertEquals([one, two].map((id) => budget.wasTaken(id)), [true, false]);
});

Deno.test("a publish budget knows as many messages as a client sends ahead", () => {
  const budget = new PublishBudget(new FakeClock(), 1, outboxWindowMax + 1);
  const ids = Array.from(
    { length: outboxWindowMax + 1 },
    (_, at) => Uint8Array.of(at >>> 8, at & 255, ...numbered(14)),
  );
  for (const id of ids) assertEquals(budget.tryTakeMessage(id), 0);
  assertEquals(ids.map((id) => budget.wasTaken(id)), ids.map((_, at) => at > 0));
});

Deno.test("a bucket is full before anything was taken, and again when all has come back", async () => {
  const clock = new FakeClock();
  const bucket = new TokenBucket(clock, 1, 2);
  assertEquals(bucket.isFull, true);
  bucket.tryTake();
  assertEquals(bucket.isFull, false);
  await clock.advance(1_000);
  assertEquals(bucket.isFull, true);
});
