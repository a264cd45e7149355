/**
 * How the server's engine keeps its memory: a young generation of 8 MB, half of what it would take, and
 * a way to collect garbage when there is little to do (memory.ts, docs/adr/0004-memory.md).
 * `deno task compile` has the same flags in deno.json.
 */
export const v8Flags = "--v8-flags=--max-semi-space-size=8,--expose-gc";
