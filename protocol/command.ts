/**
 * What somebody may ask a server to do, beside publishing: one table. Rights, the schemas of what
 * comes and goes, help texts, what Tab completes and what an operator may type all come from it. A new
 * command is a row here and a function in server/handlers/.
 *
 * @module
 */

import { z } from "zod";
import { base64UrlBytes, base64UrlBytesUpTo, id, name } from "./fields.ts";
import {
  commandCountMax,
  commitWelcomesMax,
  hashBytes,
  keyPackageBytesMax,
  keyPackagesMax,
  objectBytesMax,
  objectChunkBytesMax,
  takeDevicesMax,
  textCharsMax,
} from "./limits.ts";

/** What somebody is in a room, the least first. */
export const roles = ["reader", "member", "moderator", "owner"] as const;
export type Role = (typeof roles)[number];

/** Who may give a command: everybody, somebody in the room with at least this role, or a server admin. */
export type May = "anyone" | Role | "admin";

/** How an argument is typed; `inner` ones come from programs only. */
export type Typed = "word" | "rest" | "duration" | "count" | "switch" | "flag" | "inner";

/** One argument of a command. */
export interface Argument<Schema extends z.ZodType = z.ZodType> {
  readonly schema: Schema;
  readonly typed: Typed;
  /** How help calls it. */
  readonly label: string;
}

/** One command. */
export interface Command {
  /** For help: what it does, as in "Type /kick WHO to ...". */
  readonly about: string;
  readonly may: May;
  /** About one room: it has an argument `room`, which nobody types. */
  readonly inRoom: boolean;
  /** Programs ask for it, and nobody types it. */
  readonly isInner?: true;
  /** In the order typed. */
  readonly args: Readonly<Record<string, Argument>>;
  /** What it answers. */
  readonly result: z.ZodType;
}

const text = z.string().max(textCharsMax);
const timeMs = z.int().min(0);
const durationMs = z.int().min(1).max(1000 * 24 * 3600 * 1000);
const nothing = z.object({});

/** The room that everybody is in. */
export const lobbyName = "lobby";

/** A room's name: as a user's, lower case. */
export const roomName = z.string().min(1).max(32).regex(/^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u);

/** Who may walk into a room. */
export const accesses = ["anyone", "invited"] as const;
/** How strangers become users. */
export const registrations = ["invite", "open", "closed"] as const;

function word<S extends z.ZodType>(label: string, schema: S): Argument<S> {
  return { schema, typed: "word", label };
}

const user = word("WHO", name);
/** A name, `key:…` with a fingerprint, or an address range as 192.0.2.0/24; `@` makes it a name. */
const target = word("WHO", z.string().min(1).max(128));
const why: Argument<z.ZodOptional<typeof text>> = {
  schema: text.optional(),
  typed: "rest",
  label: "WHY",
};
const forMs: Argument<z.ZodOptional<typeof durationMs>> = {
  schema: durationMs.optional(),
  typed: "duration",
  label: "HOW LONG",
};
const count: Argument<z.ZodOptional<z.ZodInt>> = {
  schema: z.int().min(1).max(commandCountMax).optional(),
  typed: "count",
  label: "HOW MANY",
};
const isOn: Argument<z.ZodBoolean> = { schema: z.boolean(), typed: "switch", label: "on|off" };

/** What a member of a room is told of it. */
export const roomInfo = z.object({
  id,
  name,
  /** The server cannot read it. */
  sealed: z.boolean(),
  topic: text,
  /** The role of who is told. */
  role: z.enum(roles),
  access: z.enum(accesses),
  /** How long somebody has to wait between two messages; 0 not at all. */
  slowMs: timeMs,
  /** Only moderators may post. */
  isAnnounce: z.boolean(),
  /** Of two users for themselves: its name is `@` and the other's. */
  direct: z.boolean(),
});
export type RoomInfo = z.output<typeof roomInfo>;

const ban = z.object({
  who: z.string().max(128),
  by: name,
  why: text,
  /** Absent: for ever. */
  untilMs: timeMs.optional(),
});
const bans = z.object({ bans: z.array(ban).max(commandCountMax) });

/** One line of the audit log, and of a room's own account of changes. */
export const change = z.object({
  by: name,
  act: z.string().max(32),
  whom: z.string().max(128).optional(),
  value: text.optional(),
  why: text.optional(),
  untilMs: timeMs.optional(),
});
export type Change = z.output<typeof change>;

function command<
  const InRoom extends boolean,
  const Args extends Record<string, Argument>,
  Result extends z.ZodType,
