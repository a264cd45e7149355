/**
 * Reads a sealed room's log: opens what was said, and changes the keys as commits say.
 *
 * @module
 */

import { type Applied, type Group, GroupError, type GroupMember } from "../../crypto/group.ts";
import { deviceIdOf, type Identity } from "../../crypto/identity.ts";
import { concat, equal } from "../../protocol/bytes.ts";
import type { Clock } from "../../protocol/clock.ts";
import { decodeCommit } from "../../protocol/commit.ts";
import {
  chainEntry,
  Content,
  decodeCore,
  encodeCore,
  type Epoch,
  Proof,
} from "../../protocol/entry.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { sha256 } from "../../protocol/hash.ts";
import type { Cursor } from "../../protocol/message.ts";
import type { CheckedEntry } from "../room_log.ts";
import type { Profile } from "../store/store.ts";
import type { Groups } from "./groups.ts";
import type { KeysHappening } from "./happenings.ts";
import type { Knocks } from "./knocks.ts";
import { download } from "./objects.ts";
import type { People } from "./people.ts";
import type { Proposals } from "./proposals.ts";
import type { RoomKeys } from "./room_keys.ts";
import type { Server } from "./server.ts";
import { decodeSaid } from "./trail.ts";

/** What reading takes from outside. */
export interface ReadingOptions {
  readonly identity: Identity;
  readonly groups: Groups;
  /** The server's identity key. */
  readonly serverKey: Uint8Array;
  readonly keys: RoomKeys;
  readonly proposals: Proposals;
  readonly knocks: Knocks;
  readonly people: People;
  readonly profile: Profile;
  readonly clock: Clock;
  readonly server: () => Server | undefined;
  readonly tell: (happening: KeysHappening) => void;
  /** Told when the room's keys have been begun anew, by somebody else. */
  readonly onNewGeneration: () => void;
  /** Told that a key package of ours was used, or that somebody was given one that we cannot open. */
  readonly onKeyPackage: (isForeign: boolean) => void;
  /** What we said ourselves, which nobody can open who sealed it: its core, laid open. */
  readonly ownCore: (messageId: Uint8Array) => Uint8Array | undefined;
}

/** What has been read. */
export interface Read {
  /** Those that are for people, opened. */
  readonly entries: CheckedEntry[];
  /** Where the reader stands now; undefined where nothing was read. */
  readonly cursor: Cursor | undefined;
  /** What is to be kept of the keys, and from where on the log has to be read with that. */
  readonly kept: { readonly state: Uint8Array; readonly cursor: Cursor } | undefined;
  /** Why the rest could not be read. */
  readonly failure: unknown;
}

/** What stands in place of an MLS message in the first commit of a generation: there is nobody to tell. */
export const beginning = Uint8Array.of(0);

/** Text that stands for what cannot be opened. */
const unopened = "[this message cannot be opened]";
const astray = "[this was said in another log than this one: the server tells two]";
const notKept = "[you said this; its text is not kept here]";

/** MUST be given every entry once, in order; MUST show nothing that its author's device did not seal. */
export class Reading {
  readonly #options: ReadingOptions;
  readonly #deviceId: Uint8Array;
  #unreadable = 0;
  /** Somebody was told another log, and our user knows. */
  #isForked = false;
  /** Key packages that have let us in, where that is not kept yet. */
  #used: Uint8Array[] = [];

  constructor(options: ReadingOptions) {
    this.#options = options;
    this.#deviceId = deviceIdOf(options.identity.device.publicKey);
  }

