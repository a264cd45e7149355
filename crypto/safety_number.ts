/**
 * Sixty digits by which two people make sure that they have each other's keys.
 *
 * @module
 */

import { sha512 } from "@noble/hashes/sha2.js";

/** As many as in Signal: it makes a look-alike costlier to search for. */
const iterations = 5200;
const digitGroups = 6;
const version = new Uint8Array([0, 1]);

/** The same for both, whichever way round: twelve groups of five digits. */
export function safetyNumber(a: Uint8Array, b: Uint8Array): string {
  return [digitsOf(a), digitsOf(b)].sort().join(" ");
}

/** Half of it: a key's digits. */
function digitsOf(key: Uint8Array): string {
  let hash: Uint8Array = sha512.create().update(version).update(key).update(key).digest();
  for (let round = 1; round < iterations; round++) {
    hash = sha512.create().update(hash).update(key).digest();
  }
  return toDigits(hash, digitGroups);
}

/** Groups of five digits, each from five bytes. */
export function toDigits(bytes: Uint8Array, groups: number): string {
  return Array.from({ length: groups }, (_, group) => {
    const number = bytes.subarray(group * 5, group * 5 + 5)
      .reduce((sum, byte) => sum * 256 + byte, 0);
    return String(number % 100_000).padStart(5, "0");
  }).join(" ");
}
