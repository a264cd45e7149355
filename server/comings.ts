/**
 * That somebody came into a room or left it, as the room's log tells it.
 *
 * @module
 */

import { equal, toBase64Url } from "../protocol/bytes.ts";
import { type Content, encodeCore, messageIdOf, Proof } from "../protocol/entry.ts";
import type { Clock } from "../protocol/clock.ts";
import { readOnlyRetryMs } from "../protocol/limits.ts";
import type { Keeping } from "./keeping.ts";
import { newId } from "./people.ts";
import type { PeopledRoom } from "./peopled_room.ts";
import { eachRecord, toRecord } from "./records.ts";
import type { Store, StoredRecord } from "./store/store.ts";

/** What they take from outside. */
export interface ComingsOptions {
  readonly keeping: Keeping;
  /** Whose entries they are. */
  readonly serverId: Uint8Array;
  readonly clock: Pick<Clock, "timer">;
  /** Whether a room has not been removed. */
  readonly isThere: (room: PeopledRoom) => boolean;
}

/**
 * MUST get it into the log, whatever the server ends by: members of a sealed room go by what its log tells,
 * and would send somebody out who is in it. So it is kept with the place in the room that it tells of. What a
 * full disk refuses is tried again; what this process does not get to the next one publishes, under the
 * same message id.
 */
export class Comings {
  readonly #options: ComingsOptions;
  /** The message ids of those that are kept and not in the log yet, by the record's key. */
  readonly #untold = new Map<string, Uint8Array>();
  readonly #retries = new Set<() => void>();

  constructor(options: ComingsOptions) {
    this.#options = options;
  }

  /**
   * Publishes it.
   *
   * @returns what is to be kept in this very turn, with the user's place in the room
   */
  tell(
    room: PeopledRoom,
    userId: Uint8Array,
    content: typeof Content.joined | typeof Content.left,
    payload: Uint8Array,
  ): StoredRecord {
    const key = `${toBase64Url(room.id)} ${toBase64Url(userId)}`;
    const core = encodeCore({ proof: Proof.unverified, content, messageId: newId(), payload });
    this.#publish(room, key, core);
    return toRecord("coming", key, { core }); // The newest of a user's counts.
  }

  /** Publishes what an earlier process has kept and not got into the log. */
  async resume(store: Store, roomOf: (key: string) => PeopledRoom | undefined): Promise<void> {
    for await (const [key, { core }] of eachRecord(store, "coming")) {
      const [roomKey = ""] = key.split(" ");
      const room = roomOf(roomKey);
      if (room) this.#publish(room, key, core);
      else this.#forget(key);
    }
  }

  /** Ends its timers. */
  stop(): void {
    for (const cancel of this.#retries) cancel();
  }

  #publish(room: PeopledRoom, key: string, core: Uint8Array): void {
    const { serverId: deviceId, clock, isThere } = this.#options;
    const messageId = messageIdOf(core);
    this.#untold.set(key, messageId);
    const isNewest = () => equal(this.#untold.get(key) ?? new Uint8Array(), messageId);
    const done = () => {
      if (!isNewest()) return;
      this.#untold.delete(key);
      this.#forget(key);
    };
    room.room.publish({
      deviceId,
      core,
      onKept: done,
      onRepeated: done,
      onRefused: () => {
        const cancel = clock.timer(readOnlyRetryMs, () => {
          this.#retries.delete(cancel);
          if (isNewest() && isThere(room)) this.#publish(room, key, core);
        });
        this.#retries.add(cancel);
      },
    });
  }

  /** Where that cannot be kept, it is published once more, and found to be there. */
  #forget(key: string): void {
    this.#options.keeping.put([toRecord("coming", key, undefined)]).catch(() => {});
  }
}
