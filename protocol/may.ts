/** Who may do what, as people are told. */

import { type May, type Role, roles } from "./command.ts";

/** As in "Only owners and moderators of this room may do that." */
export function whoMay(may: May): string {
  if (may === "admin") return "Only admins of this server may do that.";
  if (may === "anyone") return "Anyone may do that.";
  if (may === "reader") return "Only who is in this room may do that.";
  const able = roles.slice(roles.indexOf(may as Role)).reverse().map((role) => `${role}s`);
  const list = able.join(", ").replace(/, (?=[^,]*$)/, " and ");
  return `Only ${list} of this room may do that.`;
}
