/**
 * Prints where this Deno lies, for `--allow-run`: under `npx` the `deno` on the PATH is a wrapper, and
 * signals sent to the wrapper do not reach Deno.
 */
console.log(Deno.execPath());
