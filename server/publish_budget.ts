import { idBytes, outboxWindowMax } from "../protocol/limits.ts";
import { TokenBucket } from "./bucket.ts";

/**
 * What a user may publish. A message that comes again soon, after a reconnect say, is no new one: it
 * MUST NOT be refused, because its author may have seen it in the log by then, and would never send it
 * another time, while the server waits for it.
 */
export class PublishBudget extends TokenBucket {
  /** The ids of the messages taken last, as many as a client sends ahead, over and over. */
  #taken: Uint8Array | undefined;
  #takenAt = 0;

  /** Takes a message if there is a token for it: 0. Else ms until there is. */
  tryTakeMessage(messageId: Uint8Array): number {
    const waitMs = this.tryTake();
    if (waitMs > 0) return waitMs;
    this.#taken ??= new Uint8Array(outboxWindowMax * idBytes);
    this.#taken.set(messageId, this.#takenAt);
    this.#takenAt = (this.#takenAt + idBytes) % this.#taken.length;
    return 0;
  }

  /** Whether a message was taken not long ago. */
  wasTaken(messageId: Uint8Array): boolean {
    return this.#placeOf(messageId) < Infinity;
  }

  /** Whether a message was taken not long ago, and for the first time before another one if that was. */
  wasTakenBefore(messageId: Uint8Array, other: Uint8Array): boolean {
    return this.#placeOf(messageId) < this.#placeOf(other);
  }

  /** Where a message is among those taken, the oldest first; infinite where it is not. */
  #placeOf(messageId: Uint8Array): number {
    const taken = this.#taken ?? new Uint8Array(0);
    for (let place = 0; place < taken.length; place += idBytes) {
      const at = (this.#takenAt + place) % taken.length;
      if (messageId.every((byte, offset) => byte === taken[at + offset])) return place;
    }
    return Infinity;
  }
}
