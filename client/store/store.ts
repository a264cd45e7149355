/**
 * What a client must not lose: who it is, which servers it knows, and of each name at each server the
 * rooms with their entries, and what was said and is not in a log yet.
 *
 * @module
 */

import type { Identity } from "../../crypto/identity.ts";
import type { Cursor } from "../../protocol/message.ts";
import type { ClientEntry } from "../events.ts";

/** Something said that is not in a log yet. */
export interface OwnMessage {
  readonly room: Uint8Array;
  /** See protocol/entry.ts; of a sealed room it is laid open. */
  readonly core: Uint8Array;
  /** Of a sealed room: the core as it was sent, if it was; it is sent again as it is. */
  readonly sealed?: Uint8Array;
}

/** A room as it was left. */
export interface KeptRoom {
  readonly id: Uint8Array;
  /** What it was called when we came in. */
  readonly name: string;
  readonly cursor: Cursor;
  /** Up to here it was read. */
  readonly readSeq: number;
  /** We are in it no more. */
  readonly isGone: boolean;
  /** The server cannot read it, so nothing said in it is kept in the clear. */
  readonly isSealed: boolean;
}

/** The keys of a sealed room, as they were kept. */
export interface KeptGroup {
  readonly room: Uint8Array;
  /** Undefined where only a commit of ours is staged: we have never been in. */
  readonly state: Uint8Array | undefined;
  /** From here on the log has to be read to bring the state up to date; means nothing without one. */
  readonly cursor: Cursor;
  /** Kept at an orderly end: nothing was sealed since. */
  readonly isClean: boolean;
  readonly staged?: StagedGroup;
}

/** A commit of ours that may have been sent. */
export interface StagedGroup {
  readonly messageId: Uint8Array;
  readonly core: Uint8Array;
  /** The group, if it wins. */
  readonly state: Uint8Array;
  /** What else is needed to send it again. */
  readonly request: Uint8Array;
}

/** What of a group is kept together with the entries that made it so. */
export type TakenGroup = Pick<KeptGroup, "cursor" | "isClean"> & { readonly state: Uint8Array };

/** A key package of ours that somebody may still use to let us in. */
export interface KeptKeyPackage {
  /** Its hash. */
  readonly ref: Uint8Array;
  /** It, and its private keys. */
  readonly saved: Uint8Array;
  /**
   * Where the server has it: in the pool, of which it gives each out once, or as the last, which it gives
   * out when it has no other, more than once. That one stays when it was used.
   */
  readonly place?: "pool" | "last";
}

/** An invitation by which we want to get into a sealed room. */
export interface KeptInvitation {
  readonly room: Uint8Array;
  readonly secret: Uint8Array;
  /** SHA-256 of the user key of who made it. */
  readonly inviter: Uint8Array;
  /** Of the group that they have shown to be theirs; 0 as long as there is none. */
  readonly generation: number;
}

/** Who is behind a name. */
export interface KeptPerson {
  readonly name: string;
  /** First met, or accepted since. */
  readonly userKey: Uint8Array;
  /** It was compared by another way. */
  readonly isVerified: boolean;
  /** The key that came since, and was not accepted. */
  readonly changedTo?: Uint8Array;
}

/** An entry that was kept. */
export interface KeptEntry extends ClientEntry {
  readonly room: Uint8Array;
  /** What it says now, edits considered; undefined where it says nothing, or no more. */
  readonly text: string | undefined;
  readonly isEdited: boolean;
}

/** Entries that have come, and what follows from them. */
export interface Taken {
  readonly room: Uint8Array;
  readonly entries: readonly ClientEntry[];
  /** Where the reader stands now. */
  readonly cursor: Cursor;
  /** The ids of own messages that are in the log by these entries. */
  readonly settled: readonly Uint8Array[];
  /** They are of a sealed room, and their cores are laid open. */
  readonly isSealed: boolean;
  /** What the room's keys are by these entries; what was staged goes. */
  readonly group?: TakenGroup;
}

/** What is looked for. */
export interface Search {
  readonly word: string;
  /** In this room only; otherwise in all that we are in. */
  readonly room?: Uint8Array | undefined;
  readonly limit: number;
}

/**
 * What is kept of one name at one server. Every method MUST do all it has to or nothing, and MUST be
 * as durable as the store makes things when it returns. It MUST keep each entry once; MUST give the
 * messages in the order said; MUST erase what a deletion names, edits of it too; MUST let only an
 * entry's author edit it. A room that was sealed once MUST stay sealed, and
 * nothing that was kept of it as an open one may stay.
 */
