/**
 * An original client as a member of the lobby: its name, its frames, and lines for it to read.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { openClassicFrame } from "../crypto/classic_frame.ts";
import { type Bytes, concat, equal, mapKey } from "../protocol/bytes.ts";
import {
  classicPrompt,
  type ClassicRefusal,
  encodeClassicMessage,
  encodeClassicRefusal,
} from "../protocol/classic.ts";
import { ClassicClientReader, type ClassicInput } from "../protocol/classic_client_reader.ts";
import { type Clock, pause } from "../protocol/clock.ts";
import { Content, encodeCore, type Entry, Proof } from "../protocol/entry.ts";
import { ProtocolError } from "../protocol/errors.ts";
import {
  classicLinesBytesMax,
  classicNameTriesMax,
  payloadBytesMax,
  silenceMaxMs,
} from "../protocol/limits.ts";
import { chunks, type Link } from "../protocol/link.ts";
import type { Person } from "../protocol/message.ts";
import type { TokenBucket } from "./bucket.ts";
import type { Greeting } from "./door/greeting.ts";
import type { PeopledRoom } from "./peopled_room.ts";
import { newId, type People, type User } from "./people.ts";
import type { Services } from "./services.ts";
import { type Source, Writer } from "./fanout/writer.ts";

const log = getLogger(["broadcast", "classic"]);

/** What serving a classic client takes. */
export interface ClassicOptions {
  readonly link: Link;
  readonly clock: Clock;
  readonly services: Services;
  /** What it may publish. */
  readonly publishes: TokenBucket;
  /** It has a name: the deadline for that is over. */
  readonly onNamed: () => void;
}

/** A classic client that has a name. */
interface Guest {
  readonly user: User;
  readonly person: Person;
  readonly lobby: PeopledRoom;
  readonly stopListening: () => void;
  readonly disconnect: () => void;
}

/** MUST NOT show a client its own messages; MUST NOT let a text pass for somebody else's line. */
export class ClassicSession {
  readonly #options: ClassicOptions;
  readonly #lines = new Lines();
  readonly #writer: Writer;
  readonly #reader = new ClassicClientReader();
  #guest: Guest | undefined;
  #triesLeft = classicNameTriesMax;
  /** When it last said something. */
  #saidMs = -Infinity;
  #isOver = false;
  /** Ends the pause that reading makes. */
  #readOn: () => void = () => {};

  constructor(options: ClassicOptions) {
    this.#options = options;
    const never = () => Promise.reject(new Error("Nothing is sealed for a classic client"));
    this.#writer = new Writer(options.link, never, options.clock, () => options.link.close());
  }

