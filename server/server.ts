/**
 * The server's core: takes links, owns the sessions that they become, and closes gracefully. It does no I/O of its own.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { type AeadFactory, webAead } from "../crypto/aes_gcm.ts";
import type { SigningKey } from "../crypto/identity.ts";
import type { Clock } from "../protocol/clock.ts";
import { emptyRoomsLookMs, flushTimeoutMs, inspectMs } from "../protocol/limits.ts";
import type { Link } from "../protocol/link.ts";
import { removeEmptyRooms } from "./empty_rooms.ts";
import { makeServerKeys } from "./door/login.ts";
import { Operator, type Upkeep } from "./operator.ts";
import { type Received, Reception, type Rules, type Served } from "./door/reception.ts";
import { keepTrimmed } from "./retention.ts";
import { openServices, type Services } from "./services.ts";
import type { Store } from "./store/store.ts";

const log = getLogger(["broadcast", "server"]);

/** What the server takes from outside. */
export interface ServerOptions {
  readonly rules: Rules;
  /** How long messages are kept; 0 or absent: for ever. */
  readonly retentionDays?: number;
  readonly clock: Clock;
  readonly store: Store;
  readonly identity: SigningKey;
  /** What seals and opens; WebCrypto where none is given. */
  readonly aead?: AeadFactory;
  /** What lets a new user in. */
  readonly invitation: Uint8Array;
  /** The lines that an operator sees: who came, who went. */
  readonly say: (line: string) => void;
  /** Told when the server cannot go on. */
  readonly onFault: (cause: unknown) => void;
  /** What the process takes, for those who ask how the server is doing. */
  readonly memoryBytes?: () => number;
  /** Where others find this server, as far as is known. */
  readonly address?: () => string;
  /** What an operator may have done to the store. */
  readonly upkeep?: Upkeep;
}

/** MUST keep every bound of its rules; MUST survive whatever a peer sends. */
export class Server {
  readonly #options: ServerOptions;
  readonly #services: Services;
  readonly #reception: Reception;
  /** Each with the promise of its end. */
  readonly #sessions = new Map<Served, Promise<void>>();
  readonly #operator: Operator;
  readonly #stopTrimming: () => void;
  #cancelInspection: () => void = () => {};
  #isClosing = false;
  /** When empty rooms were looked for, and the looking. */
  #sweptMs = -Infinity;
  #sweeping: Promise<void> = Promise.resolve();

  private constructor(options: ServerOptions, services: Services, reception: Reception) {
    this.#options = options;
    this.#services = services;
    this.#reception = reception;
    this.#operator = new Operator(services, options.upkeep);
    this.#stopTrimming = keepTrimmed(
      options.clock,
      options.retentionDays ?? 0,
      (beforeMs) => services.hub.trim(beforeMs),
    );
    this.#inspectLater();
  }

  /** A server with its lobby open, ready for links. */
  static async open(options: ServerOptions): Promise<Server> {
    const { rules, clock, store, identity, invitation, onFault, aead = webAead } = options;
    const onFull = fullReporter();
    const services = await openServices({
      clock,
      store,
      identity,
      aead,
      onFault,
      onFull,
      usersMax: rules.usersMax,
      registration: rules.join,
      memoryBytes: options.memoryBytes,
      address: options.address,
    });
    const keys = await makeServerKeys(identity, aead);
    return new Server(options, services, new Reception({ rules, services, keys, invitation }));
  }

  /** Serves one connection to its end. Never throws. */
  async accept(link: Link): Promise<void> {
    const { say } = this.#options;
    say(`Client connected ${link.remote}`);
    const leave = this.#reception.enter();
    this.#services.health.connections++;
    try {
      const guest = await this.#reception.receive(link);
      if (guest) await this.#serve(guest);
    } finally {
      leave();
      this.#services.health.connections--;
      link.close();
      say(`Client disconnected ${link.remote}`);
    }
  }

  /** Serves one connection of the operator to its end. Never throws. */
  acceptOperator(link: Link): Promise<void> {
    return this.#operator.accept(link);
  }

  /** Tells everybody, writes what is queued, and ends all connections. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#cancelInspection();
    this.#stopTrimming();
    const received = this.#reception.close();
    await this.#written();
    for (const session of this.#sessions.keys()) session.fail("shutting_down", undefined, 1_000);
    await Promise.all([received, ...this.#sessions.values(), this.#operator.close()]);
    await this.#sweeping;
    await this.#services.watermarks.save();
    this.#services.hub.stop();
  }

  /** Removes empty rooms, one sweep at a time. */
  #sweep(nowMs: number): void {
    this.#sweptMs = nowMs;
    this.#sweeping = this.#sweeping
      .then(() => removeEmptyRooms(this.#services, () => this.#isClosing))
      // A full disk passes, and who broke the store says so elsewhere.
      .catch((cause) => log.warn("empty rooms could not be removed: {cause}", { cause }));
  }

  async #serve({ session, run }: Received): Promise<void> {
    const running = run();
    this.#sessions.set(session, running);
    await running.finally(() => this.#sessions.delete(session));
  }

  /** Resolves when all that was published is written, or when waiting longer makes no sense. */
  #written(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.timer(flushTimeoutMs, resolve);
      void this.#services.hub.flushed()
        .then(() => Promise.all(this.#sessions.keys().map((session) => session.written())))
        .then(() => {
          cancel();
          resolve();
        });
    });
  }

  #inspectLater(): void {
    this.#cancelInspection = this.#options.clock.timer(inspectMs, () => {
      const nowMs = this.#options.clock.now();
      for (const session of this.#sessions.keys()) session.inspect(nowMs);
      if (nowMs - this.#sweptMs >= emptyRoomsLookMs) this.#sweep(nowMs);
      this.#inspectLater();
    });
  }
}

/** Says once that the disk is full, and once that there is room again. */
function fullReporter(): (isFull: boolean) => void {
  let wasFull = false;
  return (isFull) => {
    if (isFull === wasFull) return;
    wasFull = isFull;
    if (isFull) {
      log.error("the disk is full: nothing new is taken before there is room in the data folder");
    } else log.info("there is room on the disk again");
  };
}
