import type { ErrorCode } from "../protocol/errors.ts";
import type { Attendee } from "./hub.ts";
import type { PeopledRoom } from "./peopled_room.ts";
import type { PublishBudget } from "./publish_budget.ts";
import type { Services } from "./services.ts";
import type { Uploads } from "./uploads.ts";

/** A message that is waited for, and the how-manieth of the session it was. */
export interface Owed {
  readonly messageId: Uint8Array;
  readonly number: number;
  /** It was sealed for an epoch that had passed; nothing else spoke against it. */
  readonly isStale: boolean;
  /** The next of those refused that is waited for once this has come, or is in the log already. */
  behind?: Owed | undefined;
  /** Its author knows that it was refused, and so sends it again before anything behind it … */
  isTold: boolean;
  /** … unless it has turned up in the log: then one of these comes again, which have come since. */
  readonly inVain: Set<string>;
}

/** A logged-in session, as the handlers of messages see it. */
export interface Member extends Attendee {
  /** Where it connects from, as `host:port`. */
  readonly remote: string;
  readonly services: Services;
  /** Publishes of this user, whichever session they come by. */
  readonly publishes: PublishBudget;
  /**
   * The message of a room that was refused as too fast, or as sealed for an epoch that has passed: none is
   * taken there before it comes again, or order is lost.
   */
  readonly owed: Map<PeopledRoom, Owed>;
  /** Objects that it has brought, for commits to name. */
  readonly uploads: Uploads;
  /** How many messages it has published, refused ones too. */
  published: number;
  /** When it last told that its user types. */
  typedMs: number;
  /** The user is leaving for good, not only for a moment. */
  isLeaving: boolean;
  /** Ends the session once everything queued is written. */
  end(): void;
  /** Tells the peer why, then ends. */
  fail(code: ErrorCode, text?: string): void;
}
