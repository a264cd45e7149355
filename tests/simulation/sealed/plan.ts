/**
 * What a seed of the simulation of sealed rooms asks for: who comes when, by an invitation; who says
 * what; who is sent out, leaves and comes back; what goes wrong meanwhile.
 *
 * @module
 */

import type { CompletionOrder } from "../crypto.ts";
import type { NetworkPlan } from "../plan.ts";
import type { Random } from "../random.ts";

const KiB = 1024;

/** What may go wrong. */
export const faultKinds = [
  /** A connection breaks, each side keeping so much of what was under way. */
  "cut",
  /** A connection carries nothing any more, and nobody is told. */
  "freeze",
  /** A client's process ends without a word. */
  "crash",
  /** A client's process ends while it keeps something, before or after that. */
  "crash keeping",
  /** A client ends as it should, and comes again. */
  "restart",
  /** A device loses all that it kept but who it is. */
  "lose",
  /** Dialling fails for a while. */
  "refuse",
  /** The server ends gracefully, or without a word, and begins again. */
  "shutdown",
  "kill",
  "kill unsynced",
  /** The log gets a commit that nobody can accept. */
  "bad commit",
] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  readonly atMs: number;
  readonly kind: FaultKind;
  /** Whom it hits; of no meaning to faults of the server. */
  readonly member: number;
  readonly lastsMs: number;
  /** So many changes of its store later a process ends that ends while it keeps something. */
  readonly changes: number;
  readonly isKept: boolean;
}

/** What members do, beside talking. */
export const deeds = [
  "invite",
  "invite once",
  "renew",
  "kick",
  "part",
  "return",
  "moderator",
  "member",
  "revoke",
  "direct",
  "part direct",
  "age",
] as const;

export interface Deed {
  readonly atMs: number;
  readonly member: number;
  /** Whoever may does it, if there is somebody. */
  readonly isEntitled: boolean;
  readonly what: (typeof deeds)[number];
  readonly whom: number;
}

export interface Burst {
  readonly atMs: number;
  readonly member: number;
  readonly messages: number;
}

export interface SealedPlan {
  readonly members: number;
  /** When each sets out with an invitation; the first one makes the room. */
  readonly arrivalsMs: readonly number[];
  readonly bursts: readonly Burst[];
  readonly deeds: readonly Deed[];
  readonly faults: readonly Fault[];
  readonly network: NetworkPlan;
  readonly completionOrder: CompletionOrder;
  readonly storeMsMax: number;
  /** So large is a commit, a welcome and a group info at most. */
  readonly bytesMax: number;
  /** How far from each other the two commits of a race are. */
  readonly raceMs: number;
  /** How often two members commit at once. */
  readonly races: number;
}

/** How long it may take until all are at rest. */
export const restMsMax = 6 * 60_000;

/** The plan of a seed. */
export function makePlan(random: Random): SealedPlan {
  const members = random.int(2, 6);
  const lengthMs = random.scale(2_000, 60_000);
  const inTime = () => random.next() * lengthMs;
  const member = () => random.int(0, members - 1);
  const bursts = times(random.int(2, 12), () => ({
    atMs: inTime(),
    member: member(),
    messages: random.int(1, 6),
  }));
  /** Half of what happens, happens when somebody speaks. */
  const when = () =>
    random.chance(0.5) ? random.pick(bursts).atMs + random.scale(0.1, 500) : inTime();
  const kinds = deeds.filter(() => random.chance(0.4));
  const isTogether = random.chance(0.3);
  return {
    members,
    arrivalsMs: times(members, () => isTogether ? 1_000 : random.next() * lengthMs / 2),
    bursts,
    deeds: kinds.length === 0 ? [] : times(random.int(0, 12), () => ({
      atMs: when(),
      member: member(),
      isEntitled: random.chance(0.7),
      what: random.pick(kinds),
      whom: member(),
    })),
    faults: makeFaults(random, when, member),
    network: makeNetwork(random),
    completionOrder: random.chance(0.7) ? "any" : "asked",
    storeMsMax: random.chance(0.3) ? 0 : random.scale(0.1, random.chance(0.2) ? 1_000 : 50),
    bytesMax: random.chance(0.1) ? 150 * KiB : random.chance(0.3) ? 10 * KiB : 256,
    raceMs: random.scale(0.01, 50),
    races: 0,
  };
}

function makeFaults(random: Random, when: () => number, member: () => number): Fault[] {
  if (random.chance(0.1)) return [];
  const kinds = faultKinds.filter((kind) => random.chance(rare.includes(kind) ? 0.08 : 0.25));
  return kinds.flatMap((kind) =>
    times(random.int(1, rare.includes(kind) || server.includes(kind) ? 2 : 6), () => ({
      atMs: when(),
      kind,
      member: member(),
      lastsMs: random.scale(10, 10_000),
      changes: random.int(0, 6),
      isKept: random.chance(0.5),
    }))
  );
}

const rare: readonly FaultKind[] = ["lose", "bad commit"];
const server: readonly FaultKind[] = ["shutdown", "kill", "kill unsynced"];

function makeNetwork(random: Random): NetworkPlan {
  return {
    latencyMs: random.scale(0.05, random.chance(0.2) ? 200 : 20),
    capacityBytes: Math.floor(random.scale(4 * KiB, 256 * KiB)),
    pieceBytesMax: random.chance(0.7) ? undefined : Math.floor(random.scale(1 * KiB, 64 * KiB)),
    refusals: random.chance(0.2) ? random.next() / 2 : 0,
    slow: [],
  };
}

function times<T>(count: number, make: (number: number) => T): T[] {
  return Array.from({ length: count }, (_, number) => make(number));
}
