/**
 * Up to where members have a room's log, and up to where they have read it. They change all the time
 * and are kept a little later, many at once: what a crash loses, clients tell again.
 *
 * @module
 */

import type { Clock } from "../protocol/clock.ts";
import { watermarksDelayMs } from "../protocol/limits.ts";
import type { Hub } from "./hub.ts";
import type { Membership, PeopledRoom } from "./peopled_room.ts";

/** MUST only rise. */
export class Watermarks {
  readonly #clock: Clock;
  readonly #hub: Hub;
  readonly #unsaved = new Map<Membership, PeopledRoom>();
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, hub: Hub) {
    this.#clock = clock;
    this.#hub = hub;
  }

  /** Somebody has this much of a room; `read` is never above `delivered`. */
  rise(room: PeopledRoom, membership: Membership, delivered: number, read: number): void {
    const { delivered: had, read: hadRead } = membership;
    membership.delivered = Math.max(had, delivered);
    membership.read = Math.max(hadRead, Math.min(read, membership.delivered));
    if (membership.delivered === had && membership.read === hadRead) return;
    this.#unsaved.set(membership, room);
    this.#cancel ??= this.#clock.timer(watermarksDelayMs, () => void this.save());
  }

  /** Keeps what has risen. */
  async save(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    const unsaved = [...this.#unsaved];
    this.#unsaved.clear();
    // A full disk is told elsewhere; these come again.
    await this.#hub.saveMembers(unsaved.map(([member, room]) => ({ room, member }))).catch(
      () => {},
    );
  }

  /** Ends its timer. */
  stop(): void {
    this.#cancel?.();
  }
}
