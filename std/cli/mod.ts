/**
 * `@std/cli` from npm, with its types.
 *
 * @module
 */

export * from "./parse_args.ts";
export * from "./prompt_secret.ts";
