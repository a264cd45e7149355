/**
 * Why nothing can be said in a sealed room for now, where somebody can do something about it.
 *
 * @module
 */

import type { RoomInfo } from "../../protocol/command.ts";

/** See above. */
export type Hindrance =
  /** We are not in the group. */
  | { readonly what: "no_keys" }
  /** A member of it has another key than before, and was not accepted. */
  | { readonly what: "doubtful"; readonly name: string }
  /** The other one of a room of two has not its keys. */
  | { readonly what: "alone" }
  /** A third one is in a room of two. */
  | { readonly what: "intruder"; readonly name: string };

/** Only the process that keeps a room's keys uses them. */
export const keysElsewhere = "Another process of yours has this room's keys. Read and write there.";

/** Why nothing is sent where a third one is in a room of two. */
export function intruderText(room: string, who: string): string {
  return `Nothing is sent in ${room}: it is a room of two, and ${who} has its keys too.`;
}

/** What holds up what `self` says in a room, and what to do about it. */
export function hindranceText(
  { name, direct }: Pick<RoomInfo, "name" | "direct">,
  hindrance: Hindrance,
  self: string,
): string {
  if (hindrance.what === "doubtful") {
    const { name: who } = hindrance;
    return `${who} in ${name} has another key than before. Compare it, in a client on a terminal: ` +
      `/verify ${who}, then /verify ${who} ok.`;
  }
  if (hindrance.what === "alone") {
    const who = name.replace(/^@/, "");
    return `${who} does not have the keys of ${name}. /msg ${who} tries to give them.`;
  }
  if (hindrance.what === "intruder") return intruderText(name, hindrance.name);
  return direct
    ? `You do not have the keys of ${name}. They come by themselves when the other one is here.`
    : `You do not have the keys of ${name}. Somebody in it can make you a link (/invite), or a ` +
      `moderator can let you in (/admit ${self}).`;
}
