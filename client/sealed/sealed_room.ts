/**
 * One sealed room of this client: its keys, and what is done with them. The log is read through it, and
 * what is said is sealed by it.
 *
 * @module
 */

import {
  type Group,
  type GroupChange,
  GroupError,
  type GroupMember,
  type GroupRules,
  type Joiner,
} from "../../crypto/group.ts";
import { deviceIdOf, type Identity } from "../../crypto/identity.ts";
import { equal, mapKey } from "../../protocol/bytes.ts";
import { type Clock, pause } from "../../protocol/clock.ts";
import type { RoomInfo } from "../../protocol/command.ts";
import {
  decodeCore,
  encodeCore,
  encodeCoreHead,
  type Epoch,
  messageIdOf,
  Proof,
} from "../../protocol/entry.ts";
import { CutShort, ProtocolError } from "../../protocol/errors.ts";
import {
  admitWaitMs,
  arrivalSlowMs,
  heldUpMs,
  knockWaitMs,
  ownKeysMs,
  sealRetryMs,
  sealRetryMsMax,
} from "../../protocol/limits.ts";
import type { Cursor } from "../../protocol/message.ts";
import { Refused } from "../handshake.ts";
import type { CheckedEntry } from "../room_log.ts";
import type { KeptGroup, OwnMessage, Profile } from "../store/store.ts";
import { Arrival } from "./arrival.ts";
import type { Groups } from "./groups.ts";
import type { KeysHappening } from "./happenings.ts";
import { type Hindrance, intruderText, keysElsewhere } from "./hindrance.ts";
import { decodeState } from "./kept_state.ts";
import { type Knocker, Knocks } from "./knocks.ts";
import { Orphans } from "./orphans.ts";
import type { People } from "./people.ts";
import { Proposals } from "./proposals.ts";
import { type Read, Reading, sealingContext } from "./reading.ts";
import { RoomKeys } from "./room_keys.ts";
import type { Server } from "./server.ts";
import { encodeSaid } from "./trail.ts";

/** What a sealed room takes from outside. */
export interface SealedRoomOptions {
  readonly identity: Identity;
  readonly groups: Groups;
  /** The server's identity key. */
  readonly serverKey: Uint8Array;
  readonly profile: Profile;
  readonly people: People;
  readonly clock: Clock;
  readonly random: () => number;
  readonly tell: (room: Uint8Array, happening: KeysHappening) => void;
  /** What we said ourselves and is not in the log yet: its core, laid open. */
  readonly ownCore: (messageId: Uint8Array) => Uint8Array | undefined;
  /** How long something may wait to be sealed; for ever where it is not given. */
  readonly giveUpMs?: number;
  /** Told when something has waited for long, and when it has waited for as long as it may. */
  readonly onHeldUp: (room: SealedRoom, hindrance: Hindrance, isTooLong: boolean) => void;
  /** Told that a key package of ours was used, or that somebody was given one that we cannot open. */
  readonly onKeyPackage: (isForeign: boolean) => void;
  /** Told of what nobody can do anything about but a reader of the log. */
  readonly onFault: (cause: unknown) => void;
}

/** MUST seal with keys of the epoch that the log has reached; MUST keep what it sends before that. */
export class SealedRoom {
  readonly keys: RoomKeys;
  readonly knocks: Knocks;
  info: RoomInfo;
  readonly #options: SealedRoomOptions;
  readonly #deviceId: Uint8Array;
  readonly #proposals: Proposals;
  readonly #reading: Reading;
  readonly #arrival: Arrival;
  /** The session that reads the room … */
  #reader: Server | undefined;
  /** … and the same, once all of the log has been read: then something may be sent. */
  #server: Server | undefined;
  #sending: Promise<void> = Promise.resolve();
  /** What was to be sent before the room was attached. */
  #early: OwnMessage[] = [];
  /** The server says that the log is beyond this epoch. */
  #stale: Epoch | undefined;
  /** The session in which we are getting the keys. */
  #arriving: Server | undefined;
  #isClean = false;
  /** The next key is being used. */
  #isSealing = false;
  /** Where the log has to be read from to bring what was kept up to date. */
  #resumeAt: Cursor | undefined;
  #isAdding = false;
  /** Knockers of whom a moderator, who uses this client, was told. */
  readonly #told = new WeakSet<Knocker>();
  /** Messages as they were sealed last, by message id. */
  readonly #sealed = new Map<string, Uint8Array>();
  /** Who was in the generation before, which we have begun anew: they may come in, by {@link mapKey}. */
  #former: ReadonlySet<string> = new Set();

