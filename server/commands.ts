/**
 * What somebody may ask for: one table, command to handler. A new command is a row here, its own row in
 * protocol/command.ts (arguments, who may, help), and a function in a file of handlers/.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { z } from "zod";
import {
  argsSchema,
  type Command,
  type CommandName,
  commands,
  isCommand,
} from "../protocol/command.ts";
import { errorCodes, ProtocolError } from "../protocol/errors.ts";
import { readOnlyRetryMs } from "../protocol/limits.ts";
import { type Control, encodeControl } from "../protocol/message.ts";
import { type Actor, type AskedInRoom, type CommandHandler, standingOf } from "./asked.ts";
import {
  admin,
  drain,
  forget,
  log as auditLog,
  registration,
  stats,
  users,
} from "./handlers/administration.ts";
import { ban, bans, exclude, excluded, readmit, unban } from "./handlers/bans.ts";
import { commit, download, group, keys, knock, take, upload, welcome } from "./handlers/groups.ts";
import { invitations, invite, revoke } from "./handlers/invitations.ts";
import { audit, kick, mute, role, unmute } from "./handlers/moderation.ts";
import { away, whois } from "./handlers/people.ts";
import { access, allow, announce, close, disallow, slow } from "./handlers/room_rules.ts";
import { direct, history, join, part, receipts, rooms, topic, who } from "./handlers/rooms.ts";
import type { Member } from "./member.ts";
import { mustBeAble } from "./roles.ts";
import type { Services } from "./services.ts";
import { StoreFullError } from "./store/store.ts";

const log = getLogger(["broadcast", "command"]);

const handlers: { readonly [Name in CommandName]: CommandHandler<Name> } = {
  rooms,
  join,
  part,
  who,
  whois,
  away,
  topic,
  receipts,
  history,
  invite,
  invitations,
  revoke,
  role,
  kick,
  ban,
  unban,
  bans,
  mute,
  unmute,
  slow,
  announce,
  access,
  allow,
  disallow,
  close,
  audit,
  users,
  admin,
  forget,
  registration,
  exclude,
  readmit,
  excluded,
  log: auditLog,
  stats,
  drain,
  direct,
  group,
  commit,
  welcome,
  knock,
  upload,
  download,
  keys,
  take,
};

/** What there is to ask for in a direct room. */
const ofTwo: ReadonlySet<CommandName> = new Set([
  "part",
  "who",
  "receipts",
  "history",
  "group",
  "commit",
  "welcome",
  "knock",
  "upload",
  "download",
]);

/**
 * Does what somebody asks for: the answer, as JSON can have it.
 *
 * @param args as they came; for a command about a room, `room` among them
 * @throws {ProtocolError} what speaks against it
 */
export async function execute(
  services: Services,
  actor: Actor,
  name: string,
  args: unknown,
): Promise<unknown> {
  if (!isCommand(name)) throw new ProtocolError("no_such_command");
  const command: Command = commands[name];
  const parsed = argsSchema(command).safeParse(args);
  if (!parsed.success) {
    const path = parsed.error.issues[0]?.path.join(".") ?? "";
    throw new ProtocolError("bad_message", `"${name}" was asked for in a wrong way (${path}).`);
  }
  const room = command.inRoom ? services.hub.room(parsed.data["room"] as Uint8Array) : undefined;
  const standing = standingOf(services, actor, room);
  mustBeAble(standing, command.may);
  if (room?.direct && !ofTwo.has(name)) {
    throw new ProtocolError(
      "forbidden",
      "A room of two stays as it is: neither rules it. /part leaves.",
    );
  }
  if (actor.user) services.budgets.spend(actor.user, name);
  const handler = handlers[name] as CommandHandler<CommandName>;
  const asked = { actor, services, standing, ...(room && { room }) };
  const result = await handler(asked as AskedInRoom, parsed.data as never);
  return z.encode(command.result, result);
}

/** Does what a session asks for, and answers it. */
export function request(member: Member, { request, command, args }: Control<"request">): void {
  const { user, person, remote, services } = member;
  execute(services, { name: user.name, user, person, remote, session: member }, command, args).then(
    (value) => member.send(encodeControl("answer", { request, value })),
    (cause) => member.send(encodeControl("error", { request, ...refusalOf(cause, command) })),
  );
}

/** What is told of an error. */
export interface Refusal {
  readonly code: string;
  readonly text: string;
  readonly retryAfterMs?: number;
}

/** What is told of an error; what is none of the asker's business is logged. */
export function refusalOf(cause: unknown, command: string): Refusal {
  if (cause instanceof ProtocolError) {
    const { code, message: text, retryAfterMs } = cause;
    return { code, text, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  }
  if (cause instanceof StoreFullError) {
    const { text } = errorCodes.read_only;
    return { code: "read_only", text, retryAfterMs: readOnlyRetryMs };
  }
  log.error("the command {command} failed: {cause}", { command, cause });
  return { code: "internal", text: errorCodes.internal.text };
}
