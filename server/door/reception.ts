/**
 * The way in: from a bare link to a session. It tells our clients from classic ones, shakes hands, checks
 * the login, and holds everybody to the bounds until then.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { Clock } from "../../protocol/clock.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { FrameQueue } from "../../protocol/frame_queue.ts";
import { frame, UnframeStream } from "../../protocol/framer.ts";
import {
  addressBudgetsMax,
  frameBytesMax,
  frameBytesMaxBeforeLogin,
} from "../../protocol/limits.ts";
import { type Link, through } from "../../protocol/link.ts";
import { encodeControl, type Person } from "../../protocol/message.ts";
import { addressGroup, Admission, type AdmissionLimits, isLoopback } from "./admission.ts";
import { type Ban, banText, type Newcomer } from "../moderation/bans.ts";
import { TokenBucket } from "../bucket.ts";
import { AddressBudgets } from "../budgets.ts";
import { ClassicSession } from "../classic.ts";
import { Entrance } from "./entrance.ts";
import type { Registration } from "./gate.ts";
import { greet, type Greeting } from "./greeting.ts";
import { comeIn, mayComeInBy, takeBack } from "./invited.ts";
import { checkLogin, isInvitation, type Pair, type ServerKeys, shakeHands } from "./login.ts";
import type { User } from "../people.ts";
import { PublishBudget } from "../publish_budget.ts";
import type { Services } from "../services.ts";
import { Session } from "../session.ts";
import { StoreFullError } from "../store/store.ts";

const log = getLogger(["broadcast", "reception"]);

/** What an operator decides; see server/config.ts. */
export interface Rules extends AdmissionLimits {
  /** How strangers become users; those from this machine need no invitation. */
  readonly join: Registration;
  /** From where the original protocol is spoken. */
  readonly classic: "loopback" | "on" | "off";
  readonly userConnectionsMax: number;
  readonly usersMax: number;
  readonly loginTimeoutMs: number;
  readonly loginBurst: number;
  readonly loginsPerMinute: number;
  readonly publishBurst: number;
  readonly publishPerSecond: number;
  readonly framesPerSecond: number;
  readonly bytesPerSecond: number;
}

/** What the reception takes from outside. */
export interface ReceptionOptions {
  readonly rules: Rules;
  readonly services: Services;
  readonly keys: ServerKeys;
  /** What lets a new user in. */
  readonly invitation: Uint8Array;
}

/** A session as the server sees it, of our protocol or classic. */
export type Served = Pick<Session, "inspect" | "fail" | "written">;

/** A session that may begin. */
export interface Received {
  readonly session: Served;
  /** Serves it to its end. Never throws. */
  readonly run: () => Promise<void>;
}

/** For each new budget so many old ones are looked at: what is not used any more does not pile up. */
const budgetsLookedAt = 4;
/** Who comes back after a broken connection may send again what was taken before. */
const budgetKeptMs = 120_000;

/** MUST let nobody in who breaks a rule; MUST keep nothing of the way in once a session has begun. */
export class Reception {
  readonly #options: ReceptionOptions;
  readonly #clock: Clock;
  readonly #admission: Admission;
  /** Publishes of users who are connected, or were a moment ago; the one looked at last at the end. */
  readonly #publishes = new Map<User, PublishBudget>();
  /** Logins from an address. */
  readonly #logins: AddressBudgets<TokenBucket>;
  /** What classic guests from an address publish: who they are tells only the address. */
  readonly #guestPublishes: AddressBudgets<PublishBudget>;
  readonly #entrances = new Set<Entrance>();
  #isClosing = false;

  constructor(options: ReceptionOptions) {
    this.#options = options;
    this.#clock = options.services.clock;
    this.#admission = new Admission(options.rules, this.#clock);
    const { loginsPerMinute, loginBurst } = options.rules;
    this.#logins = new AddressBudgets(
      addressBudgetsMax,
      () => new TokenBucket(this.#clock, loginsPerMinute / 60, loginBurst),
    );
    this.#guestPublishes = new AddressBudgets(addressBudgetsMax, () => this.#newBudget());
  }

  /** Counts a connection; the returned function ends that. */
  enter(): () => void {
    return this.#admission.count();
  }