  /** @param orphans of a room of two, as they were when we were in it last */
  constructor(info: RoomInfo, options: SealedRoomOptions, orphans?: Orphans) {
    const { identity, groups, profile, clock, tell } = options;
    this.info = info;
    this.#options = options;
    this.#deviceId = deviceIdOf(identity.device.publicKey);
    this.keys = new RoomKeys(info.id, info.direct ? orphans ?? new Orphans() : undefined);
    this.keys.invitation = profile.invitations().find(({ room }) => equal(room, info.id));
    this.knocks = new Knocks(groups, (knocker) => this.#onKnock(knocker));
    const shared = {
      ...options,
      keys: this.keys,
      server: () => this.#server,
      tell: (happening: KeysHappening) => tell(info.id, happening),
    };
    this.#proposals = new Proposals({
      identity,
      groups,
      keys: this.keys,
      profile,
      clock,
      server: shared.server,
    });
    this.#reading = new Reading({
      ...shared,
      server: () => this.#reader,
      knocks: this.knocks,
      proposals: this.#proposals,
      onNewGeneration: () => this.#arrive(),
    });
    this.#arrival = new Arrival({
      ...shared,
      knocks: this.knocks,
      proposals: this.#proposals,
    });
  }

  /** Goes on with what was kept. */
  async restore({ state, cursor, isClean, staged }: KeptGroup): Promise<void> {
    if (state) {
      const { identity, groups } = this.#options;
      const kept = decodeState(state);
      this.keys.restore(kept, await groups.restore(identity, kept.group));
      this.#isClean = isClean;
      this.keys.mustRenew = !isClean;
      this.#resumeAt = cursor;
      this.keys.trail.begin(cursor);
    }
    if (staged) await this.#proposals.restore(staged);
  }

  /** Resolves when we have the keys. */
  hasKeys(): Promise<void> {
    return this.keys.until(() => this.keys.group !== undefined);
  }

  /** Whether this is a room of two, and the other one could not read what is said now. */
  get isAlone(): boolean {
    const { group } = this.keys;
    if (!this.info.direct || !group) return false;
    const { leftBehind } = this.keys;
    return group.members.every((member) =>
      equal(member.userKey, group.own.userKey) || leftBehind.includes(member)
    );
  }

  /** Resolves when the log was read up to an entry. */
  hasRead(seq: number): Promise<void> {
    return this.keys.until(() => (this.keys.trail.end?.seq ?? 0) >= seq);
  }

  /** Where the log has to be read from, if not from where its reader stands. */
  get resumeAt(): Cursor | undefined {
    return this.#resumeAt;
  }

  /** Opens entries and follows the commits among them; see {@link Reading}. */
  async read(entries: readonly CheckedEntry[]): Promise<Read> {
    const before = this.keys.group;
    const read = await this.#reading.read(entries);
    if (read.cursor) this.#resumeAt = undefined;
    if (before && !this.keys.group) this.#lost();
    if (this.keys.group && this.keys.group !== before) this.#haveKeys();
    const [intruder] = read.kept ? this.#intruders : [];
    if (intruder) this.#tellOfIntruder(intruder);
    return read;
  }

  /**
   * What was read is kept.
   *
   * @param isDropped whether a commit that was staged went with that
   */
  taken(isDropped: boolean): void {
    this.#reading.taken();
    this.#proposals.conclude(isDropped);
  }

  /** A session begins to read the room. */
  joined(server: Server): void {
    this.#reader = server;
  }

  /** It has read what there was. */
  attached(server: Server): void {
    if (this.#server === server) return;
    this.#server = server;
    for (const message of this.#early.splice(0)) this.send(message);
    this.#proposals.send();
    this.#arrive();
    this.#haveKeys(); // They may be waiting still.
    this.keys.changed();
  }

  /** The session is gone. */
  detached(): void {
    this.#reader = undefined;
    this.#server = undefined;
    this.#early = [];
    this.#sending = Promise.resolve();
    this.keys.changed();
  }

  /** We have asked to leave it, or stay after all. */
  leaving(isLeaving: boolean): void {
    this.#proposals.hold(isLeaving);
  }

  /** We are in the room no more. */
  left(): void {
    this.detached();
    this.#proposals.abandon();
  }

  /** Keeps the keys as they are, at an orderly end; the log is read on from the cursor. */
  keep(cursor: Cursor): void {
    const state = this.keys.save();
    const isClean = !this.keys.mustRenew && !this.#isSealing;
    if (state && !this.#proposals.isUnderWay && !this.#resumeAt) {
      this.#options.profile.keepGroup(this.keys.room, state, cursor, isClean);
    }
  }

  /**
   * The log goes on elsewhere: keys that follow it are not to be had from it. Those that we had stay kept
   * until there are others: from them we know who may vouch for those.
   */
  reset(): void {
    const { group } = this.keys;
    if (group) this.keys.reached = { generation: group.generation, epoch: group.epoch };
    this.keys.leave();
    this.#sealed.clear(); // With keys of a log that is not there.
    this.#options.profile.stage(this.keys.room, undefined);
    this.#arrive();
  }

  /** Seals and sends a message, after those before it. */
  send(message: OwnMessage): void {
    const server = this.#server;
    if (!server) return void this.#early.push(message);
    this.#sending = this.#sending.then(() => this.#sendInTime(message, server))
      .catch((cause) => this.#explain(cause));
  }

  /** This message is in the log, or given up. */
  settle(messageId: Uint8Array): void {
    this.#sealed.delete(mapKey(messageId));
  }

  /** The server says that a message was sealed in an epoch that is over. */
  stale(messageId: Uint8Array): void {
    const sealed = this.#sealed.get(mapKey(messageId));
    this.#stale = sealed && decodeCore(sealed).epoch;
  }

  /**
   * Changes the group.
   *
   * @throws {GroupError} when its rules speak against it
   * @throws {Refused} when the server does, or there are no keys
   */
  async change(make: (group: Group) => GroupChange | undefined): Promise<void> {
    if (!this.keys.group) throw new Refused("no_keys", "You do not have this room's keys yet.");
    await this.#proposals.commit(() => make(this.keys.group!));
  }

  /** Lets in who has knocked, on our own word: an invitation may be no longer good, and is not asked for. */
  async admit(name: string): Promise<boolean> {
    const knockers = this.knocks.all.filter((knocker) => isNamed(knocker.name, name))
      .map(({ deviceId, keyPackage }) => ({ deviceId, keyPackage }));
    if (knockers.length === 0) return false;
    await this.change((group) => ({ add: absent(group, knockers) }));
    return true;
  }

  /** Gives keys to who is in a room of two: what they had before they left is gone, and taken out first. */
  async giveKeys(name: string): Promise<void> {
    await this.change(() => {
      const remove = this.#leavesBehind;
      return remove.length > 0 ? { remove } : undefined;
    });
    await this.addByName(name);
  }

  /** Adds a user who need not be here, by what their devices have left with the server. */
  async addByName(name: string): Promise<void> {
    const packages = await this.#packagesOf(name);
    if (packages.length === 0) {
      throw new Refused(
        "no_keys",
        `${name} has left no keys with the server yet, and is not here. Try again when ${name} is.`,
      );
    }
    const { hasDeparted } = this.keys;
    await this.change((group) => {
      const joiners = absent(group, packages.filter(({ userKey }) => !hasDeparted(userKey)));
      return joiners.length > 0 ? this.#addition(group, joiners) : undefined;
    });
  }

  /** A room of two both own: whoever of them stays lets the other one in again. */
  #addition(
    { rules, own }: Group,
    joiners: readonly (Joiner & Pick<GroupMember, "userKey">)[],
  ): GroupChange {
    if (!this.info.direct || own.role !== "owner") return { add: joiners };
    const owners = [own, ...joiners].map(({ userKey }) => userKey)
      .filter((user, at, all) => all.findIndex((other) => equal(other, user)) === at)
      .map((user) => ({ user, role: "owner" as const }));
    return { add: joiners, rules: { ...rules, roles: owners } };
  }

  /** Asks who the members are of whom the log that we have does not tell: they came before us. */
  async meetMembers(): Promise<void> {
    const { people } = this.#options;
    const unmet = this.keys.group?.members.filter(({ userKey }) => !people.isMet(userKey)) ?? [];
    if (unmet.length === 0) return;
    const persons = await this.#online().personsOf(unmet.map(({ deviceId }) => deviceId));
    for (const { name, keys } of persons) if (keys) people.meet(name, keys.user);
    this.keys.changed();
  }

  async #packagesOf(name: string): Promise<(Joiner & Pick<GroupMember, "deviceId" | "userKey">)[]> {
    const { groups, people } = this.#options;
    const { packages } = await this.#online().command("take", { user: name });
    const found = [];
    for (const { package: keyPackage } of packages) {
      const { deviceId, userKey } = await groups.readKeyPackage(keyPackage);
      people.meet(name, userKey);
      const known = people.named(name);
      if (known && equal(known.userKey, userKey)) found.push({ deviceId, userKey, keyPackage });
    }
    return found;
  }

  /** What speaks against it now may not do so later. */
  async #sendInTime(message: OwnMessage, server: Server): Promise<void> {
    const { clock } = this.#options;
    for (let waitMs = sealRetryMs;; waitMs = Math.min(2 * waitMs, sealRetryMsMax)) {
      try {
        return await this.#sealAndSend(message, server);
      } catch (cause) {
        const isLost = cause instanceof GroupError && cause.reason === "gone"; // That was told.
        if (waitMs === sealRetryMs && !isLost) this.#explain(cause);
      }
      await pause(clock, waitMs);
    }
  }

  async #sealAndSend(message: OwnMessage, server: Server): Promise<void> {
    const isGone = () => this.#server !== server;
    const { profile } = this.#options;
    while (!isGone()) {
      await this.#untilReady(isGone);
      if (isGone()) return;
      const isFresh = await this.#freshen();
      if (!isFresh) continue;
      const core = await this.keys.inTurn(async () => {
        if (isGone() || !this.#canSeal || this.keys.mustRenew) return;
        if (this.keys.leftBehind.length > 0) return;
        return await this.#seal(message, this.keys.group!);
      });
      if (!core || isGone()) continue;
      const messageId = messageIdOf(message.core);
      if (core !== this.#sealed.get(mapKey(messageId))) {
        profile.keepSealed(messageId, core);
        this.#sealed.set(mapKey(messageId), core);
      }
      return server.publish(this.keys.room, core);
    }
  }

  /** Resolves when something may be sealed, or the session is gone. A long wait is told. */
  async #untilReady(isGone: () => boolean): Promise<void> {
    const { clock, giveUpMs, onHeldUp } = this.#options;
    const tell = (isTooLong: boolean) => () => {
      const hindrance = this.#hindrance;
      if (hindrance) onHeldUp(this, hindrance, isTooLong);
    };
    const timers = [clock.timer(heldUpMs, tell(false))];
    if (this.isAlone) this.#letOtherIn().catch((cause) => this.#explain(cause));
    if (giveUpMs !== undefined) timers.push(clock.timer(giveUpMs, tell(true)));
    await this.keys.until(() => isGone() || this.#canSeal);
    for (const cancel of timers) cancel();
  }

  /** Who is back in a room of two gets the keys before anything is said to them, if they have left some. */
  async #letOtherIn(): Promise<void> {
    const name = this.info.name.replace(/^@/, "");
    const person = this.#options.people.named(name);
    if (person && this.keys.hasDeparted(person.userKey)) return; // They are not back.
    await this.giveKeys(name);
  }

  /** Whether what is sealed now may be taken by the log. */
  get #canSeal(): boolean {
    const { group } = this.keys;
    return group !== undefined && !this.#proposals.isUnderWay &&
      !(group.epoch === this.#stale?.epoch && group.generation === this.#stale.generation) &&
      this.#hindrance === undefined;
  }

  /** Who is in a room of two, and neither of them. */
  get #intruders(): GroupMember[] {
    const { info, keys: { group } } = this;
    if (!info.direct || !group) return [];
    const other = this.#options.people.named(info.name.replace(/^@/, ""))?.userKey;
    return group.members.filter(({ userKey }) =>
      !equal(userKey, group.own.userKey) && !(other && equal(userKey, other))
    );
  }

  /** What holds up what is said until somebody does something about it. */
  get #hindrance(): Hindrance | undefined {
    const { people } = this.#options;
    if (!this.keys.group) return { what: "no_keys" };
    const member = this.keys.group.members.find(({ userKey }) => people.isDoubtful(userKey));
    if (member) return { what: "doubtful", name: people.nameOf(member.userKey) };
    const [intruder] = this.#intruders;
    if (intruder) return { what: "intruder", name: people.nameOf(intruder.userKey) };
    return this.isAlone ? { what: "alone" } : undefined;
  }

  /** Begins an epoch where this one must not be used, or our own keys are old; false when it did. */
  async #freshen(): Promise<boolean> {
    const isDue = () => this.keys.mustRenew || this.keys.leftBehind.length > 0 || this.#areKeysOld;
    if (!isDue()) return true;
    await this.#proposals.commit(() => isDue() ? { remove: this.#leavesBehind } : undefined);
    return false;
  }

  get #leavesBehind(): number[] {
    return this.keys.leftBehind.map(({ leaf }) => leaf);
  }

  /** Who has got at our keys may open what is said for so long. */
  get #areKeysOld(): boolean {
    const ageMs = this.#options.clock.now() - this.keys.renewedMs;
    return Math.abs(ageMs) >= ownKeysMs; // Less than none: the clock was wrong, then or now.
  }

  /** A message's core, sealed in the group's epoch; the one it has already where that is of this epoch. */
  async #seal(message: OwnMessage, group: Group): Promise<Uint8Array> {
    const { generation, epoch } = group;
    const { content, messageId, target, payload } = decodeCore(message.core);
    const before = this.#sealed.get(mapKey(messageId)) ?? message.sealed;
    if (before) {
      this.#sealed.set(mapKey(messageId), before);
      const { epoch: of } = decodeCore(before);
      if (of?.epoch === epoch && of.generation === generation) return before;
    }
    if (this.#isClean) this.#noLongerClean();
    const draft = {
      proof: Proof.mls,
      content,
      messageId,
      ...(target && { target }),
      epoch: { generation, epoch },
      payload,
    };
    const context = sealingContext(this.keys.room, this.#deviceId, encodeCoreHead(draft));
    this.#isSealing = true;
    const said = encodeSaid(this.keys.trail.end!, payload);
    const sealed = await group.seal(said, context).finally(() => this.#isSealing = false);
    return encodeCore({ ...draft, payload: sealed });
  }

  /** From now on what was kept at the last end must not seal again. */
  #noLongerClean(): void {
    const { profile } = this.#options;
    const kept = profile.groups().find(({ room }) => equal(room, this.keys.room));
    if (kept?.state) profile.keepGroup(kept.room, kept.state, kept.cursor, false);
    this.#isClean = false;
  }

  /** Gets the keys, in the background, unless there are some. */
  #arrive(): void {
    const { profile, clock, tell } = this.#options;
    const server = this.#server;
    if (!server || this.#arriving === server || this.keys.group || this.keys.broken) return;
    if (!profile.isKept) {
      return tell(this.keys.room, { what: "failed", why: keysElsewhere });
    }
    const isGone = () => this.#server !== server;
    const isWaiting = () => this.#arriving === server && !this.keys.group && !isGone();
    clock.timer(arrivalSlowMs, () => { // Whatever keeps us out: nobody should wait without knowing.
      if (isWaiting()) tell(this.keys.room, { what: "slow" });
    });
    this.#arriving = server;
    this.#arrival.arrive(server, this.info, isGone).catch((cause) => this.#explain(cause))
      .finally(() => {
        if (this.#arriving === server) this.#arriving = undefined;
      });
  }

  #haveKeys(): void {
    for (const knocker of this.knocks.all) this.#onKnock(knocker);
    this.meetMembers().catch((cause) => this.#explain(cause));
  }

  #tellOfIntruder({ userKey }: GroupMember): void {
    const { people, tell } = this.#options;
    const why = intruderText(this.info.name, people.nameOf(userKey));
    tell(this.keys.room, { what: "failed", why });
  }

  /** The keys are gone: the group has ended, or we were taken out of it. */
  #lost(): void {
    const { profile, clock, random } = this.#options;
    const { broken } = this.keys;
    // What a broken group was stays kept, for whoever begins it anew: after a crash it is read again.
    if (!broken) {
      profile.dropGroup(this.keys.room);
      // Unless it was for good, and the server says so in a moment.
      return void clock.timer(knockWaitMs, () => this.#arrive());
    }
    if (!isModerator(broken)) return;
    void (async () => {
      await pause(clock, admitWaitMs * (1 + 4 * random()));
      if (this.keys.broken === broken && !this.keys.group) await this.#beginAnew(broken);
    })().catch((cause) => this.#explain(cause));
  }

  /** Starts the next generation, with those who were in the last one. */
  async #beginAnew(last: Group): Promise<void> {
    const { people } = this.#options;
    const stays = (user: Uint8Array) => !this.keys.departed.has(mapKey(user));
    const rules: GroupRules = {
      server: last.rules.server,
      roles: last.rules.roles.filter(({ user }) => stays(user)),
      invitations: last.rules.invitations,
    };
    const others = last.members.filter(({ userKey }) =>
      stays(userKey) && !equal(userKey, last.own.userKey)
    );
    this.#former = new Set(others.map(({ userKey }) => mapKey(userKey)));
    await this.#arrival.begin(last.generation + 1, withOwn(rules, last));
    for (const { userKey } of others) {
      if (!stays(userKey)) continue; // They have gone meanwhile.
      const name = people.nameOf(userKey);
      await this.addByName(name).catch((cause) => this.#explain(cause));
    }
  }

  /** Who knocks is let in by whoever is here, if an invitation entitles them to it. */
  #onKnock(knocker: Knocker): void {
    const { clock, random } = this.#options;
    const { group } = this.keys;
    if (!group || group.memberOf(knocker.deviceId)) return;
    if (!knocker.warrant && !this.#isExpected(knocker)) return this.#leaveToModerator(knocker);
    if (this.#isAdding) return;
    this.#isAdding = true;
    clock.timer(admitWaitMs * (0.2 + random()), () => {
      this.#addKnockers().catch((cause) => this.#explain(cause))
        .finally(() => this.#isAdding = false);
    });
  }

  /** No invitation entitles them to it, or none that is still good. */
  #leaveToModerator(knocker: Knocker): void {
    const { group, room } = this.keys;
    if (!group || !isModerator(group) || this.#told.has(knocker)) return;
    this.#told.add(knocker);
    this.#options.tell(room, { what: "knock", name: knocker.name });
  }

  /** In a room of two the other one may always come in, and whom we have lost by beginning anew. */
  #isExpected({ name, userKey }: Knocker): boolean {
    if (this.#former.has(mapKey(userKey))) return true;
    const known = this.#options.people.named(name);
    return this.info.direct && this.info.name === `@${name}` && known !== undefined &&
      equal(known.userKey, userKey);
  }

  async #addKnockers(): Promise<void> {
    const { clock } = this.#options;
    while (this.keys.group && this.#server) {
      const group = this.keys.group;
      const entitled = await this.knocks.entitled(group, clock.now());
      const expected = this.knocks.all.filter((knocker) => this.#isExpected(knocker));
      const all = [...entitled, ...expected];
      for (const knocker of absent(group, this.knocks.all)) {
        if (!all.includes(knocker)) this.#leaveToModerator(knocker);
      }
      if (absent(group, all).length === 0) return;
      await this.#proposals.commit(() => {
        const waiting = this.knocks.all; // Some may have left.
        const still = all.filter((knocker) => waiting.includes(knocker));
        const add = this.keys.group ? absent(this.keys.group, still) : [];
        return add.length > 0 ? this.#addition(this.keys.group!, add) : undefined;
      });
      await pause(clock, 0);
    }
  }

  #online(): Server {
    if (this.#server) return this.#server;
    throw new Refused("offline", "Not connected right now.");
  }

  /** What went wrong in the background is told, unless it goes on by itself with the next session. */
  #explain(cause: unknown): void {
    const { tell, onFault } = this.#options;
    if (cause instanceof CutShort || cause instanceof Refused && cause.code === "offline") return;
    const isForPeople = cause instanceof GroupError || cause instanceof Refused ||
      cause instanceof ProtocolError; // A server that lies is no reason to end.
    if (isForPeople) tell(this.keys.room, { what: "failed", why: cause.message });
    else onFault(cause);
  }
}

function isNamed(name: string, typed: string): boolean {
  return name.toLowerCase() === typed.replace(/^@/, "").toLowerCase();
}

function isModerator({ own: { role } }: Group): boolean {
  return role === "owner" || role === "moderator";
}

/** Those of them who are not in the group. */
function absent<T extends { deviceId: Uint8Array }>(group: Group, joiners: readonly T[]): T[] {
  return joiners.filter(({ deviceId }) => !group.memberOf(deviceId));
}

/** Whoever begins a room anew has at least the role that they had. */
function withOwn(rules: GroupRules, last: Group): GroupRules {
  const { userKey: user, role } = last.own;
  const others = rules.roles.filter((each) => !equal(each.user, user));
  return { ...rules, roles: [...others, { user, role }] };
}
