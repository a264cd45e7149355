/** Time, as the cores take it from outside: a seeded test owns it. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `act` once, `ms` from now, unless the returned function is called before. */
  timer(ms: number, act: () => void): () => void;
  /** Calls `act` on a later turn of the event loop, after I/O had its chance. */
  turn(act: () => void): void;
}

/** Resolves `ms` from now. */
export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.timer(ms, resolve));
}
