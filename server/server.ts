/**
 * The server's core: takes links, owns the sessions that they become, and closes gracefully. It does no I/O of its own.
 *
 * @module
 */

import type { SigningKey } from "../crypto/identity.ts";
import type { Clock } from "../protocol/clock.ts";
import { flushTimeoutMs, inspectMs } from "../protocol/limits.ts";
import type { Link } from "../protocol/link.ts";
import { Hub } from "./hub.ts";
import { makeServerKeys } from "./login.ts";
import { type Received, Reception, type Rules, type Served } from "./reception.ts";
import type { Store } from "./store/store.ts";

/** What the server takes from outside. */
export interface ServerOptions {
  readonly rules: Rules;
  readonly clock: Clock;
  readonly store: Store;
  readonly identity: SigningKey;
  /** What lets a new user in. */
  readonly invitation: Uint8Array;
  /** The lines that an operator sees: who came, who went. */
  readonly say: (line: string) => void;
  /** Told when the server cannot go on. */
  readonly onFault: (cause: unknown) => void;
}

/** MUST keep every bound of its rules; MUST survive whatever a peer sends. */
export class Server {
  readonly #options: ServerOptions;
  readonly #hub: Hub;
  readonly #reception: Reception;
  /** Each with the promise of its end. */
  readonly #sessions = new Map<Served, Promise<void>>();
  #cancelInspection: () => void = () => {};

  private constructor(options: ServerOptions, hub: Hub, reception: Reception) {
    this.#options = options;
    this.#hub = hub;
    this.#reception = reception;
    this.#inspectLater();
  }

  /** A server with its lobby open, ready for links. */
  static async open(options: ServerOptions): Promise<Server> {
    const { rules, clock, store, identity, invitation, onFault } = options;
    const hub = await Hub.open({ clock, store, identity, onFault });
    const keys = await makeServerKeys(identity);
    return new Server(options, hub, new Reception({ rules, clock, hub, keys, invitation }));
  }

  /** Serves one connection to its end. Never throws. */
  async accept(link: Link): Promise<void> {
    const { say } = this.#options;
    say(`Client connected ${link.remote}`);
    const leave = this.#reception.enter();
    try {
      const guest = await this.#reception.receive(link);
      if (guest) await this.#serve(guest);
    } finally {
      leave();
      link.close();
      say(`Client disconnected ${link.remote}`);
    }
  }

  /** Tells everybody, writes what is queued, and ends all connections. */
  async close(): Promise<void> {
    this.#cancelInspection();
    const received = this.#reception.close();
    await this.#written();
    for (const session of this.#sessions.keys()) session.fail("shutting_down", undefined, 1_000);
    await Promise.all([received, ...this.#sessions.values()]);
    this.#hub.close();
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
      void this.#hub.flushed()
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
      this.#inspectLater();
    });
  }
}
