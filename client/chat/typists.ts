/**
 * Who is typing in the room on the screen. It is only ever told that somebody types, so it ends by itself.
 *
 * @module
 */

import type { Clock } from "../../protocol/clock.ts";
import { typingMs } from "../../protocol/limits.ts";

/** Told again so often; a little longer, or it would flicker. */
const shownMs = typingMs + 500;
const typistsMax = 16;

/** MUST end what is shown by itself. */
export class Typists {
  readonly #clock: Pick<Clock, "timer">;
  readonly #onChange: () => void;
  readonly #ends = new Map<string, () => void>();

  /** @param onChange told when somebody has stopped */
  constructor(clock: Pick<Clock, "timer">, onChange: () => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  get names(): string[] {
    return [...this.#ends.keys()];
  }

  /** Somebody types. */
  note(name: string): void {
    if (!this.#ends.has(name) && this.#ends.size >= typistsMax) return;
    this.#ends.get(name)?.();
    this.#ends.set(
      name,
      this.#clock.timer(shownMs, () => {
        this.#ends.delete(name);
        this.#onChange();
      }),
    );
  }

  /** Somebody has said what they typed, or is gone. */
  end(name: string): void {
    this.#ends.get(name)?.();
    this.#ends.delete(name);
  }

  /** Another room is on the screen, or all is over. */
  clear(): void {
    for (const end of this.#ends.values()) end();
    this.#ends.clear();
  }
}
