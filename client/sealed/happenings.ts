/**
 * What happens to the keys of a sealed room, as its user is told.
 *
 * @module
 */

/** See above. Names are the server's word for user keys that the group vouches for. */
export type KeysHappening =
  /** We have the keys: what is said from now on can be read. */
  | { readonly what: "in"; readonly isNew: boolean; readonly isConfirmed: boolean }
  /** The group that we are in now is older than the one that we had: the server has gone back. */
  | { readonly what: "older" }
  /** Who invited us has shown that it is their group. */
  | { readonly what: "confirmed"; readonly by: string }
  /** We have asked to be let in, and wait for somebody who may do so. */
  | { readonly what: "waiting"; readonly isInvited: boolean }
  /** There are no keys yet, for whatever reason; it is tried on. */
  | { readonly what: "slow" }
  /** We were taken out of the group. */
  | { readonly what: "out"; readonly by: string }
  /** Somebody asks to be let in, and it takes a moderator. */
  | { readonly what: "knock"; readonly name: string }
  | {
    readonly what: "changed";
    readonly by: string;
    readonly added: string[];
    readonly removed: string[];
  }
  /** The log has a commit that no honest member can accept. */
  | { readonly what: "bad_commit"; readonly by: string; readonly why: string }
  /** A moderator has begun the room's keys anew. */
  | { readonly what: "anew"; readonly by: string }
  /** So many messages cannot be read: they were said before we came. */
  | { readonly what: "unreadable"; readonly count: number }
  /** Somebody was told another log than we: entries were left out, put in or moved. */
  | { readonly what: "forked"; readonly by: string }
  /** The keys cannot be had. */
  | { readonly what: "failed"; readonly why: string };
