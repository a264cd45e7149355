import { assert, assertEquals } from "@std/assert";
import { mutants } from "./mutants.ts";
import { simulateSealed } from "./simulate.ts";

/** Seeds in which a mutant has to be found. */
const seedsMax = 1_000;

for (const { name, shows, ...options } of mutants) {
  Deno.test(`the simulation of sealed rooms finds out when ${name}`, async () => {
    const found: string[] = [];
    for (let seed = 1; seed <= seedsMax; seed++) {
      const { violation } = await simulateSealed(seed, options);
      if (!violation) continue;
      found.push(violation.message);
      if (shows.test(violation.message)) return;
    }
    assert(found.length > 0, `not in ${seedsMax} seeds`);
    assertEquals(found.filter((text) => shows.test(text)), found, "found by something else");
  });
}
