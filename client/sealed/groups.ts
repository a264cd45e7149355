/**
 * What makes groups: MLS, unless a simulation puts something in its place that takes no time.
 *
 * @module
 */

import { addedBy, Group, newKeyPackage, readKeyPackage } from "../../crypto/group.ts";
import { isEntitled } from "../../crypto/group/entitlement.ts";

/** See crypto/group.ts, which says what each of them does. */
export interface Groups {
  readonly create: typeof Group.create;
  readonly restore: typeof Group.restore;
  readonly join: typeof Group.join;
  readonly enter: typeof Group.enter;
  readonly newKeyPackage: typeof newKeyPackage;
  readonly readKeyPackage: typeof readKeyPackage;
  readonly addedBy: typeof addedBy;
  readonly isEntitled: typeof isEntitled;
}

/** The real ones. */
export const mls: Groups = {
  create: (...args) => Group.create(...args),
  restore: (...args) => Group.restore(...args),
  join: (...args) => Group.join(...args),
  enter: (...args) => Group.enter(...args),
  newKeyPackage,
  readKeyPackage,
  addedBy,
  isEntitled,
};