  /** Reads entries that have been checked against the log. Never throws. */
  async read(checked: readonly CheckedEntry[]): Promise<Read> {
    const { keys, tell } = this.#options;
    const entries: CheckedEntry[] = [];
    let cursor: Cursor | undefined;
    let kept: Read["kept"];
    let failure: unknown;
    this.#unreadable = 0;
    for (const entry of checked) {
      const end = { seq: entry.seq, hash: chainEntry(entry.previous, entry) };
      try {
        const opened = await keys.inTurn(async () => {
          keys.trail.begin({ seq: entry.seq - 1, hash: entry.previous });
          const opened = await this.#readOne(entry);
          keys.trail.add(end);
          return opened;
        });
        if (opened) entries.push(opened);
      } catch (cause) {
        failure = cause;
        break;
      }
      cursor = end;
      if (entry.core.content !== Content.commit) continue;
      const state = keys.save();
      if (state) kept = { state, cursor };
    }
    if (this.#unreadable > 0) tell({ what: "unreadable", count: this.#unreadable });
    keys.changed();
    return { entries, cursor, kept, failure };
  }

  /** What was read is kept. */
  taken(): void {
    const used = this.#used.splice(0);
    if (used.length === 0) return;
    this.#options.profile.dropKeyPackages(used);
    this.#options.onKeyPackage(false);
  }

  async #readOne(entry: CheckedEntry): Promise<CheckedEntry | undefined> {
    const { keys, people, knocks } = this.#options;
    const { core: { content }, author, verified } = entry;
    if (author?.keys && verified === "signed") people.meet(author.name, author.keys.user);
    switch (content) {
      case Content.joined:
        if (author?.userKey) {
          keys.noteJoined(author.userKey);
          people.meet(author.name, author.userKey);
        }
        return entry;
      case Content.left:
        if (author?.userKey) {
          keys.noteLeft(author.userKey);
          people.meet(author.name, author.userKey);
          knocks.forget(author.userKey);
        }
        return entry;
      case Content.changed:
        return entry;
      case Content.commit:
        await this.#readCommit(entry);
        return undefined;
      case Content.knock:
        await knocks.take(entry);
        return undefined;
      default:
        return await this.#open(entry);
    }
  }

