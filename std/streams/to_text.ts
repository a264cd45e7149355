// @ts-types="./streams.d.ts"
export { toText } from "deno-std/streams/to_text.js";
