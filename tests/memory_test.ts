import { assert } from "@std/assert";
import { Tidying } from "../cli/memory.ts";

const mb = 1024 * 1024;

Deno.test("a heap that has grown is tidied, one that has not is left alone", () => {
  const tidying = new Tidying();
  assert(!tidying.isDue(0, 19 * mb));
  assert(tidying.isDue(0, 60 * mb));
  tidying.done(300, 300, 35 * mb);
  assert(!tidying.isDue(3_600_000, 38 * mb));
});

Deno.test("people who talk wait for a tidying a hundredth of the time at most", () => {
  const tidying = new Tidying();
  tidying.done(300, 300, 35 * mb);
  assert(!tidying.isDue(30_000, 50 * mb));
  assert(tidying.isDue(30_300, 50 * mb));
});

Deno.test("what has doubled does not wait", () => {
  const tidying = new Tidying();
  tidying.done(300, 300, 35 * mb);
  assert(tidying.isDue(1_000, 71 * mb));
});
