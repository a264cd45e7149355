/**
 * One seed, from the first dial to the last goodbye: members talk while everything goes wrong that the
 * seed asks for; then all faults stop, and what must hold is checked.
 *
 * @module
 */

import { mapKey } from "../../protocol/bytes.ts";
import { MemoryStore } from "../../server/store/memory.ts";
import type { Store } from "../../server/store/store.ts";
import { Coverage } from "./coverage.ts";
import { type CryptoMode, ownCrypto } from "./crypto.ts";
import { Host } from "./host.ts";
import { Member } from "./member.ts";
import { Network } from "./network.ts";
import { type Fault, makePlan, type Plan, restMsMax } from "./plan.ts";
import { probe } from "./probes.ts";
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
  /** The store that outlives the server. */
  readonly makeStore?: (historyBytes: number) => Store;
  /** What a server uses in the place of that store. */
  readonly wrapStore?: (store: Store) => Store;
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
  const undo = undoAll([
    shrinkTails(plan.tailBytes),
    probe(world, coverage, plan.tailBytes),
    options.sabotage?.() ?? (() => {}),
    failOnRejections(world),
  ]);
  let violation: Violation | undefined;
  try {
    const store = (options.makeStore ?? ((bytes) => new MemoryStore(bytes)))(plan.historyBytes);
    await new Simulation(world, plan, coverage, store, options.wrapStore).run();
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

class Simulation {
  readonly #world: World;
  readonly #plan: Plan;
  readonly #coverage: Coverage;
  readonly #network: Network;
  readonly #truth: Truth;
  readonly #host: Host;
  readonly #members: Member[];
  readonly #sizes: Random;
  readonly #faults: Random;
  #isCalm = false;

  constructor(
    world: World,
    plan: Plan,
    coverage: Coverage,
    store: Store,
    wrapStore: (store: Store) => Store = (store) => store,
  ) {
    this.#world = world;
    this.#plan = plan;
    this.#coverage = coverage;
    this.#network = new Network(world, plan.network, coverage);
    this.#truth = new Truth(world, coverage);
    const shared = { world, network: this.#network, coverage, truth: this.#truth };
    this.#host = new Host({ ...shared, plan, store, wrapStore });
    const random = world.random(Stream.client);
    this.#members = Array.from(
      { length: plan.members },
      (_, number) => new Member(number, { ...shared, random, isPatient: plan.isPatient }),
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
    this.#world.after(idleMs, () => {});
    await this.#until("the server is up", () => this.#host.isUp && this.#world.ms >= idleMs);
  }

  /** Everybody comes, talks, and meets with accidents. */
  async #talk(): Promise<void> {
    const { arrivalsMs, bursts, faults, stuck } = this.#plan;
    let left = arrivalsMs.length + bursts.length + faults.length + stuck.length;
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
    for (const fault of faults) at(fault.atMs, () => this.#strike(fault));
    for (const { member, fromMs } of stuck) {
      at(fromMs, () => this.#network.stall(this.#members[member]!.name));
    }
    await this.#until("all has been said", () => left === 0);
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
        this.#host.kill();
        return later(() => void this.#host.start());
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
    for (const [number, { name }] of this.#members.entries()) {
      network.admit(name);
      if (!this.#isStuck(number)) network.resume(name);
    }
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
    for (const member of members) member.say([20]);
    const isAtRest = () => members.every((member) => member.isAtRest);
    const why = () => members.map(({ state }) => state).join("; ");
    await this.#world.until("all are at rest", isAtRest, limitMs, why);
  }

  /** Who survived has said everything once, in order; who crashed has said a first part of it. */
  #checkWhatWasSaid(): void {
    const found = this.#labels();
    for (const { name, lives, isThere } of this.#members) {
      for (const life of lives) {
        const logged = found.get(`${name}/${life.number}`) ?? [];
        const expected = life.isAlive && isThere ? life.said : life.said.slice(0, logged.length);
        const isRight = logged.length === expected.length && logged.length >= life.settled &&
          logged.every((label, at) => label === expected[at]);
        this.#world.check(
          isRight,
          () => `${name} said ${life.said.length} things, and the log has ${logged.join()}`,
        );
      }
    }
  }

  /** What the log has of each life, each thing where it is for the first time. */
  #labels(): Map<string, string[]> {
    const labels = new Set<string>();
    for (const { core } of this.#truth.entries) {
      if (core.content < 128) labels.add(/^[^ ]* /.exec(mapKey(core.payload.subarray(0, 40)))![0]);
    }
    return Map.groupBy(labels, (label) => label.slice(0, label.lastIndexOf("/")));
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
