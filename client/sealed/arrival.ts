/**
 * Getting the keys of a sealed room: by making it, by a member who adds us, or by ourselves where nobody
 * is there who could.
 *
 * @module
 */

import { GroupError, type GroupRules, warrant as newWarrant } from "../../crypto/group.ts";
import { deviceIdOf, type Identity, importSigningKey } from "../../crypto/identity.ts";
import { equal } from "../../protocol/bytes.ts";
import { type Clock, pause } from "../../protocol/clock.ts";
import type { RoomInfo } from "../../protocol/command.ts";
import { Content, Proof } from "../../protocol/entry.ts";
import { sha256 } from "../../protocol/hash.ts";
import {
  arrivalRetryMs,
  knockAgainMs,
  knockAgainMsMax,
  knockTurnMs,
  knockTurnsMax,
  knockWaitMs,
} from "../../protocol/limits.ts";
import { Refused } from "../handshake.ts";
import { newMessageId, signCore } from "../signed_core.ts";
import type { KeptInvitation, Profile } from "../store/store.ts";
import type { KeysHappening } from "./happenings.ts";
import type { Groups } from "./groups.ts";
import { encodeKnock } from "./knock.ts";
import type { Knocks } from "./knocks.ts";
import { download } from "./objects.ts";
import type { Proposals } from "./proposals.ts";
import { beginning } from "./reading.ts";
import type { RoomKeys } from "./room_keys.ts";
import type { Server } from "./server.ts";

/** What arriving takes from outside. */
export interface ArrivalOptions {
  readonly identity: Identity;
  readonly groups: Groups;
  /** The server's identity key. */
  readonly serverKey: Uint8Array;
  readonly keys: RoomKeys;
  readonly proposals: Proposals;
  readonly knocks: Knocks;
  readonly profile: Profile;
  readonly clock: Clock;
  readonly random: () => number;
  readonly tell: (happening: KeysHappening) => void;
}

/** MUST end when there are keys, or the session is gone. */
export class Arrival {
  readonly #options: ArrivalOptions;

  constructor(options: ArrivalOptions) {
    this.#options = options;
  }

  /** @param isGone whether the session has ended */
  async arrive(server: Server, info: RoomInfo, isGone: () => boolean): Promise<void> {
    const { keys, tell, clock, random } = this.#options;
    const { invitation } = keys;
    const isDone = () => keys.group !== undefined || isGone();
    /** In which generation we have asked to be let in. */
    let asked: number | undefined;
    let waitMs = knockAgainMs;
    for (let tries = 0; !isDone(); tries++) {
      const there = await server.command("group", {}, keys.room);
      if (isDone()) return;
      if (!there.commit || !there.groupInfo) {
        if (info.role !== "owner") return; // Whoever begins it lets us in.
        await this.begin(1, this.#firstRules());
        continue; // In a room of two the other one may have been faster.
      }
      if (invitation && asked !== there.generation) {
        await this.#knock(server, there.generation!, invitation);
        asked = there.generation;
        await this.#waitTurn(server, isDone);
        continue;
      }
      const way = await this.#enter(server, there.groupInfo, there.commit, invitation);
      if (way === "closed") {
        if (isDone()) return;
        if (asked === undefined) await this.#knock(server, there.generation!, invitation);
        if (waitMs === knockAgainMs) {
          tell({ what: "waiting", isInvited: invitation !== undefined });
        }
        // Whoever has heard of it may have gone, and it is not in their memory when they are back.
        await this.#wait(waitMs, isDone);
        waitMs = Math.min(2 * waitMs, knockAgainMsMax);
        asked = undefined;
      } else if (invitation) {
        await this.#waitTurn(server, isDone);
      } else if (!isDone()) {
        await pause(clock, arrivalRetryMs * (0.2 + random() * Math.min(tries + 1, 20)));
      }
    }
  }

  /** Makes the first group of a generation. */
  async begin(generation: number, rules: GroupRules): Promise<void> {
    const { identity, groups, keys, proposals } = this.#options;
    const after = keys.lastCommit; // Should another come meanwhile, ours is too late.
    const group = await groups.create(identity, keys.room, generation, rules);
    const place = { generation, epoch: 0 };
    const staged = { commit: beginning, groupInfo: await group.groupInfo(), group };
    await proposals.propose(staged, { made: place, begins: place, after });
  }

  /** Who makes a room owns it. */
  #firstRules(): GroupRules {
    const { identity: { user }, serverKey } = this.#options;
    return { server: serverKey, roles: [{ user: user.publicKey, role: "owner" }], invitations: [] };
  }

