/**
 * The rooms as a person looks at them: one of them is on the screen, in the others something may wait.
 *
 * @module
 */

import { equal, mapKey } from "../../protocol/bytes.ts";
import { Content } from "../../protocol/entry.ts";
import type { ClientEntry, ClientRoom } from "../events.ts";
import { Lines } from "./lines.ts";
import { mentions } from "./mention.ts";
import type { UnreadRoom } from "./prompt.ts";
import type { KeptEntry } from "../store/store.ts";

/** Names that are known of a room. */
const peopleMax = 1_000;

/** One room. */
export class RoomView {
  room: ClientRoom;
  readonly lines = new Lines();
  /** What others said and was not shown, and whether some of it means us. */
  unread = 0;
  isMentioned = false;
  /** What was being typed here when another room was looked at. */
  draft = "";
  /** Whether what is kept has been taken into the lines. */
  isLoaded = false;
  /** The last entry that was there when we connected; as long as that is not known, any is. */
  missedSeq = Infinity;
  /** Whether that was asked in this session. */
  isLearnt = false;
  /** Whether the mark stands in front of what was missed. */
  isMarked = false;
  /** Whether it was on the screen before. */
  isKnown = false;
  /** Members who have just come or gone by an entry: that they are here or not is no news then. */
  readonly justMoved = new Set<string>();
  readonly #people = new Set<string>();

  constructor(room: ClientRoom) {
    this.room = room;
  }

  get name(): string {
    return this.room.info.name;
  }

  get people(): Iterable<string> {
    return this.#people;
  }

  /** Somebody is, or was, in the room. */
  meet(name: string): void {
    this.#people.delete(name); // The newest are kept.
    this.#people.add(name);
    if (this.#people.size > peopleMax) this.#people.delete(this.#people.values().next().value!);
  }

  /** It is on the screen now. */
  clear(): void {
    this.unread = 0;
    this.isMentioned = false;
  }
}

/** MUST count what others said in rooms that are not on the screen, each message once. */
export class RoomViews {
  readonly #views = new Map<string, RoomView>();
  /** The room on the screen; what is typed is for it. */
  here: RoomView | undefined;

  /** In the order in which the rooms came. */
  get all(): RoomView[] {
    return [...this.#views.values()];
  }

  of(room: ClientRoom): RoomView {
    const key = mapKey(room.id);
    const view = this.#views.get(key) ?? new RoomView(room);
    view.room = room;
    this.#views.set(key, view);
    return view;
  }

  /** The newest of this name: a room of two stays when the other one is forgotten, and comes back. */
  named(name: string): RoomView | undefined {
    const wanted = name.normalize("NFKC").toLowerCase();
    return this.all.findLast((view) => view.name.toLowerCase() === wanted);
  }

  isHere({ id }: Pick<ClientRoom, "id">): boolean {
    return this.here !== undefined && equal(this.here.room.id, id);
  }

  /** We are in it no more: whether it was on the screen. */
  remove(id: Uint8Array): boolean {
    const wasHere = this.isHere({ id });
    this.#views.delete(mapKey(id));
    if (wasHere) this.here = undefined;
    return wasHere;
  }

  /** The next one, behind the one on the screen, in which there is something new; mentions first. */
  nextUnread(): RoomView | undefined {
    const { all, here } = this;
    const at = here ? all.indexOf(here) : -1;
    const others = [...all.slice(at + 1), ...all.slice(0, Math.max(0, at))];
    const unread = others.filter((view) => view !== here && view.unread > 0);
    return unread.find(({ isMentioned }) => isMentioned) ?? unread[0];
  }

  /** Where else there is something new. */
  get unread(): UnreadRoom[] {
    return this.all.filter((view) => view !== this.here && view.unread > 0);
  }
}

/** Who looks at the rooms. */
export interface Self {
  readonly name: string;
  readonly userId: Uint8Array;
}

/** Whether an entry is something that somebody else said. */
export function isNews({ core, author, isErased }: ClientEntry, self: Self): boolean {
  const isSaid = core.content === Content.text || core.content === Content.action;
  return isSaid && !isErased && !(author && equal(author.userId, self.userId));
}

/** Whether an entry means us. Who only claims to be somebody calls nobody. */
export function isMention(entry: ClientEntry | KeptEntry, self: Self): boolean {
  return entry.verified !== "failed" && isNews(entry, self) &&
    mentions(new TextDecoder().decode(entry.core.payload), self.name);
}
