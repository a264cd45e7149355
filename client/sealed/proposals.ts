/**
 * Our own commits of one room: staged, kept, sent, and then won or lost by what the log says.
 *
 * A commit that was sent may be in the log whatever we have heard of it. So it is kept before it is sent,
 * sent again as it is after a reconnect, and given up only when the log has another in its place, or the
 * server has refused it. What the log says of it counts once that is kept: a process that ends before reads
 * it again, and needs what was staged.
 *
 * @module
 */

import { type Group, type GroupChange, GroupError, type Staged } from "../../crypto/group.ts";
import type { Identity } from "../../crypto/identity.ts";
import { equal } from "../../protocol/bytes.ts";
import { type Clock, pause } from "../../protocol/clock.ts";
import { encodeCommit, inlineCommitBytesMax } from "../../protocol/commit.ts";
import { Content, Proof } from "../../protocol/entry.ts";
import { CutShort } from "../../protocol/errors.ts";
import { sha256 } from "../../protocol/hash.ts";
import { Refused } from "../handshake.ts";
import { newMessageId, signCore } from "../signed_core.ts";
import type { Profile } from "../store/store.ts";
import { decodeState } from "./kept_state.ts";
import { upload } from "./objects.ts";
import { type CommitRequest, decodeRequest, encodeRequest } from "./commit_request.ts";
import type { Groups } from "./groups.ts";
import type { RoomKeys } from "./room_keys.ts";
import type { Server } from "./server.ts";

/** What proposals take from outside. */
export interface ProposalsOptions {
  readonly identity: Identity;
  readonly groups: Groups;
  readonly keys: RoomKeys;
  readonly profile: Profile;
  readonly clock: Clock;
  /** The session that there is. */
  readonly server: () => Server | undefined;
}

/** Where a commit stands. */
export type Outcome = "won" | "lost";

/** In which epoch a commit is made, which begins with it, and which commit it follows. */
export interface Base {
  readonly made: { readonly generation: number; readonly epoch: number };
  readonly begins: { readonly generation: number; readonly epoch: number };
  readonly after: Uint8Array | undefined;
}

/** A commit that is on its way. */
interface Pending {
  readonly messageId: Uint8Array;
  readonly core: Uint8Array;
  readonly group: Group;
  readonly request: CommitRequest;
  readonly outcome: PromiseWithResolvers<Outcome>;
}

/** MUST have one commit under way at most, and none that is not kept. */
export class Proposals {
  readonly #options: ProposalsOptions;
  #pending: Pending | undefined;
  #isHeld = false;
  #isOver = false;
  /** What the log has decided, and is not kept yet. */
  #settled: { readonly pending: Pending; readonly outcome: Outcome } | undefined;

  constructor(options: ProposalsOptions) {
    this.#options = options;
  }

  /** Whether a commit of ours is neither won nor lost. */
  get isUnderWay(): boolean {
    return this.#pending !== undefined || this.#settled !== undefined;
  }

  /** Whether this commit is ours, and neither won nor lost. */
  isOurs(messageId: Uint8Array): boolean {
    return this.#pending !== undefined && equal(this.#pending.messageId, messageId);
  }

  /** Takes up what an earlier process may have sent. */
  async restore(
    { messageId, core, state, request }: {
      messageId: Uint8Array;
      core: Uint8Array;
      state: Uint8Array;
      request: Uint8Array;
    },
  ): Promise<void> {
    const { identity, groups } = this.#options;
    const group = await groups.restore(identity, decodeState(state).group);
    const outcome = newOutcome();
    this.#pending = { messageId, core, group, request: decodeRequest(request), outcome };
  }

