import type { AwaitedMessages } from "./awaited.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { Attendee } from "./hub.ts";
import type { PublishBudget } from "./publish_budget.ts";
import type { Services } from "./services.ts";
import type { Uploads } from "./uploads.ts";

/** A logged-in session, as the handlers of messages see it. */
export interface Member extends Attendee {
  /** Where it connects from, as `host:port`. */
  readonly remote: string;
  readonly services: Services;
  /** Publishes of this user, whichever session they come by. */
  readonly publishes: PublishBudget;
  /** Messages that were refused for now. */
  readonly awaited: AwaitedMessages;
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
