import { setImmediate } from "node:timers";
import type { Clock } from "../protocol/clock.ts";

/** For how long turns may follow each other before the runtime looks at what has come meanwhile. */
const unseenMsMax = 1;

/** When it looked last. */
let lookedMs = 0;

const nothing = new Uint8Array(0);

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  timer(ms, act) {
    const id = setTimeout(act, ms);
    return () => clearTimeout(id);
  },
  // While one setImmediate follows another, the runtime reads no socket and hears no Worker; a timer
  // would sleep for 2 ms. It does look while it waits for a thread, which a hash of nothing has for
  // some 20 us (docs/adr/0009-rounds.md).
  turn(act) {
    if (performance.now() - lookedMs < unseenMsMax) return void setImmediate(act);
    void crypto.subtle.digest("SHA-256", nothing).then(() => {
      lookedMs = performance.now();
      setImmediate(act);
    });
  },
};
