/**
 * Plans in which one thing happens often, so that what it breaks is found soon.
 *
 * @module
 */

import type { Deed, Fault, FaultKind, SealedPlan } from "./plan.ts";

/** Faults of these kinds only, right when somebody speaks. */
export function often(...kinds: readonly FaultKind[]): (plan: SealedPlan) => SealedPlan {
  return (plan) => ({
    ...plan,
    faults: plan.bursts.flatMap(({ atMs, member }, number): Fault[] =>
      [0, 1].map((at) => ({
        atMs: atMs + at * 40 + (number * 37 % 100),
        kind: kinds[(number + at) % kinds.length]!,
        member,
        lastsMs: 300,
        changes: (number + at) % 5,
        isKept: number % 2 === 0,
      }))
    ),
  });
}

/** Commits all the time, most of them against others. */
export function busy(plan: SealedPlan): SealedPlan {
  const deeds = plan.bursts.flatMap(({ atMs }, number): Deed[] =>
    [0, 1, 2].map((member) => ({
      atMs: atMs + member * plan.raceMs,
      member: (number + member) % plan.members,
      isEntitled: false,
      what: "renew" as const,
      whom: 0,
    }))
  );
  return { ...plan, deeds: [...plan.deeds, ...deeds] };
}

/** Several plans, one after the other. */
export function all(
  ...changes: readonly ((plan: SealedPlan) => SealedPlan)[]
): (plan: SealedPlan) => SealedPlan {
  return (plan) => changes.reduce((changed, change) => change(changed), plan);
}

/** Nothing goes wrong; everybody comes at once, and all commit at once again and again. */
export function races(rounds: number): (plan: SealedPlan) => SealedPlan {
  return (plan) => ({
    ...plan,
    members: 3,
    arrivalsMs: [0, 1_000, 1_000],
    bursts: [],
    deeds: [],
    faults: [],
    bytesMax: 256,
    races: rounds,
    raceMs: plan.raceMs / 10,
  });
}

/** The store takes its time, so that what was sent before a reconnect is still on its way after it. */
export function slowStore(plan: SealedPlan): SealedPlan {
  return { ...plan, storeMsMax: 900, network: { ...plan.network, latencyMs: 1, refusals: 0 } };
}

/** Somebody leaves, then all others die; nobody says anything in between. */
export function goers(plan: SealedPlan): SealedPlan {
  const lastMs = Math.max(...plan.arrivalsMs, 2_000) + 8_000;
  const others = Array.from({ length: plan.members }, (_, number) => number);
  return {
    ...plan,
    bursts: [],
    deeds: [{ atMs: lastMs, member: 1, isEntitled: false, what: "part", whom: 1 }],
    faults: others.map((member): Fault => ({
      atMs: lastMs + 2_000,
      kind: "crash",
      member,
      lastsMs: 200,
      changes: 0,
      isKept: true,
    })),
  };
}

/** Two speak to each other in a room of their own, again and again, and leave it in between. */
export function couples(plan: SealedPlan): SealedPlan {
  const firstMs = Math.max(...plan.arrivalsMs, 2_000) + 2_000;
  const deeds = plan.bursts.flatMap(({ atMs, member: who, messages }, number): Deed[] => {
    const member = who % 2;
    const whom = 1 - member;
    const at = (ms: number) => ({ atMs: firstMs + atMs + ms, isEntitled: false });
    return [
      { ...at(0), member, what: "direct", whom },
      number % 3 === 0
        ? { ...at(messages * 20), member, what: "part direct", whom }
        : { ...at(messages * 20), member: whom, what: "part direct", whom: member },
      { ...at(messages * 20 + number * 37 % 100), member, what: "direct", whom },
    ];
  });
  return { ...plan, bursts: [], deeds };
}
