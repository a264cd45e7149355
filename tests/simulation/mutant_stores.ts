/**
 * Stores with a fault each.
 *
 * @module
 */

import { mapKey } from "../../protocol/bytes.ts";
import { chainStart, decodeRows, rowBytes } from "../../protocol/entry.ts";
import type { Cursor } from "../../protocol/message.ts";
import type { Page, ReadResult, Store, Submission } from "../../server/store/store.ts";
import { ListStore, type Stored } from "../fixtures/list_store.ts";
import { StoreAround } from "../fixtures/store_around.ts";

/** Keeps each copy of a message. */
export class ForgetfulStore extends ListStore {
  protected override seqOf(): undefined {
    return undefined;
  }
}

/** Keeps each copy of a message that comes after a restart. */
export class AmnesicStore extends ListStore {
  readonly #rooms = new Map<string, { readonly log: Stored[]; forgotten: number }>();

  forget(): void {
    for (const room of this.#rooms.values()) room.forgotten = room.log.length;
  }

  protected override log(roomId: Uint8Array): Stored[] {
    const log = super.log(roomId);
    const key = mapKey(roomId);
    if (!this.#rooms.has(key)) this.#rooms.set(key, { log, forgotten: 0 });
    return log;
  }

  protected override seqOf(log: readonly Stored[], submission: Submission): number | undefined {
    const { forgotten = 0 } = this.#rooms.values().find((room) => room.log === log) ?? {};
    const seq = super.seqOf(log.slice(forgotten), submission);
    return seq && seq + forgotten;
  }
}

/** Believes every log to be empty when it is asked where it ends. */
export class BlankStore extends StoreAround {
  override end(roomId: Uint8Array): Promise<Cursor> {
    return Promise.resolve({ seq: 0, hash: chainStart(roomId) });
  }
}

/** Erases nothing. */
export class HoardingStore extends StoreAround {
  override append(
    roomId: Uint8Array,
    submissions: readonly Submission[],
    nowMs: number,
  ): ReturnType<Store["append"]> {
    const kept = submissions.map(({ deviceId, core }) => ({ deviceId, core }));
    return this.inner.append(roomId, kept, nowMs);
  }
}

/** Has dropped all but the last entries, and gives these to whoever asks for older ones. */
export class GapStore extends ListStore {
  override read(roomId: Uint8Array, after: Cursor, bytesMax: number): Promise<ReadResult> {
    const log: readonly Stored[] = this.log(roomId);
    const kept = log.at(-10)?.end;
    return super.read(roomId, kept && after.seq < kept.seq ? kept : after, bytesMax);
  }
}

/** Changes pages. */
export class PageStore extends StoreAround {
  readonly #change: (page: Page) => Page;

  constructor(store: Store, change: (page: Page) => Page) {
    super(store);
    this.#change = change;
  }

  override async read(...args: Parameters<Store["read"]>): Promise<ReadResult> {
    const result = await this.inner.read(...args);
    return result.type === "page" ? { ...result, page: this.#change(result.page) } : result;
  }
}

export function withoutLastEntry(page: Page): Page {
  const last = decodeRows(page.rows, page.firstSeq, page.timeMs).at(-1)!;
  return { ...page, rows: page.rows.subarray(0, -rowBytes(last.core.bytes)) };
}

export function withoutFirstEntry(page: Page): Page {
  const [first] = decodeRows(page.rows, page.firstSeq, page.timeMs);
  const rows = page.rows.subarray(rowBytes(first!.core.bytes));
  return { ...page, rows, firstSeq: page.firstSeq + 1 };
}