>(
  about: string,
  may: May,
  inRoom: InRoom,
  args: Args,
  result: Result,
): { about: string; may: May; inRoom: InRoom; args: Args; result: Result } {
  return { about, may, inRoom, args, result };
}

/** A command that programs ask for; its arguments are not typed, so that help says nothing of them. */
function inner<
  const InRoom extends boolean,
  const Schemas extends Record<string, z.ZodType>,
  Result extends z.ZodType,
>(
  about: string,
  may: May,
  inRoom: InRoom,
  schemas: Schemas,
  result: Result,
): {
  about: string;
  may: May;
  inRoom: InRoom;
  isInner: true;
  args: { [Key in keyof Schemas]: Argument<Schemas[Key]> };
  result: Result;
} {
  const args = Object.entries(schemas).map(([key, schema]) => [key, word("", schema)]);
  return { about, may, inRoom, isInner: true, args: Object.fromEntries(args), result };
}

/** By what an object is known: the SHA-256 of its bytes. */
const hash = base64UrlBytes(hashBytes);
/** Where in an object something begins, and how long it is. */
const offset = z.int().min(0).max(objectBytesMax);
const objectBytes = z.int().min(1).max(objectBytesMax);
const chunk = base64UrlBytesUpTo(objectChunkBytesMax);
const generation = z.int().min(0).max(2 ** 32 - 1);
const epoch = z.int().min(0);
const keyPackage = base64UrlBytesUpTo(keyPackageBytesMax);

