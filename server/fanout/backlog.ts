import { backlogBytesMax } from "../../protocol/limits.ts";

/** What waits to be stored, of all rooms together: one room's bound is not enough where there are many. */
export class Backlog {
  #bytes = 0;
  #waiting: (() => void)[] = [];

  /** Whether nobody should be read who may publish. */
  get isFull(): boolean {
    return this.#bytes > backlogBytesMax;
  }

  /** So much more waits; less, where it is negative. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (!this.isFull) { for (const resolve of this.#waiting.splice(0)) resolve(); }
  }

  /** Resolves when it is not full. */
  drained(): Promise<void> {
    if (!this.isFull) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
