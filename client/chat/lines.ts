/**
 * What was said in a room, as it stands now: edits, deletions and reactions applied to what they name.
 *
 * @module
 */

import { equal, mapKey } from "../../protocol/bytes.ts";
import { Content, refOf } from "../../protocol/entry.ts";
import { changeText } from "./changes.ts";
import type { ClientEntry } from "../events.ts";
import { payloadText, textOf } from "../store/kept.ts";
import type { Verified } from "../room_log.ts";
import type { KeptEntry } from "../store/store.ts";

/** Something in a room that has a place on the screen. */
export interface Line {
  /** What people call it by. */
  readonly seq: number;
  readonly timeMs: number;
  /** What names it in its room: `refOf` in protocol/entry.ts. */
  readonly ref: Uint8Array;
  /** `event`: somebody came or went, or something about the room has changed. */
  readonly kind: "text" | "action" | "event";
  readonly name: string;
  readonly userId: Uint8Array | undefined;
  readonly verified: Verified;
  /** What it answers. */
  readonly target: Uint8Array | undefined;
  /** Undefined when it was deleted. */
  text: string | undefined;
  isEdited: boolean;
  /** Who reacted with what. */
  readonly reactions: Map<string, string>;
}

/** Something done to a line. */
export interface Deed {
  readonly kind: "edit" | "deletion" | "reaction";
  readonly seq: number;
  readonly name: string;
  readonly userId: Uint8Array | undefined;
  readonly target: Uint8Array;
  /** The new text, the emoji; undefined when it is erased itself. */
  readonly text: string | undefined;
}

/** What an entry is on the screen: a line, or something done to one. */
export type Happening =
  | { readonly kind: "line"; readonly line: Line }
  | { readonly kind: "deed"; readonly deed: Deed; readonly line: Line | undefined };

/** Lines of a room that are in memory, and deeds on lines that may come later. */
const linesMax = 2_000;
const charsMax = 1024 * 1024;
const deedsMax = 2_000;
const reactionsMax = 100;

/** MUST let only its author edit a line; MUST keep no text of a deleted one. */
export class Lines {
  readonly #bySeq = new Map<number, Line>();
  readonly #byRef = new Map<string, Line>();
  /** In the order in which they came to be known, by what they name. */
  #deeds: Deed[] = [];
  #chars = 0;

  /** Takes an entry, known or not: what it is on the screen; nothing where it is of a later version. */
  absorb(entry: ClientEntry | KeptEntry): Happening | undefined {
    const known = this.#bySeq.get(entry.seq);
    if (known) return { kind: "line", line: known };
    const line = toLine(entry);
    if (line) {
      this.#add(line);
      return { kind: "line", line };
    }
    const deed = toDeed(entry);
    if (!deed) return undefined;
    if (!this.#deeds.some(({ seq }) => seq === deed.seq)) this.#deeds.push(deed);
    if (this.#deeds.length > deedsMax) this.#deeds.splice(0, deedsMax / 2);
    const target = this.named(deed.target);
    if (target && deed.kind === "edit" && !isAuthor(target, deed.userId)) return undefined;
    if (target) this.#apply(target);
    return { kind: "deed", deed, line: target };
  }

  at(seq: number): Line | undefined {
    return this.#bySeq.get(seq);
  }

  named(ref: Uint8Array): Line | undefined {
    return this.#byRef.get(mapKey(ref));
  }

  /** All that are known, the oldest first. */
  all(): Line[] {
    return [...this.#bySeq.values()].sort((a, b) => a.seq - b.seq);
  }

  /** What was done after an entry to lines that are not after it. */
  deedsSince(seq: number): Deed[] {
    return this.#deeds.filter((deed) => {
      if (deed.seq <= seq) return false;
      const line = this.named(deed.target);
      return !line || line.seq <= seq;
    });
  }

  /** The newest line that is as wanted. */
  newest(isWanted: (line: Line) => boolean): Line | undefined {
    return this.all().reverse().find(isWanted);
  }

  /** The log goes on behind this entry: what is known beyond goes. */
  cut(seq: number): void {
    for (const line of this.all()) if (line.seq > seq) this.#drop(line);
    this.#deeds = this.#deeds.filter((deed) => deed.seq <= seq);
  }

  /** Forgets the oldest lines beyond what memory is for. */
  trim(): void {
    if (this.#bySeq.size <= linesMax && this.#chars <= charsMax) return;
    for (const line of this.all()) {
      if (this.#bySeq.size <= linesMax / 2 && this.#chars <= charsMax / 2) return;
      this.#drop(line);
    }
  }

  #add(line: Line): void {
    this.#bySeq.set(line.seq, line);
    this.#byRef.set(mapKey(line.ref), line);
    this.#chars += line.text?.length ?? 0;
    this.#apply(line);
  }

  #drop(line: Line): void {
    this.#bySeq.delete(line.seq);
    this.#byRef.delete(mapKey(line.ref));
    this.#chars -= line.text?.length ?? 0;
  }

  /** Does to a line all that is known to have been done to it. */
  #apply(line: Line): void {
    const deeds = this.#deeds
      .filter(({ target, seq }) => equal(target, line.ref) && seq > line.seq)
      .sort((a, b) => a.seq - b.seq);
    for (const { kind, name, userId, text } of deeds) {
      if (kind === "deletion") this.#setText(line, undefined);
      else if (text === undefined || line.kind === "event") continue;
      else if (kind === "reaction") react(line, name, text);
      else if (isAuthor(line, userId) && line.text !== undefined) {
        this.#setText(line, text);
        line.isEdited = true;
      }
    }
  }

