/**
 * One seed, from the first dial to the last goodbye: members talk while everything goes wrong that the
 * seed asks for; then all faults stop, and what must hold is checked.
 *
 * @module
 */

import type { Profile } from "../../client/store/store.ts";
import { mapKey } from "../../protocol/bytes.ts";
import { contentEventsFrom } from "../../protocol/entry.ts";
import { MemoryStore } from "../../server/store/memory.ts";
import type { Store } from "../../server/store/store.ts";
import { Coverage } from "./coverage.ts";
import { type CryptoMode, ownCrypto } from "./crypto.ts";
import { Disk, type DiskFaults } from "./disk.ts";
import { Host } from "./host.ts";
import { Member } from "./member.ts";
import { Network } from "./network.ts";
import { type Act, type Fault, makePlan, type Plan, restMsMax } from "./plan.ts";
import { guard, probe } from "./probes.ts";
import type { Random } from "./random.ts";
import { Truth } from "./truth.ts";
import { shrinkTails } from "./small_tail.ts";
import { Stream, Violation, World } from "./world.ts";
import { undoAll } from "./wrap.ts";

/** How to run a seed. */
export interface SimulationOptions {
  readonly crypto?: CryptoMode;
  readonly keepsTrace?: boolean;
  /** Changes the seed's plan. */
  readonly plan?: (plan: Plan) => Plan;
  /** Puts a fault into the core; the returned function takes it out again. */
  readonly sabotage?: () => () => void;
  /** What the disk holds. */
  readonly makeStore?: (historyBytes: number) => Store;
  /** Faults of the disk, new for each seed. */
  readonly makeDiskFaults?: () => DiskFaults;
  /** What makes what each server uses in the place of its store; new for each seed. */
  readonly makeWrapStore?: () => (store: Store) => Store;
  /** What a client uses in the place of what it keeps. */
  readonly wrapProfile?: (profile: Profile, world: World) => Profile;
}

/** What became of a seed. */
export interface Outcome {
  readonly seed: number;
  readonly violation: Violation | undefined;
  /** Equal for two runs in which the same happened. */
  readonly hash: number;
  readonly events: number;
  readonly ms: number;
  readonly coverage: Coverage;
  readonly trace: string;
  readonly plan: Plan;
}

/** Runs a seed. */
export async function simulate(seed: number, options: SimulationOptions = {}): Promise<Outcome> {
  const world = new World(seed, options.keepsTrace ?? false);
  const coverage = new Coverage();
  const drawn = makePlan(world.random(Stream.plan));
  const plan = options.plan?.(drawn) ?? drawn;
  const disownCrypto = ownCrypto(world, options.crypto ?? "stand-in", plan.completionOrder);
  const isTrimmed = plan.historyBytes < historyBytesMuch;
  const truth = new Truth(world, coverage, { isTrimmed, storeMsMax: plan.storeMsMax });
  const undo = undoAll([
    shrinkTails(plan.tailBytes),
    probe(world, coverage, plan.tailBytes),
    options.sabotage?.() ?? (() => {}),
    guard(world, truth),
    failOnRejections(world),
  ]);
  let violation: Violation | undefined;
  try {
    await new Simulation({ world, plan, coverage, truth }, options).run();
  } catch (cause) {
    violation = cause instanceof Violation ? cause : new Violation(String(cause), { cause });
  } finally {
    await disownCrypto();
    undo();
  }
  const { hash, events, ms } = world;
  return { seed, violation, hash, events, ms, coverage, trace: world.trace(), plan };
}

/** A promise that nobody looks at may not fail. */
function failOnRejections(world: World): () => void {
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    world.fail(`A promise failed and nobody looked: ${event.reason}`, event.reason);
  };
  globalThis.addEventListener("unhandledrejection", onRejection);
  return () => globalThis.removeEventListener("unhandledrejection", onRejection);
}

/** What the parts of a simulation share. */
interface Shared {
  readonly world: World;
  readonly plan: Plan;
  readonly coverage: Coverage;
  readonly truth: Truth;
}

/** A store of so much does not trim. */
const historyBytesMuch = 1024 * 1024;

