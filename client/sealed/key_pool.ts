/**
 * Key packages that a device leaves with the server, so that others can take it into groups while it is
 * not there.
 *
 * @module
 */

import type { Identity } from "../../crypto/identity.ts";
import { sha256 } from "../../protocol/hash.ts";
import { keyPackagesMax, keyPoolLow, keyPoolSize } from "../../protocol/limits.ts";
import type { KeptKeyPackage, Profile } from "../store/store.ts";
import type { Groups } from "./groups.ts";
import type { Server } from "./server.ts";

/** Of those that were in the pool, so many are kept: some may have been given out, and not used yet. */
const poolKeptMax = 3 * keyPackagesMax;
/** Of those that were the last one, so many. */
const lastsKeptMax = 2;

/**
 * Fills the pool up where it runs low, or is not ours: what was kept here is lost, or is what was kept
 * some time ago. What is left there is kept here first.
 *
 * @param isForeign whether somebody was given what we cannot open
 */
export async function fillKeyPool(
  server: Server,
  identity: Identity,
  groups: Groups,
  profile: Profile,
  isForeign: boolean,
): Promise<void> {
  if (!profile.isKept) return;
  const { left } = await server.command("keys", { packages: [] });
  const kept = profile.keyPackages();
  const ours = placed(kept, "pool").length;
  const mustReplace = isForeign || left > ours || placed(kept, "last").length === 0;
  if (left >= keyPoolLow && !mustReplace) return;
  const make = async (place: "pool" | "last", count: number) => {
    const made = [];
    for (let number = 0; number < count; number++) made.push(await groups.newKeyPackage(identity));
    const packages = made.map(({ keyPackage }) => keyPackage);
    profile.keepKeyPackages(
      made.map(({ keyPackage, saved }) => ({ ref: sha256(keyPackage), saved, place })),
    );
    return packages;
  };
  // Of a pool the newest stay: so many take the place of all.
  let missing = mustReplace ? keyPackagesMax : keyPoolSize - left;
  for (; missing > 0; missing -= keyPoolSize) {
    await server.command("keys", { packages: await make("pool", Math.min(missing, keyPoolSize)) });
  }
  const [last] = await make("last", 1);
  await server.command("keys", { packages: [], ...(last && { last }) });
  const all = profile.keyPackages();
  const old = [
    ...placed(all, "pool").slice(0, -poolKeptMax),
    ...placed(all, "last").slice(0, -lastsKeptMax),
  ];
  if (old.length > 0) profile.dropKeyPackages(old.map(({ ref }) => ref));
}

function placed(packages: readonly KeptKeyPackage[], place: "pool" | "last"): KeptKeyPackage[] {
  return packages.filter((each) => each.place === place);
}
