import type { Clock } from "../protocol/clock.ts";

const nothing = new Uint8Array(0);

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  timer(ms, act) {
    const id = setTimeout(act, ms);
    return () => clearTimeout(id);
  },
  // Where a turn has written to many sockets and setImmediate follows, the runtime reads no socket and
  // hears no Worker, and a timer would sleep for 2 ms. It does look while it waits for a thread, which a
  // hash of nothing has for some 20 us (docs/adr/0009-rounds.md).
  turn(act) {
    void crypto.subtle.digest("SHA-256", nothing).then(act);
  },
};
