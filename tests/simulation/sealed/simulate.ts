/**
 * One seed of sealed rooms: real clients at a real server core, over links in memory, with a stand-in
 * for MLS that knows all that was ever sealed. People come by invitations, talk, send each other out and
 * come back, while everything goes wrong that the seed asks for; then all faults stop, and what must
 * hold is checked.
 *
 * @module
 */

import { mls } from "../../../client/sealed/groups.ts";
import type { Profile } from "../../../client/store/store.ts";
import { equal, mapKey } from "../../../protocol/bytes.ts";
import { objectBytesMax } from "../../../protocol/limits.ts";
import { MemoryStore } from "../../../server/store/memory.ts";
import { type CryptoMode, ownCrypto } from "../crypto.ts";
import { Disk } from "../disk.ts";
import { Host } from "../host.ts";
import { Network } from "../network.ts";
import type { Random } from "../random.ts";
import { Truth } from "../truth.ts";
import { Stream, Violation, World } from "../world.ts";
import { undoAll } from "../wrap.ts";
import { SealedCoverage } from "./coverage.ts";
import { type Epoch, Ledger, membersOf } from "./group.ts";
import { type Link, roomName, SealedMember } from "./member.ts";
import { type Deed, type Fault, makePlan, restMsMax, type SealedPlan } from "./plan.ts";
import { type Infos, probe } from "./probes.ts";
import { reckon } from "./reckoning.ts";

/** How to run a seed. */
export interface SealedOptions {
  readonly keepsTrace?: boolean;
  /** Real MLS, and real cryptography with it: slower, and who may read what is not checked. */
  readonly isReal?: boolean;
  /** Changes the seed's plan. */
  readonly plan?: (plan: SealedPlan) => SealedPlan;
  /** Puts a fault into the core; the returned function takes it out again. */
  readonly sabotage?: () => () => void;
  /** What a client uses in the place of what it keeps. */
  readonly wrapProfile?: (profile: Profile, world: World) => Profile;
}

/** What became of a seed. */
export interface SealedOutcome {
  readonly seed: number;
  readonly violation: Violation | undefined;
  /** Equal for two runs in which the same happened. */
  readonly hash: number;
  readonly events: number;
  readonly coverage: SealedCoverage;
  readonly trace: string;
  readonly plan: SealedPlan;
}

/** Runs a seed. */
export async function simulateSealed(
  seed: number,
  options: SealedOptions = {},
): Promise<SealedOutcome> {
  const world = new World(seed, options.keepsTrace ?? false);
  const coverage = new SealedCoverage();
  const drawn = makePlan(world.random(Stream.plan));
  const plan = options.plan?.(drawn) ?? drawn;
  const mode: CryptoMode = options.isReal ? "real" : "stand-in";
  const disownCrypto = ownCrypto(world, mode, plan.completionOrder);
  const { storeMsMax } = plan;
  const truth = new Truth(world, coverage, { isTrimmed: false, storeMsMax });
  const infos: Infos = new Map();
  const undo = undoAll([
    options.sabotage?.() ?? (() => {}),
    probe(world, coverage, infos),
    failOnRejections(world),
  ]);
  let violation: Violation | undefined;
  try {
    await new Simulation({ world, plan, coverage, truth, infos }, options).run();
  } catch (cause) {
    violation = cause instanceof Violation ? cause : new Violation(String(cause), { cause });
  } finally {
    await disownCrypto();
    undo();
  }
  const { hash, events } = world;
  return { seed, violation, hash, events, coverage, trace: world.trace(), plan };
}

/** A promise that nobody looks at may not fail. */
function failOnRejections(world: World): () => void {
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    if ((event.reason as Error)?.name === "ProcessEnded") return;
    world.fail(`A promise failed and nobody looked: ${event.reason}`, event.reason);
  };
  globalThis.addEventListener("unhandledrejection", onRejection);
  return () => globalThis.removeEventListener("unhandledrejection", onRejection);
}

/** What a server's rules are. */
const serverPlan = {
  classic: "off",
  userConnectionsMax: 16,
  publishBurst: 1e9,
  publishPerSecond: 1e9,
  framesPerSecond: 1e9,
  bytesPerSecond: 1e9,
} as const;

interface Parts {
  readonly world: World;
  readonly plan: SealedPlan;
  readonly coverage: SealedCoverage;
  readonly truth: Truth;
  readonly infos: ReadonlyMap<string, Uint8Array>;
}