  #setText(line: Line, text: string | undefined): void {
    this.#chars += (text?.length ?? 0) - (line.text?.length ?? 0);
    line.text = text;
    if (text !== undefined) return;
    line.reactions.clear();
    this.#deeds = this.#deeds.filter(({ kind, target }) =>
      kind === "deletion" || !equal(target, line.ref)
    );
  }
}

/** Whether a line is somebody's own. */
export function isAuthor({ userId, verified }: Line, user: Uint8Array | undefined): boolean {
  return verified === "signed" && userId !== undefined && user !== undefined && equal(userId, user);
}

function react({ reactions }: Line, name: string, emoji: string): void {
  if (emoji === "") reactions.delete(name);
  else if (reactions.size < reactionsMax || reactions.has(name)) reactions.set(name, emoji);
}

/** What is pinned in memory are copies: an entry's bytes are a view of a whole frame. */
function toLine(entry: ClientEntry | KeptEntry): Line | undefined {
  const { deviceId, core, author, verified, seq, timeMs } = entry;
  const isEvent = core.content >= Content.joined;
  const text = isEvent ? eventText(entry) : "room" in entry ? entry.text : textOf(entry);
  const isSaid = core.content === Content.text || core.content === Content.action;
  if (!isSaid && text === undefined) return undefined;
  return {
    seq,
    timeMs,
    ref: refOf(deviceId, core.messageId),
    kind: isEvent ? "event" : core.content === Content.action ? "action" : "text",
    name: author?.name ?? "unknown",
    userId: author?.userId,
    verified,
    target: core.target?.slice(),
    text,
    isEdited: "isEdited" in entry && entry.isEdited,
    reactions: new Map(),
  };
}

/** What an event says; undefined where it is none that is known here. */
function eventText({ core: { content }, author, change, verified }: ClientEntry) {
  if (verified !== "signed") return undefined;
  if (content === Content.joined && author) return `${author.name} came into the room`;
  if (content === Content.left && author) return `${author.name} is no longer in the room`;
  return content === Content.changed && change ? changeText(change) : undefined;
}

function toDeed({ core, author, verified, seq, isErased }: ClientEntry): Deed | undefined {
  const kinds: Readonly<Record<number, Deed["kind"]>> = {
    [Content.edit]: "edit",
    [Content.deletion]: "deletion",
    [Content.reaction]: "reaction",
  };
  const kind = kinds[core.content];
  if (!kind || !core.target || verified !== "signed") return undefined;
  return {
    kind,
    seq,
    name: author?.name ?? "unknown",
    userId: author?.userId,
    target: core.target.slice(),
    text: isErased ? undefined : payloadText(core),
  };
}
