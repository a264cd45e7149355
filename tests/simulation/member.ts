/**
 * A person with a client, for as many lives as the process has: says things, remembers what it said,
 * and checks everything that it is shown at the moment it is shown.
 *
 * @module
 */

import { shakeHands } from "../../client/handshake.ts";
import { inTime } from "../../client/in_time.ts";
import { Client, type ClientEvent } from "../../client/reconnect.ts";
import { certify, type Identity, importSigningKey } from "../../crypto/identity.ts";
import { Content } from "../../protocol/entry.ts";
import type { CheckedEntry } from "../../client/room_log.ts";
import type { Coverage } from "./coverage.ts";
import type { Network } from "./network.ts";
import type { Random } from "./random.ts";
import type { Truth } from "./truth.ts";
import { isInnocent } from "./innocent.ts";
import type { World } from "./world.ts";

/** What a member takes. */
export interface MemberOptions {
  readonly world: World;
  readonly network: Network;
  readonly coverage: Coverage;
  readonly truth: Truth;
  readonly random: Random;
  readonly isPatient: boolean;
}

/** One run of its client's process. */
interface Life {
  readonly number: number;
  client: Client | undefined;
  isAlive: boolean;
  /** What was said, in order: labels that begin the texts. */
  readonly said: string[];
  /** How many of these the client has in its outbox, or had. */
  given: number;
  /** What was to be said and has not been given to the client yet. */
  waiting: number;
  /** So much of what was said counted as stored when the process ended. */
  settled: number;
  shownSeq: number | undefined;
  /** The log went on elsewhere since the last entry. */
  isReset: boolean;
  isRunning: boolean;
  /** Ends when the process does. */
  readonly opened: PromiseWithResolvers<Client>;
}

export class Member {
  readonly name: string;
  readonly #options: MemberOptions;
  readonly #number: number;
  #identity: Identity | undefined;
  #life: Life | undefined;
  readonly lives: Life[] = [];

  constructor(number: number, options: MemberOptions) {
    this.#number = number;
    this.name = `member${number}`;
    this.#options = options;
  }

  /** Whether it has a process. */
  get isThere(): boolean {
    return this.#life !== undefined;
  }

  /** Whether all it said is in the log, and it has been shown all of the log. */
  get isAtRest(): boolean {
    const life = this.#life;
    return life === undefined || life.client !== undefined && life.waiting === 0 &&
        life.client.undelivered === 0 && life.shownSeq === this.#options.truth.end;
  }

  /** Whether every process of it has ended. */
  get hasEnded(): boolean {
    return this.lives.every(({ isRunning }) => !isRunning);
  }

  /** For the report of a failure. */
  get state(): string {
    const { client, waiting, shownSeq, said } = this.#life ?? {};
    return `${this.name}: ${client ? "in" : "not in"}, said ${said?.length}, waiting ${waiting}, ` +
      `undelivered ${client?.undelivered}, shown ${shownSeq} of ${this.#options.truth.end}`;
  }

  /** Starts its client's process. */
  start(): void {
    if (this.#life) return;
    this.#options.world.note(this.name, () => "starts");
    const life: Life = {
      number: this.lives.length,
      client: undefined,
      isAlive: true,
      said: [],
      given: 0,
      waiting: 0,
      settled: 0,
      shownSeq: undefined,
      isReset: false,
      isRunning: true,
      opened: Promise.withResolvers<Client>(),
    };
    this.#life = life;
    this.lives.push(life);
    void this.#live(life);
  }

  /** Ends the process without a word. */
  crash(): void {
    const life = this.#life;
    if (!life) return;
    const { world, network, coverage } = this.#options;
    world.note(this.name, () => "crashes");
    coverage.crashes++;
    life.isAlive = false;
    life.settled = life.given - (life.client?.undelivered ?? 0);
    this.#life = undefined;
    network.killMember(this.name);
    life.client?.close();
  }

  /** Leaves, as a person does. */
  leave(): void {
    this.#life?.client?.close();
  }

  /** Says some things of some sizes, in this order. */
  say(sizes: readonly number[]): void {
    const life = this.#life;
    if (!life) return;
    life.waiting += sizes.length;
    void this.#sayAll(life, sizes);
  }

  async #sayAll(life: Life, sizes: readonly number[]): Promise<void> {
    const client = await life.opened.promise;
    this.#ask(client);
    for (const size of sizes) {
      if (this.#options.isPatient) await client.hasRoom();
      if (!life.isAlive) return;
      const label = `${this.name}/${life.number}/${life.said.length} `;
      life.said.push(label);
      this.#options.world.note(this.name, () => `says ${label}(${size} bytes)`, size);
      await client.say(label.padEnd(size, "."), Content.text);
      life.given++;
      life.waiting--;
    }
  }

  /** Asks who is there; whether an answer comes depends on the connection. */
  #ask(client: Client): void {
    const { world, random, coverage } = this.#options;
    if (!random.chance(0.2)) return;
    client.who().then(({ total, names }) => {
      coverage.answers++;
      world.check(total === names.length, () => `${this.name} was told of ${total} by ${names}`);
    }, () => {});
  }

