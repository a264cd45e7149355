/**
 * Whom an invitation entitles to come in, as every member will judge it.
 *
 * @module
 */

import { type Group, type Joiner, readKeyPackage } from "../group.ts";
import { GroupError } from "./error.ts";
import { refusal } from "./policy.ts";
import { groupIdOf, isWarranted } from "./warrant.ts";

/** Whether this device may come into the group at that time by the warrant that it shows. */
export async function isEntitled(
  { room, generation, members, rules }: Pick<Group, "room" | "generation" | "members" | "rules">,
  { keyPackage, warrant }: Joiner,
  timeMs: number,
): Promise<boolean> {
  try {
    const { userKey, deviceKey, invitation } = await readKeyPackage(keyPackage);
    if (!invitation || !warrant) return false;
    const newcomer = {
      userKey,
      deviceKey,
      invitation,
      isWarranted: await isWarranted(
        invitation,
        groupIdOf(room, generation),
        { userKey, deviceKey },
        warrant,
      ),
    };
    const proposed = {
      committer: undefined,
      newcomers: [newcomer],
      removed: [],
      rules: undefined,
    };
    return refusal({ members, rules }, proposed, { timeMs, departed: () => false }) === undefined;
  } catch (cause) {
    if (cause instanceof GroupError) return false;
    throw cause;
  }
}
