import type { Person } from "../protocol/message.ts";
import type { Hub, PeopledRoom } from "./hub.ts";
import type { People } from "./people.ts";
import type { PublishBudget } from "./publish_budget.ts";
import type { Reader } from "./reader.ts";

/** A logged-in session, as the handlers of commands see it. */
export interface Member extends Reader {
  readonly person: Person;
  readonly hub: Hub;
  readonly people: People;
  /** Publishes of this user, whichever session they come by. */
  readonly publishes: PublishBudget;
  /** The rooms that this session reads. */
  readonly rooms: Set<PeopledRoom>;
  /** The message that was refused as too fast: none is taken before it comes again, or order is lost. */
  owed: Uint8Array | undefined;
  /** The user is leaving for good, not only for a moment. */
  isLeaving: boolean;
  /** Ends the session once everything queued is written. */
  end(): void;
}
