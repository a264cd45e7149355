/**
 * An original client as a member of the lobby: its name, its frames, and lines for it to read.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { openClassicFrame } from "../crypto/classic_frame.ts";
import { concat, equal } from "../protocol/bytes.ts";
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
import { classicNameTriesMax, controlBytesMax, silenceMaxMs } from "../protocol/limits.ts";
import { type Link, readable } from "../protocol/link.ts";
import type { Person } from "../protocol/message.ts";
import type { TokenBucket } from "./bucket.ts";
import type { Greeting } from "./greeting.ts";
import type { Hub, PeopledRoom } from "./hub.ts";
import { newId, type People, type User } from "./people.ts";
import { type Source, Writer } from "./writer.ts";

const log = getLogger(["broadcast", "classic"]);

/** What serving a classic client takes. */
export interface ClassicOptions {
  readonly link: Link;
  readonly clock: Clock;
  readonly hub: Hub;
  readonly people: People;
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
}

/** MUST NOT show a client its own messages; MUST NOT let a text pass for somebody else's line. */
export class ClassicSession {
  readonly #options: ClassicOptions;
  readonly #lines = new Lines();
  readonly #writer: Writer;
  readonly #reader = new ClassicClientReader();
  #guest: Guest | undefined;
  #triesLeft = classicNameTriesMax;

  constructor(options: ClassicOptions) {
    this.#options = options;
    const never = () => Promise.reject(new Error("Nothing is sealed for a classic client"));
    this.#writer = new Writer(options.link, never, options.clock, () => options.link.close());
  }

  /** Serves it to its end. Never throws. */
  async run({ first, isPrompted }: Pick<Greeting, "first" | "isPrompted">): Promise<void> {
    if (!isPrompted) this.#write(new TextEncoder().encode(classicPrompt));
    try {
      for await (const bytes of readable(this.#options.link, first)) {
        this.#reader.push(bytes);
        for (let next = this.#reader.next(); next; next = this.#reader.next()) {
          await this.#take(next);
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
    if (this.#writer.stalledMs(nowMs) > silenceMaxMs) this.#options.link.close();
  }

  /** Ends it; the original has no words for why. */
  fail(): void {
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
    const { people, hub, onNamed } = this.#options;
    try {
      const { user, person } = people.guest(name);
      const lobby = hub.room(hub.lobby.id);
      const stopListening = hub.lobby.listen((entries) => this.#show(entries));
      this.#guest = { user, person, lobby, stopListening };
      this.#reader.acceptName();
      hub.arrive(lobby, person);
      onNamed();
      return undefined;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return error.code === "bad_name" ? "illegal" : "taken";
    }
  }

  /** Publishes a text; who is too fast is read no further for a while. */
  async #say({ person, lobby }: Guest, text: string): Promise<void> {
    const { publishes, clock } = this.#options;
    for (let waitMs = publishes.tryTake(); waitMs > 0; waitMs = publishes.tryTake()) {
      await pause(clock, waitMs);
    }
    await lobby.room.drained();
    const payload = new TextEncoder().encode(text);
    const draft = { proof: Proof.unverified, content: Content.text, messageId: newId(), payload };
    lobby.room.publish({ deviceId: person.deviceId, core: encodeCore(draft) });
  }

  /** Writes what others said. */
  #show(entries: readonly Entry[]): void {
    const { people } = this.#options;
    for (const { deviceId, core } of entries) {
      const isSpoken = core.content === Content.text || core.content === Content.action;
      if (!isSpoken || equal(deviceId, this.#guest!.person.deviceId)) continue;
      const name = people.behind(deviceId)?.name ?? "unknown";
      const text = new TextDecoder().decode(core.payload);
      this.#write(encodeClassicMessage(name, text, core.content === Content.action));
    }
  }

  #write(bytes: Uint8Array): void {
    if (!this.#lines.push(bytes)) return this.#options.link.close(); // It reads too slowly.
    this.#writer.wake(this.#lines);
  }

  #leave(): void {
    if (!this.#guest) return;
    const { user, person, lobby, stopListening } = this.#guest;
    stopListening();
    this.#options.hub.depart(lobby, person.userId, true);
    this.#options.people.logout(user);
  }
}

/** How long a client that is sent away may take to read the last line. */
const lastLineMs = 200;

/** Lines that wait to be written. */
class Lines implements Source {
  #waiting: Uint8Array[] = [];
  #bytes = 0;

  /** Adds a line; false when too much is waiting already. */
  push(line: Uint8Array): boolean {
    if (this.#bytes + line.length > controlBytesMax) return false;
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
