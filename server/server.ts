/**
 * The server's core: takes links, brings them through handshake and login, owns their sessions, and
 * closes gracefully. It does no I/O of its own.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { SigningKey } from "../crypto/identity.ts";
import type { Clock } from "../protocol/clock.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { FrameQueue } from "../protocol/frame_queue.ts";
import { frame, UnframeStream } from "../protocol/framer.ts";
import { frameBytesMax, frameBytesMaxBeforeLogin, inspectMs } from "../protocol/limits.ts";
import { type Link, readable } from "../protocol/link.ts";
import { encodeControl, type Person } from "../protocol/message.ts";
import { Admission, type AdmissionLimits, type Candidate, isLoopback } from "./admission.ts";
import { TokenBucket } from "./bucket.ts";
import { ClassicSession } from "./classic.ts";
import { Entrance } from "./entrance.ts";

import { greet, type Greeting } from "./greeting.ts";
import { Hub } from "./hub.ts";
import {
  checkLogin,
  isInvitation,
  makeServerKeys,
  type Pair,
  type ServerKeys,
  shakeHands,
} from "./login.ts";
import { People, type User } from "./people.ts";
import { Session } from "./session.ts";
import type { Store } from "./store/store.ts";

const log = getLogger(["broadcast", "server"]);

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

/** What the server takes from outside. */
export interface ServerOptions {
  readonly rules: Rules;
  readonly clock: Clock;
  readonly store: Store;
  readonly identity: SigningKey;
  /** What lets a new user in. */
  readonly invitation: Uint8Array;
  /** The lines that an operator sees: who came, who went. */
  readonly say: (line: string) => void;
  /** Told when the server cannot go on. */
  readonly onFault: (cause: unknown) => void;
}

/** A session as the server sees it, of our protocol or classic. */
type Served = Pick<Session, "inspect" | "fail">;

/** MUST keep every bound of its rules; MUST survive whatever a peer sends. */
export class Server {
  readonly #options: ServerOptions;
  readonly #keys: ServerKeys;
  readonly #hub: Hub;
  readonly #people: People;
  readonly #admission: Admission;
  /** Publishes of a user, kept while the user is connected. */
  readonly #publishes = new WeakMap<User, TokenBucket>();
  /** Each with the promise of its end. */
  readonly #sessions = new Map<Served, Promise<void>>();
  readonly #entrances = new Set<Entrance>();
  #cancelInspection: () => void = () => {};
  #isClosing = false;

  private constructor(options: ServerOptions, keys: ServerKeys, hub: Hub) {
    this.#options = options;
    this.#keys = keys;
    this.#hub = hub;
    this.#people = new People(options.rules.usersMax);
    this.#admission = new Admission(options.rules, options.clock);
    this.#inspectLater();
  }

  /** A server with its lobby open, ready for links. */
  static async open(options: ServerOptions): Promise<Server> {
    const { clock, store, identity, onFault } = options;
    const hub = await Hub.open({ clock, store, identity, onFault });
    return new Server(options, await makeServerKeys(identity), hub);
  }

  /** Serves one connection to its end. Never throws. */
  async accept(link: Link): Promise<void> {
    const leave = this.#admission.count();
    const { clock, say } = this.#options;
    const entrance = new Entrance(link, clock);
    this.#entrances.add(entrance);
    say(`Client connected ${link.remote}`);
    try {
      await this.#serve(link, entrance);
    } catch (error) {
      if (error instanceof ProtocolError) await entrance.end(error);
      else log.debug("connection failed: {error}", { error });
    } finally {
      entrance.passed();
      this.#entrances.delete(entrance);
      link.close();
      leave();
      say(`Client disconnected ${link.remote}`);
    }
  }

  /** Tells everybody, writes what is queued, and ends all connections. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#cancelInspection();
    await this.#hub.flushed();
    for (const session of this.#sessions.keys()) session.fail("shutting_down", undefined, 1_000);
    const ends = [...this.#entrances].map((entrance) =>
      entrance.end(new ProtocolError("shutting_down"))
    );
    await Promise.all([...ends, ...this.#sessions.values()]);
    this.#hub.close();
  }

  /** From the first byte to the last. */
  async #serve(link: Link, entrance: Entrance): Promise<void> {
    if (this.#isClosing) throw new ProtocolError("shutting_down");
    const candidate = this.#admission.enter(
      link.remote,
      () => void entrance.end(new ProtocolError("server_full")),
    );
    try {
      const { clock } = this.#options;
      entrance.deadline(this.#options.rules.loginTimeoutMs, new ProtocolError("login_timeout"));
      const greeting = await greet(link, clock, this.#onPrompt(link, entrance));
      if (greeting.kind === "ours") {
        return await this.#serveOurs(link, entrance, candidate, greeting);
      }
      if (greeting.kind === "gone") return;
      if (!this.#speaksClassic(link)) throw new ProtocolError("version");
      entrance.classic();
      const session = new ClassicSession({
        link,
        clock,
        hub: this.#hub,
        people: this.#people,
        publishes: this.#newBudget(),
        onNamed() {
          entrance.passed();
          candidate.passed();
        },
      });
      await this.#own(session, session.run(greeting));
    } finally {
      candidate.passed();
    }
  }

  async #serveOurs(
    link: Link,
    entrance: Entrance,
    candidate: Candidate,
    { first }: Greeting,
  ): Promise<void> {
    let frameMax = frameBytesMaxBeforeLogin;
    const frames = readable(link, first).pipeThrough(new UnframeStream(() => frameMax)).getReader();
    const early = new FrameQueue(frames);
    const pair = await shakeHands(await early.next(), this.#keys);
    await entrance.write(frame(pair.answer));
    entrance.secure(pair.sealing);
    const login = await pair.opening.open(await early.next()).catch((cause) => {
      throw new ProtocolError("bad_frame", undefined, { cause });
    });
    const { user, registered, person } = await this.#logIn(link, login, pair);
    try {
      if (entrance.isOver) return; // It was told so already.
      entrance.passed();
      candidate.passed();
      frameMax = frameBytesMax;
      const session = this.#newSession(link, pair, user, person);
      session.send(encodeControl("welcome", {
        userId: user.id,
        deviceId: person.deviceId,
        name: user.name,
        registered,
        rooms: this.#hub.list(),
      }));
      await this.#own(session, session.run(frames, early.rest));
    } finally {
      this.#people.logout(user);
    }
  }

  /** Keeps a session among the server's until it ends. */
  async #own(session: Served, run: Promise<void>): Promise<void> {
    this.#sessions.set(session, run);
    await run.finally(() => this.#sessions.delete(session));
  }

  /** Checks a login and finds its user. */
  async #logIn(link: Link, messages: Uint8Array, { hash }: Pair) {
    const { rules, invitation: expected } = this.#options;
    const { credentials, invitation } = await checkLogin(messages, hash, this.#keys);
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
      pair,
      person,
      hub: this.#hub,
      people: this.#people,
      publishes,
      budgets: {
        frames: new TokenBucket(clock, rules.framesPerSecond, rules.framesPerSecond),
        bytes: new TokenBucket(clock, rules.bytesPerSecond, rules.bytesPerSecond),
      },
    });
  }

  #newBudget(): TokenBucket {
    const { clock, rules } = this.#options;
    return new TokenBucket(clock, rules.publishPerSecond, rules.publishBurst);
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

  #inspectLater(): void {
    this.#cancelInspection = this.#options.clock.timer(inspectMs, () => {
      const nowMs = this.#options.clock.now();
      for (const session of this.#sessions.keys()) session.inspect(nowMs);
      this.#inspectLater();
    });
  }
}
