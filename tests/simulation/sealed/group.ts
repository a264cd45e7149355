/**
 * A stand-in for MLS (crypto/group.ts): epochs, trees and keys are plain data that only the bytes which
 * stand for them lead to. It is no secret to anybody, and about a thousand times cheaper; but a wrong
 * key, epoch or place fails as it would, rules are enforced by the same policy, and nothing is sealed
 * with a key that has sealed before without the {@link Ledger} knowing.
 *
 * @module
 */

import {
  type Applied,
  type Circumstances,
  type Expected,
  type Group,
  type GroupChange,
  GroupError,
  type GroupMember,
  type GroupRules,
  type Staged,
} from "../../../crypto/group.ts";
import {
  type Newcomer,
  type Proposed,
  refusal,
  roleOf,
  rulesAfter,
  staying,
  withReaders,
} from "../../../crypto/group/policy.ts";
import { checkExpected as checkGroup } from "../../../crypto/group/expected.ts";
import { isSameRules } from "../../../crypto/group/rules.ts";
import { groupIdOf, isWarranted, warrant as signWarrant } from "../../../crypto/group/warrant.ts";
import { deviceIdOf, type Identity, importSigningKey } from "../../../crypto/identity.ts";
import { equal, mapKey } from "../../../protocol/bytes.ts";
import { sha256 } from "../../../protocol/hash.ts";
import type { Groups } from "../../../client/sealed/groups.ts";
import type { Mortal } from "../mortal.ts";
import type { Random } from "../random.ts";
import type { World } from "../world.ts";

/** A device in a tree. */
export interface Leaf {
  readonly userKey: Uint8Array;
  readonly deviceKey: Uint8Array;
  readonly deviceId: Uint8Array;
  readonly invitation: Uint8Array | undefined;
  /** Whoever has this number can follow commits as this leaf. */
  readonly key: number;
}

/** An epoch of a group: its number stands for its secret. */
export interface Epoch {
  readonly secret: number;
  readonly room: Uint8Array;
  readonly generation: number;
  readonly epoch: number;
  readonly rules: GroupRules;
  readonly leaves: ReadonlyMap<number, Leaf>;
}

/** What bytes stand for. */
type Thing =
  | { readonly kind: "commit"; readonly commit: Commit }
  | { readonly kind: "info"; readonly epoch: Epoch; readonly signer: number }
  | {
    readonly kind: "welcome";
    readonly epoch: Epoch;
    readonly signer: number;
    readonly joiners: readonly Joining[];
  }
  | { readonly kind: "package"; readonly leaf: Leaf; readonly init: number }
  | { readonly kind: "state"; readonly state: State }
  | {
    readonly kind: "message";
    readonly epoch: Epoch;
    readonly leaf: number;
    readonly number: number;
    readonly plaintext: Uint8Array;
    readonly context: Uint8Array;
  };

/** A commit, as everybody sees it; its secret only who was in the epoch before it or is welcomed. */
export interface Commit {
  readonly from: Epoch;
  /** Its leaf; undefined where somebody comes in by themselves. */
  readonly committer: number | undefined;
  readonly added: readonly { readonly leaf: Leaf; readonly warrant: Uint8Array | undefined }[];
  readonly removed: readonly number[];
  readonly rules: GroupRules | undefined;
  readonly to: Epoch;
  /** The leaf of its author in the epoch that it begins. */
  readonly author: number;
}

interface Joining {
  readonly init: number;
  readonly leaf: number;
}

/** What a member knows. */
interface State {
  readonly epoch: Epoch;
  readonly leaf: number;
  readonly key: number;
  /** The number of the next message of ours. */
  readonly next: number;
  /** Messages that were opened, each once. */
  readonly opened: ReadonlySet<string>;
}

/** How many bytes stand for something at least: a kind, a number, and chance. */
const headBytes = 8;

/** All groups of one world, and what was ever done with their keys. */
export class Ledger {
  readonly #world: World;
  readonly #random: Random;
  readonly #things: Thing[] = [];
  readonly #byHash = new Map<string, Thing>();
  readonly #used = new Set<string>();
  /** So large may commits and welcomes be. */
  readonly #bytesMax: number;
  #numbers = 0;
  /** Messages sealed. */
  sealed = 0;

  constructor(world: World, random: Random, bytesMax: number) {
    this.#world = world;
    this.#random = random;
    this.#bytesMax = bytesMax;
  }

