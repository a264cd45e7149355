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
    return this.#ageOf(messageId) >= 0;
  }

  /** Whether a message was taken not long ago, and before another one if that was. */
  wasTakenBefore(messageId: Uint8Array, other: Uint8Array): boolean {
    return this.#ageOf(messageId) > this.#ageOf(other);
  }

  /** How far back a message was taken; -1 where it was not. */
  #ageOf(messageId: Uint8Array): number {
    const taken = this.#taken ?? new Uint8Array(0);
    for (let age = 0; age < taken.length; age += idBytes) {
      const at = (this.#takenAt - idBytes - age + taken.length) % taken.length;
      if (messageId.every((byte, offset) => byte === taken[at + offset])) return age;
    }
    return -1;
  }
}
