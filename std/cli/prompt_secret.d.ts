/** The types of `@std/cli/prompt-secret`. */

export type PromptSecretOptions = {
  /** Shown for each character typed; empty shows nothing. Default: `"*"`. */
  mask?: string;
  /** Clear the line afterwards. Default: `false`. */
  clear?: boolean;
};

/** Asks on the terminal without showing what is typed; `null` where stdin is not a terminal. */
export function promptSecret(message?: string, options?: PromptSecretOptions): string | null;