  /** The groups of one process. */
  groups(life: Mortal): Groups {
    const pause = () => this.#pause(life);
    // deno-lint-ignore no-explicit-any -- the stand-in is no subclass, which private fields would ask for
    const as = <T>(value: any): T => value;
    return {
      create: async (...args) => as(await StandIn.create(this, pause, ...args)),
      restore: async (...args) => as(await StandIn.restore(this, pause, ...args)),
      join: async (...args) => as(await StandIn.join(this, pause, ...args)),
      enter: async (...args) => as(await StandIn.enter(this, pause, ...args)),
      newKeyPackage: async (identity, invitation) => {
        await pause();
        const thing = {
          kind: "package" as const,
          leaf: this.newLeaf(identity, invitation),
          init: this.number(),
        };
        return { keyPackage: this.write(thing), saved: this.write(thing) };
      },
      readKeyPackage: async (bytes) => {
        await pause();
        const { leaf: { userKey, deviceKey, deviceId, invitation } } = this.read("package", bytes);
        return { userKey, deviceKey, deviceId, ...(invitation && { invitation }) };
      },
      addedBy: (bytes) => {
        const { commit: { committer, added, to, author } } = this.read("commit", bytes);
        const leaves = committer === undefined
          ? [to.leaves.get(author)!]
          : added.map(({ leaf }) => leaf);
        return leaves.map(({ userKey, deviceKey, deviceId }) => ({ userKey, deviceKey, deviceId }));
      },
      isEntitled: async (group, { keyPackage, warrant }, timeMs) => {
        await pause();
        const { leaf } = this.read("package", keyPackage);
        if (!leaf.invitation || !warrant) return false;
        const { room, generation, members, rules } = group;
        const newcomer = await toNewcomer(leaf, warrant, room, generation);
        const proposed = {
          committer: undefined,
          newcomers: [newcomer],
          removed: [],
          rules: undefined,
        };
        const circumstances = { timeMs, departed: () => false };
        return refusal({ members, rules }, proposed, circumstances) === undefined;
      },
    };
  }

  /** The last number that was used. */
  get newest(): number {
    return this.#numbers;
  }

  /** A number that was not used before. */
  number(): number {
    return ++this.#numbers;
  }

  newLeaf({ user, device }: Identity, invitation: Uint8Array | undefined): Leaf {
    return {
      userKey: user.publicKey,
      deviceKey: device.publicKey,
      deviceId: deviceIdOf(device.publicKey).slice(),
      invitation: invitation?.slice(),
      key: this.number(),
    };
  }

  /** Bytes that stand for something. */
  write(thing: Thing): Uint8Array<ArrayBuffer> {
    const isLarge = thing.kind === "commit" || thing.kind === "welcome" || thing.kind === "info";
    const length = headBytes + Math.floor(this.#random.scale(1, isLarge ? this.#bytesMax : 64));
    const bytes = new Uint8Array(length);
    const view = new DataView(bytes.buffer);
    bytes[0] = 0xa5;
    view.setUint32(1, this.#things.length);
    view.setUint16(5, this.#random.int(0, 0xffff));
    this.#things.push(thing);
    this.#byHash.set(mapKey(sha256(bytes)), thing);
    return bytes;
  }

  /** @throws {GroupError} invalid, when bytes stand for nothing of that kind */
  read<Kind extends Thing["kind"]>(kind: Kind, bytes: Uint8Array): Extract<Thing, { kind: Kind }> {
    const thing = this.find(bytes);
    if (thing?.kind !== kind) throw new GroupError("invalid", `This is no ${kind}.`);
    return thing as Extract<Thing, { kind: Kind }>;
  }

  /** What bytes stand for, if anything. */
  find(bytes: Uint8Array): Thing | undefined {
    return this.#byHash.get(mapKey(sha256(bytes)));
  }

  /** What an object of this hash stands for. */
  findHash(hash: Uint8Array): Thing | undefined {
    return this.#byHash.get(mapKey(hash));
  }

  /** One key seals one message. */
  use({ secret, generation, epoch }: Epoch, leaf: number, number: number): void {
    const key = `${secret} ${leaf} ${number}`;
    this.sealed++;
    this.#world.check(
      !this.#used.has(key),
      () => `A key was used twice: of epoch ${generation}.${epoch}, leaf ${leaf}, number ${number}`,
    );
    this.#used.add(key);
  }

  /** Every step takes its time; of a process that has ended nothing comes any more. */
  async #pause(life: Mortal): Promise<void> {
    await this.#world.pause(this.#random.scale(0.01, 5));
    if (!life.isAlive) await new Promise(() => {});
  }
}

/** A member's end of a group; see crypto/group.ts. */
export class StandIn {
  readonly #ledger: Ledger;
  readonly #pause: () => Promise<void>;
  readonly #leaf: number;
  readonly #signer: number | undefined;
  #key: number;
  #epoch: Epoch;
  #isGone = false;
  #next: number;
  #opened: Set<string>;
  #turn: Promise<unknown> = Promise.resolve();
  #members: readonly GroupMember[] | undefined;

