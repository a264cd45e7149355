/**
 * Invitations into rooms: 16 random bytes, of which only the SHA-256 is kept. They end by time, by uses,
 * when they are revoked, and when who made them is sent out.
 *
 * @module
 */

import { equal, fromBase64Url, fromMapKey, mapKey, toBase64Url } from "../../protocol/bytes.ts";
import type { Clock } from "../../protocol/clock.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { sha256 } from "../../protocol/hash.ts";
import {
  invitationBytes,
  invitationsMax,
  roomInvitationsMax,
  userInvitationsMax,
} from "../../protocol/limits.ts";
import { loadRecords, toRecord } from "../records.ts";
import type { Store, StoredRecord } from "../store/store.ts";

/** One invitation, without its secret. */
export interface Invitation {
  /** The SHA-256 of its bytes, as base64url. */
  readonly key: string;
  /** What `revoke` takes. */
  readonly id: string;
  readonly room: Uint8Array;
  /** The name of who made it … */
  readonly by: string;
  /** … and the user's id; undefined: the operator. */
  readonly user: Uint8Array | undefined;
  /** How many may still use it; undefined: any number. */
  uses: number | undefined;
  /** Undefined: it does not end by itself. */
  readonly untilMs: number | undefined;
  /** Into a sealed room: the key by which its members know it. */
  readonly sealedKey: Uint8Array | undefined;
  /** Users who have come by it: it lets nobody in a second time who left or was sent out. */
  readonly cameIn: Set<string>;
}

/** What somebody decides who makes an invitation. */
export type Terms = Pick<Invitation, "room" | "by" | "user" | "uses" | "untilMs" | "sealedKey">;

/** Hex digits of the key that make an id. */
const idChars = 10;

/** MUST keep no secret; MUST count a use before anybody is let in by it. */
export class Invitations {
  readonly #store: Store;
  readonly #clock: Clock;
  /** By key, the oldest first. */
  readonly #all = new Map<string, Invitation>();

  private constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Those that the store knows. */
  static async open(store: Store, clock: Clock): Promise<Invitations> {
    const invitations = new Invitations(store, clock);
    for (const [key, record] of await loadRecords(store, "invitation")) {
      const { room, by, user, uses, untilMs, sealedKey } = record;
      invitations.#add({ key, room, by, user, uses, untilMs, sealedKey });
    }
    for (const key of (await loadRecords(store, "invited")).keys()) {
      const [invitation = "", user = ""] = key.split(" ");
      invitations.#all.get(invitation)?.cameIn.add(mapKey(fromBase64Url(user)));
    }
    return invitations;
  }

  /**
   * A new invitation and its bytes; `kept` resolves when it is kept.
   *
   * @throws {ProtocolError} too_many
   */
  make(terms: Terms): { secret: Uint8Array; invitation: Invitation; kept: Promise<void> } {
    const ended = this.#sweep();
    const { room, user } = terms;
    const ofUser = user ? this.#thoseOf(user).length : 0;
    const isOneTooMany = this.of(room).length >= roomInvitationsMax ||
      ofUser >= userInvitationsMax || this.#all.size >= invitationsMax;
    if (isOneTooMany) {
      throw new ProtocolError("too_many");
    }
    const secret = crypto.getRandomValues(new Uint8Array(invitationBytes));
    const invitation = this.#add({ ...terms, key: keyOf(secret) });
    const kept = this.#store.put([...ended, toStored(invitation)]).catch((cause) => {
      this.#all.delete(invitation.key);
      throw cause;
    });
    return { secret, invitation, kept };
  }

  /** The invitation with these bytes, while it counts. */
  find(secret: Uint8Array): Invitation | undefined {
    if (secret.length !== invitationBytes) return undefined;
    const invitation = this.#all.get(keyOf(secret));
    return invitation && this.#isOn(invitation) ? invitation : undefined;
  }

  /** Counts a use in this very turn; resolves when that is kept. */
  async use(invitation: Invitation, userId: Uint8Array): Promise<void> {
    if (!this.#isOn(invitation)) throw new ProtocolError("invitation_needed");
    const user = mapKey(userId);
    const { uses } = invitation;
    invitation.cameIn.add(user);
    if (uses !== undefined) invitation.uses = uses - 1;
    try {
      await this.#store.put([toStored(invitation), invitedRecord(invitation, user)]);
    } catch (cause) {
      invitation.cameIn.delete(user);
      if (invitation.uses !== undefined) invitation.uses++;
      throw cause;
    }
  }

  /** Those into a room that count, the oldest first. */
  of(room: Uint8Array): Invitation[] {
    return [...this.#all.values()].filter((one) => equal(one.room, room) && this.#isOn(one));
  }

  /** Ends invitations; resolves when that is kept. */
  async end(invitations: readonly Invitation[]): Promise<void> {
    if (invitations.length === 0) return;
    for (const { key } of invitations) this.#all.delete(key);
    await this.#store.put(invitations.flatMap(goneRecords));
  }

  /** Ends those that a user made: into a room, or all; resolves when that is kept. */
  endThoseOf(userId: Uint8Array, room: Uint8Array | undefined): Promise<void> {
    return this.end(this.#thoseOf(userId).filter((one) => !room || equal(one.room, room)));
  }

  /** Ends all into a room; resolves when that is kept. */
  drop(room: Uint8Array): Promise<void> {
    return this.end([...this.#all.values()].filter((one) => equal(one.room, room)));
  }

  #thoseOf(userId: Uint8Array): Invitation[] {
    return [...this.#all.values()].filter(({ user }) => user && equal(user, userId));
  }

  #isOn({ key, uses, untilMs }: Invitation): boolean {
    return this.#all.has(key) && uses !== 0 &&
      (untilMs === undefined || untilMs > this.#clock.now());
  }

  /** Takes those out that have ended: what the store has to forget. */
  #sweep(): StoredRecord[] {
    const ended = [...this.#all.values()].filter((one) => !this.#isOn(one));
    for (const { key } of ended) this.#all.delete(key);
    return ended.flatMap(goneRecords);
  }

  #add(given: Omit<Invitation, "id" | "cameIn">): Invitation {
    // Members of a sealed room know the key, and not the bytes: what they call it follows from that.
    const named = given.sealedKey ? sha256(given.sealedKey) : fromBase64Url(given.key);
    const id = named.toHex().slice(0, idChars);
    const invitation: Invitation = { ...given, id, cameIn: new Set() };
    this.#all.set(given.key, invitation);
    return invitation;
  }
}

/** The time to find one tells nothing of its bytes: they are looked up by their hash. */
function keyOf(secret: Uint8Array): string {
  return toBase64Url(sha256(secret));
}

function toStored({ key, room, by, user, uses, untilMs, sealedKey }: Invitation): StoredRecord {
  return toRecord("invitation", key, {
    room,
    by,
    ...(user && { user }),
    ...(uses !== undefined && { uses }),
    ...(untilMs !== undefined && { untilMs }),
    ...(sealedKey && { sealedKey }),
  });
}

function invitedRecord({ key }: Invitation, user: string, isGone = false): StoredRecord {
  const id = fromMapKey(user);
  return toRecord("invited", `${key} ${toBase64Url(id)}`, isGone ? undefined : {});
}

function goneRecords(invitation: Invitation): StoredRecord[] {
  return [
    toRecord("invitation", invitation.key, undefined),
    ...[...invitation.cameIn].map((user) => invitedRecord(invitation, user, true)),
  ];
}
