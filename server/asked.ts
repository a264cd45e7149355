/**
 * What the handler of a command is given, and what it gives back.
 *
 * @module
 */

import type { Args, CommandName, commands, Result } from "../protocol/command.ts";
import type { Person } from "../protocol/message.ts";
import type { PeopledRoom } from "./peopled_room.ts";
import type { User } from "./people.ts";
import type { Standing } from "./roles.ts";
import type { Services } from "./services.ts";
import type { Uploads } from "./uploads.ts";

/** Who asks: the user of a session, or the operator of the server, who has neither. */
export interface Actor {
  readonly name: string;
  readonly user: User | undefined;
  readonly person: Person | undefined;
  /** `host:port`; empty for the operator. */
  readonly remote: string;
  /** Where it comes from. */
  readonly session?: { readonly uploads: Uploads };
}

/** What a handler is given beside the arguments. */
export interface Asked {
  readonly actor: Actor;
  readonly services: Services;
  /** What the actor is in the room; outside of one, an admin or a stranger. */
  readonly standing: Standing;
}

/** What the handler of a command about a room is given. */
export interface AskedInRoom extends Asked {
  readonly room: PeopledRoom;
}

type InRoom<Name extends CommandName> = (typeof commands)[Name]["inRoom"];

/** Does what was asked for and answers; throws a ProtocolError where it may not. */
export type CommandHandler<Name extends CommandName> = (
  asked: InRoom<Name> extends true ? AskedInRoom : Asked,
  args: Args<Name>,
) => Result<Name> | Promise<Result<Name>>;

/** What somebody is: in a room, where one is given. */
export function standingOf(
  { hub }: Services,
  { user }: Pick<Actor, "user">,
  room: PeopledRoom | undefined,
): Standing {
  if (!user || user.isAdmin) return "admin";
  return room && hub.membership(room, user)?.role || "stranger";
}