  async #live(life: Life): Promise<void> {
    const { world, coverage } = this.#options;
    try {
      const client = await this.#open(life);
      if (!client) return;
      life.client = client;
      world.note(this.name, () => "is in");
      life.opened.resolve(client);
      await client.run();
    } catch (cause) {
      world.fail(`${this.name} gave up: ${cause}`, cause);
    } finally {
      life.isRunning = false;
      coverage.entriesShown += life.shownSeq ?? 0;
    }
  }

  /** Tries until it is in, as a person would. */
  async #open(life: Life): Promise<Client | undefined> {
    const { world, network, random } = this.#options;
    const identity = this.#identity ??= await this.#makeIdentity();
    while (life.isAlive) {
      try {
        return await Client.open({
          dial: async () => {
            if (!life.isAlive) throw new Error("the process has ended");
            const link = await network.dial(this.name);
            if (!life.isAlive) link.close();
            return await inTime(link, world.clock, shakeHands(link, () => {}));
          },
          login: { name: this.name, identity },
          clock: world.clock,
          random: () => random.next(),
          onEvent: (event) => this.#take(life, event),
        });
      } catch (cause) {
        this.#look(life, cause);
        await world.pause(random.scale(10, 2_000));
      }
    }
    return undefined;
  }

  async #makeIdentity(): Promise<Identity> {
    const secret = new Uint8Array(32).fill(this.#number + 1);
    return await certify(
      await importSigningKey(secret),
      await importSigningKey(secret.fill(99, 1)),
    );
  }

  #take(life: Life, event: ClientEvent): void {
    if (!life.isAlive) return;
    const { world, coverage } = this.#options;
    switch (event.kind) {
      case "entries":
        for (const entry of event.entries) this.#show(life, entry);
        return;
      case "reset":
        world.note(this.name, () => `is told: ${event.reason}`);
        coverage.resets++;
        life.isReset = true;
        return;
      case "disconnected":
        return this.#look(life, event.reason);
      case "reconnected":
        world.note(this.name, () => "is back");
        return void coverage.reconnects++;
      case "undelivered":
        world.fail(`${this.name} cannot say something: ${event.text}`);
    }
  }

  /** One order for all: no gap without a word, no repetition, nothing that was not stored. */
  #show(life: Life, entry: CheckedEntry): void {
    const { world, truth } = this.#options;
    const { seq } = entry;
    world.note(this.name, () => `is shown ${seq}`, seq);
    const last = life.shownSeq;
    const follows = last === undefined || (life.isReset ? seq > last : seq === last + 1);
    world.check(follows, () => `${this.name} was shown ${seq} after ${last}`);
    truth.checkShown(this.name, entry);
    life.shownSeq = seq;
    life.isReset = false;
  }

  /** A connection may end for many reasons, but not for what only a fault of the core explains. */
  #look(life: Life, cause: unknown): void {
    if (!life.isAlive) return;
    const { world, coverage } = this.#options;
    const text = cause instanceof Error ? cause.message : String(cause);
    world.note(this.name, () => `is out: ${text}`);
    if (!isInnocent(text, coverage)) world.fail(`${this.name} was thrown out: ${text}`, cause);
  }
}
