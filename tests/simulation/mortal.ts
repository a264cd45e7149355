/**
 * What a process holds that can end at any moment: its clock stops, and its store takes nothing more.
 *
 * @module
 */

import type { Profile } from "../../client/store/store.ts";
import type { Clock } from "../../protocol/clock.ts";

/** A process, as what it holds sees it. */
export interface Mortal {
  readonly isAlive: boolean;
}

/** When a process ends: in so many changes of its store, right before or right after one is kept. */
export interface Fate {
  changes: number;
  readonly isKept: boolean;
  /** Called when it has ended. */
  readonly after: () => void;
}

/** Thrown where a process ends in the middle of what it does. */
export class ProcessEnded extends Error {
  override readonly name = "ProcessEnded";
}

/** A clock that stops for a process when it ends. */
export function mortalClock(clock: Clock, life: Mortal): Clock {
  const ifAlive = (act: () => void) => () => {
    if (life.isAlive) act();
  };
  return {
    now: () => clock.now(),
    timer: (ms, act) => clock.timer(ms, ifAlive(act)),
    turn: (act) => clock.turn(ifAlive(act)),
  };
}

/**
 * A profile that a process may die over.
 *
 * @param fateOf asked before each change
 * @param die ends the process
 */
export function mortalProfile(
  inner: Profile,
  life: Mortal,
  fateOf: () => Fate | undefined,
  die: () => void,
): Profile {
  const end = (fate?: Fate): never => {
    die();
    fate?.after();
    throw new ProcessEnded("the process has ended");
  };
  const dying = <Args extends unknown[], Result>(change: (...args: Args) => Result) =>
  (
    ...args: Args
  ): Result => {
    if (!life.isAlive) return end();
    const fate = fateOf();
    const isNow = fate !== undefined && fate.changes-- === 0;
    if (isNow && !fate.isKept) return end(fate);
    const result = change(...args);
    return isNow ? end(fate) : result;
  };
  return {
    ...inner,
    say: dying(inner.say),
    keepSealed: dying(inner.keepSealed),
    settle: dying(inner.settle),
    enter: dying(inner.enter),
    take: dying(inner.take),
    takeEarlier: dying(inner.takeEarlier),
    reset: dying(inner.reset),
    read: dying(inner.read),
    leave: dying(inner.leave),
    keepGroup: dying(inner.keepGroup),
    stage: dying(inner.stage),
    dropGroup: dying(inner.dropGroup),
    keepKeyPackages: dying(inner.keepKeyPackages),
    dropKeyPackages: dying(inner.dropKeyPackages),
    keepInvitation: dying(inner.keepInvitation),
    dropInvitation: dying(inner.dropInvitation),
    keepPerson: dying(inner.keepPerson),
    close: () => {
      if (life.isAlive) inner.close();
    },
  };
}