  /** Serves it to its end. Never throws. */
  async run({ first, isPrompted }: Pick<Greeting, "first" | "isPrompted">): Promise<void> {
    if (!isPrompted) this.#write(new TextEncoder().encode(classicPrompt));
    try {
      for await (const bytes of chunks(this.#options.link, first)) {
        this.#reader.push(bytes);
        for (let next = this.#reader.next(); next; next = this.#reader.next()) {
          await this.#take(next);
          if (this.#isOver) return;
        }
      }
    } catch (cause) {
      log.debug("a classic client broke off: {cause}", { cause });
    } finally {
      this.#leave();
      await Promise.race([this.#writer.idle(), pause(this.#options.clock, lastLineMs)]);
      this.#writer.close();
      this.#options.link.close();
    }
  }

  /** Looks whether it takes what it is sent. */
  inspect(nowMs: number): void {
    if (this.#writer.stalledMs(nowMs) > silenceMaxMs) this.fail();
  }

  /** Resolves when all that it has been sent is written, or it has ended. */
  written(): Promise<void> {
    return this.#writer.idle();
  }

  /** Ends it, whatever it has left to say; the original has no words for why. */
  fail(): void {
    this.#isOver = true;
    this.#readOn();
    this.#options.link.close();
  }

  async #take(input: ClassicInput): Promise<void> {
    if (input.kind === "name") return this.#tryName(input.name);
    const opened = await openClassicFrame(input.frame);
    if (!opened) throw new ProtocolError("bad_frame");
    const text = new TextDecoder().decode(opened);
    if (this.#guest) await this.#say(this.#guest, text);
    else this.#tryName(text.trim());
  }

  #tryName(name: string): void {
    const reason = name === "" ? "empty" : this.#enter(name);
    if (!reason) return;
    if (reason === "illegal" && --this.#triesLeft === 0) throw new ProtocolError("bad_name");
    this.#write(encodeClassicRefusal(reason));
  }

  /** Enters the lobby by this name, or says why not. */
  #enter(name: string): ClassicRefusal | undefined {
    const { services: { people, hub, bans, gate, connected }, link, onNamed } = this.#options;
    try {
      if (gate.isDraining) throw new ProtocolError("draining");
      // The original has no words for it, but the name is not to be had.
      if (bans.find(undefined, { name, remote: link.remote })) throw new ProtocolError("banned");
      const { user, person } = people.guest(name, this.#options.services.clock.now());
      const { lobby } = hub;
      const stopListening = lobby.room.listen((entries) => this.#show(entries));
      const fail = () => this.fail();
      const disconnect = connected.add({ user, remote: link.remote, fail });
      this.#guest = { user, person, lobby, stopListening, disconnect };
      this.#reader.acceptName();
      lobby.presence.arrive(person);
      onNamed();
      return undefined;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return error.code === "bad_name" ? "illegal" : "taken";
    }
  }

  /** Publishes a text; who is too fast is read no further for a while. */
  async #say({ user, person, lobby }: Guest, text: string): Promise<void> {
    const { publishes, clock, services: { hub } } = this.#options;
    for (let waitMs = publishes.tryTake(); waitMs > 0; waitMs = publishes.tryTake()) {
      await this.#wait((resolve) => clock.timer(waitMs, resolve));
      if (this.#isOver) return;
    }
    if (lobby.room.isCongested) {
      await this.#wait((resolve) => void lobby.room.drained().then(resolve));
    }
    const membership = hub.membership(lobby, user)!;
    const slowMs = lobby.slowMs > 0 ? this.#saidMs + lobby.slowMs - clock.now() : 0;
    if (slowMs > 0) {
      await this.#wait((resolve) => clock.timer(slowMs, resolve));
      if (this.#isOver) return;
    }
    // Who may not write is not heard: the original has no words for that.
    if (lobby.isAnnounce || membership.mutedUntilMs > clock.now()) return;
    this.#saidMs = clock.now();
    const payload = new TextEncoder().encode(text);
    // Bytes that are no UTF-8 have become three each.
    if (payload.length > payloadBytesMax) throw new ProtocolError("too_large");
    const draft = { proof: Proof.unverified, content: Content.text, messageId: newId(), payload };
    lobby.room.publish({ deviceId: person.deviceId, core: encodeCore(draft) });
  }

  /** Waits, but not longer than the session lasts. */
  #wait(begin: (resolve: () => void) => (() => void) | void): Promise<void> {
    return new Promise((resolve) => {
      const cancel = begin(resolve);
      this.#readOn = () => {
        cancel?.();
        resolve();
      };
    });
  }

  /** Writes what others said. */
  #show(entries: readonly Entry[]): void {
    const { people } = this.#options.services;
    for (const entry of entries) {
      const { content } = entry.core;
      const isSpoken = content === Content.text || content === Content.action;
      if (!isSpoken || equal(entry.deviceId, this.#guest!.person.deviceId)) continue;
      this.#write(shownLines(entry, people));
    }
  }

  #write(bytes: Uint8Array): void {
    if (!this.#lines.push(bytes)) return this.fail(); // It reads too slowly.
    this.#writer.wake(this.#lines);
  }

  #leave(): void {
    if (!this.#guest) return;
    const { user, person, lobby, stopListening, disconnect } = this.#guest;
    stopListening();
    disconnect();
    lobby.presence.depart(person, true);
    lobby.members.delete(mapKey(user.id));
    this.#options.services.people.logout(user, this.#options.clock.now());
  }
}

/** Lines by entry: they are the same for all who read them. */
const shown = new WeakMap<Entry, Bytes>();

function shownLines(entry: Entry, people: People): Bytes {
  const { deviceId, core } = entry;
  let lines = shown.get(entry);
  if (!lines) {
    const name = people.behind(deviceId)?.name ?? "unknown";
    const text = new TextDecoder().decode(core.payload);
    lines = encodeClassicMessage(name, text, core.content === Content.action);
    shown.set(entry, lines);
  }
  return lines;
}

/** How long a client that is sent away may take to read the last line. */
const lastLineMs = 200;

/** Lines that wait to be written. */
class Lines implements Source {
  #waiting: Uint8Array[] = [];
  #bytes = 0;

  /** Adds a line; false when too much is waiting already. */
  push(line: Uint8Array): boolean {
    if (this.#bytes + line.length > classicLinesBytesMax) return false;
    this.#waiting.push(line);
    this.#bytes += line.length;
    return true;
  }

  view(): Uint8Array | undefined {
    if (this.#waiting.length === 0) return undefined;
    return concat(this.#waiting.splice(0));
  }

  written(bytes: number): void {
    this.#bytes -= bytes;
  }
}
