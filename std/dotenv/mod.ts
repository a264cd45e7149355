/**
 * `@std/dotenv` over the runtime's own parser.
 *
 * @module
 */

import { parseEnv } from "node:util";

export interface LoadOptions {
  /** The file to read; `null` reads none. Default: `".env"`. */
  envPath?: string | URL | null;
  /** Also set each variable in the environment, unless it is set there already. Default: `false`. */
  export?: boolean;
}

/**
 * Reads variables from the text of a `.env` file.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parse("PORT=:9000 # the original's"), { PORT: ":9000" });
 * ```
 */
export function parse(text: string): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const [name, value] of Object.entries(parseEnv(text))) {
    if (value !== undefined) variables[name] = value;
  }
  return variables;
}

/** Reads variables from a `.env` file; without the file there are none. */
export async function load(options: LoadOptions = {}): Promise<Record<string, string>> {
  const { envPath = ".env" } = options;
  if (envPath === null) return {};
  try {
    return exported(parse(await Deno.readTextFile(envPath)), options);
  } catch (error) {
    return noFile(error);
  }
}

/** {@linkcode load}, at once. */
export function loadSync(options: LoadOptions = {}): Record<string, string> {
  const { envPath = ".env" } = options;
  if (envPath === null) return {};
  try {
    return exported(parse(Deno.readTextFileSync(envPath)), options);
  } catch (error) {
    return noFile(error);
  }
}

function exported(variables: Record<string, string>, options: LoadOptions): Record<string, string> {
  if (!options.export) return variables;
  for (const [name, value] of Object.entries(variables)) {
    if (Deno.env.get(name) === undefined) Deno.env.set(name, value);
  }
  return variables;
}

function noFile(error: unknown): Record<string, string> {
  if (error instanceof Deno.errors.NotFound) return {};
  throw error;
}
