/**
 * Who asks to be let into a sealed room. Whoever has a warrant is added by any member who is there, many
 * at once; the others wait for a moderator.
 *
 * @module
 */

import { type Group, GroupError, type GroupMember } from "../../crypto/group.ts";
import { equal, mapKey } from "../../protocol/bytes.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { knocksMax } from "../../protocol/limits.ts";
import type { CheckedEntry } from "../room_log.ts";
import type { Groups } from "./groups.ts";
import { decodeKnock, type Knock } from "./knock.ts";

/** Somebody who waits to be let in. */
export interface Knocker extends Knock {
  readonly deviceId: Uint8Array;
  readonly userKey: Uint8Array;
  readonly name: string;
}

/** MUST believe of a knock only what its keys bear out. */
export class Knocks {
  readonly #groups: Groups;
  readonly #onKnock: (knocker: Knocker) => void;
  /** By device; the oldest first. */
  readonly #waiting = new Map<string, Knocker>();

  constructor(groups: Groups, onKnock: (knocker: Knocker) => void) {
    this.#groups = groups;
    this.#onKnock = onKnock;
  }

  /** Those who wait, the oldest first. */
  get all(): Knocker[] {
    return [...this.#waiting.values()];
  }

  /** Takes an entry that is a knock; what is none is left out. */
  async take({ core, author, verified, deviceId, isErased }: CheckedEntry): Promise<void> {
    if (isErased || verified !== "signed" || !author?.keys) return;
    try {
      const knock = decodeKnock(core.payload.slice());
      const described = await this.#groups.readKeyPackage(knock.keyPackage);
      const isTheirs = equal(described.deviceId, deviceId) &&
        equal(described.userKey, author.keys.user);
      if (!isTheirs) return;
      const { name, keys: { user: userKey } } = author;
      this.#add({ ...knock, deviceId: deviceId.slice(), userKey, name });
    } catch (cause) {
      if (!(cause instanceof GroupError || cause instanceof ProtocolError)) throw cause;
    }
  }

  /** These are in the group. */
  settle(members: readonly Pick<GroupMember, "deviceId">[]): void {
    for (const { deviceId } of members) this.#waiting.delete(mapKey(deviceId));
  }

  /** This user has left the room. */
  forget(userKey: Uint8Array): void {
    for (const [key, knocker] of this.#waiting) {
      if (equal(knocker.userKey, userKey)) this.#waiting.delete(key);
    }
  }

  /** Those of them whom an invitation of this group entitles. */
  async entitled(group: Group, timeMs: number): Promise<Knocker[]> {
    const found: Knocker[] = [];
    for (const knocker of this.all) {
      if (await this.#groups.isEntitled(group, knocker, timeMs)) found.push(knocker);
    }
    return found;
  }

  #add(knocker: Knocker): void {
    const key = mapKey(knocker.deviceId);
    this.#waiting.delete(key);
    this.#waiting.set(key, knocker);
    if (this.#waiting.size > knocksMax) {
      this.#waiting.delete(this.#waiting.keys().next().value!);
    }
    this.#onKnock(knocker);
  }
}