  async #readCommit(entry: CheckedEntry): Promise<void> {
    const { keys, proposals, identity } = this.#options;
    const { core, verified, author, isErased } = entry;
    if (isErased || verified !== "signed" || !core.epoch || !author?.keys) {
      return this.#bad(entry, "It is not signed by who sent it.");
    }
    const { generation, epoch } = core.epoch;
    // Nothing is decided before it is there: should it not come, the entry is read again.
    const mls = proposals.isOurs(core.messageId) ? core.payload : await this.#mlsOf(core.payload);
    const won = proposals.settle(core.messageId);
    const isFollowing = keys.group?.generation === generation && keys.group.epoch === epoch;
    keys.lastCommit = core.messageId.slice();
    const { deviceId } = entry;
    const { user: userKey } = author.keys;
    const isOurs = equal(userKey, identity.user.publicKey);
    if (!won || keys.group) keys.noteCommit({ deviceId, userKey }, isOurs);
    if (won) return this.#enter(won, !keys.group);
    if (equal(mls, beginning) && epoch === 0) return this.#newGeneration(entry, generation);
    if (isFollowing) await this.#accept(entry, mls);
    else if (!keys.group) await this.#tryWelcome(entry, mls);
    else this.#bad(entry, "It was made in another epoch than the one that the log had reached.");
  }

  async #accept(entry: CheckedEntry, mls: Uint8Array): Promise<void> {
    const { keys, tell, knocks, people } = this.#options;
    const group = keys.group!;
    let applied: Applied;
    try {
      const circumstances = { timeMs: entry.timeMs, departed: keys.mayHaveDeparted };
      applied = await group.accept(mls, circumstances);
    } catch (cause) {
      if (!(cause instanceof GroupError)) throw cause;
      return this.#bad(entry, cause.message);
    }
    const nameOf = ({ userKey }: { userKey: Uint8Array }) => people.nameOf(userKey);
    if (applied.isOut) {
      keys.leave();
      return tell({ what: "out", by: nameOf(applied.by) });
    }
    this.#heard(applied.by);
    keys.noteAdded(applied.added);
    knocks.settle(applied.added);
    const added = applied.added.map(nameOf);
    const removed = applied.removed.map(nameOf);
    if (added.length + removed.length === 0) return;
    tell({ what: "changed", by: nameOf(applied.by), added, removed });
  }

  /** The commit may be the one that lets us in. */
  async #tryWelcome(entry: CheckedEntry, mls: Uint8Array): Promise<void> {
    const { identity, groups, serverKey, keys, profile, server, tell, onKeyPackage } =
      this.#options;
    if (!isAdding(groups, mls, this.#deviceId)) return;
    const line = server();
    if (!line) throw new ProtocolError("shutting_down");
    const { room } = keys;
    const author = entry.author!.keys!.user;
    const { hash } = await line.command("welcome", { commit: entry.core.messageId }, room);
    if (!hash) return;
    const welcome = await download(line, room, hash);
    const expected = { inviter: author, ...keys.expected(serverKey) };
    let isOurs = false;
    for (const { ref, saved, place } of profile.keyPackages()) {
      try {
        const group = await groups.join(identity, saved, welcome, expected);
        if (group.generation !== entry.core.epoch!.generation) continue;
        if (place !== "last") this.#used.push(ref);
        return this.#enter(group, true, group.vouchedBy);
      } catch (cause) {
        if (!(cause instanceof GroupError)) throw cause;
        if (cause.reason !== "stranger") continue;
        isOurs = true;
        tell({ what: "failed", why: cause.message });
      }
    }
    if (!isOurs) onKeyPackage(true);
  }

  /** Somebody has begun the room anew, or for the first time. */
  #newGeneration(entry: CheckedEntry, generation: number): void {
    const { keys, tell, people, onNewGeneration } = this.#options;
    const last = keys.group ?? keys.broken;
    if (!last) return; // We are let in by whoever began it.
    const { userKey, name } = { userKey: entry.author!.keys!.user, name: entry.author!.name };
    const may = last.rules.roles.some(({ user, role }) =>
      equal(user, userKey) && (role === "owner" || role === "moderator")
    );
    if (!may || generation !== last.generation + 1) {
      return this.#bad(entry, "Only a moderator begins a room's keys anew.");
    }
    keys.leave();
    keys.broken = undefined;
    tell({ what: "anew", by: people.nameOf(userKey) || name });
    onNewGeneration();
  }

  /** @param voucher who has let us in, unless we have come in by ourselves */
  #enter(group: Group, isNew: boolean, voucher?: GroupMember): void {
    const { keys, knocks, clock, tell } = this.#options;
    keys.enter(group, { isNew, nowMs: clock.now() });
    knocks.settle(group.members);
    if (voucher) this.#confirm(voucher);
    const { isConfirmed } = keys;
    if (isNew) tell({ what: "in", isNew: group.members.length === 1, isConfirmed });
    if (keys.reached && isBefore(group, keys.reached)) tell({ what: "older" });
    keys.reached = undefined;
  }

  /** Somebody has shown that they are in the group; whether that makes certain that it is the right one. */
  #confirm({ userKey }: Pick<GroupMember, "userKey">): boolean {
    const { keys, profile } = this.#options;
    const { invitation, group } = keys;
    if (!invitation || keys.isConfirmed || !group) return false;
    if (!equal(sha256(userKey), invitation.inviter)) return false;
    keys.invitation = { ...invitation, generation: group.generation };
    profile.keepInvitation(keys.invitation);
    return true;
  }

  /** They have done something in the group. */
  #heard(member: Pick<GroupMember, "userKey">): void {
    const { tell, people } = this.#options;
    if (this.#confirm(member)) tell({ what: "confirmed", by: people.nameOf(member.userKey) });
  }

  #bad(entry: CheckedEntry, why: string): void {
    const { keys, tell } = this.#options;
    keys.lastCommit = entry.core.messageId.slice();
    if (!keys.group) return;
    keys.broken = keys.group;
    keys.leave();
    tell({ what: "bad_commit", by: entry.author?.name ?? "somebody", why });
  }

  async #mlsOf(payload: Uint8Array): Promise<Uint8Array> {
    const { server, keys } = this.#options;
    const commit = decodeCommit(payload);
    if ("mls" in commit) return commit.mls;
    const line = server();
    if (!line) throw new ProtocolError("shutting_down");
    return await download(line, keys.room, commit.object.hash);
  }

  async #open(entry: CheckedEntry): Promise<CheckedEntry | undefined> {
    const { keys, people, ownCore } = this.#options;
    const { core, deviceId, isErased } = entry;
    if (isErased) return { ...entry, verified: "unverified" };
    if (equal(deviceId, this.#deviceId)) {
      const own = ownCore(core.messageId);
      if (own) return { ...entry, core: decodeCore(own), verified: "signed" };
      return withText(entry, notKept, "unverified");
    }
    const { group } = keys;
    if (!group && !keys.broken) return void this.#unreadable++;
    const isNow = core.proof === Proof.mls && core.epoch?.epoch === group?.epoch &&
      core.epoch?.generation === group?.generation;
    if (!group || !isNow) return withText(entry, unopened, "failed");
    try {
      const { plaintext, sender } = await group.open(
        core.payload,
        sealingContext(keys.room, deviceId, core.signed),
      );
      const isAuthor = equal(sender.deviceId, deviceId) && sender.role !== "reader" &&
        entry.author?.keys !== undefined && equal(entry.author.keys.user, sender.userKey);
      if (!isAuthor) return withText(entry, unopened, "failed");
      people.meet(entry.author!.name, sender.userKey); // The name is the server's word.
      const { at, payload } = decodeSaid(plaintext);
      if (keys.trail.contradicts(at)) return this.#astray(entry, sender);
      this.#heard(sender);
      keys.orphans?.clear(sender);
      return { ...entry, core: withPayload(entry, payload), verified: "signed" };
    } catch (cause) {
      if (!(cause instanceof GroupError || cause instanceof ProtocolError)) throw cause;
      return withText(entry, unopened, "failed");
    }
  }

  /** It was said, but not in this log: what it answers may be something else. Told once. */
  #astray(entry: CheckedEntry, { userKey }: Pick<GroupMember, "userKey">): CheckedEntry {
    const { people, tell } = this.#options;
    if (!this.#isForked) tell({ what: "forked", by: people.nameOf(userKey) });
    this.#isForked = true;
    return withText(entry, astray, "failed");
  }
}

