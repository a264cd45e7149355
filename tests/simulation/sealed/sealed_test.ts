import { assert, assertEquals } from "@std/assert";
import { SealedCoverage } from "./coverage.ts";
import { type SealedOptions, type SealedOutcome, simulateSealed } from "./simulate.ts";
import { couples, races } from "./special_plans.ts";

/** Seeds that run with every test; `deno task simulate-sealed` runs as many as one likes. */
const seeds = 200;

/** What a seed did, unless it failed: then how to look at it. */
async function pass(seed: number, options: SealedOptions = {}): Promise<SealedOutcome> {
  const outcome = await simulateSealed(seed, options);
  if (outcome.violation) {
    const text = `seed ${seed}: ${outcome.violation.message}`;
    throw new Error(`${text}\n  deno task simulate-sealed --from ${seed} --seeds 1`, {
      cause: outcome.violation,
    });
  }
  return outcome;
}

/** What has to occur in so many seeds: else they prove nothing about it. */
const situations: readonly (keyof Omit<SealedCoverage, "add">)[] = [
  "actsRefused",
  "added",
  "admitted",
  "badCommits",
  "comebacks",
  "crashes",
  "crashesUnsynced",
  "cuts",
  "entries",
  "freezes",
  "generations",
  "keptUnshown",
  "kills",
  "lostStores",
  "reconnects",
  "refusals",
  "removals",
  "repeated",
  "shutdowns",
  "staleCommits",
  "staleMessages",
  "takenOut",
  "unreadable",
];

Deno.test("whatever goes wrong in sealed rooms, who is in reads all, nobody else does, and no key seals twice", async () => {
  const coverage = new SealedCoverage();
  for (let seed = 1; seed <= seeds; seed++) coverage.add((await pass(seed)).coverage);
  const missing = situations.filter((situation) => coverage[situation] === 0);
  assertEquals(missing, [], "did not occur");
});

Deno.test("of several commits in one epoch one wins and the others follow, a thousand times", async () => {
  const coverage = new SealedCoverage();
  for (let seed = 1; seed <= 50; seed++) {
    coverage.add((await pass(seed, { plan: races(20) })).coverage);
  }
  assert(coverage.staleCommits > 500, `${coverage.staleCommits} commits lost`);
});

Deno.test("who is spoken to in a room of two can read it, however often they have left", async () => {
  const coverage = new SealedCoverage();
  for (let seed = 1; seed <= 50; seed++) {
    coverage.add((await pass(seed, { plan: couples })).coverage);
  }
  assert(coverage.heeded > 100, `${coverage.heeded} were spoken to`);
});

Deno.test("the same seed of sealed rooms gives the same events, after whatever other seeds", async () => {
  const first: SealedOutcome[] = [];
  for (const seed of [1, 2, 3, 4, 5]) first.push(await pass(seed));
  for (const { seed, hash, events } of first.toReversed()) {
    const again = await pass(seed, { keepsTrace: true });
    assertEquals([again.hash, again.events], [hash, events], `seed ${seed}`);
  }
});

Deno.test("what holds for the stand-in holds for MLS itself", async () => {
  for (const seed of [1, 2, 3]) await pass(seed, { isReal: true });
});
