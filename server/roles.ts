/**
 * Who may do what: pure.
 *
 * @module
 */

import { type May, type Role, roles } from "../protocol/command.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { whoMay } from "../protocol/may.ts";

/** What somebody is where they ask for something: a role in the room, an admin, or nobody there. */
export type Standing = Role | "admin" | "stranger";

/** From the least to the most. */
const ranks: readonly Standing[] = ["stranger", ...roles, "admin"];

/** Whether one standing is above another. */
export function isAbove(one: Standing, other: Standing): boolean {
  return ranks.indexOf(one) > ranks.indexOf(other);
}

/** Whether somebody of this standing may do what needs that. */
export function can(standing: Standing, may: May): boolean {
  return may === "anyone" || ranks.indexOf(standing) >= ranks.indexOf(may);
}

/**
 * Refuses what somebody may not do.
 *
 * @throws {ProtocolError} forbidden, with who may
 */
export function mustBeAble(standing: Standing, may: May): void {
  if (!can(standing, may)) throw new ProtocolError("forbidden", whoMay(may));
}

/**
 * Refuses to act on somebody who is as much or more: only admins may do that.
 *
 * @throws {ProtocolError} forbidden
 */
export function mustOutrank(standing: Standing, other: Standing): void {
  if (standing === "admin" || isAbove(standing, other)) return;
  throw new ProtocolError("forbidden", `You may not do that to somebody who is ${other} here.`);
}
