/**
 * A process that changes a folder's passphrase and stops at a step, where it is killed:
 * `deno run passphrase_victim.ts HOME OLD NEW STEP`; an empty passphrase is none.
 */

import { SqliteStore } from "../../client/store/sqlite.ts";

const [home = "", old = "", next = "", step = ""] = Deno.args;
const store = new SqliteStore(home);
if (store.isLocked) await store.unlock(old);
await store.setPassphrase(next || undefined, (done) => {
  if (done !== Number(step)) return;
  console.log("here");
  Deno.stdin.readSync(new Uint8Array(1)); // For ever.
});
