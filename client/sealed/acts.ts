/**
 * What somebody does in a sealed room that its keys have to follow: inviting, sending out, giving roles.
 * The group decides; the server is told so that it does its part.
 *
 * @module
 */

import type { Group, GroupMember, GroupRole, GroupRules } from "../../crypto/group.ts";
import { generateSigningKey } from "../../crypto/identity.ts";
import { safetyNumber } from "../../crypto/safety_number.ts";
import { equal } from "../../protocol/bytes.ts";
import type { Args, Result, Role } from "../../protocol/command.ts";
import { sha256 } from "../../protocol/hash.ts";
import type { ClientRoom } from "../events.ts";
import { Refused } from "../handshake.ts";
import type { Client } from "../reconnect.ts";
import { encodeRoomKey, type RoomKey } from "./room_key.ts";
import type { SealedRoom } from "./sealed_room.ts";

/** How long somebody who is here may take to ask to be let in. */
const letInMs = 5_000;
/** As the server calls an invitation: so many hex digits of its key's hash. */
const invitationIdChars = 10;

/** An invitation into a sealed room: what the server wants to see, and what only the link holds. */
export interface SealedInvitation extends Result<"invite"> {
  /** See {@link RoomKey}. */
  readonly key: Uint8Array;
}

/**
 * Makes an invitation.
 *
 * @throws {GroupError | Refused} when the group's rules or the server speak against it
 */
export async function invite(
  client: Client,
  room: SealedRoom,
  args: Args<"invite">,
): Promise<SealedInvitation> {
  const { key: { publicKey }, secret } = await generateSigningKey();
  const made = await client.command("invite", { ...args, key: publicKey }, room.info.id);
  const { untilMs } = made;
  const { uses } = args;
  await room.change(({ rules, own }) => ({
    rules: {
      ...rules,
      invitations: [...rules.invitations, {
        key: publicKey,
        by: own.userKey,
        ...(untilMs !== undefined && { untilMs }),
        ...(uses !== undefined && { uses }),
      }],
    },
  }));
  const key: RoomKey = { secret, inviter: sha256(client.userKey) };
  return { ...made, key: encodeRoomKey(key) };
}

/** Ends an invitation in the group; the server ends its own. */
export async function revoke(room: SealedRoom, id: string): Promise<void> {
  await room.change(({ rules }) => {
    const ended = id.toLowerCase();
    const invitations = rules.invitations.filter(({ key }) => invitationId(key) !== ended);
    return invitations.length < rules.invitations.length
      ? { rules: { ...rules, invitations } }
      : undefined;
  });
}

/**
 * Takes a user's devices out of the group, and with them the invitations that end by that.
 *
 * @returns how the server calls those invitations, which it ends too; undefined without such devices
 */
export async function takeOut(
  client: Client,
  room: SealedRoom,
  name: string,
): Promise<string[] | undefined> {
  await room.meetMembers();
  const isTheirs = ({ userKey }: GroupMember) => client.people.isNamed(userKey, name);
  if (!room.keys.group?.members.some(isTheirs)) return undefined;
  const before = invitationIds(room);
  await room.change((group) => {
    const leaves = group.members.filter(isTheirs).map(({ leaf }) => leaf);
    return leaves.length > 0 ? { remove: leaves } : undefined;
  });
  const ended = before.filter((id) => !invitationIds(room).includes(id));
  for (const invitation of ended) {
    await client.command("revoke", { invitation }, room.info.id).catch(ignoreRefusal);
  }
  return ended;
}

/** Gives a user another role in the group. */
export async function giveRole(
  client: Client,
  room: SealedRoom,
  name: string,
  role: Role,
): Promise<void> {
  await room.meetMembers();
  const person = client.people.named(name);
  if (!person) return;
  await room.change(({ rules }) => ({ rules: withRole(rules, person.userKey, role) }));
}

/**
 * Goes into the room of two, with the other one's keys in it.
 *
 * @returns `seq`: up to where it goes by what the log tells of the other one
 */
export async function direct(
  client: Client,
  name: string,
): Promise<{ room: ClientRoom; sealed: SealedRoom; seq: number }> {
  const { room, seq } = await client.direct(name);
  const sealed = client.sealedRoom(room.id);
  if (!sealed) throw new Refused("no_keys", "The server did not make a sealed room.");
  await client.within(sealed.hasKeys(), letInMs);
  // The answer may overtake what it speaks of: that they had left, and are back.
  const isRead = await client.within(sealed.hasRead(seq), letInMs);
  if (!isRead) {
    throw new Refused("no_keys", `The log of ${room.info.name} comes slowly. Try again.`);
  }
  const theirName = room.info.name.replace(/^@/, ""); // As they write it.
  if (sealed.isAlone) await letIn(client, sealed, theirName);
  return { room, sealed, seq };
}

/** Who is here asks to be let in by themselves; who is not may have left keys with the server. */
async function letIn(client: Client, sealed: SealedRoom, name: string): Promise<void> {
  try {
    await sealed.giveKeys(name);
  } catch (cause) {
    const isMissing = cause instanceof Refused && cause.code === "no_keys";
    if (!isMissing || !(await client.command("whois", { user: name })).isHere) throw cause;
    const isIn = sealed.keys.until(() => sealed.keys.group !== undefined && !sealed.isAlone);
    const isThere = await client.within(isIn, letInMs);
    if (!isThere) throw cause;
  }
  if (sealed.isAlone) throw new Refused("no_keys", `${name} has just left. Try again.`);
}

/** Sixty digits for two people to compare; undefined for whom we have not met. */
export function safetyNumberWith(client: Client, name: string): string | undefined {
  const person = client.people.named(name);
  return person && safetyNumber(client.userKey, person.changedTo ?? person.userKey);
}

function withRole(rules: GroupRules, user: Uint8Array, role: GroupRole): GroupRules {
  const others = rules.roles.filter((each) => !equal(each.user, user));
  return { ...rules, roles: role === "member" ? others : [...others, { user, role }] };
}

function invitationIds({ keys }: SealedRoom): string[] {
  return keys.group?.rules.invitations.map(({ key }) => invitationId(key)) ?? [];
}

/** Used up or over, it is not there any more. */
function ignoreRefusal(cause: unknown): void {
  if (!(cause instanceof Refused)) throw cause;
}

/** How the server calls an invitation that it was given this key of, in `invitations` and `revoke`. */
function invitationId(key: Uint8Array): string {
  return sha256(key).toHex().slice(0, invitationIdChars);
}

/** What `/room` tells of the keys. */
export interface KeysReport {
  readonly members: readonly {
    readonly name: string;
    readonly role: GroupRole;
    readonly isVerified: boolean;
  }[];
  readonly waiting: readonly string[];
  readonly generation: number;
  readonly epoch: number;
  readonly code: string;
  /** See `isConfirmed` in room_keys.ts. */
  readonly isConfirmed: boolean;
}

/** See above; undefined without keys. */
export async function report(client: Client, room: SealedRoom): Promise<KeysReport | undefined> {
  const group: Group | undefined = room.keys.group;
  if (!group) return undefined;
  const { people } = client;
  return {
    members: group.members.map(({ userKey, role }) => {
      const name = people.nameOf(userKey);
      const isVerified = people.named(name)?.isVerified === true && !people.isDoubtful(userKey);
      return { name, role, isVerified };
    }),
    waiting: room.knocks.all.filter(({ deviceId }) => !group.memberOf(deviceId))
      .map(({ name }) => name),
    generation: group.generation,
    epoch: group.epoch,
    code: await group.code(),
    isConfirmed: room.keys.isConfirmed,
  };
}