export interface Profile {
  /** False where another process uses this name here: then nothing is kept. */
  readonly isKept: boolean;
  /** The rooms that we are in or were, as far as they have been kept. */
  rooms(): KeptRoom[];
  /** What is not in a log yet, in the order said. */
  messages(): OwnMessage[];
  /** Keeps messages before they are sent. */
  say(messages: readonly OwnMessage[]): void;
  /** What a message of ours was sealed as, before that is sent; undefined when it is to be sealed anew. */
  keepSealed(messageId: Uint8Array, sealed: Uint8Array | undefined): void;
  /** Messages that are in a log by another word than their entry's, or given up. */
  settle(messageIds: readonly Uint8Array[]): void;
  /** Where a room's reader begins; a room that was left before is one of ours again. */
  enter(room: Uint8Array, name: string, cursor: Cursor, isSealed: boolean): void;
  /** Keeps entries, edits and erases others by them, and settles messages, together. */
  take(taken: Taken): void;
  /** Keeps entries of before those that are kept. */
  takeEarlier(room: Uint8Array, entries: readonly ClientEntry[]): void;
  /** The log goes on behind the cursor: what is kept beyond goes. How many entries that were. */
  reset(room: Uint8Array, cursor: Cursor): number;
  /** Up to here a room was read. */
  read(room: Uint8Array, seq: number): void;
  /** We are in a room no more: these of its messages are given up, its entries are no longer found. */
  leave(room: Uint8Array, messageIds: readonly Uint8Array[]): void;
  /** The newest entries of a room, the oldest of them first. */
  newest(room: Uint8Array, count: number): KeptEntry[];
  /** The chain's hash before an entry that is kept. */
  hashBefore(room: Uint8Array, seq: number): Uint8Array | undefined;
  /** What has this word in it, whatever its case; the newest first. */
  search(search: Search): KeptEntry[];
  /** When the oldest entry that is kept was made, in rooms that we are in. */
  oldestMs(): number | undefined;
  /** The keys of sealed rooms. */
  groups(): KeptGroup[];
  /** Keeps a room's keys; what was staged goes. */
  keepGroup(room: Uint8Array, state: Uint8Array, cursor: Cursor, isClean: boolean): void;
  /** Keeps a commit before it is sent, or, undefined, drops it. */
  stage(room: Uint8Array, staged: StagedGroup | undefined): void;
  /** Drops a room's keys, and what was staged. */
  dropGroup(room: Uint8Array): void;
  /** In the order kept. */
  keyPackages(): KeptKeyPackage[];
  keepKeyPackages(packages: readonly KeptKeyPackage[]): void;
  dropKeyPackages(refs: readonly Uint8Array[]): void;
  /** One for each room, the last one kept. */
  invitations(): KeptInvitation[];
  keepInvitation(invitation: KeptInvitation): void;
  dropInvitation(room: Uint8Array): void;
  /** One for each name, whatever its case. */
  people(): KeptPerson[];
  keepPerson(person: KeptPerson): void;
  /** Lets another process have the name. */
  close(): void;
}

/** Where a client keeps what it must not lose. Several processes may use one at once. */
export interface ClientStore {
  /** The identity that goes with a name; made and kept when the name is new. */
  identity(name: string): Promise<Identity>;
  /** The fingerprint that a server had when it was first met. */
  pin(server: string): Promise<string | undefined>;
  /** Remembers a server's fingerprint, unless there is one already: whether it did. */
  savePin(server: string, fingerprint: string): Promise<boolean>;
  /** Forgets a server's fingerprint: the next one met is the right one. */
  forgetPin(server: string): Promise<void>;
  /**
   * What is kept of a name at a server.
   *
   * @param server its identity key
   */
  profile(server: Uint8Array, name: string): Profile;
  close(): void;
}

/** What is kept cannot be read, or nothing more can be kept. The text says where, and what to do. */
export class ClientStoreError extends Error {
  override readonly name = "ClientStoreError";
}

/** A profile of which nothing is kept. */
export const forgetful: Profile = {
  isKept: false,
  rooms: () => [],
  messages: () => [],
  say: () => {},
  keepSealed: () => {},
  settle: () => {},
  enter: () => {},
  take: () => {},
  takeEarlier: () => {},
  reset: () => 0,
  read: () => {},
  leave: () => {},
  newest: () => [],
  hashBefore: () => undefined,
  search: () => [],
  oldestMs: () => undefined,
  groups: () => [],
  keepGroup: () => {},
  stage: () => {},
  dropGroup: () => {},
  keyPackages: () => [],
  keepKeyPackages: () => {},
  dropKeyPackages: () => {},
  invitations: () => [],
  keepInvitation: () => {},
  dropInvitation: () => {},
  people: () => [],
  keepPerson: () => {},
  close: () => {},
};
