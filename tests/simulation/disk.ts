/**
 * The disk of the server's machine: what was asked of it is kept when it has been synced, and only then
 * answered. A crash loses what was not, but for a first part of it; never a hole. One commit at a time
 * takes all that waits, as the store in earnest does.
 *
 * @module
 */

import { mapKey } from "../../protocol/bytes.ts";
import { messageIdOf } from "../../protocol/entry.ts";
import {
  type Appended,
  type Store,
  StoreFullError,
  type Submission,
} from "../../server/store/store.ts";
import type { Coverage } from "./coverage.ts";
import type { Random } from "./random.ts";
import type { Truth } from "./truth.ts";
import type { World } from "./world.ts";

/** What a disk takes. */
export interface DiskOptions {
  readonly world: World;
  readonly truth: Truth;
  readonly coverage: Coverage;
  readonly random: Random;
  /** How long a commit takes at most. */
  readonly msMax: number;
  /** An empty store, which says what each call does and answers. */
  readonly makeStore: () => Store;
  /** Faults that it has. */
  readonly faults?: DiskFaults | undefined;
}

/** Faults that a disk may have. */
export interface DiskFaults {
  /** It answers writes when they are asked for, before they are synced; or even begun. */
  readonly answers?: "when asked" | "before it begins";
  /** It loses one write of so many, and says nothing. */
  readonly losesOneIn?: number;
  /** Called with what a new process finds. */
  readonly onRestart?: (store: Store) => void;
}

type Work = (store: Store) => Promise<unknown>;

/** Something asked for. */
interface Call {
  /** What was asked for in the same turn of the event loop is kept together or not at all. */
  readonly turn: number;
  readonly isWrite: boolean;
  readonly work: Work;
  /** Told what came of it, when that is durable. */
  readonly synced: (result: never) => void | Promise<void>;
  readonly answer: PromiseWithResolvers<unknown>;
  /** There where it was answered before it was synced. */
  readonly early?: Promise<unknown>;
}

/** MUST answer a write when it is durable; MUST lose no durable one, and of the others only the last. */
export class Disk {
  readonly #options: DiskOptions;
  /** What is durable, and the turns that made it. */
  #store: Store;
  #turns: Work[][] = [];
  /** What is being committed, and what waits for the next commit. */
  #underWay: Call[] = [];
  #waiting: Call[] = [];
  #isBusy = false;
  #process = 0;
  #writes = 0;
  /** Messages that wait or are being stored. */
  readonly #ids = new Set<string>();
  /** Nothing more can be kept for now. */
  isFull = false;
  /** Called once, as soon as something is asked for that is not synced. */
  onUnsynced: (() => void) | undefined;

  constructor(options: DiskOptions) {
    this.#options = options;
    this.#store = options.makeStore();
  }

  /** What is durable. */
  get durable(): Store {
    return this.#store;
  }

