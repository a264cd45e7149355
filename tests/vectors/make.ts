/**
 * Writes the golden bytes anew, when a change of the wire is meant:
 * `deno run --allow-write=tests/vectors tests/vectors/make.ts`
 */

import { computeVectors } from "./wire.ts";

const path = `${import.meta.dirname}/wire.json`;
await Deno.writeTextFile(path, `${JSON.stringify(await computeVectors(), undefined, 2)}\n`);
