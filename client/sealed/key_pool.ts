/**
 * Key packages that a device leaves with the server, so that others can take it into groups while it is
 * not there.
 *
 * @module
 */

import type { Identity } from "../../crypto/identity.ts";
import { sha256 } from "../../protocol/hash.ts";
import { keyPoolLow, keyPoolSize } from "../../protocol/limits.ts";
import type { Profile } from "../store/store.ts";
import type { Groups } from "./groups.ts";
import type { Server } from "./server.ts";

/** Fills the pool up where it runs low. What is left there is kept here first. */
export async function fillKeyPool(
  server: Server,
  identity: Identity,
  groups: Groups,
  profile: Profile,
): Promise<void> {
  if (!profile.isKept) return;
  const { left } = await server.command("keys", { packages: [] });
  if (left >= keyPoolLow) return;
  const made = [];
  // One more than the pool takes: it is given when the pool is empty, and never used up.
  for (let at = left; at <= keyPoolSize; at++) made.push(await groups.newKeyPackage(identity));
  profile.keepKeyPackages(
    made.map(({ keyPackage, saved }) => ({ ref: sha256(keyPackage), saved })),
  );
  const [last, ...packages] = made.map(({ keyPackage }) => keyPackage);
  await server.command("keys", { packages, ...(last && { last }) });
}
