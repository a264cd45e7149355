import { assert, assertEquals } from "@std/assert";
import { mutants } from "./mutants.ts";
import { simulate } from "./simulate.ts";

/** Seeds in which a mutant has to be found. */
const seedsMax = 1_000;

for (const { name, shows, ...options } of mutants) {
  Deno.test(`the simulation finds out when ${name}`, async () => {
    const found: string[] = [];
    for (let seed = 1; seed <= seedsMax; seed++) {
      const outcome = await simulate(seed, options);
      if (!outcome.violation) continue;
      found.push(outcome.violation.message);
      if (shows.test(outcome.violation.message)) return;
    }
    assert(found.length > 0, `not in ${seedsMax} seeds`);
    assertEquals(found.filter((text) => shows.test(text)), found, "found by something else");
  });
}
