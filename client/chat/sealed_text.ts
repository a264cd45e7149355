/**
 * What happens to the keys of sealed rooms, in words.
 *
 * @module
 */

import type { KeysHappening } from "../sealed/happenings.ts";

/** The tree of a group is public: the server could have made up one with the inviter in it. */
export const unconfirmedText =
  "Who invited you has not confirmed yet that this is the right room, by saying something: until then " +
  "compare the code that /room shows with them before you say anything secret.";

/**
 * Undefined where it need not be told.
 *
 * @param isDirect in a room of two, where keys come by themselves
 */
export function happeningText(
  happening: KeysHappening,
  { isDirect }: { readonly isDirect: boolean },
): string | undefined {
  if (isDirect && (happening.what === "in" || happening.what === "waiting")) return undefined;
  switch (happening.what) {
    case "in":
      if (happening.isNew) return undefined;
      return "you have the keys: what is said from now on is yours to read." +
        (happening.isConfirmed ? "" : ` ${unconfirmedText}`);
    case "older":
      return "WARNING: the server has gone back to keys that are older than those you had, from a backup " +
        "or to deceive you. Who was taken out since may read what you say: look at /room.";
    case "confirmed":
      return `${happening.by}, who invited you, is here: this is the right room.`;
    case "waiting":
      return happening.isInvited
        ? "your invitation is no longer good. A moderator can let you in: /admit and your name."
        : "you have asked to be let in. A moderator can do so: /admit and your name.";
    case "slow":
      return "you do not have the keys yet: nobody has let you in, or the server keeps it back. " +
        "It is tried on; nothing that you say is sent before.";
    case "out":
      return `${happening.by} has taken you out: what is said from now on cannot be read here.`;
    case "knock":
      return `${happening.name} asks to be let in. /admit ${happening.name} does so; /verify compares keys.`;
    case "changed":
      return changedText(happening);
    case "bad_commit":
      return `${happening.by} has changed the keys in a way that counts for nobody. ${happening.why} ` +
        "A moderator's client begins them anew.";
    case "anew":
      return `${happening.by} has begun the keys anew. You are let in again by itself.`;
    case "unreadable":
      return happening.count === 1
        ? "one message was said before you had the keys, and cannot be read."
        : `${happening.count} messages were said before you had the keys, and cannot be read.`;
    case "forked":
      return `WARNING: the server has told ${happening.by} another story of this room than you: ` +
        `something was left out, added or moved. Do not trust it; ask ${happening.by}.`;
    case "failed":
      return happening.why;
  }
}

/** A name that comes with another key. */
export function changedKeyText(name: string): string {
  return `WARNING: ${name} has another key than before. It may be a new device, or somebody else, or ` +
    `the server pretending. Nothing is sent to rooms with ${name} in them until you have compared: ` +
    `/verify ${name}, then /verify ${name} ok.`;
}

function changedText({ by, added, removed }: KeysHappening & { what: "changed" }): string {
  const list = (names: readonly string[]) => names.join(", ");
  const gone = removed.filter((name) => !added.includes(name)); // Who comes back is taken out first.
  if (added.length === 1 && gone.length === 0 && added[0] === by) {
    return `${by} has the keys now.`;
  }
  return [
    ...(added.length > 0 ? [`${by} has given the keys to ${list(added)}.`] : []),
    ...(gone.length > 0 ? [`${by} has taken out ${list(gone)}: the keys are new.`] : []),
  ].join(" ");
}