  private constructor(
    ledger: Ledger,
    pause: () => Promise<void>,
    { epoch, leaf, key, next, opened }: State,
    signer?: number,
  ) {
    this.#ledger = ledger;
    this.#pause = pause;
    this.#leaf = leaf;
    this.#signer = signer;
    this.#key = key;
    this.#epoch = epoch;
    this.#next = next;
    this.#opened = new Set(opened);
  }

  static async create(
    ledger: Ledger,
    pause: () => Promise<void>,
    identity: Identity,
    room: Uint8Array,
    generation: number,
    rules: GroupRules,
  ): Promise<StandIn> {
    await pause();
    const leaf = ledger.newLeaf(identity, undefined);
    const secret = ledger.number();
    const leaves = new Map([[0, leaf]]);
    const epoch = { secret, room: room.slice(), generation, epoch: 0, rules, leaves };
    return new StandIn(ledger, pause, fresh(epoch, 0));
  }

  static async restore(
    ledger: Ledger,
    pause: () => Promise<void>,
    identity: Identity,
    saved: Uint8Array,
  ): Promise<StandIn> {
    await pause();
    const { state } = ledger.read("state", saved);
    const group = new StandIn(ledger, pause, state);
    if (!equal(group.own.deviceKey, identity.device.publicKey)) {
      throw new GroupError("invalid", "The kept group is another device's.");
    }
    return group;
  }

  static async join(
    ledger: Ledger,
    pause: () => Promise<void>,
    _identity: Identity,
    saved: Uint8Array,
    welcome: Uint8Array,
    expected: Expected,
  ): Promise<StandIn> {
    await pause();
    const { init } = ledger.read("package", saved);
    const { epoch, signer, joiners } = ledger.read("welcome", welcome);
    const ours = joiners.find((joiner) => joiner.init === init);
    if (!ours) throw new GroupError("invalid", "The welcome is for somebody else.");
    checkExpected(epoch, expected, signer);
    return new StandIn(ledger, pause, fresh(epoch, ours.leaf), signer);
  }

  static async enter(
    ledger: Ledger,
    pause: () => Promise<void>,
    identity: Identity,
    groupInfo: Uint8Array,
    expected: Expected,
    timeMs: number,
    secret?: Uint8Array,
  ): Promise<Staged> {
    await pause();
    const { epoch, signer } = ledger.read("info", groupInfo);
    checkExpected(epoch, expected, signer);
    const members = membersOf(epoch);
    const { user, device } = identity;
    const ours = members.filter(({ userKey }) => equal(userKey, user.publicKey));
    const former = ours.find(({ deviceKey }) => equal(deviceKey, device.publicKey)) ??
      (secret ? undefined : ours[0]);
    if (!former && !secret) {
      throw new GroupError("policy", "Only who is in the group comes back uninvited.");
    }
    const invitation = former
      ? former.invitation
      : (await importSigningKey(secret!.slice())).publicKey;
    const leaf = ledger.newLeaf(identity, invitation);
    const warrant = former
      ? undefined
      : await signWarrant(secret!, epoch.room, epoch.generation, leaf);
    const newcomer = await toNewcomer(leaf, warrant, epoch.room, epoch.generation);
    const removed = former ? [former] : [];
    const proposed = { committer: undefined, newcomers: [newcomer], removed, rules: undefined };
    refuse(refusal({ members, rules: epoch.rules }, proposed, { timeMs, departed: () => false }));
    const leaves = new Map(epoch.leaves);
    if (former) leaves.delete(former.leaf);
    const author = freePlace(leaves);
    leaves.set(author, leaf);
    const to = { ...epoch, secret: ledger.number(), epoch: epoch.epoch + 1, leaves };
    const commit = {
      from: epoch,
      committer: undefined,
      added: [{ leaf, warrant }],
      removed: removed.map((member) => member.leaf),
      rules: undefined,
      to,
      author,
    };
    return stagedOf(ledger, commit, new StandIn(ledger, pause, fresh(to, author), signer));
  }

  get room(): Uint8Array {
    return this.#live.room;
  }

  get generation(): number {
    return this.#live.generation;
  }

  get epoch(): number {
    return this.#live.epoch;
  }

  get members(): readonly GroupMember[] {
    return this.#members ??= membersOf(this.#epoch);
  }

  get rules(): GroupRules {
    return this.#epoch.rules;
  }

