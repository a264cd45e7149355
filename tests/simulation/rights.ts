/**
 * Who is in a room and what they may do there, as its log tells it: so that what somebody wrote who may
 * not is found, and what somebody is shown who is no longer in it.
 *
 * @module
 */

import { readChange } from "../../client/room_log.ts";
import { mapKey, toBase64Url } from "../../protocol/bytes.ts";
import type { Change, Role } from "../../protocol/command.ts";
import { Content, contentEventsFrom, type Entry } from "../../protocol/entry.ts";
import { personPayload } from "../../protocol/message.ts";
import { loadRecords } from "../../server/records.ts";
import type { Store } from "../../server/store/store.ts";

/** Somebody in the room. */
interface Place {
  role: Role;
  mutedUntilMs: number;
}

/** A time that never comes. */
const neverMs = Number.MAX_SAFE_INTEGER;

/** One room's. Of the lobby, where everybody is, and of what is no room it knows nothing. */
export class Rights {
  readonly #room: Uint8Array;
  /** Who is behind each device. */
  readonly #names: ReadonlyMap<string, string>;
  #members = new Map<string, Place>();
  /** What counts for those who come back. */
  #former = new Map<string, Place>();
  /** Those who have gone: where the log says so. */
  readonly #leftSeqs = new Map<string, number>();
  /** Those who are in by what is kept of them, whether the log says so yet or not. */
  readonly #admitted = new Set<string>();
  #isAnnounce = false;
  #isKnown = false;

  constructor(room: Uint8Array, names: ReadonlyMap<string, string>) {
    this.#room = room;
    this.#names = names;
  }

  /** Those who are in the room by what is kept of them; undefined where everybody is. */
  get members(): ReadonlySet<string> | undefined {
    return this.#isKnown ? this.#admitted : undefined;
  }

  /** Where somebody has left who has not come back. */
  leftSeq(name: string): number | undefined {
    return this.#admitted.has(name) ? undefined : this.#leftSeqs.get(name);
  }

  /** Takes what is kept of somebody: whether they are in the room. */
  note(name: string, isIn: boolean): void {
    if (isIn) this.#admitted.add(name);
    else this.#admitted.delete(name);
  }

  /** Knows nothing any more before it learns again. */
  forget(): void {
    this.#leftSeqs.clear();
    this.#isKnown = false;
  }

  /** Takes what is durable for what counts: that is what a server begins with. */
  async learn(store: Store): Promise<void> {
    const rooms = await loadRecords(store, "room");
    const room = [...rooms].find(([id]) => id === toBase64Url(this.#room))?.[1];
    this.#isKnown = room !== undefined && room.name !== "lobby";
    if (!room || !this.#isKnown) return;
    const users = await loadRecords(store, "user");
    this.#isAnnounce = room.isAnnounce;
    this.#members = new Map();
    this.#former = new Map();
    this.#admitted.clear();
    for (const record of (await loadRecords(store, "member")).values()) {
      const name = users.get(record.user)?.name;
      if (record.room !== toBase64Url(this.#room) || !name) continue;
      const { role, mutedUntilMs } = record;
      (record.isOut ? this.#former : this.#members).set(name, { role, mutedUntilMs });
      if (!record.isOut) this.#admitted.add(name);
    }
  }

  /** Takes an entry: what speaks against it. */
  add(entry: Entry): string | undefined {
    if (!this.#isKnown) return undefined;
    const { core: { content, payload } } = entry;
    if (content < contentEventsFrom) return this.#objectionTo(entry);
    if (content === Content.changed) this.#change(readChange(payload));
    if (content === Content.joined) this.#come(personPayload.decode(payload).name);
    if (content === Content.left) this.#go(personPayload.decode(payload).name, entry.seq);
    return undefined;
  }

  #objectionTo({ seq, timeMs, deviceId }: Entry): string | undefined {
    const name = this.#names.get(mapKey(deviceId));
    if (name === undefined) return undefined;
    const wrote = `${name} wrote ${seq}`;
    const place = this.#members.get(name);
    if (!place) return `${wrote} without being in the room`;
    const { role, mutedUntilMs } = place;
    if (role === "reader") return `${wrote} as a reader`;
    if (mutedUntilMs > timeMs) return `${wrote} though muted`;
    if (this.#isAnnounce && role === "member") return `${wrote} where only moderators may`;
    return undefined;
  }

  #change({ act, whom = "", value, untilMs }: Change): void {
    const place = this.#members.get(whom);
    switch (act) {
      case "role":
        if (place) place.role = value as Role;
        return;
      case "mute":
        if (place) place.mutedUntilMs = untilMs ?? neverMs;
        return;
      case "unmute":
        if (place) place.mutedUntilMs = 0;
        return;
      case "announce":
        this.#isAnnounce = value === "on";
        return;
    }
  }

  #come(name: string): void {
    this.#leftSeqs.delete(name);
    if (this.#members.has(name)) return;
    const former = this.#former.get(name);
    this.#former.delete(name);
    const role = former?.role === "reader" ? "reader" : "member";
    this.#members.set(name, {
      role: this.#members.size === 0 ? "owner" : role,
      mutedUntilMs: former?.mutedUntilMs ?? 0,
    });
  }

  #go(name: string, seq: number): void {
    const place = this.#members.get(name);
    this.#members.delete(name);
    if (place) this.#former.set(name, place);
    this.#leftSeqs.set(name, seq);
  }
}
