import { assert, assertEquals } from "@std/assert";
import { Coverage } from "./coverage.ts";
import { type Outcome, simulate, type SimulationOptions } from "./simulate.ts";
import { besideStuck, removals } from "./special_plans.ts";

/** Seeds that run with every test; `deno task simulate` runs as many as one likes. */
const seeds = 1_000;

/** What a seed did, unless it failed: then how to look at it. */
async function pass(seed: number, options: SimulationOptions = {}): Promise<Outcome> {
  const outcome = await simulate(seed, options);
  if (outcome.violation) {
    const text = `seed ${seed}: ${outcome.violation.message}`;
    throw new Error(`${text}\n  deno task simulate --from ${seed} --seeds 1`, {
      cause: outcome.violation,
    });
  }
  return outcome;
}

/** What has to occur in so many seeds: else they prove nothing about it. */
const situations: readonly (keyof Omit<Coverage, "add">)[] = [
  "actsRefused",
  "answers",
  "congestions",
  "crashes",
  "crashesUnsynced",
  "cuts",
  "delays",
  "doneBesideStuck",
  "erasedServed",
  "endedInFrame",
  "freezes",
  "fullTails",
  "histories",
  "keptUnshown",
  "kills",
  "laggards",
  "pages",
  "pieces",
  "reconnects",
  "readOnly",
  "refusals",
  "removals",
  "repeated",
  "repeatedUnderWay",
  "resets",
  "restores",
  "rotations",
  "shutdowns",
  "shuttingDown",
  "silent",
  "slowDowns",
  "stalls",
  "trimmed",
  "undelivered",
];

Deno.test("whatever goes wrong, all see one order, nothing is lost and nothing comes twice", async () => {
  const coverage = new Coverage();
  for (let seed = 1; seed <= seeds; seed++) coverage.add((await pass(seed)).coverage);
  const missing = situations.filter((situation) => coverage[situation] === 0);
  assertEquals(missing, [], "did not occur");
});

Deno.test("a reader who takes nothing delays nobody", async () => {
  const coverage = new Coverage();
  for (let seed = 1; seed <= 15; seed++) {
    coverage.add((await pass(seed, { plan: besideStuck })).coverage);
  }
  assert(coverage.laggards > 0 && coverage.fullTails > 0, "nobody fell behind");
});

Deno.test("who is sent out of a room and comes back reads on", async () => {
  const coverage = new Coverage();
  for (let seed = 1; seed <= 30; seed++) {
    coverage.add((await pass(seed, { plan: removals })).coverage);
  }
  assert(coverage.removals > 30, "nobody was sent out");
});

Deno.test("the same seed gives the same events, after whatever other seeds", async () => {
  const first: Outcome[] = [];
  for (const seed of [1, 2, 3, 4, 5]) first.push(await pass(seed));
  for (const { seed, hash, events, trace } of first.toReversed()) {
    const again = await pass(seed, { keepsTrace: true });
    assertEquals([again.hash, again.events, trace], [hash, events, ""], `seed ${seed}`);
    assertEquals((await pass(seed, { keepsTrace: true })).trace, again.trace);
  }
  assertEquals(new Set(first.map(({ hash }) => hash)).size, first.length);
});

Deno.test("the same seed gives the same events with real cryptography", async () => {
  for (const seed of [1, 2, 3]) {
    const { hash, events } = await pass(seed);
    const real = await pass(seed, { crypto: "real" });
    assertEquals([real.hash, real.events], [hash, events], `seed ${seed}`);
  }
});

Deno.test("`deno task simulate` runs seeds on several processors", async () => {
  const args = ["run", "-q", "--no-prompt", "--frozen", "--allow-read=."];
  const task = [`${import.meta.dirname}/main.ts`, "--seeds", "4", "--jobs", "2"];
  const { stdout, code } = await new Deno.Command(Deno.execPath(), {
    args: [...args, ...task],
    signal: AbortSignal.timeout(60_000),
  }).output();
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  assertEquals([lines.at(-1), code], ["0 failed", 0]);
});