/** What a sealed payload is bound to, so that it is worth nothing elsewhere. */
export function sealingContext(
  room: Uint8Array,
  deviceId: Uint8Array,
  coreHead: Uint8Array,
): Uint8Array {
  return concat([room, deviceId, coreHead]);
}

function withPayload({ core }: CheckedEntry, payload: Uint8Array): CheckedEntry["core"] {
  return decodeCore(encodeCore({ ...core, proof: Proof.mls, payload }));
}

function withText(
  entry: CheckedEntry,
  text: string,
  verified: CheckedEntry["verified"],
): CheckedEntry {
  const core = decodeCore(encodeCore({
    proof: Proof.mls,
    content: Content.text,
    messageId: entry.core.messageId,
    payload: new TextEncoder().encode(text),
  }));
  return { ...entry, core, verified };
}

/** Whether an epoch does not come after another. */
function isBefore(one: Epoch, other: Epoch): boolean {
  return one.generation < other.generation ||
    one.generation === other.generation && one.epoch <= other.epoch;
}

/** Whether a commit adds this device; false for what is none. */
function isAdding(groups: Groups, mls: Uint8Array, device: Uint8Array): boolean {
  try {
    return groups.addedBy(mls).some(({ deviceId }) => equal(deviceId, device));
  } catch (cause) {
    if (cause instanceof GroupError) return false;
    throw cause;
  }
}
