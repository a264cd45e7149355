/**
 * That somebody came into a room or left it, as the room's log tells it.
 *
 * @module
 */

import { equal, toBase64Url } from "../protocol/bytes.ts";
import { type Content, encodeCore, messageIdOf, Proof } from "../protocol/entry.ts";
import type { Keeping } from "./keeping.ts";
import { newId } from "./people.ts";
import type { PeopledRoom } from "./peopled_room.ts";
import { eachRecord, toRecord } from "./records.ts";
import type { Store, StoredRecord } from "./store/store.ts";

/**
 * MUST get it into the log, whatever the server ends by: members of a sealed room go by what its log tells,
 * and would send somebody out who is in it. So it is kept with the place in the room that it tells of, and
 * published again, under the same message id, by the next process if this one does not get to it.
 */
export class Comings {
  readonly #keeping: Keeping;
  readonly #serverId: Uint8Array;
  /** The message ids of those that are kept and not in the log yet, by the record's key. */
  readonly #untold = new Map<string, Uint8Array>();

  constructor(keeping: Keeping, serverId: Uint8Array) {
    this.#keeping = keeping;
    this.#serverId = serverId;
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

  #publish({ room }: PeopledRoom, key: string, core: Uint8Array): void {
    const messageId = messageIdOf(core);
    this.#untold.set(key, messageId);
    const done = () => {
      const newest = this.#untold.get(key);
      if (!newest || !equal(newest, messageId)) return;
      this.#untold.delete(key);
      this.#forget(key);
    };
    room.publish({ deviceId: this.#serverId, core, onKept: done, onRepeated: done });
  }

  /** Where that cannot be kept, it is published once more, and found to be there. */
  #forget(key: string): void {
    this.#keeping.put([toRecord("coming", key, undefined)]).catch(() => {});
  }
}
