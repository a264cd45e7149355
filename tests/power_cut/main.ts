/**
 * Cuts the power of the SQLite store more often than the test does: `deno task power-cut --cuts 1000
 * --from 1 --seeds 1`.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { cutPower } from "./power_cut.ts";

const { cuts, from, seeds } = parseArgs(Deno.args, {
  string: ["cuts", "from", "seeds"],
  default: { cuts: "1000", from: "1", seeds: "1" },
});
for (let seed = Number(from); seed < Number(from) + Number(seeds); seed++) {
  const folder = await Deno.makeTempDir();
  const { faults, ...report } = await cutPower(folder, { seed, cuts: Number(cuts) });
  await Deno.remove(folder, { recursive: true });
  console.log(`seed ${seed}: ${JSON.stringify(report)}, ${faults.length} faults`);
  for (const fault of faults) console.log(`  ${fault}`);
  if (faults.length > 0) Deno.exitCode = 1;
}
