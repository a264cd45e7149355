/**
 * Plans in which one thing goes wrong, and little else.
 *
 * @module
 */

import { type Act, type Fault, type FaultKind, hourMs, type Plan } from "./plan.ts";

const KiB = 1024;
const plenty = 1e9;
const unlimited = {
  publishBurst: plenty,
  publishPerSecond: plenty,
  bytesPerSecond: plenty,
  framesPerSecond: plenty,
  historyBytes: plenty,
};

/** A plan in which nothing goes wrong, however much is said, but that somebody reads nothing. */
export function besideStuck(plan: Plan): Plan {
  const areLarge = plan.bursts.some(({ bytesMax }) => bytesMax > 4 * KiB);
  return {
    ...plan,
    ...unlimited,
    arrivalsMs: plan.arrivalsMs.map(() => 0),
    faults: [],
    acts: [],
    stuck: [{ member: 0, fromMs: 50 }],
    network: {
      latencyMs: 1,
      capacityBytes: 16 * KiB,
      pieceBytesMax: undefined,
      refusals: 0,
      slow: [],
    },
    tailBytes: (areLarge ? 400 : 16) * KiB,
    storeMsMax: 0,
    restMsMax: 3_000,
  };
}

/** A plan in which who says something is cut off while it is under way. */
export function cutOff(plan: Plan): Plan {
  const { latencyMs } = plan.network;
  const faults = plan.bursts.map(({ atMs, member }, number): Fault => ({
    atMs: atMs + 0.5 + latencyMs * (number % 5),
    kind: "cut",
    member,
    lastsMs: 100,
  }));
  return { ...plan, ...unlimited, faults };
}

/** A plan in which more is said than may be said at once. */
export function tooFast(plan: Plan): Plan {
  return { ...plan, ...unlimited, publishBurst: 2, publishPerSecond: 50, faults: [] };
}

/** A plan of this only that goes wrong, over and over. */
export function often(kind: FaultKind): (plan: Plan) => Plan {
  return (plan) => ({
    ...plan,
    ...unlimited,
    forgetful: [],
    faults: plan.bursts.map(({ atMs, member }, number): Fault => ({
      atMs: atMs + 0.5 + 3 * (number % 5),
      kind,
      member,
      lastsMs: 100,
    })),
  });
}

/** A plan in which the disk is full whenever somebody says something. */
export function diskFull(plan: Plan): Plan {
  return { ...often("full")(plan), acts: [], isPatient: false };
}

/** A plan in which members are sent out of rooms and come back, and nothing goes wrong. */
export function removals(plan: Plan): Plan {
  return acting(plan, "kick", "join");
}

/** A plan in which members are muted while they speak, and nothing goes wrong. */
export function mutes(plan: Plan): Plan {
  return acting(plan, "mute", "unmute");
}

/** A plan in which who may acts on everybody in turn, then takes it back. */
function acting(plan: Plan, command: Act["command"], undoing: Act["command"]): Plan {
  const room = "room0";
  const numbers = plan.arrivalsMs.map((_, number) => number);
  const act = (atMs: number, member: number, command: Act["command"]): Act => ({
    atMs,
    member,
    isEntitled: command !== "join",
    command,
    room,
    whom: `member${member}`,
    ms: hourMs,
  });
  return {
    ...plan,
    ...unlimited,
    arrivalsMs: plan.arrivalsMs.map(() => 0),
    faults: [],
    network: { ...plan.network, refusals: 0, slow: [] },
    bursts: plan.bursts.map((burst, at) => ({ ...burst, atMs: 2_000 + 50 * at })),
    acts: numbers.flatMap((member) => [
      act(1_000 + member, member, "join"),
      act(2_020 + 100 * member, member, command),
      act(2_070 + 100 * member, member, undoing),
    ]),
  };
}