class Simulation {
  readonly #parts: Parts;
  readonly #ledger: Ledger;
  readonly #network: Network;
  readonly #disk: Disk;
  readonly #host: Host;
  readonly #members: readonly SealedMember[];
  readonly #faults: Random;
  readonly #isReal: boolean;
  #link: Link | undefined;
  #isCalm = false;
  #isSpoiled = false;
  /** When somebody was last asked for an invitation. */
  #invitedMs = -Infinity;

  constructor(parts: Parts, { wrapProfile, isReal = false }: SealedOptions) {
    const { world, plan, coverage, truth } = parts;
    this.#parts = parts;
    this.#isReal = isReal;
    const bytesMax = Math.min(plan.bytesMax, objectBytesMax);
    this.#ledger = new Ledger(world, world.random(Stream.client + 100), bytesMax);
    this.#network = new Network(world, plan.network, coverage);
    this.#disk = new Disk({
      world,
      truth,
      coverage,
      random: world.random(Stream.store),
      msMax: plan.storeMsMax,
      makeStore: () => new MemoryStore(64 * 1024 * 1024),
    });
    const shared = { world, network: this.#network, coverage, truth };
    this.#host = new Host({
      ...shared,
      plan: serverPlan,
      disk: this.#disk,
      wrapStore: (store) => store,
    });
    this.#members = Array.from(
      { length: plan.members },
      (_, number) =>
        new SealedMember(number, {
          ...shared,
          random: world.random(Stream.client + 200 + number),
          groups: (life) => isReal ? mls : this.#ledger.groups(life),
          newestKey: () => this.#ledger.newest,
          pass: (link) => this.#pass(link),
          mayBreak: () => this.#isSpoiled,
          wrapProfile: wrapProfile ?? ((profile) => profile),
        }),
    );
    this.#faults = world.random(Stream.faults);
  }

  async run(): Promise<void> {
    void this.#host.start();
    await this.#until("the server is up", () => this.#host.isUp);
    await this.#talk();
    await this.#calmDown();
    for (let round = 0; round < 2; round++) { // In the first somebody may have been going still.
      await this.#letIn();
      await this.#rest();
    }
    this.#reckon();
    await this.#end();
  }

  /** Everybody comes, talks, and meets with accidents. */
  async #talk(): Promise<void> {
    const { world, plan } = this.#parts;
    const { arrivalsMs, bursts, faults, deeds, races, raceMs } = plan;
    let left = [arrivalsMs, bursts, faults, deeds].reduce((sum, all) => sum + all.length, 0);
    const at = (ms: number, act: () => void) =>
      world.after(ms, () => {
        left--;
        act();
      });
    for (const [number, ms] of arrivalsMs.entries()) {
      if (number === 0) at(0, () => this.#members[0]!.come(undefined));
      else at(ms, () => void this.#invite(this.#members[number]!));
    }
    for (const { atMs, member, messages } of bursts) {
      at(atMs, () => this.#members[member]!.say(messages));
    }
    for (const deed of deeds) at(deed.atMs, () => this.#act(deed));
    for (const fault of faults) at(fault.atMs, () => this.#strike(fault));
    await this.#until("all has been said", () => left === 0);
    if (races === 0) return;
    const hasKeys = ({ rooms }: SealedMember) => rooms.some(({ sealed }) => sealed.keys.group);
    await this.#until("all are in", () => this.#members.every(hasKeys));
    for (let race = 0; race < races; race++) await this.#race(raceMs);
  }

  /** Two members commit at once. */
  async #race(ms: number): Promise<void> {
    const { world } = this.#parts;
    let left = this.#members.length;
    for (const [at, member] of this.#members.entries()) {
      world.after(at * ms, () => {
        void member.act({ what: "renew" }, member).then(() => left--);
      });
    }
    await this.#until("all have committed", () => left === 0);
  }

  /** Gives somebody an invitation; where there is none yet, one is made for them. */
  async #invite(member: SealedMember): Promise<void> {
    const { world } = this.#parts;
    while (!this.#link) {
      const host = this.#entitled();
      if (host && world.ms > this.#invitedMs + 60_000) {
        this.#invitedMs = world.ms;
        void host.act({ what: "invite" }, host); // Should its process end, it never ends.
      }
      await world.pause(1_000);
      if (this.#isCalm && world.ms > restMsMax) return;
    }
    member.come(this.#link);
  }

  #pass(link: Link): void {
    this.#link = link;
  }

  /** Somebody who may invite and send out. */
  #entitled(): SealedMember | undefined {
    return this.#members.find(({ rooms }) =>
      rooms.some(({ room: { info }, sealed }) =>
        info.name === roomName && info.role !== "member" && info.role !== "reader" &&
        sealed.keys.group
      )
    );
  }

  #act(deed: Deed): void {
    const actor = deed.isEntitled && this.#entitled() || this.#members[deed.member]!;
    void actor.act(deed, this.#members[deed.whom]!);
  }

  #strike({ kind, member: number, lastsMs, changes, isKept }: Fault): void {
    const member = this.#members[number]!;
    const network = this.#network;
    const later = (act: () => void) =>
      this.#parts.world.after(lastsMs, () => {
        if (!this.#isCalm) act();
      });
    switch (kind) {
      case "cut":
        return network.cut(member.name);
      case "freeze":
        return network.freeze(member.name);
      case "crash":
        member.crash();
        return later(() => member.start());
      case "crash keeping":
        return member.doom({ changes, isKept, after: () => later(() => member.start()) });
      case "restart":
        return member.restart(lastsMs);
      case "lose":
        if (this.#isSpoiled) return; // With all moderators' keys gone nobody can begin anew.
        member.lose();
        return later(() => member.start());
      case "refuse":
        network.refuse(member.name);
        return later(() => network.admit(member.name));
      case "shutdown":
        return void this.#host.shutDown().then(() => later(() => void this.#host.start()));
      case "kill":
        void this.#host.kill();
        return later(() => void this.#host.start());
      case "kill unsynced":
        return this.#host.whenUnsynced(
          this.#faults.next() * 2 * this.#parts.plan.storeMsMax,
          () => {
            if (this.#isCalm) return;
            void this.#host.kill();
            later(() => void this.#host.start());
          },
        );
      case "bad commit":
        if (this.#parts.coverage.lostStores > 0) return;
        this.#isSpoiled = true;
        return void member.spoil();
    }
  }

  /** All faults stop, and everybody who has ever come is there. */
  async #calmDown(): Promise<void> {
    const { world } = this.#parts;
    world.note("world", () => "calms down");
    this.#isCalm = this.#network.isCalm = true;
    this.#disk.onUnsynced = undefined;
    await this.#until("the server has ended or is up", () => !this.#host.isBusy);
    void this.#host.start();
    await this.#until("the server is up again", () => this.#host.isUp);
    for (const member of this.#members) {
      member.isCalm = true;
      member.doom(undefined);
      this.#network.admit(member.name);
    }
    await this.#until("everybody is there", () => {
      for (const member of this.#members) if (!member.isThere) member.start();
      return this.#members.every(({ hasCome, client }) => hasCome && client?.isConnected);
    });
  }

  /** Who has a good invitation, or is in the tree, comes in; others are let in by who may do so. */
  async #letIn(): Promise<void> {
    const { world, coverage } = this.#parts;
    const without = () =>
      this.#members.filter(({ rooms }) =>
        rooms.some(({ room, sealed }) => room.info.name === roomName && !sealed.keys.group)
      );
    const direct = () =>
      this.#members.every(({ rooms, hasReadAll }) =>
        hasReadAll &&
        rooms.every(({ room, sealed }) =>
          room.info.name === roomName || sealed.keys.group && !sealed.isAlone
        )
      );
    const areIn = () =>
      direct() && this.#entitled() !== undefined &&
      without().every((member) => !this.#isEntitled(member));
    for (let tries = 0; tries < 30 && !areIn(); tries++) {
      this.#bringBack();
      await this.#until("time passes", this.#passes(10_000));
    }
    await this.#until("all who have the right to it have keys", areIn);
    let tries = 0;
    const isSomebodyBehind = () => this.#members.some(({ hasReadAll }) => !hasReadAll);
    while (without().length > 0 || isSomebodyBehind()) {
      const host = this.#entitled();
      for (const member of without()) {
        coverage.admitted++;
        if (tries % 5 === 4) member.restart(10); // Asks anew.
        else void host?.admit(member);
      }
      if (++tries > 100) throw new Violation(`Nobody lets in ${without().map((m) => m.name)}`);
      await this.#until("time passes", this.#passes(1_000));
      if (tries > 1) world.note("world", () => `${without().map((m) => m.name)} still wait`);
    }
  }

  /** Who is left in a room of two without its keys has to wait until the other one is back. */
  #bringBack(): void {
    for (const member of this.#members) {
      for (const { room: { info }, sealed } of member.rooms) {
        if (info.name === roomName || sealed.keys.group && !sealed.isAlone) continue;
        const other = this.#members.find(({ name }) => info.name === `@${name}`)!;
        const isBack = other.rooms.some(({ room }) => room.info.name === `@${member.name}`);
        if (!isBack) void member.act({ what: "direct" }, other);
      }
    }
  }

  /** Whether somebody can come into the room by themselves, or has to be let in by any member. */
  #isEntitled(member: SealedMember): boolean {
    if (this.#isReal) return member.link !== undefined;
    const epoch = this.#epochNow();
    if (!epoch || !member.deviceId) return false;
    const inTree = membersOf(epoch).some(({ userKey }) =>
      equal(userKey, member.identity!.user.publicKey)
    );
    const { link } = member;
    const invitation = link &&
      epoch.rules.invitations.find(({ key }) => equal(key, link.publicKey));
    const used =
      membersOf(epoch).filter((one) =>
        one.invitation && invitation && equal(one.invitation, invitation.key)
      ).length;
    return inTree || invitation !== undefined && used < (invitation.uses ?? Infinity);
  }

  /** The epoch that the shared room's log has reached, as a moderator has it. */
  #epochNow(): Epoch | undefined {
    const group = this.#entitled()?.rooms
      .find(({ room }) => room.info.name === roomName)?.sealed.keys.group;
    const state = group && this.#ledger.find(group.save());
    return state?.kind === "state" ? state.state.epoch : undefined;
  }

  #passes(ms: number): () => boolean {
    const { world } = this.#parts;
    const endMs = world.ms + ms;
    world.after(ms, () => {});
    return () => world.ms >= endMs;
  }

  /** Each says one thing more everywhere; everybody has the same keys, and has been shown all of it. */
  async #rest(): Promise<void> {
    let left = this.#members.length;
    for (const member of this.#members) {
      void member.sayEverywhere().then(() => left--);
    }
    await this.#until(
      "all are at rest",
      () => left === 0 && this.#members.every(({ isAtRest }) => isAtRest),
    );
    await this.#until("time passes", this.#passes(5_000));
    await this.#until(
      "all are at rest again",
      () => this.#members.every(({ isAtRest }) => isAtRest),
    );
  }

  #reckon(): void {
    const { world, coverage, truth, infos } = this.#parts;
    for (const log of truth.logs.values()) {
      const inside = this.#members.flatMap((member) =>
        member.rooms.filter(({ room }) => equal(room.id, log.id))
          .map(({ sealed }) => ({ member, group: sealed.keys.group }))
      );
      if (inside.length === 0) continue;
      coverage.rooms++;
      const places = inside.map(({ member, group }) =>
        `${member.name} ${group ? `${group.generation}.${group.epoch}` : "nowhere"}`
      );
      const states = new Set(inside.map(({ group }) => group && placeOf(group)));
      world.check(states.size === 1, () => `Not all are in one epoch: ${places}`);
      const [first] = inside;
      const names = inside.map(({ member }) => mapKey(member.deviceId!)).sort();
      const tree = first!.group?.members.map(({ deviceId }) => mapKey(deviceId)).sort() ?? [];
      world.check(
        log.rights.members?.size === inside.length,
        () => `Not all in the room know of it`,
      );
      world.check(
        // Who left is taken out by whoever saw that, and a device may have lost all that it saw.
        tree.join() === names.join() ||
          coverage.lostStores > 0 && names.every((name) => tree.includes(name)),
        () => `${tree.length} are in the tree, and ${names.length} in the room: ${places}`,
      );
      if (this.#isReal) continue;
      const ledger = this.#ledger;
      reckon({ world, coverage, ledger, log, members: this.#members, infos });
    }
  }

  /** Everybody leaves and the server closes: nothing may be left behind. */
  async #end(): Promise<void> {
    for (const member of this.#members) member.retire();
    await this.#until("all members have left", () => this.#members.every((each) => each.hasEnded));
    void this.#host.shutDown();
    await this.#until("all links are closed", () => !this.#host.isBusy && this.#network.open === 0);
    await this.#until("no timer is left", () => this.#parts.world.clock.waiting === 0);
  }

  #until(what: string, holds: () => boolean): Promise<void> {
    const why = () => this.#members.map(({ state }) => state).join("; ");
    return this.#parts.world.until(what, holds, restMsMax, why);
  }
}

/** What all members of an epoch have alike. */
function placeOf(group: { generation: number; epoch: number; members: readonly unknown[] }) {
  return `${group.generation}.${group.epoch} ${group.members.length}`;
}
