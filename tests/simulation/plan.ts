/**
 * What a seed asks for: how many clients, how much they say, over what kind of network, with which
 * faults. Each feature is on in some seeds and off in others ("swarm testing"), so that no feature
 * hides what another one would show.
 *
 * @module
 */

import type { CompletionOrder } from "./crypto.ts";
import type { Random } from "./random.ts";

const KiB = 1024;

/** What may go wrong while clients talk. */
export const faultKinds = [
  /** A connection breaks, each side keeping so much of what was under way. */
  "cut",
  /** A connection carries nothing any more, and nobody is told. */
  "freeze",
  /** A client reads nothing for a while. */
  "stall",
  /** A client's process ends, and another of the same user may begin. */
  "crash",
  /** Dialling fails for a while. */
  "refuse",
  /** The server ends its work gracefully and begins again, with the log it has stored. */
  "shutdown",
  /** The server's process ends without a word; only what was stored is there afterwards. */
  "kill",
  /** … as soon as there is something that is not stored yet. */
  "kill unsynced",
  /** A client's process ends while it keeps something. */
  "crash keeping",
  /** The disk is full for a while. */
  "full",
  /** The server goes on with a backup. */
  "restore",
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** Faults of which most seeds have none: they allow much that would be a fault without them. */
const rareKinds: readonly FaultKind[] = ["full", "restore"];
const serverKinds: readonly FaultKind[] = ["shutdown", "kill", "kill unsynced", "full", "restore"];

/** What members ask for. */
export const actCommands = [
  "join",
  "part",
  "who",
  "history",
  "role moderator",
  "role member",
  "role reader",
  "kick",
  "ban",
  "unban",
  "mute",
  "unmute",
  "slow",
  "slow off",
  "announce on",
  "announce off",
] as const;

/** Something that a member asks for. */
export interface Act {
  readonly atMs: number;
  /** Who asks: this member, or whoever may. */
  readonly member: number;
  readonly isEntitled: boolean;
  readonly command: (typeof actCommands)[number];
  readonly room: string;
  /** Whom it hits. */
  readonly whom: string;
  readonly ms: number;
}

/** A member that reads little at once, and not often. */
export interface SlowReader {
  readonly member: string;
  readonly capacityBytes: number;
  readonly pauseMs: number;
}

/** How bytes travel. */
export interface NetworkPlan {
  readonly latencyMs: number;
  readonly capacityBytes: number;
  /** Bytes that a read or write is cut to, at most; undefined: never cut. */
  readonly pieceBytesMax: number | undefined;
  /** The share of dials that fail. */
  readonly refusals: number;
  readonly slow: readonly SlowReader[];
}

/** What a client says at once. */
export interface Burst {
  readonly atMs: number;
  readonly member: number;
  readonly messages: number;
  readonly bytesMax: number;
}

export interface Fault {
  readonly atMs: number;
  readonly kind: FaultKind;
  /** Whom it hits; of no meaning to faults of the server. */
  readonly member: number;
  readonly lastsMs: number;
}

export interface Plan {
  readonly members: number;
  /** When each comes for the first time. */
  readonly arrivalsMs: readonly number[];
  readonly bursts: readonly Burst[];
  readonly faults: readonly Fault[];
  readonly acts: readonly Act[];
  /** Members whose clients keep nothing. */
  readonly forgetful: readonly number[];
  readonly network: NetworkPlan;
  readonly completionOrder: CompletionOrder;
  /** Members that read nothing from some time on, until everybody else is done. */
  readonly stuck: readonly { readonly member: number; readonly fromMs: number }[];
  /** How long the others may take to come to rest beside them. */
  readonly restMsMax: number;
  /** Whether members wait until their outbox has room. */
  readonly isPatient: boolean;
  /** How long the first member waits before anything happens: a room's key lasts an hour. */
  readonly idleMs: number;
  readonly historyBytes: number;
  /** What a room's tail may hold: less than in earnest, so that readers fall behind. */
  readonly tailBytes: number;
  readonly storeMsMax: number;
  readonly publishBurst: number;
  readonly publishPerSecond: number;
  readonly bytesPerSecond: number;
  readonly framesPerSecond: number;
  readonly userConnectionsMax: number;
  /** Whether a server that hears nothing at first prompts for a classic name. */
  readonly classic: "off" | "on";
}

export const hourMs = 60 * 60 * 1000;
/** How long it may take until all are at rest, with backoff after backoff. */
export const restMsMax = 15 * 60_000;
const plenty = 1e9;

/** The plan of a seed. */
export function makePlan(random: Random): Plan {
  const talk = random.pick(["calm", "calm", "busy", "busy", "busy", "busy", "heavy"] as const);
  const members = random.int(2, talk === "heavy" ? 4 : 7);
  const lengthMs = random.scale(500, 30_000);
  const bursts = makeBursts(random, talk, members, lengthMs);
  const isRateLimited = talk !== "heavy" && random.chance(0.3);
  const idleMs = random.chance(0.05) ? hourMs - random.next() * lengthMs : 0;
  return {
    members,
    arrivalsMs: times(members, () => random.chance(0.5) ? 0 : random.next() * lengthMs),
    bursts,
    faults: makeFaults(random, members, bursts, lengthMs),
    acts: makeActs(random, members, bursts, lengthMs),
    forgetful: times(members, (number) => number).filter(() => random.chance(0.1)),
    network: makeNetwork(random, talk === "heavy", members),
    completionOrder: random.chance(0.7) ? "any" : "asked",
    stuck: random.chance(talk === "heavy" ? 0.7 : 0.25)
      ? [{ member: members - 1, fromMs: random.next() * lengthMs / 2 }]
      : [],
    restMsMax,
    isPatient: random.chance(0.5),
    idleMs,
    tailBytes: random.chance(0.5) ? 1024 * KiB : Math.floor(random.scale(4 * KiB, 256 * KiB)),
    historyBytes: random.chance(0.25) ? random.scale(2 * KiB, 32 * KiB) : 64 * 1024 * KiB,
    storeMsMax: random.chance(0.3) ? 0 : random.scale(0.1, random.chance(0.2) ? 1_500 : 50),
    publishBurst: isRateLimited ? random.int(1, 20) : plenty,
    publishPerSecond: isRateLimited ? random.int(5, 50) : plenty,
    bytesPerSecond: random.chance(0.2) ? 256 * KiB : plenty,
    framesPerSecond: random.chance(0.2) ? 20 : plenty,
    userConnectionsMax: random.chance(0.2) ? random.int(1, 2) : 16,
    classic: random.chance(0.2) ? "on" : "off",
  };
}

function makeBursts(
  random: Random,
  talk: "calm" | "busy" | "heavy",
  members: number,
  lengthMs: number,
): Burst[] {
  const kinds: Record<typeof talk, Record<"bursts" | "messages" | "bytes", [number, number]>> = {
    calm: { bursts: [2, 10], messages: [1, 4], bytes: [1, 200] },
    busy: { bursts: [3, 10], messages: [1, 20], bytes: [1, 2 * KiB] },
    heavy: { bursts: [3, 6], messages: [5, 12], bytes: [16 * KiB, 64 * KiB] },
  };
  const { bursts, messages, bytes } = kinds[talk];
  return times(random.int(...bursts), () => ({
    atMs: random.next() * lengthMs,
    member: random.int(0, members - 1),
    messages: random.int(...messages),
    bytesMax: Math.floor(random.scale(...bytes)),
  }));
}

/** Of each kind some, none of most; half of them right when somebody says something. */
function makeFaults(
  random: Random,
  members: number,
  bursts: readonly Burst[],
  lengthMs: number,
): Fault[] {
  if (random.chance(0.1)) return [];
  const kinds = faultKinds.filter((kind) => random.chance(rareKinds.includes(kind) ? 0.1 : 0.25));
  return kinds.flatMap((kind) => {
    return times(random.int(1, serverKinds.includes(kind) ? 2 : 6), () => {
      const burst = random.chance(0.5) ? random.pick(bursts) : undefined;
      return {
        atMs: burst ? burst.atMs + random.scale(0.1, 100) : random.next() * lengthMs,
        kind,
        member: burst && random.chance(0.5) ? burst.member : random.int(0, members - 1),
        lastsMs: random.scale(10, 5_000),
      };
    });
  });
}

/** In some seeds there is only the lobby; in others, rooms that members make, rule, and leave. */
function makeActs(
  random: Random,
  members: number,
  bursts: readonly Burst[],
  lengthMs: number,
): Act[] {
  const rooms = times(random.pick([0, 0, 1, 2, 3]), (number) => `room${number}`);
  const act = (atMs: number, member: number, room: string, command: Act["command"]): Act => ({
    atMs,
    member,
    isEntitled: command !== "join" && command !== "part" && random.chance(0.8),
    command,
    room,
    whom: `member${random.int(0, members - 1)}`,
    ms: random.scale(100, lengthMs),
  });
  const joins = rooms.flatMap((room) =>
    times(members, (member) => act(random.next() * lengthMs / 3, member, room, "join"))
      .filter(() => random.chance(0.8))
  );
  const commands = actCommands.filter((command) => command === "join" || random.chance(0.4));
  const others = times(random.int(2, 25), () => {
    const burst = random.chance(0.5) ? random.pick(bursts) : undefined;
    const atMs = burst ? burst.atMs + random.scale(0.1, 100) : random.next() * lengthMs;
    const [room, command] = [random.pick(["lobby", ...rooms, ...rooms]), random.pick(commands)];
    return act(atMs, random.int(0, members - 1), room, command);
  });
  return [...joins, ...others];
}

function makeNetwork(random: Random, isHeavy: boolean, members: number): NetworkPlan {
  const least = isHeavy ? 4 * KiB : 128;
  return {
    latencyMs: random.scale(0.05, random.chance(0.2) ? 200 : 20),
    capacityBytes: Math.floor(random.scale(Math.max(1 * KiB, least), 256 * KiB)),
    pieceBytesMax: random.chance(0.5) ? undefined : Math.floor(random.scale(least, 64 * KiB)),
    refusals: random.chance(0.3) ? random.next() / 2 : 0,
    slow: random.chance(isHeavy ? 0 : 0.25)
      ? [{
        member: `member${random.int(0, members - 1)}`,
        capacityBytes: Math.floor(random.scale(512, 8 * KiB)),
        pauseMs: random.scale(5, 500),
      }]
      : [],
  };
}

function times<T>(count: number, make: (number: number) => T): T[] {
  return Array.from({ length: count }, (_, number) => make(number));
}
