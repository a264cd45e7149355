/**
 * What is kept of a sealed room's keys: the group, and what the log has said of it that is not in it.
 *
 * ```
 * state   [last commit's message id 16][u16 count][user key 32]…[u16 count][user key 32]…[group]
 * ```
 *
 * The user keys are of those who have left and are still in the tree, then of those who were in it
 * before we came, of whom the log that we have cannot say whether they had left.
 *
 * @module
 */

import { concat, fromMapKey, mapKey } from "../../protocol/bytes.ts";
import { idBytes } from "../../protocol/limits.ts";

/** See above. */
export interface KeptState {
  readonly lastCommit: Uint8Array;
  /** By {@link mapKey}. */
  readonly departed: ReadonlySet<string>;
  readonly before: ReadonlySet<string>;
  readonly group: Uint8Array;
}

const keyBytes = 32;

export function encodeState({ lastCommit, departed, before, group }: KeptState): Uint8Array {
  return concat([lastCommit, encodeKeys(departed), encodeKeys(before), group]);
}

/** @throws {RangeError} when these bytes are none */
export function decodeState(bytes: Uint8Array): KeptState {
  const [departed, next] = decodeKeys(bytes, idBytes);
  const [before, end] = decodeKeys(bytes, next);
  return { lastCommit: bytes.subarray(0, idBytes), departed, before, group: bytes.subarray(end) };
}

function encodeKeys(keys: ReadonlySet<string>): Uint8Array {
  const count = Uint8Array.of(keys.size >> 8, keys.size & 0xff);
  return concat([count, ...[...keys].map(fromMapKey)]);
}

function decodeKeys(bytes: Uint8Array, at: number): [keys: Set<string>, end: number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = at + 2 + view.getUint16(at) * keyBytes;
  if (end > bytes.length) throw new RangeError("The keys that were kept are cut short.");
  const keys = new Set<string>();
  for (let from = at + 2; from < end; from += keyBytes) {
    keys.add(mapKey(bytes.subarray(from, from + keyBytes)));
  }
  return [keys, end];
}
