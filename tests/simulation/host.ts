/**
 * The machine that the server runs on: starts it, shuts it down, kills it, puts a backup back. What was
 * synced stays.
 *
 * @module
 */

import { importSigningKey, type SigningKey } from "../../crypto/identity.ts";
import { Server } from "../../server/server.ts";
import type { Store } from "../../server/store/store.ts";
import type { Coverage } from "./coverage.ts";
import type { Disk } from "./disk.ts";
import { mortalClock } from "./mortal.ts";
import type { Network } from "./network.ts";
import type { Plan } from "./plan.ts";
import type { Truth } from "./truth.ts";
import type { World } from "./world.ts";

/** What the host takes. */
export interface HostOptions {
  readonly world: World;
  readonly plan: ServerPlan;
  readonly network: Network;
  readonly coverage: Coverage;
  readonly truth: Truth;
  readonly disk: Disk;
  /** What a server is given in the place of its store. */
  readonly wrapStore: (store: Store) => Store;
}

/** What a plan says of the server's rules. */
export type ServerPlan = Pick<
  Plan,
  | "classic"
  | "userConnectionsMax"
  | "publishBurst"
  | "publishPerSecond"
  | "framesPerSecond"
  | "bytesPerSecond"
>;

/** One run of the server. */
interface Process {
  readonly server: Server;
  readonly store: Store;
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
    const { world, network, truth, disk, wrapStore } = this.#options;
    this.#isBusy = true;
    world.note("server", () => "starts");
    this.#identity ??= await importSigningKey(new Uint8Array(32).fill(7));
    await truth.restart(disk.durable);
    const life = { isAlive: true };
    const store = wrapStore(disk.open());
    const server = await Server.open({
      rules: rules(this.#options.plan),
      clock: mortalClock(world.clock, life),
      store,
      identity: this.#identity,
      invitation: new Uint8Array(16),
      say: (line) => world.note("server", () => line),
      onFault: (cause) => {
        if (life.isAlive) world.fail(`The server has a fault: ${cause}`, cause);
      },
    });
    this.#process = Object.assign(life, { server, store });
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
    await process.store.close();
    await this.#end(process);
  }

  /** Ends it in the middle of whatever it does; then a backup takes the place of what it had. */
  async kill(isRestored = false): Promise<void> {
    const process = this.#process;
    if (!process || this.#isBusy) return;
    this.#isBusy = true;
    this.#options.world.note("server", () => "is killed");
    this.#options.coverage.kills++;
    this.#options.network.serve = undefined;
    await this.#end(process, isRestored);
  }

  /** Does something so long after something is there that a crash would lose. */
  whenUnsynced(afterMs: number, act: () => void): void {
    const { disk, world } = this.#options;
    disk.onUnsynced = () => world.after(afterMs, act);
  }

  async #end(process: Process, isRestored = false): Promise<void> {
    process.isAlive = false;
    this.#options.network.killServer();
    this.#process = undefined;
    await this.#options.disk.crash();
    if (isRestored) await this.#options.disk.restore();
    this.#isBusy = false;
  }
}

function rules(plan: ServerPlan) {
  return {
    join: "open",
    classic: plan.classic,
    connectionsMax: 1000,
    handshakesMax: 256,
    addressConnectionsMax: 256,
    userConnectionsMax: plan.userConnectionsMax,
    usersMax: 1000,
    loginTimeoutMs: 10_000,
    loginBurst: 1e9,
    loginsPerMinute: 1e9,
    publishBurst: plan.publishBurst,
    publishPerSecond: plan.publishPerSecond,
    framesPerSecond: plan.framesPerSecond,
    bytesPerSecond: plan.bytesPerSecond,
  } as const;
}
