/**
 * Key packages that a device leaves with the server, so that others can take it into groups while it is
 * not there.
 *
 * @module
 */

import type { Identity } from "../../crypto/identity.ts";
import { sha256 } from "../../protocol/hash.ts";
import { keyPackagesMax, keyPoolLow, keyPoolSize } from "../../protocol/limits.ts";
import type { Profile } from "../store/store.ts";
import type { Groups } from "./groups.ts";
import type { Server } from "./server.ts";

/** Fills the pool up where it runs low, or is not ours. What is left there is kept here first. */
export async function fillKeyPool(
  server: Server,
  identity: Identity,
  groups: Groups,
  profile: Profile,
): Promise<void> {
  if (!profile.isKept) return;
  const { left } = await server.command("keys", { packages: [] });
  const kept = profile.keyPackages();
  const lasts = kept.filter(({ isLast }) => isLast);
  // What was kept is lost, or is what was kept some time ago: nobody is to be given what we cannot open.
  const isForeign = lasts.length === 0 && left > 0 || left > kept.length - lasts.length;
  if (left >= keyPoolLow && !isForeign) return;
  const count = isForeign ? keyPackagesMax : keyPoolSize - left;
  const made = [];
  // One more than the pool takes: it is given when the pool is empty, and never used up.
  for (let at = 0; at <= count; at++) made.push(await groups.newKeyPackage(identity));
  // Somebody may have been given the one before it, and not said so yet.
  const older = lasts.slice(0, -1);
  profile.dropKeyPackages(older.map(({ ref }) => ref));
  profile.keepKeyPackages(
    made.map(({ keyPackage, saved }, at) => ({
      ref: sha256(keyPackage),
      saved,
      ...(at === 0 && { isLast: true }),
    })),
  );
  const [last, ...packages] = made.map(({ keyPackage }) => keyPackage);
  await server.command("keys", { packages: [], ...(last && { last }) });
  for (let at = 0; at < packages.length; at += keyPoolSize) { // All would be too long for a frame.
    await server.command("keys", { packages: packages.slice(at, at + keyPoolSize) });
  }
}
