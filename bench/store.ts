/**
 * Measures the SQLite store by itself: commits, processor time for each entry, and how long a file
 * with a million entries takes to open. `deno task bench-store`.
 *
 * @module
 */

import { cpuUsage } from "node:process";
import { writeU32 } from "../protocol/bytes.ts";
import { chainStart, encodeCore, Proof } from "../protocol/entry.ts";
import { pageBytesMax } from "../protocol/limits.ts";
import { SqliteStore } from "../server/store/sqlite.ts";
import type { Submission } from "../server/store/store.ts";

const seconds = 4;
const device = new Uint8Array(16).fill(1);
const rooms = Array.from({ length: 100 }, (_, at) => new Uint8Array(16).fill(at + 1));
const room = rooms[0]!;
const large = new Uint8Array(16).fill(200);
const signature = new Uint8Array(64);
let number = 0;

/** 128 bytes said, signed; the message id begins with the time, as clients make them. */
function say(): Submission {
  const messageId = crypto.getRandomValues(new Uint8Array(16));
  writeU32(messageId, 0, ++number >>> 4);
  const payload = new Uint8Array(128).fill(number);
  const draft = { proof: Proof.signature, content: 0, messageId, payload };
  return { deviceId: device, core: encodeCore(draft, signature) };
}

function says(count: number): Submission[] {
  return Array.from({ length: count }, say);
}

/** Processor time of all threads, microseconds. */
function cpuUs(): number {
  const { user, system } = cpuUsage();
  return user + system;
}

/** Does something over and over; how many entries each time. */
async function measure(what: string, count: number, act: (made: Submission[]) => Promise<unknown>) {
  const made: Submission[][] = [];
  const makingFrom = cpuUs();
  for (let at = 0; at < 200; at++) made.push(says(count));
  const makingUs = (cpuUs() - makingFrom) / made.length;
  for (const submissions of made) await act(submissions); // Warm now.
  const [since, from] = [performance.now(), cpuUs()];
  let times = 0;
  for (; performance.now() - since < seconds * 1000; times++) await act(says(count));
  const passed = (performance.now() - since) / 1000;
  const us = (cpuUs() - from - times * makingUs) / times / count;
  const perSecond = (n: number) => Math.round(n / passed).toLocaleString("en");
  console.log(
    `${what.padEnd(40)} ${perSecond(times).padStart(7)} commits/s ${
      perSecond(times * count).padStart(8)
    } entries/s ${us.toFixed(1).padStart(7)} us CPU an entry`,
  );
}

async function timed(what: string, act: () => Promise<unknown>): Promise<void> {
  const since = performance.now();
  await act();
  console.log(`${what.padEnd(40)} ${(performance.now() - since).toFixed(1).padStart(9)} ms`);
}

function memory(what: string): void {
  console.log(
    `${what.padEnd(40)} ${(Deno.memoryUsage().rss / 2 ** 20).toFixed(1).padStart(9)} MiB`,
  );
}

const folder = await Deno.makeTempDir();
const path = Deno.args[0] ?? `${folder}/store.db`;
if (Deno.args[0] === undefined) {
  const store = await SqliteStore.open({ path });
  await measure("one entry, awaited", 1, (made) => store.append(room, made, Date.now()));
  await measure(
    "100 appends of one in a turn, one room",
    100,
    (made) => Promise.all(made.map((one) => store.append(room, [one], Date.now()))),
  );
  await measure(
    "100 appends of one in a turn, 100 rooms",
    100,
    (made) => Promise.all(made.map((one, at) => store.append(rooms[at]!, [one], Date.now()))),
  );
  await measure("one append of 100, awaited", 100, (made) => store.append(room, made, Date.now()));
  await timed("a million entries, 100 an append", async () => {
    for (let at = 0; at < 10_000; at++) await store.append(large, says(100), Date.now());
  });
  await store.close();
  console.log(
    `the file: ${(Deno.statSync(path).size / 2 ** 20).toFixed(0)} MiB; once more with it:`,
  );
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--no-prompt", "--frozen", "-P=bench", import.meta.url, path],
  }).spawn().status;
  await Deno.remove(folder, { recursive: true });
  Deno.exit(code);
}

memory("memory before the store is opened");
let store: SqliteStore | undefined;
await timed("opening it", async () => store = await SqliteStore.open({ path }));
memory("memory behind it");
const middle = await store!.readBack(large, 500_000, 1, pageBytesMax);
await timed("100 entries back from its middle", () => store!.readBack(large, 500_000, 100, 1e9));
await timed("all behind its middle", async () => {
  let result = await store!.read(large, middle!.end, pageBytesMax);
  while (result.type === "page") result = await store!.read(large, result.page.end, pageBytesMax);
});
await timed("checking all of it", () => store!.integrity());
await timed("a backup", () => store!.backup(`${path}.copy`));
await timed("trimming all of it", () => store!.trim(large, Date.now()));
if ((await store!.read(large, { seq: 0, hash: chainStart(large) }, 1)).type !== "reset") {
  throw new Error("It is not trimmed");
}
memory("memory in the end");
await store!.close();
