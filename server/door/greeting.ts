/**
 * Tells a client of ours from a classic one by its first byte. A classic client waits for a prompt
 * before it says anything, so a server that has heard nothing for a moment writes it.
 *
 * @module
 */

import { classicPrompt, looksClassic } from "../../protocol/classic.ts";
import type { Clock } from "../../protocol/clock.ts";
import { classicPromptMs } from "../../protocol/limits.ts";
import { type Link, writeAll } from "../../protocol/link.ts";

/** What a client began with. */
export interface Greeting {
  readonly kind: "ours" | "classic" | "gone";
  readonly first: Uint8Array;
  /** Whether the classic prompt has been written already. */
  readonly isPrompted: boolean;
}

/**
 * Reads a client's first bytes.
 *
 * @param onPrompt called when the prompt is written; undefined where the original is not spoken
 */
export async function greet(
  link: Link,
  clock: Clock,
  onPrompt: (() => void) | undefined,
): Promise<Greeting> {
  let prompted: Promise<void> | undefined;
  const cancel = clock.timer(classicPromptMs, () => {
    if (!onPrompt) return;
    onPrompt();
    prompted = writeAll(link, new TextEncoder().encode(classicPrompt)).catch(() => link.close());
  });
  const buffer = new Uint8Array(256);
  const count = await link.read(buffer).finally(cancel);
  await prompted;
  if (!count) return { kind: "gone", first: buffer.subarray(0, 0), isPrompted: false };
  const kind = looksClassic(buffer[0]!) ? "classic" : "ours";
  return { kind, first: buffer.subarray(0, count), isPrompted: prompted !== undefined };
}
