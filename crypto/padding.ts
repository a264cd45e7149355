/**
 * Hides how long a plaintext is: `[u32 length][plaintext][zeros]`, filled up to a bucket.
 *
 * Buckets are 256, 512 and 1024 bytes, and from there those of Padmé (Nikitin et al., Reducing
 * Metadata Leakage from Encrypted Files and Communication with PURBs, 2019): a size is rounded up so
 * that only as many of its leading bits matter as its length in bits has bits. What is added is at
 * most 6.25% above 1 KiB, less the longer it is, and a size tells O(log log length) bits.
 *
 * @module
 */

import type { Bytes } from "./aes_gcm.ts";

const lengthBytes = 4;
const smallBuckets = [256, 512, 1024];

/** The bucket that so many bytes fall in. */
export function bucketOf(length: number): number {
  const small = smallBuckets.find((bucket) => length <= bucket);
  if (small) return small;
  const exponent = Math.floor(Math.log2(length));
  const step = 2 ** (exponent - (Math.floor(Math.log2(exponent)) + 1));
  return Math.ceil(length / step) * step;
}

/** The plaintext, in its bucket. */
export function pad(plaintext: Uint8Array): Bytes {
  const padded = new Uint8Array(bucketOf(lengthBytes + plaintext.length));
  new DataView(padded.buffer).setUint32(0, plaintext.length);
  padded.set(plaintext, lengthBytes);
  return padded;
}

/** What was padded; undefined when it was not padded this way. */
export function unpad(padded: Uint8Array): Bytes | undefined {
  if (padded.length < lengthBytes) return undefined;
  const length = new DataView(padded.buffer, padded.byteOffset).getUint32(0);
  const end = lengthBytes + length;
  if (padded.length !== bucketOf(end)) return undefined;
  if (padded.subarray(end).some((byte) => byte !== 0)) return undefined;
  return padded.slice(lengthBytes, end);
}
