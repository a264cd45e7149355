/**
 * A sealed room's group: MLS (RFC 9420) by ts-mls, with the room's rules. What is sealed here, only
 * the devices in the group can open; who is in the group, only its rules decide. See
 * `docs/adr/0007-sealed-rooms.md`.
 *
 * Nothing of the library shows: this module speaks bytes. All that it throws is a {@link GroupError}.
 *
 * @module
 */

import { sha512 } from "@noble/hashes/sha2.js";
import type { CiphersuiteImpl } from "ts-mls/crypto/ciphersuite.js";
import type { Proposal } from "ts-mls/proposal.js";
import type { Bytes } from "./aes_gcm.ts";
import { concat, isSame } from "./group/bytes.ts";
import { followCommit, type MadeCommit, makeCommit } from "./group/commit.ts";
import {
  decodeEpoch,
  encodeEpoch,
  type Epoch,
  firstEpoch,
  forgetEpoch,
  groupInfoOf,
} from "./group/epoch.ts";
import { prepareEntry } from "./group/entry.ts";
import { foreign, foreignNow, GroupError } from "./group/error.ts";
import { type About, checkEpoch, checkExpected, type Expected } from "./group/expected.ts";
import { checkGroupInfo, makeEntry, openWelcome } from "./group/joining.ts";
import {
  checkKeyPackage,
  forgetKeyPackage,
  makeKeyPackage,
  restoreKeyPackage,
  saveKeyPackage,
  writeKeyPackage,
} from "./group/key_package.ts";
import { CredentialChecks, readLeaf } from "./group/leaf.ts";
import { isAbout, openMessage, sealMessage } from "./group/messages.ts";
import {
  type Circumstances,
  type GroupMember,
  type Proposed,
  refusal,
  refusedNewcomer,
  rulesAfter,
  type Standing,
  staying,
  withReaders,
} from "./group/policy.ts";
import { readCommit, toProposed, withWarrants } from "./group/proposals.ts";
import { type GroupRules, isSameRules } from "./group/rules.ts";
import { memberAt, membersOf, standingOf } from "./group/standing.ts";
import { suiteOf } from "./group/suite.ts";
import { encodeWarrants, groupIdOf, readGroupId } from "./group/warrant.ts";
import { contextExtensions, readAnyMessage, readMessage, writeMessage } from "./group/wire.ts";
import type { Identity } from "./identity.ts";
import { toDigits } from "./safety_number.ts";

export { GroupError, type GroupErrorReason } from "./group/error.ts";
export type { Expected } from "./group/expected.ts";
export { type Circumstances, devicesMax, type GroupMember } from "./group/policy.ts";
export type { GroupInvitation, GroupRole, GroupRules } from "./group/rules.ts";
export { warrant } from "./group/warrant.ts";

/** A commit of ours that has not won yet. */
export interface Staged {
  readonly commit: Bytes;
  /** Of the epoch that it begins. */
  readonly groupInfo: Bytes;
  /** One for all whom it adds. */
  readonly welcome?: Bytes;
  /** What we are in when the commit wins. */
  readonly group: Group;
}

/** Whom to add. */
export interface Joiner {
  readonly keyPackage: Uint8Array;
  /**
   * Needed where who adds is no moderator. Where one is given, it must be good, so that who adds on
   * a server's word gives it, moderator or not.
   */
  readonly warrant?: Uint8Array;
}

/** What to commit; nothing at all renews our own keys. */
export interface GroupChange {
  readonly add?: readonly Joiner[];
  /** Leaves. */
  readonly remove?: readonly number[];
  readonly rules?: GroupRules;
}

/** What a commit of somebody else's has done. */
export interface Applied {
  readonly by: GroupMember;
  readonly added: readonly GroupMember[];
  readonly removed: readonly GroupMember[];
  readonly isRulesChanged: boolean;
  /** We were taken out: the group is gone. */
  readonly isOut: boolean;
}

