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

/** About what the heap of an empty server has. */
const emptyHeapBytes = 16 * 1024 * 1024;

/** Looks now and then, until the returned function is called. */
export function tidyMemoryAtRest(clock: Clock): () => void {
  const { gc } = globalThis as Collector;
  if (!gc) return () => {};
  let before = process.cpuUsage();
  let heapBytes = emptyHeapBytes;
  let cancel = () => {};
  const look = () => {
    const { user, system } = process.cpuUsage(before);
    before = process.cpuUsage();
    const isAtRest = (user + system) / 1000 < restShare * lookMs;
    if (isAtRest && Deno.memoryUsage().heapTotal > heapBytes + growthBytes) {
      gc({ type: "major", execution: "sync", flavor: "last-resort" });
      heapBytes = Deno.memoryUsage().heapTotal;
      before = process.cpuUsage();
    }
    cancel = clock.timer(lookMs, look);
  };
  look();
  return () => cancel();
}
