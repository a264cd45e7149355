/**
 * One bench at a time: two on one machine measure each other.
 *
 * @module
 */

const patienceMs = 300;

/** Waits until no other bench of this checkout runs; holds the place until the process ends. */
export async function beAlone(): Promise<void> {
  const path = new URL("../.tmp/bench.lock", import.meta.url);
  const file = await Deno.open(path, { create: true, write: true });
  const timer = setTimeout(() => console.error("Waiting for another bench to end"), patienceMs);
  await file.lock(true);
  clearTimeout(timer);
}
