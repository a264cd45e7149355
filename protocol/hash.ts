/**
 * SHA-256, synchronous: a room hashes each entry twice while it decides the order, and a promise for
 * each would cost more than the hash. WebAssembly takes two thirds of the time that JavaScript does
 * (docs/adr/0001-hashing.md).
 *
 * @module
 */

import { createSHA256 } from "hash-wasm";

const hasher = await createSHA256();

/** The SHA-256 of `data`, 32 bytes. */
export function sha256(data: Uint8Array): Uint8Array {
  return hasher.init().update(data).digest("binary");
}
