import type { Clock } from "../protocol/clock.ts";

/** A token bucket: `burst` at once, then `perSecond`. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #atMs: number;

  constructor(clock: Clock, perSecond: number, burst: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#atMs = clock.now();
  }

  /** Whether nothing was taken, or all of it has come back. */
  get isFull(): boolean {
    this.#refill();
    return this.#tokens >= this.#burst;
  }

  /** Takes one if there is one: 0. Else takes nothing: ms until there will be. */
  tryTake(): number {
    const waitMs = this.waitMs();
    if (waitMs === 0) this.#tokens--;
    return waitMs;
  }

  /** Ms until there is one to take. */
  waitMs(): number {
    this.#refill();
    return this.#tokens >= 1 ? 0 : this.#msUntil(1);
  }

  /** Takes `count` in any case, into debt if need be: ms until the debt is paid. */
  take(count: number): number {
    this.#refill();
    this.#tokens -= count;
    return this.#tokens >= 0 ? 0 : this.#msUntil(0);
  }

  #refill(): void {
    const nowMs = this.#clock.now();
    const earned = Math.max(0, nowMs - this.#atMs) * this.#perSecond / 1000;
    this.#tokens = Math.min(this.#burst, this.#tokens + earned);
    this.#atMs = nowMs;
  }

  #msUntil(tokens: number): number {
    return Math.ceil((tokens - this.#tokens) * 1000 / this.#perSecond);
  }
}
