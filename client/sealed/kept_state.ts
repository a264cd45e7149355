/**
 * What is kept of a sealed room's keys: the group, and what the log has said of it that is not in it.
 *
 * ```
 * state   [u8 0][u8 1][u48 when our own keys changed last, ms since 1970][last commit's message id 16]
 *         [u16 count][user key 32]…[u16 count][user key 32]…[u16 count][device id 16]…[group]
 * ```
 *
 * The user keys are of those who have left and are still in the tree, then of those who were in it
 * before we came, of whom the log that we have cannot say whether they had left; the devices are those of
 * `orphans.ts`. States of earlier versions have a 0 for the 1, and no devices; or neither of the two bytes
 * nor the time: they begin with the message id, and so with a time that is not 0 in its first two bytes.
 *
 * @module
 */

import { concat, fromMapKey, mapKey, readU64, writeU64 } from "../../protocol/bytes.ts";
import { idBytes } from "../../protocol/limits.ts";

/** See above. */
export interface KeptState {
  /** 0 where it is not known. */
  readonly renewedMs: number;
  readonly lastCommit: Uint8Array;
  /** By {@link mapKey}. */
  readonly departed: ReadonlySet<string>;
  readonly before: ReadonlySet<string>;
  readonly orphans: ReadonlySet<string>;
  readonly group: Uint8Array;
}

const keyBytes = 32;
const timeBytes = 8;
const version = 1;

export function encodeState(state: KeptState): Uint8Array {
  const { renewedMs, lastCommit, departed, before, orphans, group } = state;
  const time = new Uint8Array(timeBytes);
  writeU64(time, 0, renewedMs);
  time[1] = version;
  return concat([time, lastCommit, ...[departed, before, orphans].map(encodeKeys), group]);
}

/** @throws {RangeError} when these bytes are none */
export function decodeState(bytes: Uint8Array): KeptState {
  const hasTime = bytes[0] === 0 && bytes[1]! <= version;
  const commitAt = hasTime ? timeBytes : 0;
  const [departed, beforeAt] = decodeKeys(bytes, commitAt + idBytes, keyBytes);
  const [before, orphansAt] = decodeKeys(bytes, beforeAt, keyBytes);
  const hasOrphans = hasTime && bytes[1] === version;
  const [orphans, end] = hasOrphans
    ? decodeKeys(bytes, orphansAt, idBytes)
    : [new Set<string>(), orphansAt];
  return {
    renewedMs: hasTime ? readU64(bytes.slice(0, timeBytes).with(1, 0), 0) : 0,
    lastCommit: bytes.subarray(commitAt, commitAt + idBytes),
    departed,
    before,
    orphans,
    group: bytes.subarray(end),
  };
}

function encodeKeys(keys: ReadonlySet<string>): Uint8Array {
  const count = Uint8Array.of(keys.size >> 8, keys.size & 0xff);
  return concat([count, ...[...keys].map(fromMapKey)]);
}

function decodeKeys(
  bytes: Uint8Array,
  at: number,
  keyBytes: number,
): [keys: Set<string>, end: number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = at + 2 + view.getUint16(at) * keyBytes;
  if (end > bytes.length) throw new RangeError("The keys that were kept are cut short.");
  const keys = new Set<string>();
  for (let from = at + 2; from < end; from += keyBytes) {
    keys.add(mapKey(bytes.subarray(from, from + keyBytes)));
  }
  return [keys, end];
}
