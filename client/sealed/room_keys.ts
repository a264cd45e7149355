/**
 * The keys of one sealed room as this client has them: the group, and what the log has said about it.
 *
 * @module
 */

import type { Expected, Group, GroupMember } from "../../crypto/group.ts";
import { equal, mapKey } from "../../protocol/bytes.ts";
import type { Epoch } from "../../protocol/entry.ts";
import { departedMax } from "../../protocol/limits.ts";
import type { KeptInvitation } from "../store/store.ts";
import { encodeState, type KeptState } from "./kept_state.ts";
import type { Orphans } from "./orphans.ts";
import { Trail } from "./trail.ts";

/** MUST let one operation at a time work with the group. */
export class RoomKeys {
  readonly room: Uint8Array;
  /** Of a room of two. */
  readonly orphans: Orphans | undefined;
  /** Undefined before we are let in, and after we were taken out. */
  group: Group | undefined;
  /** The message id of the last commit in the log; the next one names it. */
  lastCommit: Uint8Array | undefined;
  /**
   * User keys of those who the log says have left, by {@link mapKey}; whether they are in the tree or
   * not: somebody may yet add them who did not know.
   */
  readonly departed = new Set<string>();
  /**
   * Those of the tree whom others may take for gone: who came before us, as the log that we have cannot
   * say that they had not left; and who has left a room of two and come back.
   */
  readonly before = new Set<string>();
  /** Those who the log says have joined. */
  readonly #joined = new Set<string>();
  /** Something may have been sealed with these keys that we do not know of: they seal nothing more. */
  mustRenew = false;
  /** When our own keys in the group changed last, ms since 1970: we came in, or a commit of ours won. */
  renewedMs = 0;
  /** The group of this generation ended by a commit that no honest member can accept. */
  broken: Group | undefined;
  /**
   * User keys of those who were in the group that we had last, once we have it no more: they vouch for
   * the next. A tree is public, and the server could make up a group with all of us in it.
   */
  known: readonly Uint8Array[] | undefined;
  /** How far we had come in the log before the server said that it goes on elsewhere. */
  reached: Epoch | undefined;
  /** By which we came, if we did by one. */
  invitation: KeptInvitation | undefined;
  /** The log as we were told it. */
  readonly trail = new Trail();
  #turn: Promise<unknown> = Promise.resolve();
  #waiting: { until: () => boolean; resolve: () => void }[] = [];

  constructor(room: Uint8Array, orphans?: Orphans) {
    this.room = room;
    this.orphans = orphans;
  }

