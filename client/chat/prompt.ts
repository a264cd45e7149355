/**
 * What stands in front of what is typed: the room and which kind it is, where else there is something new,
 * and who is typing.
 *
 * @module
 */

import { nameCharsMax } from "../../protocol/limits.ts";
import { visible } from "../../protocol/visible.ts";

/** A room in which something was not read. */
export interface UnreadRoom {
  readonly name: string;
  readonly unread: number;
  /** Somebody means us. */
  readonly isMentioned: boolean;
}

/** What the prompt tells. */
export interface PromptState {
  /** Undefined where we are in none, having been sent out of it. */
  readonly room: { readonly name: string; readonly sealed: boolean } | undefined;
  readonly isConnected: boolean;
  /** Of the other rooms. */
  readonly unread: readonly UnreadRoom[];
  readonly typists: readonly string[];
}

/** Rooms that are named; of the others only how many they are. */
const roomsMax = 4;

/**
 * The prompt, and shorter ones for narrow terminals, the longest first. All say the room and its kind.
 *
 * @example
 * ```ts
 * import { prompts } from "./prompt.ts";
 * prompts({
 *   room: { name: "team", sealed: false },
 *   isConnected: true,
 *   unread: [{ name: "lobby", unread: 3, isMentioned: false }],
 *   typists: [],
 * })[0]; // "team (open) [lobby 3]> "
 * ```
 */
export function prompts({ room, isConnected, unread, typists }: PromptState): string[] {
  const kind = !isConnected ? "not connected" : room?.sealed ? "sealed" : "open";
  const base = room
    ? `${short(room.name)} (${kind})`
    : isConnected
    ? "(no room)"
    : "(not connected)";
  const [news, fewNews] = unread.length > 0
    ? [` [${newsOf(unread)}]`, ` [${sumOf(unread)}]`]
    : ["", ""];
  const all = [base + news + typing(typists), base + news, base + fewNews, base];
  return [...new Set(all)].map((text) => `${text}> `);
}

/** How a room is called, and which kind it is. */
export function kindText({ sealed }: { readonly sealed: boolean }): string {
  return sealed ? "sealed: only its members can read this" : "open: the server can read this";
}

function newsOf(unread: readonly UnreadRoom[]): string {
  const first = unread.toSorted((a, b) => Number(b.isMentioned) - Number(a.isMentioned));
  const named = first.slice(0, roomsMax).map((room) => `${short(room.name)} ${count(room)}`);
  const more = unread.length - named.length;
  return [...named, ...(more > 0 ? [`+${more}`] : [])].join(", ");
}

function sumOf(unread: readonly UnreadRoom[]): string {
  const sum = unread.reduce((sum, room) => sum + room.unread, 0);
  return count({ unread: sum, isMentioned: unread.some(({ isMentioned }) => isMentioned) });
}

function count({ unread, isMentioned }: Pick<UnreadRoom, "unread" | "isMentioned">): string {
  return `${unread}${isMentioned ? "!" : ""}`;
}

function typing(typists: readonly string[]): string {
  if (typists.length === 0) return "";
  if (typists.length > 2) return " several are typing…";
  const verb = typists.length === 1 ? "is" : "are";
  return ` ${typists.map(short).join(" and ")} ${verb} typing…`;
}

function short(name: string): string {
  return visible([...name].slice(0, nameCharsMax).join(""));
}
