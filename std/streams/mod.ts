/**
 * `@std/streams` from npm, with its types.
 *
 * @module
 */

// @ts-types="./streams.d.ts"
export * from "deno-std/streams/mod.js";
