/**
 * Who is in a room just now. It is kept nowhere: those who are there are told, a moment later and
 * together, so that a thousand arrivals are not a million messages.
 *
 * @module
 */

import { mapKey } from "../protocol/bytes.ts";
import type { Clock } from "../protocol/clock.ts";
import { leaveGraceMs, presenceDelayMs, presenceNamesMax } from "../protocol/limits.ts";
import type { Person } from "../protocol/message.ts";

/** Somebody in a room, by as many sessions as they have there. */
interface Presentee {
  readonly userId: Uint8Array;
  readonly name: string;
  sessions: number;
  /** Set while nobody knows yet whether they come back. */
  cancelLeave: (() => void) | undefined;
}

/** Tells a room who has come and who has gone; `more` of either are not named. */
export type TellPresence = (here: string[], gone: string[], more: number) => void;

/** MUST show each arrival and each departure of a user once, however many sessions they have. */
export class Presence {
  readonly #clock: Clock;
  readonly #tell: TellPresence;
  readonly #present = new Map<string, Presentee>();
  /** What is to be told, by user: whether they are here. */
  #news: Map<string, { name: string; isHere: boolean }> | undefined;
  #cancelTelling: (() => void) | undefined;

  constructor(clock: Clock, tell: TellPresence) {
    this.#clock = clock;
    this.#tell = tell;
  }

  get size(): number {
    return this.#present.size;
  }

  /** Whether a user is here. */
  has(userId: Uint8Array): boolean {
    return this.#present.has(mapKey(userId));
  }

  /** The users who are here; of one who was just forgotten the id is left. */
  userIds(): IterableIterator<Uint8Array> {
    return this.#present.values().map(({ userId }) => userId);
  }

  /** One more session of a person. */
  arrive({ userId, name }: Person): void {
    const key = mapKey(userId);
    const presentee = this.#present.get(key);
    if (presentee) {
      presentee.sessions++;
      presentee.cancelLeave?.();
      presentee.cancelLeave = undefined;
      return;
    }
    this.#present.set(key, { userId, name, sessions: 1, cancelLeave: undefined });
    this.#tellLater(key, name, true);
  }

  /**
   * One session less.
   *
   * @param isFinal they said so; else a reconnect within the grace time is not shown
   */
  depart({ userId }: Person, isFinal: boolean): void {
    const key = mapKey(userId);
    const presentee = this.#present.get(key);
    if (!presentee || --presentee.sessions > 0) return;
    const leave = () => {
      this.#present.delete(key);
      this.#tellLater(key, presentee.name, false);
    };
    if (isFinal) leave();
    else presentee.cancelLeave = this.#clock.timer(leaveGraceMs, leave);
  }

  /** Somebody is out of the room: whether they come back is not waited for. */
  forget(userId: Uint8Array): void {
    const key = mapKey(userId);
    const presentee = this.#present.get(key);
    if (!presentee?.cancelLeave) return;
    presentee.cancelLeave();
    this.#present.delete(key);
    this.#tellLater(key, presentee.name, false);
  }

  /** Ends all timers. */
  close(): void {
    this.#cancelTelling?.();
    for (const { cancelLeave } of this.#present.values()) cancelLeave?.();
  }

  /** Who comes and goes within the delay is not told of at all. */
  #tellLater(key: string, name: string, isHere: boolean): void {
    const awaited = this.#news ??= new Map();
    const before = awaited.get(key);
    if (before && before.isHere !== isHere) awaited.delete(key);
    else awaited.set(key, { name, isHere });
    this.#cancelTelling ??= this.#clock.timer(presenceDelayMs, () => {
      this.#cancelTelling = undefined;
      const news = [...this.#news?.values() ?? []];
      this.#news = undefined;
      if (news.length === 0) return;
      const named = news.slice(0, presenceNamesMax);
      const names = (isHere: boolean) =>
        named.filter((one) => one.isHere === isHere).map(({ name }) => name);
      this.#tell(names(true), names(false), news.length - named.length);
    });
  }
}
