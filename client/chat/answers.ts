/**
 * What a server answers, as lines for the one who asked: a row for each command. What the whole room is shown
 * anyway (that somebody was banned, say) is not said twice.
 *
 * @module
 */

import { formatResult, formatTime } from "../../protocol/answer_text.ts";
import { type Args, lobbyName, type Result, type TypedName } from "../../protocol/command.ts";
import { changeText } from "./changes.ts";
import type { Shown } from "./render.ts";

/**
 * The link that lets somebody in by an invitation.
 *
 * @param address where others find the server, as far as it knows
 * @param room what lets somebody into a sealed one
 */
export type LinkOf = (
  invitation: Uint8Array,
  address?: string,
  room?: { readonly name: string; readonly key?: Uint8Array },
) => string;

/** What an answer may need to be told. */
export interface AnswerContext<Name extends TypedName> {
  readonly args: Args<Name>;
  /** The name of the room that was asked about. */
  readonly room: string;
  /** The link that lets somebody in by an invitation. */
  readonly linkOf: LinkOf;
}

/** A text, or something that is shown in its own way. */
export type AnswerRow = string | Shown;

type Tell<Name extends TypedName> = (
  result: Result<Name>,
  context: AnswerContext<Name>,
) => readonly AnswerRow[];

/** The room is told of it. */
const isShown = () => [];

const answers: { readonly [Name in TypedName]: Tell<Name> } = {
  rooms: ({ rooms, total }) => [
    ...formatResult("rooms", { rooms, total }),
    "/join ROOM goes into one, or makes a new one.",
  ],
  join: isShown,
  part: isShown,
  who: (result) => [whoText(result)],
  whois: whoisRows,
  away: (_, { args: { text } }) => [
    text === undefined
      ? "You are back."
      : `You are away: ${text}. /away without a text: you are back.`,
  ],
  topic: isShown,
  receipts: (result) => formatResult("receipts", result),
  history: isShown,
  invite: ({ invitation, untilMs, address }, { room, linkOf, args: { uses } }) => [
    `Whoever has this link comes into ${room} by it${
      untilMs === undefined ? "" : `, until ${formatTime(untilMs)}`
    }${
      uses === undefined ? "" : uses === 1 ? ", once" : `, ${uses} times in all`
    }. It is a secret:`,
    // Who comes by a pipe talks there too; the lobby is where one is anyway.
    {
      kind: "link",
      text: linkOf(invitation, address, room === lobbyName ? undefined : { name: room }),
    },
  ],
  invitations: (result) => formatResult("invitations", result),
  revoke: (
    _,
    { args: { invitation } },
  ) => [`The invitation ${invitation} lets nobody in any more.`],
  role: isShown,
  kick: isShown,
  ban: isShown,
  unban: isShown,
  bans: (result) => formatResult("bans", result),
  mute: isShown,
  unmute: isShown,
  slow: isShown,
  announce: isShown,
  access: isShown,
  allow: (_, { args: { user }, room }) => [`${user} may come into ${room}: /join ${room}`],
  disallow: (_, { args: { user }, room }) => [`${user} may no longer come into ${room} uninvited.`],
  close: isShown,
  audit: (result, { room }) => changeRows(result, `In ${room} nothing was changed yet.`, room),
  users: (result) => formatResult("users", result),
  admin: (_, { args: { user, isOn } }) => [
    isOn ? `${user} is an admin of this server.` : `${user} is no admin of this server.`,
  ],
  forget: (_, { args: { user } }) => [`${user} is forgotten; the name is free.`],
  registration: (_, { args: { mode } }) => [
    {
      invite: "New users need an invitation now.",
      open: "Whoever comes may be a user now.",
      closed: "Nobody new may be a user now.",
    }[mode],
  ],
  exclude: (
    _,
    { args: { who } },
  ) => [`${who} is banned from this server. /readmit ${who} ends it.`],
  readmit: (_, { args: { who } }) => [`${who} may come back to this server.`],
  excluded: (result) => formatResult("excluded", result),
  log: (result) => changeRows(result, "On this server nothing was changed yet."),
  stats: (result) => formatResult("stats", result),
  drain: (_, { args: { isOn } }) => [
    isOn ? "Nobody new is let in; who is here stays." : "Everybody is let in again.",
  ],
};

/** What is told of a result. */
export function answerRows<Name extends TypedName>(
  name: Name,
  result: Result<Name>,
  context: AnswerContext<Name>,
): readonly AnswerRow[] {
  const tell = answers[name] as Tell<Name>;
  return tell(result, context);
}

/** `2 here: Alice (owner), Bob. Not here: Carol (away: lunch).` */
export function whoText({ members, here, total }: Result<"who">): string {
  const namesOf = (isHere: boolean) =>
    members.filter((member) => member.isHere === isHere)
      .sort((a, b) => a.name < b.name ? -1 : 1).map(memberText);
  const [present, absent] = [namesOf(true), namesOf(false)];
  const more = here > present.length ? ` and ${here - present.length} more` : "";
  const others = total - here - absent.length;
  const moreAbsent = others > 0 ? ` and ${others} more` : "";
  const away = absent.length > 0 ? ` Not here: ${absent.join(", ")}${moreAbsent}.` : "";
  return `${here} here: ${present.join(", ")}${more}.${away}`;
}

function memberText({ name, role, away, mutedUntilMs }: Result<"who">["members"][number]): string {
  const about = [
    ...(role === "member" ? [] : [role]),
    ...(away === undefined ? [] : [away === "" ? "away" : `away: ${away}`]),
    ...(mutedUntilMs === undefined ? [] : [mutedText(mutedUntilMs)]),
  ];
  return about.length > 0 ? `${name} (${about.join(", ")})` : name;
}

function mutedText(untilMs: number): string {
  return Number.isNaN(new Date(untilMs).getTime()) ? "muted" : `muted until ${formatTime(untilMs)}`;
}

function whoisRows({ name, isHere, isAdmin, away, lastSeenMs, fingerprint }: Result<"whois">) {
  const seen = lastSeenMs ? ` Last seen ${formatTime(lastSeenMs)}.` : "";
  return [
    `${name} is ${isHere ? "here" : "not here"}.${seen}` +
    `${away === undefined ? "" : ` Away: ${away}.`}${isAdmin ? " An admin of this server." : ""}`,
    ...(fingerprint === undefined
      ? ["A guest of the original protocol: nothing proves who that is."]
      : [`Key: ${fingerprint}`]),
  ];
}

function changeRows({ changes }: Result<"audit">, none: string, here?: string): string[] {
  if (changes.length === 0) return [none];
  return changes.map((change) => {
    const where = change.room === undefined || change.room === here ? "" : ` (${change.room})`;
    return `${formatTime(change.timeMs)}  ${changeText(change)}${where}`;
  });
}
