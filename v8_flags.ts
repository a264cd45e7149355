/**
 * How the server's engine keeps its memory: a small young generation, and a heap that is cleaned before it
 * has grown by a third. By default 1000 idle sessions leave 60 MB of garbage's room behind; with
 * these 46 MB remain (docs/adr/0004-memory.md). `deno task compile` has the same flags in deno.json.
 */
export const v8Flags = "--v8-flags=--max-semi-space-size=4,--heap-growing-percent=30";