  get own(): GroupMember {
    return this.#memberAt(this.#leaf);
  }

  get vouchedBy(): GroupMember | undefined {
    return this.members.find(({ leaf }) => leaf === this.#signer);
  }

  memberOf(deviceId: Uint8Array): GroupMember | undefined {
    return this.members.find((member) => equal(member.deviceId, deviceId));
  }

  code(): Promise<string> {
    return Promise.resolve(`${this.#live.secret}`);
  }

  save(): Uint8Array<ArrayBuffer> {
    const state = {
      epoch: this.#live,
      leaf: this.#leaf,
      key: this.#key,
      next: this.#next,
      opened: new Set(this.#opened),
    };
    return this.#ledger.write({ kind: "state", state });
  }

  seal(plaintext: Uint8Array, context: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    return this.#inTurn((epoch) => {
      const number = this.#next++;
      this.#ledger.use(epoch, this.#leaf, number);
      return this.#ledger.write({
        kind: "message",
        epoch,
        leaf: this.#leaf,
        number,
        plaintext: plaintext.slice(),
        context: context.slice(),
      });
    });
  }

  open(
    sealed: Uint8Array,
    context: Uint8Array,
  ): Promise<{ plaintext: Uint8Array; sender: GroupMember }> {
    return this.#inTurn((here) => {
      const { epoch, leaf, number, plaintext, context: bound } = this.#ledger.read(
        "message",
        sealed,
      );
      checkEpoch("message", epoch, here);
      if (!equal(bound, context)) {
        throw new GroupError("invalid", "The message was sealed to stand somewhere else.");
      }
      if (leaf === this.#leaf) throw new GroupError("own", "The message is our own.");
      const place = `${leaf} ${number}`;
      if (this.#opened.has(place)) {
        throw new GroupError("invalid", "The message was opened before.");
      }
      this.#opened.add(place);
      return { plaintext: plaintext.slice(), sender: this.#memberAt(leaf) };
    });
  }

  stage(change: GroupChange, circumstances: Circumstances): Promise<Staged> {
    return this.#inTurn(async (epoch) => {
      const { add = [], remove = [], rules: wanted } = change;
      const standing = { members: this.members, rules: epoch.rules };
      const packages = add.map(({ keyPackage }) => this.#ledger.read("package", keyPackage));
      const added = packages.map(({ leaf }, at) => ({ leaf, warrant: add[at]!.warrant }));
      const newcomers = await toNewcomers(added, epoch);
      const removed = remove.map((leaf) => this.#memberAt(leaf));
      const moves = { newcomers, removed };
      const rules = wanted
        ? withReaders(
          rulesAfter({ ...standing, rules: wanted }, moves, circumstances),
          standing.rules,
          staying(standing.members, removed, newcomers),
        )
        : rulesAfter(standing, moves, circumstances);
      const isChanged = !isSameRules(rules, standing.rules);
      const proposed = { ...moves, committer: this.own, rules: isChanged ? rules : undefined };
      refuse(refusal(standing, proposed, circumstances));
      const leaves = new Map(epoch.leaves);
      for (const leaf of remove) leaves.delete(leaf);
      const joiners = packages.map(({ leaf, init }) => {
        const place = freePlace(leaves);
        leaves.set(place, leaf);
        return { init, leaf: place };
      });
      leaves.set(this.#leaf, { ...leaves.get(this.#leaf)!, key: this.#ledger.number() });
      const to = { ...epoch, secret: this.#ledger.number(), epoch: epoch.epoch + 1, rules, leaves };
      const commit = {
        from: epoch,
        committer: this.#leaf,
        added,
        removed: remove,
        rules: proposed.rules,
        to,
        author: this.#leaf,
      };
      const group = new StandIn(this.#ledger, this.#pause, fresh(to, this.#leaf));
      return stagedOf(this.#ledger, commit, group, joiners);
    });
  }

  accept(bytes: Uint8Array, circumstances: Circumstances): Promise<Applied> {
    return this.#inTurn(async (epoch) => {
      const { commit } = this.#ledger.read("commit", bytes);
      const { from, committer, added, rules, to, author } = commit;
      checkEpoch("commit", from, epoch);
      if (committer === this.#leaf) throw new GroupError("own", "The commit is our own.");
      if (from.secret !== epoch.secret) {
        throw new GroupError("invalid", "The commit is of another group.");
      }
      const standing = { members: this.members, rules: epoch.rules };
      const removed = commit.removed.map((leaf) => this.#memberAt(leaf));
      const proposed: Proposed = {
        committer: committer === undefined ? undefined : this.#memberAt(committer),
        newcomers: await toNewcomers(added, epoch),
        removed,
        rules,
      };
      refuse(refusal(standing, proposed, circumstances));
      const isOut = removed.some(({ leaf }) => leaf === this.#leaf);
      if (!isOut && epoch.leaves.get(this.#leaf)!.key !== this.#key) {
        throw new GroupError("invalid", "The commit cannot be opened with our keys.");
      }
      const before = standing.members.filter((member) => !removed.includes(member));
      this.#epoch = to;
      this.#members = undefined;
      this.#isGone = isOut;
      this.#next = 0;
      this.#opened = new Set();
      const isNew = ({ deviceKey }: GroupMember) =>
        !before.some((member) => equal(member.deviceKey, deviceKey));
      return {
        by: this.#memberAt(author),
        added: this.members.filter(isNew),
        removed,
        isRulesChanged: rules !== undefined,
        isOut,
      };
    });
  }

  groupInfo(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#inTurn((epoch) => this.#ledger.write({ kind: "info", epoch, signer: this.#leaf }));
  }

  forget(): void {
    this.#isGone = true;
  }

  get #live(): Epoch {
    if (this.#isGone) throw new GroupError("gone", "We are not in this group any more.");
    return this.#epoch;
  }

  #memberAt(leaf: number): GroupMember {
    const member = this.members.find((one) => one.leaf === leaf);
    if (!member) throw new GroupError("invalid", "There is no such member.");
    return member;
  }

  #inTurn<T>(work: (epoch: Epoch) => T | Promise<T>): Promise<T> {
    const done = this.#turn.then(async () => {
      await this.#pause();
      return await work(this.#live);
    });
    this.#turn = done.catch(() => {});
    return done;
  }
}

/** Who comes into an epoch. */
function fresh(epoch: Epoch, leaf: number): State {
  const { key } = epoch.leaves.get(leaf)!;
  return { epoch, leaf, key, next: 0, opened: new Set() };
}

function stagedOf(
  ledger: Ledger,
  commit: Commit,
  group: StandIn,
  joiners: readonly Joining[] = [],
): Staged {
  const { to, author } = commit;
  return {
    commit: ledger.write({ kind: "commit", commit }),
    groupInfo: ledger.write({ kind: "info", epoch: to, signer: author }),
    ...(joiners.length > 0 && {
      welcome: ledger.write({ kind: "welcome", epoch: to, signer: author, joiners }),
    }),
    group: group as unknown as Group,
  };
}

/** The devices in an epoch's tree. */
export function membersOf({ leaves, rules }: Epoch): GroupMember[] {
  return [...leaves].map(([leaf, { userKey, deviceKey, deviceId, invitation }]) => {
    const of = { userKey, ...(invitation && { invitation }) };
    return { leaf, deviceKey, deviceId, role: roleOf(of, rules), ...of };
  });
}

function freePlace(leaves: ReadonlyMap<number, Leaf>): number {
  let place = 0;
  while (leaves.has(place)) place++;
  return place;
}

function toNewcomers(added: Commit["added"], { room, generation }: Epoch): Promise<Newcomer[]> {
  return Promise.all(
    added.map(({ leaf, warrant }) => toNewcomer(leaf, warrant, room, generation)),
  );
}

async function toNewcomer(
  { userKey, deviceKey, invitation }: Leaf,
  warrant: Uint8Array | undefined,
  room: Uint8Array,
  generation: number,
): Promise<Newcomer> {
  const groupId = groupIdOf(room, generation);
  const isGood = invitation !== undefined && warrant !== undefined &&
    await isWarranted(invitation, groupId, { userKey, deviceKey }, warrant);
  return { userKey, deviceKey, ...(invitation && { invitation }), isWarranted: isGood };
}

function checkExpected(epoch: Epoch, expected: Expected, signer: number): void {
  const groupId = groupIdOf(epoch.room, epoch.generation);
  checkGroup({ rules: epoch.rules, members: membersOf(epoch) }, { groupId }, expected, signer);
}

function checkEpoch(what: string, theirs: Epoch, ours: Epoch): void {
  if (!equal(theirs.room, ours.room)) {
    throw new GroupError("stranger", `The ${what} is of another room.`);
  }
  const order = theirs.generation - ours.generation || theirs.epoch - ours.epoch;
  if (order < 0) throw new GroupError("old", `The ${what} is of an epoch that is over.`);
  if (order > 0) throw new GroupError("early", `The ${what} is of an epoch that is to come.`);
}

function refuse(reason: string | undefined): void {
  if (reason) throw new GroupError("policy", reason);
}
