// @ts-types="./streams.d.ts"
export { TextLineStream } from "deno-std/streams/text_line_stream.js";
