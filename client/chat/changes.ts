/**
 * What has changed in a room, as a sentence.
 *
 * @module
 */

import { formatTime } from "../../protocol/answer_text.ts";
import type { Change } from "../../protocol/command.ts";

/** How each act is told; the end and the reason are added. */
const acts: Readonly<Record<string, (whom: string, value: string) => string>> = {
  topic: (_, value) => value === "" ? "took the topic away" : `set the topic: ${value}`,
  role: (whom, value) => `made ${whom} ${value}`,
  kick: (whom) => `sent ${whom} out`,
  ban: (whom) => `banned ${whom}`,
  unban: (whom) => `lets ${whom} in again`,
  mute: (whom) => `muted ${whom}`,
  unmute: (whom) => `lets ${whom} write again`,
  slow: (_, value) =>
    value === "off"
      ? "lets everybody write as fast as they like"
      : `lets everybody wait ${value} between two messages`,
  announce: (_, value) =>
    value === "on" ? "lets only moderators write here" : "lets everybody write here",
  access: (_, value) =>
    value === "anyone" ? "lets anyone come in" : "lets in only who is invited or allowed",
  allow: (whom) => `lets ${whom} in, invited or not`,
  disallow: (whom) => `no longer lets ${whom} in uninvited`,
  invite: (_, value) => `made the invitation ${value}`,
  revoke: (_, value) => `ended the invitation ${value}`,
  close: (whom) => `closed ${whom}`,
  admin: (whom, value) =>
    value === "on" ? `made ${whom} an admin` : `made ${whom} no longer an admin`,
  forget: (whom) => `had ${whom} forgotten`,
  registration: (_, value) => `set registration to ${value}`,
  exclude: (whom) => `banned ${whom} from this server`,
  readmit: (whom) => `lets ${whom} onto this server again`,
  drain: (_, value) => value === "on" ? "lets nobody new in" : "lets everybody in again",
};

/** A change as a sentence: who did what, until when and why. */
export function changeText({ by, act, whom = "", value = "", why, untilMs }: Change): string {
  const tell = Object.hasOwn(acts, act) ? acts[act] : undefined;
  const deed = tell ? tell(whom, value) : [act, whom, value].filter(Boolean).join(" ");
  const until = untilMs === undefined ? "" : ` until ${formatTime(untilMs)}`;
  return `${by} ${deed}${until}${why ? `: ${why}` : ""}`;
}