  /** The session that a link becomes; undefined when it is refused or gone. Never throws. */
  async receive(link: Link): Promise<Received | undefined> {
    const entrance = new Entrance(link, this.#clock);
    this.#entrances.add(entrance);
    try {
      return await this.#receive(link, entrance);
    } catch (error) {
      if (error instanceof ProtocolError) await entrance.end(error);
      else log.debug("connection failed: {error}", { error });
      return undefined;
    } finally {
      this.#entrances.delete(entrance);
    }
  }

  /** Lets nobody in any more, and sends away who waits. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const error = new ProtocolError("shutting_down");
    await Promise.all([...this.#entrances].map((entrance) => entrance.end(error)));
  }

  async #receive(link: Link, entrance: Entrance): Promise<Received | undefined> {
    if (this.#isClosing) throw new ProtocolError("shutting_down");
    this.#mustNotBeBanned({ remote: link.remote });
    const { rules } = this.#options;
    const candidate = this.#admission.enter(
      link.remote,
      () => void entrance.end(new ProtocolError("server_full")),
    );
    const onPassed = () => {
      entrance.passed();
      candidate.passed();
    };
    let received: Received | undefined;
    try {
      entrance.ours(rules.loginTimeoutMs);
      const greeting = await greet(link, this.#clock, this.#onPrompt(link, entrance));
      candidate.spoke();
      if (greeting.kind !== "gone") this.#mustNotHurry(link.remote);
      if (greeting.kind === "classic") {
        received = this.#receiveClassic(link, entrance, greeting, onPassed);
      } else if (greeting.kind === "ours") {
        entrance.ours(rules.loginTimeoutMs);
        received = await this.#receiveOurs(link, entrance, greeting);
        if (received) onPassed();
      }
      return received;
    } finally {
      if (!received) candidate.passed();
    }
  }

  /** A classic client: it is let in at once, and has the time of a person to say its name. */
  #receiveClassic(
    link: Link,
    entrance: Entrance,
    greeting: Greeting,
    onPassed: () => void,
  ): Received {
    if (!this.#speaksClassic(link)) throw new ProtocolError("version");
    entrance.classic();
    const session = new ClassicSession({
      link,
      clock: this.#clock,
      services: this.#options.services,
      publishes: isLoopback(link.remote)
        ? this.#newBudget()
        : this.#guestPublishes.of(addressGroup(link.remote)),
      onNamed: onPassed,
    });
    return { session, run: () => session.run(greeting).finally(onPassed) };
  }

  /** A client of ours: handshake and login. */
  async #receiveOurs(
    link: Link,
    entrance: Entrance,
    { first }: Greeting,
  ): Promise<Received | undefined> {
    let frameMax = frameBytesMaxBeforeLogin;
    const frames = through(link, new UnframeStream(() => frameMax), first).getReader();
    const early = new FrameQueue(frames);
    const pair = await shakeHands(await early.next(), this.#options.keys);
    if (entrance.isOver) return undefined; // It was told so already.
    const answered = entrance.write(frame(pair.answer));
    entrance.secure(pair.sealing); // In the same turn: whatever it is told comes behind the answer.
    await answered;
    const login = await pair.opening.open(await early.next()).catch((cause) => {
      throw new ProtocolError("bad_frame", undefined, { cause });
    });
    const { user, registered, person } = await this.#logIn(link, login, pair);
    if (entrance.isOver) return void this.#logOut(user); // It was told so already.
    const ban = this.#banOf({ name: user.name, key: user.key, remote: link.remote });
    if (ban) { // While its name was being kept.
      this.#logOut(user);
      throw banned(ban);
    }
    frameMax = frameBytesMax;
    const session = this.#newSession(link, pair, user, person);
    const { hub, connected } = this.#options.services;
    session.send(encodeControl("welcome", {
      userId: user.id,
      deviceId: person.deviceId,
      name: user.name,
      registered,
      isAdmin: user.isAdmin,
      rooms: hub.roomsOf(user).map((room) => hub.info(room, user)),
    }));
    hub.enter(session);
    const disconnect = connected.add(session);
    const { rest } = early;
    return {
      session,
      run: () =>
        session.run(frames, rest).finally(() => {
          hub.exit(session);
          disconnect();
          this.#logOut(user);
        }),
    };
  }

  /** Checks a login and finds its user. Whom it lets in, and by what, is kept before it resolves. */
  async #logIn(link: Link, messages: Uint8Array, { hash }: Pair) {
    const { rules, invitation: expected, services } = this.#options;
    const { credentials, invitation } = await checkLogin(messages, hash, this.#options.keys);
    const { people, gate, invitations } = services;
    this.#mustNotBeBanned({ key: credentials.userKey });
    const offered = invitation && invitations.find(invitation);
    const isInvited = isLoopback(link.remote) || isInvitation(invitation, expected) ||
      offered !== undefined;
    const known = people.find(credentials.name);
    const { user, registered, isPending, saved } = people.login(credentials, () => {
      gate.mustRegister(isInvited);
      // Only now: a stranger is not told which names are known here.
      this.#mustNotBeBanned({ name: credentials.name });
    }, this.#clock.now());
    saved?.catch(() => {}); // Where it is not awaited: which of the devices came last may get lost.
    const person = people.behind(credentials.deviceId)!;
    let admitted: Promise<void> | undefined;
    try {
      if (known) gate.mustReturn({ ...known, sessions: known.sessions - 1 });
      if (user.sessions > rules.userConnectionsMax) {
        throw new ProtocolError("too_many_connections");
      }
      const newcomer = { user, person, registered, remote: link.remote };
      if (offered && mayComeInBy(services, offered, newcomer)) {
        admitted = comeIn(services, offered, newcomer);
      }
      if (isPending || admitted) await Promise.all([saved, admitted]); // It is promised to them.
      // They may have been forgotten meanwhile, and the name be free again.
      if (people.withId(user.id) !== user) throw new ProtocolError("session_ended");
    } catch (cause) {
      people.logout(user, user.lastSeenMs); // They were not here.
      if (admitted) takeBack(services, offered!, user);
      if (registered) people.forget(user).catch(() => {});
      throw cause instanceof StoreFullError ? new ProtocolError("read_only") : cause;
    }
    return { user, registered, person };
  }

  /** @throws {ProtocolError} banned */
  #mustNotBeBanned(newcomer: Newcomer): void {
    const ban = this.#banOf(newcomer);
    if (ban) throw banned(ban);
  }

  /** The ban from the whole server that keeps somebody out. */
  #banOf(newcomer: Newcomer): Ban | undefined {
    return this.#options.services.bans.find(undefined, newcomer);
  }

