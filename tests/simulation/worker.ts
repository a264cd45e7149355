/**
 * Runs seeds as it is told, on a thread of its own: a seed changes what is global while it runs, so two
 * at once need two of everything.
 *
 * @module
 */

import type { Coverage } from "./coverage.ts";
import type { CryptoMode } from "./crypto.ts";

/** A seed to run. */
export interface Share {
  readonly seed: number;
  readonly crypto: CryptoMode;
  readonly keepsTrace: boolean;
}

/** What became of it. */
export interface Ran {
  readonly seed: number;
  readonly violation: string | undefined;
  readonly coverage: Omit<Coverage, "add">;
  readonly trace: string;
}

/** What a worker has of its scope; the types of the main thread do not tell. */
interface Scope {
  onmessage: (event: MessageEvent<Share>) => void;
  postMessage(ran: Ran): void;
}

const scope = globalThis as unknown as Scope;

/** It waits for WebAssembly: imported at the top, it would let a message come before there is who takes it. */
const simulation = import("./simulate.ts");

scope.onmessage = async ({ data: { seed, ...options } }) => {
  const { simulate } = await simulation;
  const { violation, coverage, trace } = await simulate(seed, options);
  const text = violation && [violation.message, violation.cause].filter(Boolean).join("\n");
  scope.postMessage({ seed, violation: text, coverage: { ...coverage }, trace });
};