  /** Whether a crash now would lose something. */
  get isUnsynced(): boolean {
    return [...this.#underWay, ...this.#waiting].some(({ isWrite }) => isWrite);
  }

  /** The store of one process: its answers reach nobody else. */
  open(): Store {
    const process = ++this.#process;
    this.#options.faults?.onRestart?.(this.#store);
    const ask = (work: Work, isWrite: boolean, synced: Call["synced"] = () => {}) =>
      this.#ask(process, work, isWrite, synced);
    // deno-lint-ignore no-explicit-any -- each method answers what its work does
    const read = (work: Work): Promise<any> => ask(work, false);
    return {
      append: (room, submissions, nowMs) => {
        const copies = submissions.map(copyOf);
        this.#countRepetitions(copies);
        return ask(
          (store) => store.append(room, copies, nowMs),
          true,
          ((appended: Appended) => {
            return this.#options.truth.add(room, copies, appended, this.#store);
          }) as Call["synced"],
        ) as Promise<Appended>;
      },
      read: (...args) =>
        read(async (store) => {
          const result = await store.read(...args);
          if (result.type === "page") this.#options.coverage.pages++;
          return result;
        }),
      readBack: (...args) => read((store) => store.readBack(...args)),
      find: (...args) => read((store) => store.find(...args)),
      end: (...args) => read((store) => store.end(...args)),
      record: (...args) => read((store) => store.record(...args)),
      records: (...args) => read((store) => store.records(...args)),
      trim: (...args) => ask((store) => store.trim(...args), true) as Promise<number>,
      drop: (room) =>
        ask((store) => store.drop(room), true, () => this.#options.truth.drop(room)) as Promise<
          void
        >,
      put: (records) =>
        ask(
          (store) => store.put(records),
          true,
          () => this.#options.truth.note(records, this.#store),
        ) as Promise<void>,
      close: () => read(() => Promise.resolve()),
    };
  }

  /** The process ends: of what was not synced, so many of the first turns are there afterwards. */
  async crash(): Promise<void> {
    const unsynced = turnsOf([...this.#underWay, ...this.#waiting].filter((call) => call.isWrite));
    this.#forget();
    if (unsynced.length > 0) this.#options.coverage.crashesUnsynced++;
    const kept = this.isFull ? 0 : this.#options.random.int(0, unsynced.length);
    if (this.#options.faults) await this.#rebuild(); // What was answered early is not there.
    for (const turn of unsynced.slice(0, kept)) {
      for (const call of turn) await call.synced(await call.work(this.#store) as never);
      this.#turns.push(turn.map(({ work }) => work));
    }
  }

  /** The operator puts a backup of some earlier time in its place. */
  async restore(): Promise<void> {
    const { random, world, coverage, truth } = this.#options;
    const lost = Math.min(this.#turns.length, Math.floor(random.scale(1, this.#turns.length + 1)));
    world.note("server", () => `is restored from a backup, ${lost} turns ago`, lost);
    coverage.restores++;
    this.#turns.length -= lost;
    await this.#rebuild();
    await truth.restore(this.#store);
  }

  /** Nothing of what is under way reaches anybody. */
  #forget(): void {
    this.#process++;
    this.#underWay = [];
    this.#waiting = [];
    this.#ids.clear();
    this.onUnsynced = undefined;
    this.#isBusy = false;
  }

  async #rebuild(): Promise<void> {
    this.#store = this.#options.makeStore();
    for (const turn of this.#turns) for (const work of turn) await work(this.#store);
  }

  #ask(process: number, work: Work, isWrite: boolean, synced: Call["synced"]): Promise<unknown> {
    if (process !== this.#process) return new Promise(() => {});
    const { world, faults } = this.#options;
    const answer = Promise.withResolvers<unknown>();
    const early = isWrite && faults?.answers ? work(this.#store) : undefined;
    const call = {
      turn: world.events,
      isWrite,
      work,
      synced,
      answer,
      ...(early && { early }),
    };
    if (early && faults?.answers === "before it begins") {
      world.after(20, () => process === this.#process && this.#add(call));
    } else this.#add(call);
    return early ?? answer.promise;
  }

  #add(call: Call): void {
    this.#waiting.push(call);
    if (call.isWrite) {
      this.onUnsynced?.();
      this.onUnsynced = undefined;
    }
    if (!this.#isBusy) void this.#work();
  }

  async #work(): Promise<void> {
    const process = this.#process;
    this.#isBusy = true;
    while (this.#waiting.length > 0) {
      await this.#passes();
      if (process !== this.#process) return;
      this.#underWay = this.#waiting.splice(0);
      await this.#passes();
      if (process !== this.#process) return;
      const calls = this.#underWay;
      const results = await this.#commit(calls);
      this.#underWay = [];
      if (this.#waiting.length === 0) this.#ids.clear();
      await this.#passes();
      if (process !== this.#process) return;
      for (const [at, { answer }] of calls.entries()) {
        const result = results[at];
        if (result instanceof StoreFullError) answer.reject(result);
        else answer.resolve(result);
      }
    }
    this.#isBusy = false;
  }

  /** What comes of calls that were asked for, in their order. */
  async #commit(calls: readonly Call[]): Promise<unknown[]> {
    const { coverage, faults } = this.#options;
    const results: unknown[] = [];
    for (const call of calls) {
      const { isWrite, work, synced, early } = call;
      if (isWrite && this.isFull) {
        coverage.refusedFull++;
        results.push(new StoreFullError("the disk is full"));
        continue;
      }
      const isLost = isWrite && faults?.losesOneIn && ++this.#writes % faults.losesOneIn === 0;
      const result = await (early ?? work(this.#store));
      results.push(result);
      if (!isWrite || isLost) continue;
      await synced(result as never);
    }
    if (this.isFull) return results;
    const kept = calls.filter(({ isWrite }) => isWrite);
    this.#turns.push(...turnsOf(kept).map((turn) => turn.map(({ work }) => work)));
    return results;
  }

  #passes(): Promise<void> {
    const { world, random, msMax } = this.#options;
    return world.pause(msMax > 0 ? random.next() * msMax : 0);
  }

  #countRepetitions(submissions: readonly Submission[]): void {
    for (const { core } of submissions) {
      const id = mapKey(messageIdOf(core));
      if (this.#ids.has(id)) this.#options.coverage.repeatedUnderWay++;
      this.#ids.add(id);
    }
  }
}

/** What a room asks for may be a view of what it will use for something else. */
function copyOf({ deviceId, core, erases, records }: Submission): Submission {
  return { deviceId: deviceId.slice(), core: core.slice(), erases, records };
}

function turnsOf(calls: readonly Call[]): Call[][] {
  return [...Map.groupBy(calls, ({ turn }) => turn).values()];
}
