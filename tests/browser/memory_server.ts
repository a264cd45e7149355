/** The real server, reached within the same page. */

import { assertEquals } from "@std/assert";
import { generateSigningKey } from "../../crypto/identity.ts";
import type { Clock } from "../../protocol/clock.ts";
import { loadConfig } from "../../server/config.ts";
import type { Rules } from "../../server/door/reception.ts";
import { Server } from "../../server/server.ts";
import { MemoryStore } from "../../server/store/memory.ts";
import { Wire } from "../fixtures/memory_link.ts";
import type { Place } from "../fixtures/user.ts";
import { within } from "../fixtures/within.ts";

/** Disposing it fails when the server had a fault of its own. */
export async function serveInMemory(rules: Partial<Rules>): Promise<Place & AsyncDisposable> {
  const faults: unknown[] = [];
  const { key: identity } = await generateSigningKey();
  const server = await Server.open({
    rules: { ...loadConfig({ flags: {}, env: {}, file: {} }), ...rules },
    clock: pageClock,
    store: new MemoryStore(32 * 1024 * 1024),
    identity,
    invitation: crypto.getRandomValues(new Uint8Array(16)),
    say: () => {},
    onFault: (cause) => faults.push(cause),
  });
  return {
    clock: pageClock,
    dial() {
      const { near, far } = new Wire();
      server.accept(far);
      return Promise.resolve(near);
    },
    async [Symbol.asyncDispose]() {
      await within(server.close(), "the server to close");
      assertEquals(faults, [], "the server had a fault of its own");
    },
  };
}

/** A browser has no `setImmediate`, and its timers wait at least 4 ms; a message does not. */
const { port1: near, port2: far } = new MessageChannel();
const turns: (() => void)[] = [];
far.onmessage = () => turns.shift()!();

const pageClock: Clock = {
  now: () => Date.now(),
  timer(ms, act) {
    const id = setTimeout(act, ms);
    return () => clearTimeout(id);
  },
  turn(act) {
    turns.push(act);
    near.postMessage(undefined);
  },
};
