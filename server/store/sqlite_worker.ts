/**
 * The Worker of the SQLite store: it hashes, writes and waits for the disk, so that the server's
 * thread does none of that. Only sqlite.ts starts it; imported elsewhere it does nothing.
 *
 * @module
 */

import type { Opening, OpenOptions, Outcome, Turn } from "./sqlite_calls.ts";
import { reasonOf } from "./sqlite_faults.ts";
import { takeLock } from "./sqlite_lock.ts";
import { openDatabase } from "./sqlite_schema.ts";
import { SqliteTurns } from "./sqlite_turns.ts";

/** What a Worker has of its own; the types of the whole program are those of the other side. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<OpenOptions | Turn>) => void) | null;
  postMessage(message: "ready" | Opening | readonly Outcome[], transfer?: ArrayBuffer[]): void;
}

/** What holds the file for this process: the lock goes with the process, however it ends. */
interface Held {
  readonly turns: SqliteTurns;
  readonly lock: Deno.FsFile;
}

if ("WorkerGlobalScope" in globalThis) serve(globalThis as unknown as WorkerScope);

/** Opens first, then does a turn for each message. The other side waits for each answer. */
function serve(scope: WorkerScope): void {
  let held: Held | undefined;
  scope.onmessage = async ({ data }) => {
    if ("path" in data) {
      try {
        held = await open(data);
        scope.postMessage({ type: "opened", hasDropped: held.turns.hasDropped });
      } catch (error) {
        scope.postMessage({ type: "refused", text: reasonOf(error) });
      }
      return;
    }
    if (data.calls[0]?.type === "close") {
      held!.turns.close();
      held!.lock.close();
      scope.postMessage([{ type: "done", answer: undefined }]);
      return;
    }
    const outcomes = await held!.turns.perform(data);
    scope.postMessage(outcomes, rowsOf(outcomes));
    held!.turns.tidy();
  };
  scope.postMessage("ready"); // What was sent before, while the modules loaded, would be lost.
}

async function open(options: OpenOptions): Promise<Held> {
  const lock = takeLock(options.path);
  try {
    return { turns: new SqliteTurns(await openDatabase(options), options), lock };
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** The rows of the answers: they are handed over, not copied. */
function rowsOf(outcomes: readonly Outcome[]): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const outcome of outcomes) {
    if (outcome.type !== "done" || outcome.answer === null || typeof outcome.answer !== "object") {
      continue;
    }
    const { rows, page } = outcome.answer as { rows?: Uint8Array; page?: { rows: Uint8Array } };
    const bytes = rows ?? page?.rows;
    if (bytes) buffers.add(bytes.buffer as ArrayBuffer);
  }
  return [...buffers];
}
