/**
 * Cuts the power of a store many times, and looks what is left.
 *
 * @module
 */

import { mapKey } from "../../protocol/bytes.ts";
import type { Call } from "../../server/store/sqlite_calls.ts";
import { openDatabase } from "../../server/store/sqlite_schema.ts";
import { SqliteTurns } from "../../server/store/sqlite_turns.ts";
import type { Store, StoredRecord } from "../../server/store/store.ts";
import { ListStore } from "../fixtures/list_store.ts";
import { Random } from "../simulation/random.ts";
import { Disk, type Files } from "./disk.ts";
import { type Event, record } from "./trace.ts";
import { stateOf, steps } from "./workload.ts";

/** How often, and of what. */
export interface PowerCutOptions {
  readonly seed: number;
  readonly cuts: number;
  readonly isSynced?: boolean;
}

/** What came out of it. */
export interface PowerCutReport {
  readonly cuts: number;
  readonly events: number;
  readonly syncs: number;
  /** Cuts after which a step was there that had not been acknowledged. */
  readonly unacknowledged: number;
  /** What was wrong, a line for each cut; empty when all is well. */
  readonly faults: readonly string[];
}

const stepCount = 120;

/** Records a workload, then cuts it wherever chance says; `folder` is empty. */
export async function cutPower(
  folder: string,
  { seed, cuts, isSynced = true }: PowerCutOptions,
): Promise<PowerCutReport> {
  const path = `${folder}/store.db`;
  const events = await record(path, { seed, count: stepCount, isSynced });
  const states = await statesOf(seed);
  const random = new Random(seed);
  const places = Array.from({ length: cuts }, () => Math.floor(random.next() * (events.length + 1)))
    .sort((a, b) => a - b);
  const disk = new Disk();
  let taken = 0;
  let acknowledged = 0;
  let unacknowledged = 0;
  const faults: string[] = [];
  for (const [number, place] of places.entries()) {
    for (; taken < place; taken++) {
      const event = events[taken]!;
      disk.take(event);
      if (event.type === "said") acknowledged = Number(event.text.match(/\d+/)?.[0]);
    }
    const found = await lookAt(`${folder}/cut`, path, disk.cut(random));
    const expected = states.slice(acknowledged, acknowledged + 2);
    const isNext = found.state !== expected[0] && found.state === expected[1];
    if (isNext) unacknowledged++;
    if (found.faults.length > 0 || !expected.includes(found.state)) {
      const what = found.faults.join("; ") ||
        `not what was acknowledged, but ${
          states.indexOf(found.state) < 0 ? "something else" : `step ${states.indexOf(found.state)}`
        }`;
      faults.push(`cut ${number}, event ${place}, after step ${acknowledged}: ${what}`);
    }
  }
  const syncs = events.filter(({ type }: Event) => type === "sync").length;
  return { cuts, events: events.length, syncs, unacknowledged, faults };
}

/** What there is to be seen after each step, and before the first. */
async function statesOf(seed: number): Promise<string[]> {
  const model = new ListStore();
  const states = [await stateOf(model)];
  for (const step of steps(seed, stepCount)) {
    await step(model);
    states.push(await stateOf(model));
  }
  return states;
}

/** Opens what is left as the store does, checks all of it, and writes to it once more. */
async function lookAt(folder: string, path: string, files: Files) {
  await Deno.mkdir(folder);
  try {
    for (const [name, bytes] of files) {
      await Deno.writeFile(name.replace(path, `${folder}/store.db`), bytes);
    }
    const options = { path: `${folder}/store.db` };
    const turns = new SqliteTurns(await openDatabase(options), options);
    const store = readerOf(turns);
    const state = await stateOf(store);
    const faults = await ask(turns, { type: "integrity" }) as string[];
    await ask(turns, { type: "put", records: [{ kind: "other", key: "a", value: "1" }] });
    turns.close();
    return { state, faults };
  } catch (error) {
    return { state: "", faults: [`${error}`] };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What a Worker does with a turn of one call, without the Worker. */
async function ask(turns: SqliteTurns, call: Call): Promise<unknown> {
  const [outcome] = await turns.perform({ calls: [call], rows: new Uint8Array() });
  if (outcome?.type !== "done") throw new Error(outcome?.text);
  return outcome.answer;
}

function readerOf(turns: SqliteTurns): Pick<Store, "read" | "records"> {
  return {
    read: (roomId, after, bytesMax) =>
      ask(turns, { type: "read", room: mapKey(roomId), after, bytesMax }) as ReturnType<
        Store["read"]
      >,
    records: (kind, after = "") =>
      ask(turns, { type: "records", kind, after }) as Promise<StoredRecord[]>,
  };
}
