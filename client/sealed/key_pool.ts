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
  const ours = keptAt(profile, "pool").length;
  const mustReplace = isForeign || left > ours || keptAt(profile, "last").length === 0;
  if (left >= keyPoolLow && !mustReplace) return;
  const make = async (place: "pool" | "last") => {
    const { keyPackage, saved } = await groups.newKeyPackage(identity);
    profile.keepKeyPackages([{ ref: sha256(keyPackage), saved, place }]);
    return keyPackage;
  };
  // Of a pool the newest stay: so many take the place of all.
  for (let count = mustReplace ? keyPackagesMax : keyPoolSize - left; count > 0;) {
    const packages = [];
    for (; packages.length < keyPoolSize && count > 0; count--) packages.push(await make("pool"));
    await server.command("keys", { packages });
  }
  await server.command("keys", { packages: [], last: await make("last") });
  dropOld(profile, "pool", poolKeptMax);
  dropOld(profile, "last", lastsKeptMax);
}

function keptAt(profile: Profile, place: "pool" | "last"): KeptKeyPackage[] {
  return profile.keyPackages().filter((each) => each.place === place);
}

function dropOld(profile: Profile, place: "pool" | "last", most: number): void {
  const old = keptAt(profile, place).slice(0, -most);
  if (old.length > 0) profile.dropKeyPackages(old.map(({ ref }) => ref));
}
