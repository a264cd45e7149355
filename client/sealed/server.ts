/**
 * What keys of sealed rooms ask of the server: a session, as they see it.
 *
 * @module
 */

import type { Args, CommandName, Result } from "../../protocol/command.ts";
import type { Person } from "../../protocol/message.ts";

/** A session, for as long as it lasts. */
export interface Server {
  /** See protocol/command.ts. */
  command<Name extends CommandName>(
    name: Name,
    args: Args<Name>,
    room?: Uint8Array,
  ): Promise<Result<Name>>;
  /** Who is behind these devices: the server says so, and certificates bear it out. */
  personsOf(deviceIds: readonly Uint8Array[]): Promise<readonly Person[]>;
  /** Publishes a core (protocol/entry.ts). */
  publish(room: Uint8Array, core: Uint8Array): void;
}
