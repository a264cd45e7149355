/**
 * The world of one seed: its time, its chance, and the record of what happens. Everything
 * asynchronous is an event at a time; between two events all promises run as far as they can, so the
 * same seed gives the same events in the same order.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { FakeClock } from "../fixtures/fake_clock.ts";
import { Random } from "./random.ts";

/** An invariant does not hold. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** One line of the record. */
interface Line {
  readonly atMs: number;
  readonly who: string;
  readonly what: string;
}

/** Events in one turn of the event loop: a turn costs more than most events do. */
const eventsPerTurn = 64;

/** Events after which a world counts as never coming to rest. */
const eventsMax = 500_000;

/** Chance comes in streams, so that a change in one place moves nothing elsewhere. */
export const Stream = { plan: 0, crypto: 1, bytes: 2, network: 3, store: 4, client: 5, faults: 6 };

export class World {
  readonly seed: number;
  readonly clock = new FakeClock();
  /** Events so far. */
  events = 0;
  readonly #startMs = this.clock.exactMs;
  readonly #lines: Line[] | undefined;
  #hash = 0x811c9dc5;
  #failure: Violation | undefined;

  /** @param keepsTrace whether the record can be read afterwards; its hash is kept always */
  constructor(seed: number, keepsTrace: boolean) {
    this.seed = seed;
    this.#lines = keepsTrace ? [] : undefined;
  }

  /** Numbers of their own for one purpose. */
  random(stream: number): Random {
    return new Random(this.seed, stream);
  }

  /** Ms since the world began. */
  get ms(): number {
    return this.clock.exactMs - this.#startMs;
  }

  /** Lets something happen so much later. */
  after(ms: number, act: () => unknown): void {
    this.clock.timer(ms, act);
  }

  /** Resolves so much later. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** Records what happens; `what` is composed only when somebody will read it. */
  note(who: string, what: () => string, ...numbers: readonly number[]): void {
    this.#mix(Math.round(this.ms * 1000));
    for (let at = 0; at < who.length; at++) this.#mix(who.charCodeAt(at));
    for (const number of numbers) this.#mix(number);
    this.#lines?.push({ atMs: this.ms, who, what: what() });
  }

  /** An invariant is broken: the world stops. The first one counts. */
  fail(text: string, cause?: unknown): void {
    this.#failure ??= new Violation(text, { cause });
  }

  /** Checks what must hold. */
  check(holds: boolean, text: () => string): void {
    if (!holds) this.fail(text());
  }

  /**
   * Lets things happen until something holds.
   *
   * @param limitMs when it must hold at the latest, from now
   * @throws {Violation} what broke, or that this never came to be
   */
  async until(what: string, holds: () => boolean, limitMs: number, why = () => ""): Promise<void> {
    const endMs = this.clock.exactMs + limitMs;
    const isOver = () => this.#failure !== undefined || holds();
    while (!isOver()) {
      const end = await this.#turn(isOver, endMs);
      if (end === "nothing" || this.events > eventsMax) {
        throw new Violation(`It never came to be that ${what} ${why()}`);
      }
    }
    if (this.#failure) throw this.#failure;
  }

  /**
   * Some events, one an immediate: between two of them the runtime lets all promises run as far as they
   * can.
   */
  async #turn(isOver: () => boolean, endMs: number): Promise<"nothing" | undefined> {
    let end: "over" | "nothing" | undefined;
    let underWay: Promise<unknown> | undefined;
    const one = (): void => {
      if (end || underWay) return;
      end = isOver() ? "over" : undefined;
      const act = end ?? this.clock.next(endMs);
      if (typeof act !== "function") return void (end ??= "nothing");
      this.events++;
      const result = act();
      if (!(result instanceof Promise)) return;
      underWay = result;
      const ended = () => underWay = undefined;
      result.then(ended, ended);
    };
    await new Promise<void>((resolve, reject) => {
      for (let count = 0; count < eventsPerTurn; count++) {
        setImmediate(() => attempt(one, reject));
      }
      setImmediate(resolve);
    });
    await underWay;
    return end === "nothing" ? end : undefined;
  }

  /** A number that two runs share only when the same things happened at the same times. */
  get hash(): number {
    return this.#hash >>> 0;
  }

  /** The record, for people. */
  trace(): string {
    return (this.#lines ?? []).map(({ atMs, who, what }) =>
      `${atMs.toFixed(3).padStart(12)} ${who.padEnd(8)} ${what}`
    ).join("\n");
  }

  #mix(number: number): void {
    this.#hash = Math.imul(this.#hash ^ (number | 0), 0x01000193);
    this.#hash ^= this.#hash >>> 15;
  }
}

function attempt(act: () => void, failed: (cause: unknown) => void): void {
  try {
    act();
  } catch (cause) {
    failed(cause);
  }
}
