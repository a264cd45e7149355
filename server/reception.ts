/**
 * The way in: from a bare link to a session. It tells our clients from classic ones, shakes hands, checks
 * the login, and holds everybody to the bounds until then.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { Clock } from "../protocol/clock.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { FrameQueue } from "../protocol/frame_queue.ts";
import { frame, UnframeStream } from "../protocol/framer.ts";
import { frameBytesMax, frameBytesMaxBeforeLogin } from "../protocol/limits.ts";
import { type Link, through } from "../protocol/link.ts";
import { encodeControl, type Person } from "../protocol/message.ts";
import { Admission, type AdmissionLimits, isLoopback } from "./admission.ts";
import { TokenBucket } from "./bucket.ts";
import { ClassicSession } from "./classic.ts";
import { Entrance } from "./entrance.ts";
import { greet, type Greeting } from "./greeting.ts";
import type { Hub } from "./hub.ts";
import { checkLogin, isInvitation, type Pair, type ServerKeys, shakeHands } from "./login.ts";
import { People, type User } from "./people.ts";
import { PublishBudget } from "./publish_budget.ts";
import { Session } from "./session.ts";

const log = getLogger(["broadcast", "reception"]);

/** What an operator decides; see server/config.ts. */
export interface Rules extends AdmissionLimits {
  /** Whether new users from beyond loopback need an invitation. */
  readonly join: "invite" | "open";
  /** From where the original protocol is spoken. */
  readonly classic: "loopback" | "on" | "off";
  readonly userConnectionsMax: number;
  readonly usersMax: number;
  readonly loginTimeoutMs: number;
  readonly publishBurst: number;
  readonly publishPerSecond: number;
  readonly framesPerSecond: number;
  readonly bytesPerSecond: number;
}

/** What the reception takes from outside. */
export interface ReceptionOptions {
  readonly rules: Rules;
  readonly clock: Clock;
  readonly hub: Hub;
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

/** MUST let nobody in who breaks a rule; MUST keep nothing of the way in once a session has begun. */
export class Reception {
  readonly #options: ReceptionOptions;
  readonly #people: People;
  readonly #admission: Admission;
  /** Publishes of a user, kept while the user is connected. */
  readonly #publishes = new WeakMap<User, PublishBudget>();
  readonly #entrances = new Set<Entrance>();
  #isClosing = false;

  constructor(options: ReceptionOptions) {
    this.#options = options;
    this.#people = new People(options.rules.usersMax);
    this.#admission = new Admission(options.rules, options.clock);
  }

  /** Counts a connection; the returned function ends that. */
  enter(): () => void {
    return this.#admission.count();
  }

  /** The session that a link becomes; undefined when it is refused or gone. Never throws. */
  async receive(link: Link): Promise<Received | undefined> {
    const entrance = new Entrance(link, this.#options.clock);
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
    const { clock, rules } = this.#options;
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
      const greeting = await greet(link, clock, this.#onPrompt(link, entrance));
      candidate.spoke();
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
      clock: this.#options.clock,
      hub: this.#options.hub,
      people: this.#people,
      publishes: this.#newBudget(),
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
    if (entrance.isOver) return void this.#people.logout(user); // It was told so already.
    frameMax = frameBytesMax;
    const session = this.#newSession(link, pair, user, person);
    session.send(encodeControl("welcome", {
      userId: user.id,
      deviceId: person.deviceId,
      name: user.name,
      registered,
      rooms: this.#options.hub.list(),
    }));
    const { rest } = early;
    return {
      session,
      run: () => session.run(frames, rest).finally(() => this.#people.logout(user)),
    };
  }

  /** Checks a login and finds its user. */
  async #logIn(link: Link, messages: Uint8Array, { hash }: Pair) {
    const { rules, invitation: expected } = this.#options;
    const { credentials, invitation } = await checkLogin(messages, hash, this.#options.keys);
    const mayRegister = rules.join === "open" || isLoopback(link.remote) ||
      isInvitation(invitation, expected);
    const { user, registered } = this.#people.login(credentials, () => {
      if (!mayRegister) throw new ProtocolError("invitation_needed");
    });
    if (user.sessions > rules.userConnectionsMax) {
      this.#people.logout(user);
      throw new ProtocolError("too_many_connections");
    }
    return { user, registered, person: this.#people.behind(credentials.deviceId)! };
  }

  #newSession(link: Link, pair: Pair, user: User, person: Person): Session {
    const { clock, rules } = this.#options;
    let publishes = this.#publishes.get(user);
    if (!publishes) {
      publishes = this.#newBudget();
      this.#publishes.set(user, publishes);
    }
    return new Session({
      link,
      clock,
      pair: { opening: pair.opening, sealing: pair.sealing },
      person,
      hub: this.#options.hub,
      people: this.#people,
      publishes,
      budgets: {
        frames: new TokenBucket(clock, rules.framesPerSecond, rules.framesPerSecond),
        bytes: new TokenBucket(clock, rules.bytesPerSecond, rules.bytesPerSecond),
      },
    });
  }

  #newBudget(): PublishBudget {
    const { clock, rules } = this.#options;
    return new PublishBudget(clock, rules.publishPerSecond, rules.publishBurst);
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