/**
 * A member's end of a group.
 *
 * - What is called together happens in the order of the calls.
 * - A call that throws leaves the group as it was.
 * - Whoever holds `save()` can read what the group can read: it is to be kept encrypted.
 */
export class Group {
  readonly #identity: Identity;
  readonly #suite: CiphersuiteImpl;
  readonly #checks: CredentialChecks;
  readonly #signer: Uint8Array | undefined;
  #epoch: Epoch | undefined;
  #standing: Standing;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    identity: Identity,
    epoch: Epoch,
    checks: CredentialChecks,
    signer?: number,
  ) {
    this.#identity = identity;
    this.#suite = suiteOf(identity.device);
    this.#checks = checks;
    this.#epoch = epoch;
    this.#standing = standingOf(epoch.context, epoch.tree);
    this.#signer = this.members.find(({ leaf }) => leaf === signer)?.deviceKey;
  }

  /** A new group, of which we are the only member. */
  static async create(
    identity: Identity,
    room: Uint8Array,
    generation: number,
    rules: GroupRules,
  ): Promise<Group> {
    const { keyPackage, leafKey } = await makeKeyPackage(identity);
    const groupId = groupIdOf(room, generation);
    const suite = suiteOf(identity.device);
    return new Group(
      identity,
      await firstEpoch(groupId, rules, keyPackage.leafNode, leafKey, suite),
      new CredentialChecks(),
    );
  }

  /**
   * The group that was saved.
   *
   * @throws {GroupError} invalid, when it was not, or not by this device
   */
  static async restore(identity: Identity, saved: Uint8Array): Promise<Group> {
    return await foreign("The kept group", () => {
      const epoch = decodeEpoch(saved);
      if (!epoch) throw new GroupError("invalid", "The kept group cannot be read.");
      const group = new Group(identity, epoch, new CredentialChecks());
      if (!isSame(group.own.deviceKey, identity.device.publicKey)) {
        throw new GroupError("invalid", "The kept group is another device's.");
      }
      return group;
    });
  }

  /**
   * The group that a welcome brings us into.
   *
   * @param keyPackage as {@link newKeyPackage} had it saved
   * @throws {GroupError} invalid, when it is not for us or not sound; stranger, when it is another
   *   group than expected
   */
  static async join(
    identity: Identity,
    keyPackage: Uint8Array,
    welcome: Uint8Array,
    expected: Expected,
  ): Promise<Group> {
    const own = restoreKeyPackage(keyPackage);
    const { welcome: message } = readMessage("The welcome", "mls_welcome", welcome);
    const checks = new CredentialChecks();
    let signer: number | undefined;
    const suite = suiteOf(identity.device);
    const epoch = await foreign(
      "The welcome",
      () =>
        openWelcome(message, own, suite, checks, (info, tree) => {
          signer = info.signer;
          const standing = standingOf(info.groupContext, tree);
          checkExpected(standing, info.groupContext, expected, info.signer);
        }),
    );
    forgetKeyPackage(own);
    const group = new Group(identity, epoch, checks, signer);
    if (!isSame(group.own.deviceKey, identity.device.publicKey)) {
      throw new GroupError("invalid", "The welcome is for another device.");
    }
    return group;
  }

  /**
   * Comes in by oneself, by an external commit: with an invitation's secret, or, without one, as
   * somebody who is in the tree already, whose former leaf is taken out.
   *
   * @throws {GroupError} invalid, stranger, or policy when the rules let us not in
   */
  static async enter(
    identity: Identity,
    groupInfo: Uint8Array,
    expected: Expected,
    timeMs: number,
    invitation?: Uint8Array,
  ): Promise<Staged> {
    const { groupInfo: info } = readMessage("The group info", "mls_group_info", groupInfo);
    const suite = suiteOf(identity.device);
    const checks = new CredentialChecks();
    const tree = await foreign("The group info", () => checkGroupInfo(info, suite, checks));
    const standing = foreignNow("The group info", () => standingOf(info.groupContext, tree));
    checkExpected(standing, info.groupContext, expected, info.signer);
    const entry = await prepareEntry(identity, standing, info.groupContext, invitation);
    const { leaf, former, authenticatedData } = entry;
    const newcomers = [readLeaf(leaf)];
    const proposed: Proposed = {
      committer: undefined,
      newcomers: await withWarrants(newcomers, authenticatedData, info.groupContext.groupId),
      removed: former ? [former] : [],
      rules: undefined,
    };
    refuse(refusal(standing, proposed, { timeMs, departed: () => false }));
    const made = await foreign(
      "The group info",
      () => makeEntry(info, tree, leaf, former?.leaf, authenticatedData, suite),
    );
    return await staged(made, new Group(identity, made.next, checks, info.signer));
  }

  /** The room's id. */
  get room(): Uint8Array {
    return readGroupId(this.#live.context.groupId).room;
  }

  get generation(): number {
    return readGroupId(this.#live.context.groupId).generation;
  }

  get epoch(): number {
    return Number(this.#live.context.epoch);
  }

  get members(): readonly GroupMember[] {
    return this.#standing.members;
  }

  get rules(): GroupRules {
    return this.#standing.rules;
  }

  get own(): GroupMember {
    return memberAt(this.#standing, this.#live.path.leafIndex);
  }

  /**
   * Who signed what we came in by, while they are still there. The tree alone is public, so that it
   * proves little: that it is the inviter's group is certain once they have signed this, or have said
   * something in it.
   */
  get vouchedBy(): GroupMember | undefined {
    return this.#signer && this.members.find(isDevice({ deviceKey: this.#signer }));
  }

  memberOf(deviceId: Uint8Array): GroupMember | undefined {
    return this.members.find((member) => isSame(member.deviceId, deviceId));
  }

  /** The epoch's code, the same for all who are in it: six groups of five digits. */
  code(): Promise<string> {
    return this.#inTurn(({ schedule }) =>
      Promise.resolve(toDigits(sha512(concat(codeLabel, schedule.epochAuthenticator)), 6))
    );
  }

  /** All that is needed to go on from here; secrets among it. */
  save(): Bytes {
    return encodeEpoch(this.#live);
  }

  /**
   * Seals for all who are in the group, so that one cannot tell how long it is.
   *
   * @param context goes with it in the clear, and cannot be changed
   */
  seal(plaintext: Uint8Array, context: Uint8Array): Promise<Bytes> {
    return this.#inTurn(async (epoch) =>
      writeMessage({
        version: "mls10",
        wireformat: "mls_private_message",
        privateMessage: await sealMessage(epoch, plaintext.slice(), context.slice(), this.#suite),
      })
    );
  }

  /**
   * Opens what another member sealed in this epoch; each message once.
   *
   * @throws {GroupError} invalid, old, early, own or stranger
   */
  open(
    sealed: Uint8Array,
    context: Uint8Array,
  ): Promise<{ plaintext: Bytes; sender: GroupMember }> {
    return this.#inTurn(async (epoch) => {
      const { privateMessage } = readMessage("The message", "mls_private_message", sealed);
      checkEpoch("message", privateMessage, epoch.context);
      if (!isAbout(privateMessage, context)) {
        throw new GroupError("invalid", "The message was sealed to stand somewhere else.");
      }
      const { plaintext, leaf } = await foreign(
        "The message",
        () => openMessage(epoch, privateMessage, this.#suite),
      );
      return { plaintext, sender: memberAt(this.#standing, leaf) };
    });
  }

  /**
   * Makes a commit. This group does not change: when the commit has won, go on with
   * {@link Staged.group} and {@link forget} this one; when another has won, {@link accept} that, and
   * forget the staged one.
   *
   * The rules follow by themselves: roles and invitations of who is taken out end with the commit.
   *
   * @throws {GroupError} policy, when the others would refuse it
   */
  stage(change: GroupChange, circumstances: Circumstances): Promise<Staged> {
    return this.#inTurn(async (epoch) => {
      const { add = [], remove = [], rules: wanted } = change;
      const standing = this.#standing;
      const joiners = await Promise.all(
        add.map(({ keyPackage }) => checkKeyPackage(keyPackage, this.#checks)),
      );
      const authenticatedData = encodeWarrants(
        new Map(add.flatMap(({ warrant }, place) => warrant ? [[place, warrant]] : [])),
      );
      const { groupId } = epoch.context;
      const identities = joiners.map(({ identity }) => identity);
      const newcomers = await withWarrants(identities, authenticatedData, groupId);
      const removed = remove.map((leaf) => memberAt(standing, leaf));
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
      newcomers.filter((_, place) => add[place]!.warrant).forEach((newcomer) =>
        refuse(refusedNewcomer(standing, newcomer, moves, circumstances))
      );
      refuse(refusal(standing, proposed, circumstances));
      const proposals: Proposal[] = [
        ...removed.map(({ leaf }): Proposal => ({
          proposalType: "remove",
          remove: { removed: leaf },
        })),
        ...joiners.map(({ keyPackage }): Proposal => ({
          proposalType: "add",
          add: { keyPackage },
        })),
        ...(isChanged ? [rulesProposal(rules)] : []),
      ];
      const made = await foreign(
        "The commit",
        () => makeCommit(epoch, proposals, authenticatedData, this.#suite, this.#checks),
      );
      return await staged(made, new Group(this.#identity, made.next, this.#checks));
    });
  }

  /**
   * Follows somebody else's commit.
   *
   * @throws {GroupError} policy, when the rules forbid it; invalid, old, early, own or stranger
   */
  accept(commit: Uint8Array, circumstances: Circumstances): Promise<Applied> {
    return this.#inTurn(async (epoch) => {
      const { publicMessage } = readMessage("The commit", "mls_public_message", commit);
      checkEpoch("commit", publicMessage.content, epoch.context);
      const read = foreignNow("The commit", () => readCommit(publicMessage));
      if (read.sender === epoch.path.leafIndex) {
        throw new GroupError("own", "The commit is our own: go on with the staged group.");
      }
      const standing = this.#standing;
      const proposed = await foreign("The commit", () => toProposed(read, standing, epoch));
      refuse(refusal(standing, proposed, circumstances));
      const { tree, author, next } = await foreign(
        "The commit",
        () => followCommit(epoch, publicMessage, this.#suite, this.#checks),
      );
      if (this.#epoch !== epoch) { // Forgotten meanwhile.
        if (next) forgetEpoch(next);
        throw gone();
      }
      const rules = proposed.rules ?? standing.rules;
      const after = { rules, members: membersOf(tree, rules) };
      const stay = standing.members.filter((member) => !proposed.removed.includes(member));
      this.#epoch = next;
      this.#standing = after;
      forgetEpoch(epoch);
      return {
        by: memberAt(after, author),
        added: after.members.filter((member) => !stay.some(isDevice(member))),
        removed: proposed.removed,
        isRulesChanged: !isSameRules(rules, standing.rules),
        isOut: !next,
      };
    });
  }

  /** What lets others come in by themselves. */
  groupInfo(): Promise<Bytes> {
    return this.#inTurn(async (epoch) =>
      writeMessage({
        version: "mls10",
        wireformat: "mls_group_info",
        groupInfo: await groupInfoOf(epoch, this.#suite),
      })
    );
  }

  /** Overwrites the secrets of a group that is not needed any more, after the calls under way. */
  forget(): void {
    const epoch = this.#epoch;
    this.#epoch = undefined;
    if (epoch) this.#turn.then(() => forgetEpoch(epoch));
  }

  get #live(): Epoch {
    if (!this.#epoch) throw gone();
    return this.#epoch;
  }

  #inTurn<T>(work: (epoch: Epoch) => Promise<T>): Promise<T> {
    const done = this.#turn.then(() => work(this.#live));
    this.#turn = done.catch(() => {}); // Its caller hears of it.
    return done;
  }
}

/** A key package to be added by; `saved` is for {@link Group.join}, and secret. */
export async function newKeyPackage(
  identity: Identity,
  invitation?: Uint8Array,
): Promise<{ keyPackage: Bytes; saved: Bytes }> {
  const made = await makeKeyPackage(identity, invitation);
  const saved = saveKeyPackage(made);
  forgetKeyPackage(made);
  return { keyPackage: writeKeyPackage(made.keyPackage), saved };
}

/**
 * Whom a key package is of.
 *
 * @throws {GroupError} invalid, when signature, certificate or suite are not right
 */
export async function readKeyPackage(
  bytes: Uint8Array,
): Promise<Pick<GroupMember, "userKey" | "deviceKey" | "deviceId" | "invitation">> {
  const { identity } = await checkKeyPackage(bytes);
  const { userKey, deviceKey, deviceId, invitation } = identity;
  return { userKey, deviceKey, deviceId, ...(invitation && { invitation }) };
}

/**
 * Whom a commit would bring in, for who cannot check it.
 *
 * @throws {GroupError} invalid, when it is no commit
 */
export function addedBy(
  commit: Uint8Array,
): Pick<GroupMember, "userKey" | "deviceKey" | "deviceId">[] {
  const { publicMessage } = readMessage("The commit", "mls_public_message", commit);
  return foreignNow("The commit", () => {
    const { sender, added, author } = readCommit(publicMessage);
    const leaves = sender === undefined ? [author] : added;
    return leaves.map(readLeaf)
      .map(({ userKey, deviceKey, deviceId }) => ({ userKey, deviceKey, deviceId }));
  });
}

/**
 * The group and epoch that a commit, a group info or a sealed message is of.
 *
 * @throws {GroupError} invalid, when it is none of them
 */
export function epochOf(
  bytes: Uint8Array,
): { room: Uint8Array; generation: number; epoch: number } {
  const message = readAnyMessage("The message", bytes);
  const { groupId, epoch } = contextOf(message);
  return { ...readGroupId(groupId), epoch: toEpoch(epoch) };
}

function contextOf(message: ReturnType<typeof readAnyMessage>): About {
  switch (message.wireformat) {
    case "mls_public_message":
      return message.publicMessage.content;
    case "mls_private_message":
      return message.privateMessage;
    case "mls_group_info":
      return message.groupInfo.groupContext;
    default:
      throw new GroupError("invalid", "The message is of no epoch.");
  }
}

const codeLabel = new TextEncoder().encode("broadcast/2 epoch code");

function toEpoch(epoch: bigint): number {
  if (epoch > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new GroupError("invalid", "An epoch is out of range.");
  }
  return Number(epoch);
}

async function staged({ message, welcome }: MadeCommit, group: Group): Promise<Staged> {
  return {
    commit: writeMessage({
      version: "mls10",
      wireformat: "mls_public_message",
      publicMessage: message,
    }),
    groupInfo: await group.groupInfo(),
    ...(welcome && {
      welcome: writeMessage({ version: "mls10", wireformat: "mls_welcome", welcome }),
    }),
    group,
  };
}

function rulesProposal(rules: GroupRules): Proposal {
  return {
    proposalType: "group_context_extensions",
    groupContextExtensions: { extensions: contextExtensions(rules) },
  };
}

function gone(): GroupError {
  return new GroupError("gone", "We are not in this group any more.");
}

function refuse(reason: string | undefined): void {
  if (reason) throw new GroupError("policy", reason);
}

/** Whether a member is this device. */
function isDevice({ deviceKey }: Pick<GroupMember, "deviceKey">): (member: GroupMember) => boolean {
  return (member) => isSame(member.deviceKey, deviceKey);
}