/** Every command of a server, in the order of help. */
export const commands = {
  rooms: command(
    "list the rooms that you may see",
    "anyone",
    false,
    {},
    z.object({
      rooms: z.array(z.object({
        name,
        topic: text,
        members: z.int().min(0),
        access: z.enum(accesses),
        /** The server cannot read it. */
        sealed: z.boolean(),
        /** Whether who asks is in it. */
        isJoined: z.boolean(),
      })).max(commandCountMax),
      total: z.int().min(0),
    }),
  ),
  join: command(
    "go into a room, and make it when it is new",
    "anyone",
    false,
    {
      name: word("ROOM", roomName),
      open: { schema: z.boolean().optional(), typed: "flag", label: "--open" },
    },
    z.object({ room: roomInfo, isNew: z.boolean() }),
  ),
  part: command(
    "leave this room; it is gone a day after the last one left",
    "reader",
    true,
    {},
    nothing,
  ),
  who: command(
    "show who is in this room",
    "reader",
    true,
    {},
    z.object({
      members: z.array(z.object({
        name,
        role: z.enum(roles),
        isHere: z.boolean(),
        away: text.optional(),
        mutedUntilMs: timeMs.optional(),
      })).max(commandCountMax),
      /** How many there are, and how many of them are connected. */
      total: z.int().min(0),
      here: z.int().min(0),
    }),
  ),
  whois: command(
    "show whether somebody is here, and when they were last",
    "anyone",
    false,
    {
      user,
    },
    z.object({
      name,
      isHere: z.boolean(),
      isAdmin: z.boolean(),
      away: text.optional(),
      lastSeenMs: timeMs.optional(),
      /** The fingerprint of their key. */
      fingerprint: z.string().max(64).optional(),
    }),
  ),
  away: command("say that you are away; without a text, that you are back", "anyone", false, {
    text: { schema: text.optional(), typed: "rest", label: "WHY" },
  }, nothing),
  topic: command("set this room's topic", "moderator", true, {
    text: { schema: text, typed: "rest", label: "TEXT" },
  }, nothing),
  receipts: command(
    "show who got and who read the last messages",
    "reader",
    true,
    {},
    z.object({
      members: z.array(z.object({ name, delivered: timeMs, read: timeMs })).max(commandCountMax),
      total: z.int().min(0),
    }),
  ),
  history: command(
    "show what was said before",
    "reader",
    true,
    {
      count,
      /** What stands before this seq; absent: the newest. */
      before: { schema: z.int().min(1).optional(), typed: "count", label: "BEFORE" },
    },
    z.object({
      firstSeq: z.int().min(1),
      timeMs,
      /** See protocol/entry.ts. */
      rows: base64UrlBytes(),
      /** The chain's hash before the first row, and after the last. */
      before: base64UrlBytes(hashBytes),
      hash: base64UrlBytes(hashBytes),
    }).partial(),
  ),
  invite: command(
    "make an invitation into this room",
    "moderator",
    true,
    {
      forMs,
      uses: {
        schema: z.int().min(1).max(1_000_000).optional(),
        typed: "count",
        label: "USES",
      },
      /** Of a sealed room: the key by which its members know the invitation. */
      key: { schema: base64UrlBytes(32).optional(), typed: "inner", label: "" },
    },
    z.object({
      invitation: base64UrlBytes(16),
      untilMs: timeMs.optional(),
      /** Where others find the server, as far as it knows. */
      address: z.string().max(300).optional(),
    }),
  ),
  invitations: command(
    "list the invitations into this room",
    "moderator",
    true,
    {},
    z.object({
      invitations: z.array(z.object({
        /** What `revoke` takes. */
        id: z.string().max(32),
        by: name,
        uses: z.int().min(0).optional(),
        untilMs: timeMs.optional(),
      })).max(commandCountMax),
    }),
  ),
  revoke: command("end an invitation", "moderator", true, {
    invitation: word("INVITATION", z.string().min(1).max(32)),
  }, nothing),
  role: command("make somebody owner, moderator, member or reader", "moderator", true, {
    user,
    role: word(roles.join("|"), z.enum(roles)),
  }, nothing),
  kick: command("send somebody out of this room", "moderator", true, { user, why }, nothing),
  ban: command(
    "send somebody out, and let them in no more: a name, key:FINGERPRINT, or a range of addresses",
    "moderator",
    true,
    { who: target, forMs, why },
    nothing,
  ),
  unban: command("let somebody in again", "moderator", true, { who: target }, nothing),
  bans: command("list who may not come into this room", "moderator", true, {}, bans),
  mute: command(
    "let somebody read, but not write",
    "moderator",
    true,
    { user, forMs, why },
    nothing,
  ),
  unmute: command("let somebody write again", "moderator", true, { user }, nothing),
  slow: command("let everybody wait between two messages; 0s ends it", "moderator", true, {
    everyMs: {
      schema: z.int().min(0).max(24 * 3600 * 1000),
      typed: "duration",
      label: "HOW LONG",
    },
  }, nothing),
  announce: command("let only moderators write here", "moderator", true, { isOn }, nothing),
  access: command("say who may come in: anyone, or who is invited or allowed", "owner", true, {
    access: word(accesses.join("|"), z.enum(accesses)),
  }, nothing),
  allow: command("let somebody in whether invited or not", "moderator", true, { user }, nothing),
  disallow: command("take that back", "moderator", true, { user }, nothing),
  close: command("end this room for everybody, and erase its log", "owner", true, {}, nothing),
  audit: command(
    "show who changed what in this room",
    "moderator",
    true,
    { count },
    z.object({
      changes: z.array(change.extend({ timeMs, room: name.optional() })).max(commandCountMax),
    }),
  ),
  users: command(
    "list the users of this server",
    "admin",
    false,
    {
      like: { schema: name.optional(), typed: "word", label: "LIKE" },
    },
    z.object({
      users: z.array(z.object({
        name,
        isHere: z.boolean(),
        isAdmin: z.boolean(),
        lastSeenMs: timeMs.optional(),
      })).max(commandCountMax),
      total: z.int().min(0),
    }),
  ),
  admin: command("make somebody an admin of this server, or no longer", "admin", false, {
    user,
    isOn,
  }, nothing),
  forget: command(
    "forget a user, so that the name is free",
    "admin",
    false,
    { user, why },
    nothing,
  ),
  registration: command("say how strangers become users here", "admin", false, {
    mode: word(registrations.join("|"), z.enum(registrations)),
  }, nothing),
  exclude: command(
    "ban from the whole server: a name, key:FINGERPRINT, or a range of addresses",
    "admin",
    false,
    { who: target, forMs, why },
    nothing,
  ),
  readmit: command("end a ban from the whole server", "admin", false, { who: target }, nothing),
  excluded: command("list who is banned from the whole server", "admin", false, {
    like: { schema: z.string().min(1).max(128).optional(), typed: "word", label: "LIKE" },
  }, bans),
  log: command(
    "show who changed what on this server",
    "admin",
    false,
    { count },
    z.object({
      changes: z.array(change.extend({ timeMs, room: name.optional() })).max(commandCountMax),
    }),
  ),
  stats: command(
    "show how the server is doing",
    "admin",
    false,
    {},
    z.object({
      upMs: timeMs,
      connections: z.int().min(0),
      users: z.int().min(0),
      rooms: z.int().min(0),
      memoryBytes: z.int().min(0),
      isReadOnly: z.boolean(),
      isDraining: z.boolean(),
    }),
  ),
  drain: command(
    "let nobody new in, and keep those who are here",
    "admin",
    false,
    { isOn },
    nothing,
  ),
  direct: inner(
    "go into the sealed room of oneself and another user",
    "anyone",
    false,
    { user: name },
    z.object({
      room: roomInfo,
      isNew: z.boolean(),
      /** Up to where its log tells who has left and come back. */
      seq: z.int().min(0),
    }),
  ),
  group: inner(
    "tell which epoch a sealed room's log has reached; nothing where it has no group yet",
    "reader",
    true,
    {},
    z.object({
      generation,
      epoch,
      /** The last commit: its message id and its place in the log. */
      commit: id,
      seq: z.int().min(1),
      /** The object that lets others in, and how long it is. */
      groupInfo: hash,
      bytes: objectBytes,
    }).partial(),
  ),
  commit: inner(
    "change a sealed room's group; taken only where `after` is the last commit",
    "reader",
    true,
    {
      /** The message id of the commit that it comes after; absent for a room's first. */
      after: id.optional(),
      /** See protocol/entry.ts and protocol/commit.ts. */
      core: base64UrlBytes(),
      /** The object that lets others in from then on. */
      groupInfo: hash,
      /** Those that begin with it. */
      generation,
      epoch,
      /** Who was taken in, and the object that tells each of them of it; several may share one. */
      welcomes: z.array(z.object({ device: id, hash })).max(commitWelcomesMax),
    },
    z.object({ seq: z.int().min(1) }),
  ),
  welcome: inner(
    "tell the object by which a device comes into a sealed room's group, if there is one",
    "reader",
    true,
    {
      /** By which commit; absent: by the last one that welcomed the device. */
      commit: id.optional(),
    },
    z.object({ hash, bytes: objectBytes, commit: id, seq: z.int().min(1) }).partial(),
  ),
  knock: inner(
    "ask the members of a sealed room to be let into its group",
    "reader",
    true,
    /** See protocol/entry.ts. */
    { core: base64UrlBytes() },
    nothing,
  ),
  upload: inner(
    "bring an object, part after part; it is kept once a commit names it",
    "reader",
    true,
    { hash, bytes: objectBytes, at: offset, data: chunk },
    nothing,
  ),
  download: inner(
    "fetch a part of an object that the room's group refers to",
    "reader",
    true,
    { hash, at: offset },
    z.object({ bytes: objectBytes, data: chunk }),
  ),
  keys: inner(
    "leave key packages, so that others can take this device into groups",
    "anyone",
    false,
    {
      packages: z.array(keyPackage).max(keyPackagesMax),
      /** Given where the pool is empty, and never used up. */
      last: keyPackage.optional(),
    },
    z.object({ left: z.int().min(0).max(keyPackagesMax) }),
  ),
  take: inner(
    "take a key package of each of a user's devices, to take them into a group",
    "anyone",
    false,
    { user: name },
    z.object({
      packages: z.array(z.object({ deviceId: id, package: keyPackage })).max(takeDevicesMax),
    }),
  ),
} as const satisfies Record<string, Command>;

