/**
 * Whether the server lets anybody in who is new: what an admin decided of that, over what the
 * configuration says.
 *
 * @module
 */

import type { Clock } from "../../protocol/clock.ts";
import type { registrations } from "../../protocol/command.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { drainGraceMs } from "../../protocol/limits.ts";
import type { User } from "../people.ts";
import { loadRecords, toRecord } from "../records.ts";
import type { Store } from "../store/store.ts";

/** How strangers become users. */
export type Registration = (typeof registrations)[number];

/** The key of the one record of settings. */
const settingsKey = "settings";

/** MUST keep what was decided of registration; draining ends with the process. */
export class Gate {
  readonly #store: Store;
  readonly #clock: Clock;
  #registration: Registration;
  isDraining = false;

  private constructor(store: Store, clock: Clock, registration: Registration) {
    this.#store = store;
    this.#clock = clock;
    this.#registration = registration;
  }

  /** @param configured what counts until an admin decides */
  static async open(store: Store, clock: Clock, configured: Registration): Promise<Gate> {
    const settings = (await loadRecords(store, "server")).get(settingsKey);
    return new Gate(store, clock, settings?.registration ?? configured);
  }

  get registration(): Registration {
    return this.#registration;
  }

  /** Decides how strangers become users; resolves when that is kept. */
  async setRegistration(registration: Registration): Promise<void> {
    const before = this.#registration;
    this.#registration = registration;
    try {
      await this.#store.put([toRecord("server", settingsKey, { registration })]);
    } catch (cause) {
      this.#registration = before;
      throw cause;
    }
  }

  /**
   * Refuses a stranger who may not become a user.
   *
   * @throws {ProtocolError} draining, registration_closed, invitation_needed
   */
  mustRegister(isInvited: boolean): void {
    if (this.isDraining) throw new ProtocolError("draining");
    if (this.#registration === "closed") throw new ProtocolError("registration_closed");
    if (this.#registration === "invite" && !isInvited) {
      throw new ProtocolError("invitation_needed");
    }
  }

  /**
   * Refuses a user who was not here, while nobody new is let in.
   *
   * @throws {ProtocolError} draining
   */
  mustReturn({ sessions, lastSeenMs }: Pick<User, "sessions" | "lastSeenMs">): void {
    if (!this.isDraining || sessions > 0) return;
    if (this.#clock.now() - lastSeenMs > drainGraceMs) throw new ProtocolError("draining");
  }
}