class Simulation {
  readonly #world: World;
  readonly #plan: Plan;
  readonly #coverage: Coverage;
  readonly #network: Network;
  readonly #truth: Truth;
  readonly #disk: Disk;
  readonly #host: Host;
  readonly #members: Member[];
  readonly #sizes: Random;
  readonly #faults: Random;
  #isCalm = false;

  constructor({ world, plan, coverage, truth }: Shared, options: SimulationOptions) {
    const { makeStore = (bytes) => new MemoryStore(bytes), makeWrapStore, wrapProfile } = options;
    this.#world = world;
    this.#plan = plan;
    this.#coverage = coverage;
    this.#truth = truth;
    this.#network = new Network(world, plan.network, coverage);
    this.#disk = new Disk({
      world,
      truth,
      coverage,
      random: world.random(Stream.store),
      msMax: plan.storeMsMax,
      makeStore: () => makeStore(plan.historyBytes),
      faults: options.makeDiskFaults?.(),
    });
    const shared = { world, network: this.#network, coverage, truth };
    const wrapStore = makeWrapStore?.() ?? ((store) => store);
    this.#host = new Host({ ...shared, plan, disk: this.#disk, wrapStore });
    this.#members = Array.from(
      { length: plan.members },
      (_, number) =>
        new Member(number, {
          ...shared,
          random: world.random(Stream.client + 200 + number),
          isPatient: plan.isPatient,
          isKeeping: !plan.forgetful.includes(number),
          wrapProfile: wrapProfile ?? ((profile) => profile),
        }),
    );
    this.#sizes = world.random(Stream.client + 100);
    this.#faults = world.random(Stream.faults);
  }

  async run(): Promise<void> {
    await this.#begin();
    await this.#talk();
    await this.#calmDown();
    await this.#restBesideStuck();
    await this.#restAll();
    this.#checkWhatWasSaid();
    await this.#end();
  }

  async #begin(): Promise<void> {
    const { idleMs } = this.#plan;
    void this.#host.start();
    await this.#until("the server is up", () => this.#host.isUp);
    if (idleMs === 0) return;
    this.#members[0]!.start();
    this.#world.after(idleMs, () => {});
    await this.#until("an hour has passed", () => this.#world.ms >= idleMs);
  }

  /** Everybody comes, talks, and meets with accidents. */
  async #talk(): Promise<void> {
    const { arrivalsMs, bursts, faults, acts, stuck } = this.#plan;
    let left = [arrivalsMs, bursts, faults, acts, stuck].reduce((sum, all) => sum + all.length, 0);
    const at = (ms: number, act: () => void) =>
      this.#world.after(ms, () => {
        left--;
        act();
      });
    for (const [number, ms] of arrivalsMs.entries()) {
      at(ms, () => this.#members[number]!.start());
    }
    for (const { atMs, member, messages, bytesMax } of bursts) {
      const sizes = Array.from({ length: messages }, () => this.#sizes.int(1, bytesMax));
      at(atMs, () => this.#members[member]!.say(sizes));
    }
    for (const act of acts) at(act.atMs, () => this.#act(act));
    for (const fault of faults) at(fault.atMs, () => this.#strike(fault));
    for (const { member, fromMs } of stuck) {
      at(fromMs, () => this.#network.stall(this.#members[member]!.name));
    }
    await this.#until("all has been said", () => left === 0);
  }

  /** Lets somebody ask for something: who may, where the plan says so and there is one. */
  #act(act: Act): void {
    const entitled = this.#members.find(({ rooms }) =>
      rooms.some(({ info: { name, role } }) =>
        name === act.room && (role === "owner" || role === "moderator")
      )
    );
    void (act.isEntitled && entitled || this.#members[act.member]!).act(act);
  }

  #strike({ kind, member: number, lastsMs }: Fault): void {
    const member = this.#members[number]!;
    const network = this.#network;
    const later = (act: () => void) =>
      this.#world.after(lastsMs, () => {
        if (!this.#isCalm) act();
      });
    switch (kind) {
      case "cut":
        return network.cut(member.name);
      case "freeze":
        return network.freeze(member.name);
      case "stall":
        if (this.#isStuck(number)) return;
        this.#coverage.stalls++;
        network.stall(member.name);
        return later(() => this.#isStuck(number) || network.resume(member.name));
      case "crash":
        member.crash();
        return this.#faults.chance(0.8) ? later(() => member.start()) : undefined;
      case "refuse":
        network.refuse(member.name);
        return later(() => network.admit(member.name));
      case "shutdown":
        return void this.#host.shutDown().then(() => later(() => void this.#host.start()));
      case "kill":
      case "restore":
        void this.#host.kill(kind === "restore");
        return later(() => void this.#host.start());
      case "kill unsynced":
        return this.#host.whenUnsynced(this.#faults.next() * 2 * this.#plan.storeMsMax, () => {
          if (this.#isCalm) return;
          void this.#host.kill();
          later(() => void this.#host.start());
        });
      case "full":
        this.#disk.isFull = this.#truth.isUnsure = true;
        return later(() => this.#disk.isFull = false);
      case "crash keeping":
        return member.doom({
          changes: this.#faults.int(0, 5),
          isKept: this.#faults.chance(0.5),
          after: () => later(() => member.start()),
        });
    }
  }

  #isStuck(number: number): boolean {
    return this.#plan.stuck.some(({ member }) => member === number);
  }

  /** All faults stop; who is stuck stays so. */
  async #calmDown(): Promise<void> {
    const network = this.#network;
    this.#world.note("world", () => "calms down");
    this.#isCalm = network.isCalm = true;
    for (const [number, member] of this.#members.entries()) {
      const { name } = member;
      member.doom(undefined);
      network.admit(name);
      if (!this.#isStuck(number)) network.resume(name);
    }
    this.#disk.isFull = false;
    this.#disk.onUnsynced = undefined;
    await this.#until("the server has ended or is up", () => !this.#host.isBusy);
    void this.#host.start();
    await this.#until("the server is up again", () => this.#host.isUp);
  }

  async #restBesideStuck(): Promise<void> {
    if (this.#plan.stuck.length === 0) return;
    const others = this.#members.filter((_, number) => !this.#isStuck(number));
    await this.#rest(others, this.#plan.restMsMax);
    this.#coverage.doneBesideStuck += others.length;
    for (const { member } of this.#plan.stuck) this.#network.resume(this.#members[member]!.name);
  }

  async #restAll(): Promise<void> {
    await this.#rest(this.#members, restMsMax);
  }

  /** Each says one thing more; all that was said is in the log, and everybody was shown all of it. */
  async #rest(members: readonly Member[], limitMs: number): Promise<void> {
    for (const member of members) member.sayEverywhere();
    const isAtRest = () => members.every((member) => member.isAtRest);
    const why = () => members.map(({ state }) => state).join("; ");
    await this.#world.until("all are at rest", isAtRest, limitMs, why);
  }

  /** What is in the logs is what was said, once, in order; who is in a room has been told so. */
  #checkWhatWasSaid(): void {
    for (const { id, entries, rights } of this.#truth.logs.values()) {
      const byDevice = Map.groupBy(
        entries.filter(({ core }) => core.content < contentEventsFrom),
        ({ deviceId }) => this.#truth.names.get(mapKey(deviceId)),
      );
      for (const member of this.#members) {
        const said = byDevice.get(member.name) ?? [];
        member.checkLogged(id, [...new Set(said.map(({ core }) => mapKey(core.messageId)))]);
        const isIn = member.rooms.some((room) => mapKey(room.id) === mapKey(id));
        this.#world.check(
          !member.isThere || this.#truth.isUnsure || !rights.members ||
            isIn === rights.members.has(member.name),
          () => `${member.name} ${isIn ? "does not know" : "has not been told"} of a room`,
        );
      }
    }
  }

  /** Everybody leaves and the server closes: nothing may be left behind. */
  async #end(): Promise<void> {
    for (const member of this.#members) member.leave();
    await this.#until("all members have left", () => this.#members.every((each) => each.hasEnded));
    void this.#host.shutDown();
    await this.#until("all links are closed", () => !this.#host.isBusy && this.#network.open === 0);
    await this.#until("no timer is left", () => this.#world.clock.waiting === 0);
  }

  #until(what: string, holds: () => boolean): Promise<void> {
    return this.#world.until(what, holds, restMsMax + this.#plan.idleMs);
  }
}