  /** @throws {ProtocolError} slow_down */
  #mustNotHurry(remote: string): void {
    if (isLoopback(remote)) return;
    const retryAfterMs = this.#logins.of(addressGroup(remote)).tryTake();
    if (retryAfterMs === 0) return;
    const text = "There were many logins from your address just now. Try again in a moment.";
    throw new ProtocolError("slow_down", text, { retryAfterMs });
  }

  #logOut(user: User): void {
    this.#options.services.people.logout(user, this.#clock.now());
  }

  /** Forgets some of those that would be new ones if their users came again. */
  #forgetBudgets(): void {
    for (const [user, budget] of [...this.#publishes.entries().take(budgetsLookedAt)]) {
      this.#publishes.delete(user);
      const awayMs = this.#clock.now() - user.lastSeenMs;
      const isUsed = user.sessions > 0 || awayMs < budgetKeptMs || !budget.isFull;
      if (isUsed) this.#publishes.set(user, budget);
    }
  }

  #newSession(link: Link, pair: Pair, user: User, person: Person): Session {
    const { rules, services } = this.#options;
    const clock = this.#clock;
    let publishes = this.#publishes.get(user);
    if (!publishes) {
      this.#forgetBudgets();
      publishes = this.#newBudget();
      this.#publishes.set(user, publishes);
    }
    return new Session({
      link,
      clock,
      pair: { opening: pair.opening, sealing: pair.sealing },
      user,
      person,
      services,
      publishes,
      budgets: {
        frames: new TokenBucket(clock, rules.framesPerSecond, rules.framesPerSecond),
        bytes: new TokenBucket(clock, rules.bytesPerSecond, rules.bytesPerSecond),
      },
    });
  }

  #newBudget(): PublishBudget {
    const { rules } = this.#options;
    return new PublishBudget(this.#clock, rules.publishPerSecond, rules.publishBurst);
  }

  #speaksClassic({ remote }: Link): boolean {
    const { classic } = this.#options.rules;
    return classic === "on" || classic === "loopback" && isLoopback(remote);
  }

  /** A person who reads the prompt has longer, and could not read our frames. */
  #onPrompt(link: Link, entrance: Entrance): (() => void) | undefined {
    if (!this.#speaksClassic(link)) return undefined;
    return () => entrance.classic();
  }
}

function banned(ban: Ban): ProtocolError {
  return new ProtocolError("banned", banText(ban, "from this server"));
}
