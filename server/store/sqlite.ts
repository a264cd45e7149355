/**
 * Entries and records in an SQLite file: safe from a power cut once they are acknowledged. The file is
 * a Worker's (sqlite_worker.ts); this side collects what is asked for in a turn of the event loop,
 * hands it over in one message, and what is asked for meanwhile waits for the next: so the slower the
 * disk, the more there is in one commit (docs/adr/0005-sqlite-store.md).
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { concat, mapKey } from "../../protocol/bytes.ts";
import { type Entry, payloadStart, rowBytes, writeRow } from "../../protocol/entry.ts";
import type { Cursor } from "../../protocol/message.ts";
import type { Call, Calls, CallType, Opening, OpenOptions, Outcome, Turn } from "./sqlite_calls.ts";
import { StoreRefusedError } from "./sqlite_faults.ts";
import {
  type Appended,
  type EarlierPage,
  type ReadResult,
  type Store,
  StoreBrokenError,
  type StoredRecord,
  StoreFullError,
  type Submission,
} from "./store.ts";

/** A call, and who waits for its answer. */
interface Asked {
  readonly call: Call;
  /** What is appended, as rows; empty where nothing is. */
  readonly rows: Uint8Array;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A store in a file. */
export class SqliteStore implements Store {
  readonly #worker: Worker;
  /** Asked for, and not handed over yet. */
  #waiting: Asked[] = [];
  /** Handed over, and not answered yet. */
  #underWay: readonly Asked[] | undefined;
  #isScheduled = false;
  /** What takes several turns and has not ended. */
  readonly #long = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;
  /** Why nothing more can be asked for. */
  #over: Error | undefined;
  readonly #broken = Promise.withResolvers<StoreBrokenError>();

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<readonly Outcome[]>) => this.#answered(data);
    worker.onerror = (event) => {
      event.preventDefault();
      const error = new StoreBrokenError(`Storing has ended: ${event.message}. Start again.`);
      this.#broken.resolve(error);
      this.#fail(error);
    };
  }

  /**
   * Opens the file; it is made where there is none.
   *
   * @throws {StoreRefusedError} when it cannot be used: the text says why, and what to do
   */
  static async open(options: OpenOptions): Promise<SqliteStore> {
    const worker = new Worker(new URL("./sqlite_worker.ts", import.meta.url), { type: "module" });
    const opening = await new Promise<Opening>((resolve) => {
      worker.onmessage = ({ data }: MessageEvent<"ready" | Opening>) => {
        if (data === "ready") worker.postMessage(options);
        else resolve(data);
      };
      worker.onerror = (event) => {
        event.preventDefault();
        resolve({ type: "refused", text: `Cannot open ${options.path}: ${event.message}` });
      };
    });
    if (opening.type === "refused") {
      worker.terminate();
      throw new StoreRefusedError(opening.text);
    }
    const store = new SqliteStore(worker);
    if (opening.hasDropped) store.#sweep();
    return store;
  }

  /** Resolves when the store cannot go on, also where nobody waits for it. */
  get broken(): Promise<StoreBrokenError> {
    return this.#broken.promise;
  }

  append(
    roomId: Uint8Array,
    submissions: readonly Submission[],
    nowMs: number,
  ): Promise<Appended> {
    const erases: [index: number, seq: number][] = [];
    const records: [index: number, records: readonly StoredRecord[]][] = [];
    for (const [index, submission] of submissions.entries()) {
      if (submission.erases !== undefined) erases.push([index, submission.erases]);
      if (submission.records) records.push([index, submission.records]);
    }
    const ask = { room: mapKey(roomId), from: 0, to: 0, erases, records, nowMs };
    return this.#ask("append", ask, rowsOf(submissions));
  }

  read(roomId: Uint8Array, { seq, hash }: Cursor, bytesMax: number): Promise<ReadResult> {
    const after = { seq, hash: hash.slice() };
    return this.#ask("read", { room: mapKey(roomId), after, bytesMax });
  }

  readBack(
    roomId: Uint8Array,
    before: number,
    count: number,
    bytesMax: number,
  ): Promise<EarlierPage | undefined> {
    return this.#ask("readBack", { room: mapKey(roomId), before, count, bytesMax });
  }

  find(
    roomId: Uint8Array,
    deviceId: Uint8Array,
    messageId: Uint8Array,
  ): Promise<Entry | undefined> {
    return this.#ask("find", {
      room: mapKey(roomId),
      deviceId: deviceId.slice(),
      messageId: messageId.slice(),
    });
  }

  end(roomId: Uint8Array): Promise<Cursor> {
    return this.#ask("end", { room: mapKey(roomId) });
  }

  /** In steps, each a commit of its own: who appends meanwhile waits for one of them at most. */
  trim(roomId: Uint8Array, beforeMs: number): Promise<number> {
    const call = { room: mapKey(roomId), beforeMs };
    return this.#lasting(
      this.#ask("trim", call).then(async (first) => {
        let count = first;
        for (let step = first; step > 0; count += step) step = await this.#send("trim", call);
        return count;
      }),
    );
  }

  async drop(roomId: Uint8Array): Promise<void> {
    await this.#ask("drop", { room: mapKey(roomId) });
    this.#sweep();
  }

  put(records: readonly StoredRecord[]): Promise<void> {
    return this.#ask("put", { records: [...records] });
  }

  record(kind: string, key: string): Promise<StoredRecord | undefined> {
    return this.#ask("record", { kind, key });
  }

  records(kind: string, after = ""): Promise<StoredRecord[]> {
    return this.#ask("records", { kind, after });
  }

  /** Writes a copy of the store to a file, as it is now. Everything else waits meanwhile. */
  backup(path: string): Promise<void> {
    return this.#ask("backup", { path });
  }

  /** Checks the file and each room's chain, and says what is wrong. Everything else waits meanwhile. */
  integrity(): Promise<string[]> {
    return this.#ask("integrity", {});
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    while (this.#long.size > 0) await Promise.allSettled(this.#long);
    if (!this.#over) await this.#send("close", {}).catch(() => {}); // What broke meanwhile is closed.
    this.#over ??= closedError();
    this.#worker.terminate();
  }

  /** Clears up what was dropped, a step at a time. What is left is cleared up after the next start. */
  #sweep(): void {
    const sweep = async () => {
      while (await this.#send("sweep", {}));
    };
    this.#lasting(sweep()).catch(() => {}); // Whoever asks for something next is told why.
  }

  #lasting<T>(work: Promise<T>): Promise<T> {
    this.#long.add(work);
    const ended = () => void this.#long.delete(work);
    work.then(ended, ended);
    return work;
  }

  #ask<T extends CallType>(
    type: T,
    ask: Calls[T]["ask"],
    rows: Uint8Array = noRows,
  ): Promise<Calls[T]["answer"]> {
    if (this.#closing) return Promise.reject(closedError());
    return this.#send(type, ask, rows);
  }

  #send<T extends CallType>(
    type: T,
    ask: Calls[T]["ask"],
    rows: Uint8Array = noRows,
  ): Promise<Calls[T]["answer"]> {
    if (this.#over) return Promise.reject(this.#over);
    return new Promise((resolve, reject) => {
      const call = { type, ...ask } as unknown as Call;
      this.#waiting.push({ call, rows, resolve: resolve as Asked["resolve"], reject });
      this.#schedule();
    });
  }

  /** Hands over what waits when this turn of the event loop has ended. */
  #schedule(): void {
    if (this.#isScheduled || this.#underWay) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#handOver();
    });
  }

  #handOver(): void {
    if (this.#waiting.length === 0 || this.#over) return;
    this.#underWay = this.#waiting.splice(0, this.#togetherCount());
    const turn = layOutTurn(this.#underWay);
    this.#worker.postMessage(turn, [turn.rows.buffer]);
  }

  /** How many of those that wait go together: all, but for the calls that go alone. */
  #togetherCount(): number {
    const at = this.#waiting.findIndex(({ call: { type } }) => alone.has(type));
    return at < 0 ? this.#waiting.length : Math.max(1, at);
  }

  #answered(outcomes: readonly Outcome[]): void {
    const asked = this.#underWay ?? [];
    this.#underWay = undefined;
    for (const [at, { resolve, reject }] of asked.entries()) {
      const outcome = outcomes[at]!;
      if (outcome.type === "done") resolve(outcome.answer);
      else reject(this.#errorOf(outcome));
    }
    if (this.#over) this.#fail(this.#over);
    else if (this.#waiting.length > 0) this.#schedule();
  }

  #errorOf({ type, text }: Exclude<Outcome, { type: "done" }>): Error {
    if (type === "full") return new StoreFullError(text);
    if (type === "failed") return new Error(text);
    const error = new StoreBrokenError(text);
    this.#over ??= error;
    this.#broken.resolve(error);
    return this.#over;
  }

  /** Nothing more comes from the Worker. */
  #fail(error: Error): void {
    this.#over ??= error;
    const asked = [...this.#underWay ?? [], ...this.#waiting.splice(0)];
    this.#underWay = undefined;
    for (const { reject } of asked) reject(this.#over);
  }
}

/** Calls that no other goes with. */
const alone: ReadonlySet<CallType> = new Set(["backup", "integrity", "close"]);

const noRows = new Uint8Array();

/** Submissions as rows, copied: whoever handed them over may do with them what they like. */
function rowsOf(submissions: readonly Submission[]): Uint8Array {
  const rows = new Uint8Array(submissions.reduce((sum, { core }) => sum + rowBytes(core), 0));
  let at = 0;
  for (const { deviceId, core } of submissions) {
    payloadStart(core); // What is no core would stop the Worker.
    at = writeRow(rows, at, 0, deviceId, core);
  }
  return rows;
}

/** What is asked for as one message, with all rows in one piece: it is handed over, not copied. */
function layOutTurn(asked: readonly Asked[]): Turn {
  let to = 0;
  const calls = asked.map(({ call, rows }) => {
    if (call.type !== "append") return call;
    const from = to;
    to += rows.length;
    return { ...call, from, to };
  });
  return { calls, rows: concat(asked.map(({ rows }) => rows)) };
}

function closedError(): Error {
  return new Error("Cannot use the store because it is closed");
}