  /** Does something with the group when what was asked for before is done. */
  inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(act);
    this.#turn = result.catch(() => {});
    return result;
  }

  /** We are in this group from now on. */
  enter(group: Group, { isNew, nowMs }: { isNew: boolean; nowMs: number }): void {
    if (isNew) this.before.clear();
    const known = isNew ? [group.own] : [group.own, ...this.group?.members ?? []];
    const others = group.members.filter(({ userKey }) =>
      !known.some((member) => equal(member.userKey, userKey))
    );
    this.#noteBefore(others);
    if (isNew) this.orphans?.meet(others);
    else for (const member of others) this.orphans?.clear(member);
    this.orphans?.keepOnly(group.members);
    if (this.group !== group) this.group?.forget();
    this.broken?.forget();
    this.group = group;
    this.broken = undefined;
    this.mustRenew = false;
    this.renewedMs = nowMs;
  }

  /** The log says that this user has joined the room. */
  noteJoined(userKey: Uint8Array): void {
    const key = mapKey(userKey);
    this.#joined.add(key);
    this.departed.delete(key);
    // Who joins has no keys: what of theirs is in the tree is from before, whether or not they had left.
    if (this.#noteMoved(userKey)) this.before.add(key);
    else this.before.delete(key);
  }

  /** The log says that this user has left it. */
  noteLeft(userKey: Uint8Array): void {
    const key = mapKey(userKey);
    this.#joined.delete(key);
    this.departed.delete(key);
    this.departed.add(key);
    this.#noteMoved(userKey);
    if (this.departed.size <= departedMax) return;
    this.departed.delete(this.departed.keys().next().value!);
  }

  /** These have come into the tree. */
  noteAdded(members: readonly GroupMember[]): void {
    this.#noteBefore(members);
    for (const member of members) this.orphans?.clear(member);
  }

  /** This device has put a commit into the log, by which it did not come in anew. */
  noteCommit(author: Pick<GroupMember, "deviceId" | "userKey">, isOurs: boolean): void {
    if (isOurs) this.orphans?.settle();
    else this.orphans?.clear(author);
  }

  #noteBefore(members: readonly GroupMember[]): void {
    for (const { userKey } of members) {
      const key = mapKey(userKey);
      if (!this.#joined.has(key) && !this.departed.has(key)) this.before.add(key);
    }
  }

  /** We are in no group any more. */
  leave(): void {
    this.known = this.group?.members.map(({ userKey }) => userKey) ?? this.known;
    this.group = undefined;
    this.orphans?.keepOnly([]);
    this.mustRenew = false;
  }

  /** Goes on with what was kept. */
  restore({ renewedMs, lastCommit, departed, before, orphans }: KeptState, group: Group): void {
    this.group = group;
    this.renewedMs = renewedMs;
    this.lastCommit = lastCommit.slice();
    for (const key of departed) this.departed.add(key);
    for (const key of before) this.before.add(key);
    this.orphans?.restore(orphans);
  }

  /** What is to be kept; undefined without a group. */
  save(group: Group | undefined = this.group): Uint8Array | undefined {
    if (!group || !this.lastCommit) return undefined;
    const { renewedMs, lastCommit, departed, before } = this;
    const orphans = this.orphans?.all ?? new Set();
    return encodeState({ renewedMs, lastCommit, departed, before, orphans, group: group.save() });
  }

  /** Whether it is certain that this is the group of who invited us. */
  get isConfirmed(): boolean {
    return this.invitation?.generation !== 0;
  }

  /** Which group we may come into. */
  expected(server: Uint8Array): Expected {
    const { room, known, invitation } = this;
    if (known) return { room, server, vouchers: known };
    return { room, server, ...(invitation && { inviter: invitation.inviter }) };
  }

  /** Others' leaves in the tree whose users have left the room, and may be back without the keys. */
  get leftBehind(): GroupMember[] {
    const { group } = this;
    return group?.members.filter((member) =>
      !equal(member.userKey, group.own.userKey) &&
      (this.departed.has(mapKey(member.userKey)) || this.orphans?.has(member))
    ) ?? [];
  }

  /** Whether the log that we have says that this user has left. */
  readonly hasDeparted = (userKey: Uint8Array): boolean => this.departed.has(mapKey(userKey));

  /** The same of whom we take out ourselves. */
  readonly isLeftBehind = (userKey: Uint8Array): boolean =>
    this.leftBehind.some((member) => equal(member.userKey, userKey));

  /** The same of what others do, who may have more of the log. */
  readonly mayHaveDeparted = (userKey: Uint8Array): boolean | "unknown" =>
    this.hasDeparted(userKey) ||
    (this.before.has(mapKey(userKey)) || this.isLeftBehind(userKey)) && "unknown";

  /** Whether something of theirs is in the tree that has no keys any more. */
  #noteMoved(userKey: Uint8Array): boolean {
    return this.orphans?.move(userKey, this.group?.members ?? []) ?? false;
  }

  /** Resolves when it is so; looked at whenever something has {@link changed}. */
  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ until: condition, resolve }));
  }

  /** Something is not as it was: who waits looks again. */
  changed(): void {
    this.#waiting = this.#waiting.filter(({ until, resolve }) => {
      if (!until()) return true;
      resolve();
      return false;
    });
  }
}