/** The name of a command. */
export type CommandName = keyof typeof commands;
/** The name of one that nobody types. */
export type InnerName = {
  [Name in CommandName]: (typeof commands)[Name] extends { isInner: true } ? Name : never;
}[CommandName];
/** The name of one that somebody may type. */
export type TypedName = Exclude<CommandName, InnerName>;
/** What a command takes; a command about a room takes the room beside it. */
export type Args<Name extends CommandName> = Loose<
  {
    -readonly [Key in keyof ArgsOf<Name>]: ArgsOf<Name>[Key] extends Argument<infer Schema>
      ? z.output<Schema>
      : never;
  }
>;
type ArgsOf<Name extends CommandName> = (typeof commands)[Name]["args"];
/** What may be undefined may be left out. */
type Loose<T> =
  & { [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key] }
  & { [Key in keyof T as undefined extends T[Key] ? Key : never]?: T[Key] };
/** What a command answers. */
export type Result<Name extends CommandName> = z.output<(typeof commands)[Name]["result"]>;

/** Made once for each command: a schema compiles itself when it is first used. */
const argsSchemas = new WeakMap<Command, z.ZodObject>();

/** The schema of a command's arguments as they travel. */
export function argsSchema(command: Command): z.ZodObject {
  const known = argsSchemas.get(command);
  if (known) return known;
  const shape = Object.entries(command.args).map(([key, { schema }]) => [key, schema]);
  const schema = z.object({ ...Object.fromEntries(shape), ...(command.inRoom && { room: id }) });
  argsSchemas.set(command, schema);
  return schema;
}

/** Whether there is such a command. */
export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(commands, name);
}

/** Whether there is such a command that somebody may type. */
export function isTyped(name: string): name is TypedName {
  return isCommand(name) && !("isInner" in commands[name]);
}

/** The commands that somebody may type, in the order of help. */
export const typedNames: readonly TypedName[] = Object.keys(commands).filter(isTyped);
