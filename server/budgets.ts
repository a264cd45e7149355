/**
 * Who may do how much in a time: token buckets by user and by address.
 *
 * @module
 */

import type { Clock } from "../protocol/clock.ts";
import type { CommandName } from "../protocol/command.ts";
import { ProtocolError } from "../protocol/errors.ts";
import {
  actsBurst,
  actsPerMinute,
  commitsBurst,
  commitsPerMinute,
  historyBurst,
  historyPerMinute,
  invitesBurst,
  invitesPerMinute,
  joinsBurst,
  joinsPerMinute,
  objectsBurst,
  objectsPerMinute,
  roomsMadeBurst,
  roomsMadePerHour,
  takesBurst,
  takesPerMinute,
} from "../protocol/limits.ts";
import { TokenBucket } from "./bucket.ts";
import type { User } from "./people.ts";

/** What a user has budgets of: so much at once, then so much a minute. */
const rates = {
  joins: { burst: joinsBurst, perMinute: joinsPerMinute },
  /** Beside the join that makes it. */
  rooms: { burst: roomsMadeBurst, perMinute: roomsMadePerHour / 60 },
  history: { burst: historyBurst, perMinute: historyPerMinute },
  commits: { burst: commitsBurst, perMinute: commitsPerMinute },
  objects: { burst: objectsBurst, perMinute: objectsPerMinute },
  takes: { burst: takesBurst, perMinute: takesPerMinute },
  invites: { burst: invitesBurst, perMinute: invitesPerMinute },
  acts: { burst: actsBurst, perMinute: actsPerMinute },
} as const;
type Budget = keyof typeof rates;

/** Which budget a command takes from; those that are not here only look at what is in memory. */
const budgetOf: { readonly [Name in CommandName]?: Budget } = {
  join: "joins",
  part: "joins",
  history: "history",
  audit: "history",
  log: "history",
  invite: "invites",
  direct: "joins",
  commit: "commits",
  knock: "joins",
  upload: "objects",
  download: "objects",
  take: "takes",
};

/** Commands that change nothing. */
const looks: ReadonlySet<CommandName> = new Set([
  "rooms",
  "who",
  "whois",
  "away",
  "receipts",
  "invitations",
  "bans",
  "users",
  "excluded",
  "stats",
  "group",
  "welcome",
]);

/** The budgets of users, kept for as long as the users are known. */
export class UserBudgets {
  readonly #clock: Clock;
  readonly #buckets = new WeakMap<User, Map<Budget, TokenBucket>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Counts a command of a user.
   *
   * @throws {ProtocolError} slow_down, with when there is something to spend again
   */
  spend(user: User, command: CommandName): void {
    const budget = budgetOf[command] ?? (looks.has(command) ? undefined : "acts");
    if (budget) this.#take(user, budget);
  }

  /**
   * Counts a room that a user makes.
   *
   * @throws {ProtocolError} slow_down
   */
  spendRoom(user: User): void {
    this.#take(user, "rooms");
  }

  #take(user: User, budget: Budget): void {
    const retryAfterMs = this.#bucket(user, budget).tryTake();
    if (retryAfterMs > 0) throw new ProtocolError("slow_down", undefined, { retryAfterMs });
  }

  #bucket(user: User, budget: Budget): TokenBucket {
    let buckets = this.#buckets.get(user);
    if (!buckets) this.#buckets.set(user, buckets = new Map());
    let bucket = buckets.get(budget);
    if (!bucket) {
      const { burst, perMinute } = rates[budget];
      buckets.set(budget, bucket = new TokenBucket(this.#clock, perMinute / 60, burst));
    }
    return bucket;
  }
}

/** Budgets by address: the newest so many addresses are remembered. */
export class AddressBudgets<Bucket> {
  readonly #make: () => Bucket;
  readonly #most: number;
  /** The one used last at the end. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(most: number, make: () => Bucket) {
    this.#most = most;
    this.#make = make;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** The budget of an address group (see admission.ts). */
  of(address: string): Bucket {
    const bucket = this.#buckets.get(address) ?? this.#make();
    this.#buckets.delete(address);
    this.#buckets.set(address, bucket);
    if (this.#buckets.size > this.#most) {
      this.#buckets.delete(this.#buckets.keys().next().value!);
    }
    return bucket;
  }
}