  /**
   * Commits a change, however often others are faster.
   *
   * @param make the change as it is needed now; undefined when it is not needed any more
   * @throws {GroupError} when the group's rules speak against it
   * @throws {Refused} when the server does
   */
  async commit(make: () => GroupChange | undefined): Promise<void> {
    const { keys, clock } = this.#options;
    while (true) {
      await keys.until(() => !this.isUnderWay);
      if (this.#isOver) throw isOver();
      const staged = await keys.inTurn(async () => {
        const { group } = keys;
        if (!group) throw new GroupError("gone", "You do not have this room's keys.");
        const change = make();
        const circumstances = { timeMs: clock.now(), departed: keys.isLeftBehind };
        return change && { from: group, ...await group.stage(change, circumstances) };
      });
      if (!staged) return;
      const { generation, epoch } = staged.from;
      const outcome = await this.propose(staged, {
        made: { generation, epoch },
        begins: { generation, epoch: epoch + 1 },
        after: keys.lastCommit,
      });
      if (outcome === "won") return;
    }
  }

  /** Sends a commit; resolves when the log has it, or another in its place. */
  async propose(
    { commit, groupInfo, welcome, group }: Staged,
    { made, begins, after }: Base,
  ): Promise<Outcome> {
    const { identity, groups, keys, profile, clock } = this.#options;
    if (this.isUnderWay) return "lost"; // Another way of ours was faster.
    const isInline = commit.length <= inlineCommitBytesMax;
    const object = { hash: sha256(commit), bytes: commit.length };
    const payload = encodeCommit(isInline ? { mls: commit } : { object });
    const { room } = keys;
    const messageId = newMessageId(clock.now());
    const core = await signCore(identity.device, room, {
      proof: Proof.signature,
      content: Content.commit,
      messageId,
      epoch: made,
      payload,
    });
    const request: CommitRequest = {
      ...begins,
      ...(after && { after }),
      groupInfo,
      ...(welcome && { welcome }),
      ...(!isInline && { object: commit }),
      devices: welcome ? groups.addedBy(commit).map(({ deviceId }) => deviceId) : [],
    };
    if (this.#isOver) throw isOver();
    if (this.isUnderWay) return "lost";
    const outcome = newOutcome();
    this.#pending = { messageId, core, group, request, outcome };
    const before = keys.lastCommit;
    keys.lastCommit = messageId; // What is kept is as it will be.
    const state = keys.save(group)!;
    keys.lastCommit = before;
    profile.stage(room, { messageId, core, state, request: encodeRequest(request) });
    this.send();
    return await outcome.promise;
  }

  /**
   * We have asked to leave the room, or stay after all. What was made before must not come to the log when
   * somebody has brought us back: it would seem to show that we have the keys.
   */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    if (!isHeld) this.send();
  }

  /** We are in the room no more: nothing is sent that is not yet. */
  abandon(): void {
    this.#isOver = true;
    const gone = isOver();
    for (const pending of [this.#pending, this.#settled?.pending]) pending?.outcome.reject(gone);
    this.#pending = this.#settled = undefined;
    this.#options.keys.changed();
  }

  /** Sends what is on its way, again where it was sent before. */
  send(): void {
    const pending = this.#pending;
    const server = this.#options.server();
    if (pending && server) void this.#send(pending, server);
  }

  /** The log has a commit: what we are in now if it is ours. Ours is lost if it is another's. */
  settle(messageId: Uint8Array): Group | undefined {
    const pending = this.#pending;
    if (!pending) return undefined;
    const isOurs = equal(pending.messageId, messageId);
    if (!isOurs && !this.#isNext(pending)) return undefined; // It is before ours; the server decides.
    if (!isOurs) pending.group.forget();
    this.#pending = undefined;
    this.#settled = { pending, outcome: isOurs ? "won" : "lost" };
    return isOurs ? pending.group : undefined;
  }

  /**
   * What the log has decided is kept.
   *
   * @param isDropped whether what was staged went with that
   */
  conclude(isDropped: boolean): void {
    const settled = this.#settled;
    if (!settled) return;
    const { keys, profile } = this.#options;
    this.#settled = undefined;
    if (!isDropped) profile.stage(keys.room, undefined);
    settled.pending.outcome.resolve(settled.outcome);
    keys.changed();
  }

  async #send(pending: Pending, server: Server): Promise<void> {
    const { keys: { room }, clock } = this.#options;
    const { core, request: { after, groupInfo, welcome, object, devices, generation, epoch } } =
      pending;
    try {
      if (object) await upload(server, room, object);
      const groupInfoHash = await upload(server, room, groupInfo);
      const welcomeHash = welcome && await upload(server, room, welcome);
      if (this.#pending !== pending || this.#isHeld) return;
      await server.command("commit", {
        ...(after && { after }),
        core,
        groupInfo: groupInfoHash,
        generation,
        epoch,
        welcomes: welcomeHash ? devices.map((device) => ({ device, hash: welcomeHash })) : [],
      }, room);
    } catch (cause) {
      if (this.#pending !== pending || cause instanceof CutShort) return; // The log will tell.
      if (!(cause instanceof Refused)) return this.#fail(pending, cause);
      if (cause.code === "offline") return;
      if (cause.code === "stale_commit") return this.#stale(pending);
      if (cause.retryAfterMs === undefined) return this.#fail(pending, cause);
      await pause(clock, cause.retryAfterMs);
      if (this.#pending === pending) this.send();
    }
  }

  /** It cannot win any more. The one that did has come, or is about to. */
  #stale(pending: Pending): void {
    if (this.#isNext(pending) && !this.#isOutside) return;
    this.#drop(pending);
    pending.outcome.resolve("lost");
  }

  /** Whether it follows on the last commit that we have read. */
  #isNext({ request: { after } }: Pending): boolean {
    const { lastCommit } = this.#options.keys;
    return after && lastCommit ? equal(after, lastCommit) : after === lastCommit;
  }

  /** Who is not in the group cannot wait for what the log says of it. */
  get #isOutside(): boolean {
    return this.#options.keys.group === undefined;
  }

  #fail(pending: Pending, cause: unknown): void {
    if (this.#pending !== pending) return;
    this.#drop(pending);
    pending.outcome.reject(cause);
  }

  /** It is given up. */
  #drop(pending: Pending): void {
    if (this.#pending === pending) this.#pending = undefined;
    this.#options.profile.stage(this.#options.keys.room, undefined);
    this.#options.keys.changed();
  }
}

function isOver(): GroupError {
  return new GroupError("gone", "You are in this room no more.");
}

/** Whoever proposed may have gone: a process that begins takes up what another has left. */
function newOutcome(): PromiseWithResolvers<Outcome> {
  const outcome = Promise.withResolvers<Outcome>();
  outcome.promise.catch(() => {});
  return outcome;
}
