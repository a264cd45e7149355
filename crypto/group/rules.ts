/**
 * The rules of a sealed room, which stand in its group's context: every member has the same.
 *
 * ```
 * [u8 version = 1][32 server key]
 * [u16 roles]       each [32 user key][u8 role]
 * [u16 invitations] each [32 key][32 by][u64 until, ms; 0 = no end][u32 uses; 0 = no limit][u8 role]
 * ```
 *
 * Both lists are in the order of their keys, each key once, so that the same rules are always the
 * same bytes. Numbers are big-endian.
 *
 * @module
 */

import type { Bytes } from "../aes_gcm.ts";
import { identityKeyBytes } from "../identity.ts";
import { compare, isSame } from "./bytes.ts";
import { GroupError } from "./error.ts";

/** Roles as the protocol has them, from the least; "member" where a key is not named. */
export const groupRoles = ["reader", "member", "moderator", "owner"] as const;
export type GroupRole = (typeof groupRoles)[number];

/** A key whose private half, which is in a link, lets people in. */
export interface GroupInvitation {
  readonly key: Uint8Array;
  /** The user key of who made it. */
  readonly by: Uint8Array;
  readonly untilMs?: number;
  readonly uses?: number;
  /** What who comes by it is; "member" when absent. */
  readonly role?: "member" | "reader";
}

/** Who may do what. */
export interface GroupRules {
  /** The server's identity key. */
  readonly server: Uint8Array;
  readonly roles: readonly { readonly user: Uint8Array; readonly role: GroupRole }[];
  readonly invitations: readonly GroupInvitation[];
}

/** Of each list. */
export const rulesEntriesMax = 1024;

const version = 1;
const headBytes = 1 + identityKeyBytes + 2;
const roleBytes = identityKeyBytes + 1;
const invitationBytes = 2 * identityKeyBytes + 8 + 4 + 1;

/**
 * The bytes of rules, whatever the order of their lists.
 *
 * @throws {GroupError} policy, when they cannot be: a key twice, too many, a limit of 0
 */
export function encodeRules(rules: GroupRules): Bytes {
  const roles = rules.roles.toSorted((a, b) => compare(a.user, b.user));
  const invitations = rules.invitations.toSorted((a, b) => compare(a.key, b.key));
  const bytes = new Uint8Array(
    headBytes + roles.length * roleBytes + 2 + invitations.length * invitationBytes,
  );
  const view = new DataView(bytes.buffer);
  bytes[0] = version;
  putKey(bytes, 1, rules.server);
  view.setUint16(1 + identityKeyBytes, count(roles));
  let at = headBytes;
  for (const { user, role } of roles) {
    putKey(bytes, at, user);
    bytes[at + identityKeyBytes] = groupRoles.indexOf(role);
    at += roleBytes;
  }
  view.setUint16(at, count(invitations));
  at += 2;
  for (const { key, by, untilMs, uses, role } of invitations) {
    putKey(bytes, at, key);
    putKey(bytes, at + identityKeyBytes, by);
    view.setBigUint64(at + 64, BigInt(limit(untilMs, Number.MAX_SAFE_INTEGER)));
    view.setUint32(at + 72, limit(uses, 0xffffffff));
    bytes[at + 76] = groupRoles.indexOf(role ?? "member");
    at += invitationBytes;
  }
  decodeRules(bytes); // Finds a key that stands there twice.
  return bytes;
}

/**
 * The rules in these bytes.
 *
 * @throws {GroupError} invalid, when they are none, or not written the one way
 */
export function decodeRules(bytes: Uint8Array): GroupRules {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (length: number): number => {
    if (at + length > bytes.length) throw invalid("they are cut short");
    at += length;
    return at - length;
  };
  const takeKey = (): Bytes => {
    const from = take(identityKeyBytes);
    return bytes.slice(from, from + identityKeyBytes);
  };
  if (bytes[take(1)] !== version) throw invalid("their version is not known");
  const server = takeKey();
  const roles = Array.from({ length: checkedCount(view.getUint16(take(2))) }, () => {
    const user = takeKey();
    const role = groupRoles[bytes[take(1)]!];
    if (!role) throw invalid("a role is not known");
    return { user, role };
  });
  const invitations = Array.from({ length: checkedCount(view.getUint16(take(2))) }, () => {
    const [key, by] = [takeKey(), takeKey()];
    const untilMs = view.getBigUint64(take(8));
    if (untilMs > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid("an end is out of range");
    const uses = view.getUint32(take(4));
    const role = groupRoles[bytes[take(1)]!];
    if (role !== "member" && role !== "reader") throw invalid("an invitation's role is not one");
    return {
      key,
      by,
      ...(untilMs > 0n && { untilMs: Number(untilMs) }),
      ...(uses > 0 && { uses }),
      role,
    };
  });
  if (at !== bytes.length) throw invalid("something follows them");
  if (!isAscending(roles.map(({ user }) => user))) throw invalid("roles are out of order");
  if (!isAscending(invitations.map(({ key }) => key))) {
    throw invalid("invitations are out of order");
  }
  return { server, roles, invitations };
}

/** Whether two rules say the same. */
export function isSameRules(a: GroupRules, b: GroupRules): boolean {
  return isSame(encodeRules(a), encodeRules(b));
}

function isAscending(keys: readonly Uint8Array[]): boolean {
  return keys.every((key, at) => at === 0 || compare(keys[at - 1]!, key) < 0);
}

function putKey(bytes: Uint8Array, at: number, key: Uint8Array): void {
  if (key.length !== identityKeyBytes) throw new GroupError("policy", "A key has 32 bytes.");
  bytes.set(key, at);
}

function count(list: readonly unknown[]): number {
  if (list.length > rulesEntriesMax) {
    throw new GroupError("policy", `A room has at most ${rulesEntriesMax} roles or invitations.`);
  }
  return list.length;
}

function checkedCount(length: number): number {
  if (length > rulesEntriesMax) throw invalid("they are too many");
  return length;
}

function limit(value: number | undefined, max: number): number {
  if (value === undefined) return 0;
  if (!Number.isSafeInteger(value) || value < 1 || value > max) {
    throw new GroupError("policy", "An invitation's end and uses are whole numbers above 0.");
  }
  return value;
}

function invalid(why: string): GroupError {
  return new GroupError("invalid", `The room's rules cannot be read: ${why}.`);
}