  /** Comes in by a commit of our own; `closed` where the rules do not let us. */
  async #enter(
    server: Server,
    groupInfoHash: Uint8Array,
    after: Uint8Array,
    invitation: KeptInvitation | undefined,
  ): Promise<"won" | "lost" | "closed"> {
    const { identity, groups, serverKey, keys, proposals, clock } = this.#options;
    const groupInfo = await this.#download(server, groupInfoHash);
    if (!groupInfo) return "lost"; // Another commit has come since, and brought its own.
    try {
      const { secret } = invitation ?? {};
      const timeMs = clock.now();
      const staged = await groups.enter(
        identity,
        groupInfo,
        keys.expected(serverKey),
        timeMs,
        secret,
      );
      const { generation, epoch } = staged.group;
      return await proposals.propose(staged, {
        made: { generation, epoch: epoch - 1 },
        begins: { generation, epoch },
        after,
      });
    } catch (cause) {
      if (!(cause instanceof GroupError)) throw cause;
      if (cause.reason !== "policy") {
        this.#options.tell({ what: "failed", why: cause.message });
      }
      return "closed";
    }
  }

  async #download(server: Server, hash: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      return await download(server, this.#options.keys.room, hash);
    } catch (cause) {
      if (cause instanceof Refused && cause.code === "no_such_object") return undefined;
      throw cause;
    }
  }

  /** Puts a wish to be let in into the room's log. */
  async #knock(
    server: Server,
    generation: number,
    invitation: KeptInvitation | undefined,
  ): Promise<void> {
    const { identity, groups, keys: { room }, profile, clock } = this.#options;
    const { user, device } = identity;
    const key = invitation &&
      (await importSigningKey(invitation.secret.slice())).publicKey;
    const { keyPackage, saved } = await groups.newKeyPackage(identity, key);
    profile.keepKeyPackages([{ ref: sha256(keyPackage), saved }]);
    const warrant = invitation &&
      await newWarrant(invitation.secret, room, generation, {
        userKey: user.publicKey,
        deviceKey: device.publicKey,
      });
    const core = await signCore(device, room, {
      proof: Proof.signature,
      content: Content.knock,
      messageId: newMessageId(clock.now()),
      payload: encodeKnock({ keyPackage, ...(warrant && { warrant }) }),
    });
    await server.command("knock", { core }, room);
  }

  /**
   * Waits for a member to let us in: one of them adds all who have knocked at once, while of those who
   * come in by themselves only one can at a time, and the others have worked for nothing. So where no
   * member is there, whoever knocked first goes first, and lets in the rest.
   */
  async #waitTurn(server: Server, isDone: () => boolean): Promise<void> {
    if (isDone()) return;
    const { keys, knocks, identity, random } = this.#options;
    const { here } = await server.command("who", {}, keys.room);
    const deviceId = deviceIdOf(identity.device.publicKey);
    const isMemberHere = here > Math.max(1, knocks.all.length);
    const patienceMs = () => knockWaitMs * (0.5 + random());
    let waitMs = isMemberHere ? patienceMs() : 0;
    for (let rounds = 0; rounds < knockTurnsMax && !isDone(); rounds++) {
      const { lastCommit } = keys;
      const place = knocks.all.findIndex((knocker) => equal(knocker.deviceId, deviceId));
      const before = place < 0 ? knocks.all.length : place;
      await this.#wait(waitMs + Math.min(before, knockTurnsMax) * knockTurnMs, isDone);
      if (keys.lastCommit === lastCommit) return;
      waitMs = patienceMs(); // Whoever has come in lets us in.
    }
  }

  /** Waits until it is done, but not longer. */
  async #wait(ms: number, isDone: () => boolean): Promise<void> {
    const { keys, clock } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = clock.timer(ms, resolve);
    void keys.until(isDone).then(resolve);
    await promise;
    cancel();
  }
}
