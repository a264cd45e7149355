import { setImmediate } from "node:timers";
import type { Clock } from "../protocol/clock.ts";

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  timer(ms, act) {
    const id = setTimeout(act, ms);
    return () => clearTimeout(id);
  },
  turn: (act) => void setImmediate(act),
};
