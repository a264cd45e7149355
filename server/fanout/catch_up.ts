/**
 * Serves a reader behind the tail: pages from the store over channel 0, each sent when its socket is
 * idle, until where it stands is in the tail. A reconnect and a slow reader take the same path.
 *
 * @module
 */

import { pageBytesMax } from "../../protocol/limits.ts";
import { type Cursor, encodeControl } from "../../protocol/message.ts";
import type { Reader } from "./reader.ts";
import type { Page, Store } from "../store/store.ts";

/** What catching up takes from the room. */
export interface CatchUp {
  readonly room: Uint8Array;
  readonly store: Store;
  readonly writer: Reader["writer"];
  /** Sends a message, unless the reader has gone: it may have been sent out while the store was read. */
  readonly send: (message: Uint8Array) => void;
  readonly cursor: Cursor;
  /** A batch with the server's signature. */
  readonly vouch: (page: Page) => Promise<Uint8Array>;
  /** Puts the reader into the tail at a cursor; true when it is done, or has gone. */
  readonly attach: (cursor: Cursor) => boolean;
  /** Resolves when trying again makes sense. */
  readonly delivered: () => Promise<void>;
}

/** Resolves when the reader is in the tail, or has gone. */
export async function catchUp(options: CatchUp): Promise<void> {
  const { room, store, writer, send } = options;
  let { cursor } = options;
  while (true) {
    await writer.idle();
    if (options.attach(cursor)) return;
    const result = await store.read(room, cursor, pageBytesMax);
    if (result.type === "reset") {
      cursor = result.cursor;
      send(encodeControl("reset", { room, reason: result.reason, cursor }));
    } else if (result.type === "page") {
      send(await options.vouch(result.page));
      cursor = result.page.end;
    } else if (options.attach(cursor)) {
      return;
    } else {
      await options.delivered();
    }
  }
}
