/**
 * The machine that the server runs on: starts it, shuts it down, kills it. What was stored stays.
 *
 * @module
 */

import { importSigningKey, type SigningKey } from "../../crypto/identity.ts";
import type { Clock } from "../../protocol/clock.ts";
import { Server } from "../../server/server.ts";
import type { Store } from "../../server/store/store.ts";
import type { Coverage } from "./coverage.ts";
import type { Network } from "./network.ts";
import type { Plan } from "./plan.ts";
import { SlowStore, type Truth } from "./truth.ts";
import { Stream, type World } from "./world.ts";

/** What the host takes. */
export interface HostOptions {
  readonly world: World;
  readonly plan: Plan;
  readonly network: Network;
  readonly coverage: Coverage;
  readonly truth: Truth;
  /** What outlives every process. */
  readonly store: Store;
  /** What a server is given in its place. */
  readonly wrapStore: (store: Store) => Store;
}

/** One run of the server. */
interface Process {
  readonly server: Server;
  isAlive: boolean;
}

/** A graceful end may take this long. */
const closeMsMax = 9_000;

export class Host {
  readonly #options: HostOptions;
  #process: Process | undefined;
  #identity: SigningKey | undefined;
  #isBusy = false;

  constructor(options: HostOptions) {
    this.#options = options;
  }

  /** Whether it is being started or ended. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Whether it takes connections. */
  get isUp(): boolean {
    return this.#process !== undefined && !this.#isBusy;
  }

  /** Starts the server, unless it is there. */
  async start(): Promise<void> {
    if (this.#process || this.#isBusy) return;
    const { world, network } = this.#options;
    this.#isBusy = true;
    world.note("server", () => "starts");
    this.#identity ??= await importSigningKey(new Uint8Array(32).fill(7));
    const life = { isAlive: true };
    const server = await Server.open({
      rules: rules(this.#options.plan),
      clock: clockOf(world.clock, life),
      store: this.#newStore(life),
      identity: this.#identity,
      invitation: new Uint8Array(16),
      say: (line) => world.note("server", () => line),
      onFault: (cause) => {
        if (life.isAlive) world.fail(`The server has a fault: ${cause}`, cause);
      },
    });
    this.#process = Object.assign(life, { server });
    network.serve = (link) => void server.accept(link);
    this.#isBusy = false;
  }

  /** Ends it as a signal does: nothing that was acknowledged may be lost, and it may not take long. */
  async shutDown(): Promise<void> {
    const process = this.#process;
    if (!process || this.#isBusy) return;
    const { world, network, coverage } = this.#options;
    this.#isBusy = true;
    world.note("server", () => "shuts down");
    coverage.shutdowns++;
    network.serve = undefined;
    const startedMs = world.ms;
    await process.server.close();
    const tookMs = world.ms - startedMs;
    world.check(tookMs < closeMsMax, () => `Shutting down took ${tookMs} ms`);
    this.#end(process);
  }

  /** Ends it in the middle of whatever it does. */
  kill(): void {
    if (!this.#process || this.#isBusy) return;
    this.#options.world.note("server", () => "is killed");
    this.#options.coverage.kills++;
    this.#options.network.serve = undefined;
    this.#end(this.#process);
  }

  #end(process: Process): void {
    process.isAlive = false;
    this.#options.truth.isRestarted = true;
    this.#options.network.killServer();
    this.#process = undefined;
    this.#isBusy = false;
  }

  #newStore(life: { readonly isAlive: boolean }): Store {
    const { world, plan, truth, coverage, store, wrapStore } = this.#options;
    const slow = new SlowStore(store, {
      world,
      truth,
      coverage,
      random: world.random(Stream.store),
      msMax: plan.storeMsMax,
      isAlive: () => life.isAlive,
    });
    return wrapStore(slow);
  }
}

/** The world's clock, which stops for a process when it ends. */
function clockOf(clock: Clock, life: { readonly isAlive: boolean }): Clock {
  const ifAlive = (act: () => void) => () => {
    if (life.isAlive) act();
  };
  return {
    now: () => clock.now(),
    timer: (ms, act) => clock.timer(ms, ifAlive(act)),
    turn: (act) => clock.turn(ifAlive(act)),
  };
}

function rules(plan: Plan) {
  return {
    join: "open",
    classic: plan.classic,
    connectionsMax: 1000,
    handshakesMax: 256,
    addressConnectionsMax: 256,
    userConnectionsMax: plan.userConnectionsMax,
    usersMax: 1000,
    loginTimeoutMs: 10_000,
    publishBurst: plan.publishBurst,
    publishPerSecond: plan.publishPerSecond,
    framesPerSecond: plan.framesPerSecond,
    bytesPerSecond: plan.bytesPerSecond,
  } as const;
}
