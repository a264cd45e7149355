/**
 * The program whose writes are recorded: it takes a store through a workload, and says on its output
 * of each step that it was acknowledged. Then it is gone, without closing anything.
 *
 * Arguments: path, seed, steps, "synced" or "unsynced".
 *
 * @module
 */

import { SqliteStore } from "../../server/store/sqlite.ts";
import { steps } from "./workload.ts";

const [path, seed, count, synced] = Deno.args;
const store = await SqliteStore.open({
  path: path!,
  walBytesMax: 400_000,
  isSynced: synced === "synced",
});
for (const [at, step] of steps(Number(seed), Number(count)).entries()) {
  await step(store);
  Deno.stdout.writeSync(new TextEncoder().encode(`acknowledged ${at + 1}\n`));
}
Deno.exit();
