/**
 * Gives memory back when the process has little to do. Under load the engine may keep what it likes: a
 * heap held small is collected so often that messages wait for it (docs/adr/0004-memory.md).
 *
 * @module
 */

import process from "node:process";
import type { Clock } from "../protocol/clock.ts";

/** The engine's own collection, there with the flag `--expose-gc`. */
interface Collector {
  gc?: (options: { type: "major"; execution: "sync"; flavor: "last-resort" }) => void;
}

const lookMs = 500;
/** The share of a core that counts as little to do. */
const restShare = 0.1;
/** What the heap has to have grown since the last time. */
const growthBytes = 4 * 1024 * 1024;
/** Everybody waits while it is tidied: a hundredth of the time is given to that … */
const pauseShare = 0.01;
/** … unless it is so many times as large as it was: many have come, or something large has gone. */
const growthFactor = 2;

/** About what the heap of an empty server has. */
const emptyHeapBytes = 16 * 1024 * 1024;

/** Says when the heap of a process at rest is to be tidied. */
export class Tidying {
  /** What it had after the last time. */
  #heapBytes = emptyHeapBytes;
  #notBeforeMs = -Infinity;

  isDue(nowMs: number, heapBytes: number): boolean {
    if (heapBytes <= this.#heapBytes + growthBytes) return false;
    return nowMs >= this.#notBeforeMs || heapBytes > growthFactor * this.#heapBytes;
  }

  /** It has been tidied, which took so long. */
  done(nowMs: number, tookMs: number, heapBytes: number): void {
    this.#heapBytes = heapBytes;
    this.#notBeforeMs = nowMs + tookMs / pauseShare;
  }
}

/** Looks now and then, until the returned function is called. */
export function tidyMemoryAtRest(clock: Clock): () => void {
  const { gc } = globalThis as Collector;
  if (!gc) return () => {};
  const tidying = new Tidying();
  let before = process.cpuUsage();
  let cancel = () => {};
  const look = () => {
    const { user, system } = process.cpuUsage(before);
    before = process.cpuUsage();
    const isAtRest = (user + system) / 1000 < restShare * lookMs;
    const sinceMs = performance.now();
    if (isAtRest && tidying.isDue(sinceMs, Deno.memoryUsage().heapTotal)) {
      gc({ type: "major", execution: "sync", flavor: "last-resort" });
      const nowMs = performance.now();
      tidying.done(nowMs, nowMs - sinceMs, Deno.memoryUsage().heapTotal);
      before = process.cpuUsage();
    }
    cancel = clock.timer(lookMs, look);
  };
  look();
  return () => cancel();
}
