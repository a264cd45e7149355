/**
 * A person with a client, for as many lives as the process has: goes into rooms, says things, does what
 * moderators do, remembers all of it, and checks everything that it is shown at the moment it is shown.
 *
 * @module
 */

import type { ClientEntry, ClientEvent, ClientRoom } from "../../client/events.ts";
import { shakeHands } from "../../client/handshake.ts";
import { inTime } from "../../client/in_time.ts";
import { Client } from "../../client/reconnect.ts";
import { forgetful, type Profile } from "../../client/store/store.ts";
import { certify, deviceIdOf, type Identity, importSigningKey } from "../../crypto/identity.ts";
import { equal, mapKey } from "../../protocol/bytes.ts";
import { Content, decodeCore, messageIdOf, refOf } from "../../protocol/entry.ts";
import { MemoryClientStore } from "../fixtures/memory_client_store.ts";
import { ask } from "./asking.ts";
import type { Coverage } from "./coverage.ts";
import { isInnocent } from "./innocent.ts";
import { type Fate, mortalClock, mortalProfile, ProcessEnded } from "./mortal.ts";
import type { Network } from "./network.ts";
import type { Act } from "./plan.ts";
import type { Random } from "./random.ts";
import type { Truth } from "./truth.ts";
import type { World } from "./world.ts";

/** What a member takes. */
export interface MemberOptions {
  readonly world: World;
  readonly network: Network;
  readonly coverage: Coverage;
  readonly truth: Truth;
  readonly random: Random;
  readonly isPatient: boolean;
  /** Whether its client keeps anything. */
  readonly isKeeping: boolean;
  /** What its client is given in the place of what it keeps. */
  readonly wrapProfile: (profile: Profile, world: World) => Profile;
}

/** Something to be said. */
interface Task {
  readonly label: string;
  readonly bytes: number;
  /** Which of the rooms, of those that the member is in then. */
  readonly room: number;
  /** What it does to something said before, if anything. */
  readonly content: number;
}

/** Something that was said: kept, or never again. */
interface Said {
  readonly room: Uint8Array;
  readonly messageId: Uint8Array;
  /** `uncertain`: whether it is in a log nobody will know but the log. */
  fate: "to come" | "refused" | "uncertain";
}

/** One run of its client's process. */
interface Life {
  client: Client | undefined;
  isAlive: boolean;
  isRunning: boolean;
  isSaying: boolean;
  fate: Fate | undefined;
  profile: Profile | undefined;
}

/** Entries of each room that a client keeps: a few. */
const entriesMax = 60;

/** Who is sent out is not told what became of what was under way. */
const outsideTexts = /^(You are no longer in|Join the room before)/;

/** What a person does not mind: it is refused, or the connection has ended. */
const refusals = ["Refused", "ProtocolError", "CutShort", "ProcessEnded", "RangeError"];

export class Member {
  readonly name: string;
  readonly #options: MemberOptions;
  readonly #number: number;
  readonly #store = new MemoryClientStore(entriesMax);
  #identity: Identity | undefined;
  #life: Life | undefined;
  readonly #lives: Life[] = [];
  #tasks: Task[] = [];
  #labels = 0;
  /** By message id, in the order said. */
  readonly #said = new Map<string, Said>();
  /** Of each room, what it was shown last. */
  readonly #shownSeqs = new Map<string, number>();
  /** Of each room, where the part begins that it has without a gap. */
  readonly #beginnings = new Map<string, number>();

  constructor(number: number, options: MemberOptions) {
    this.#number = number;
    this.name = `member${number}`;
    this.#options = options;
  }

  /** Whether it has a process. */
  get isThere(): boolean {
    return this.#life !== undefined;
  }

  /** The rooms that its client is in. */
  get rooms(): readonly ClientRoom[] {
    return this.#life?.client?.rooms ?? [];
  }

  /** Whether all it said is in a log, and it has been shown all of its rooms' logs. */
  get isAtRest(): boolean {
    const { client } = this.#life ?? {};
    if (!this.#life) return true;
    return client !== undefined && client.isConnected && this.#tasks.length === 0 &&
      client.undelivered === 0 && this.rooms.every((room) => this.#hasAll(room));
  }

  /** Whether every process of it has ended. */
  get hasEnded(): boolean {
    return this.#lives.every(({ isRunning }) => !isRunning);
  }

  /** For the report of a failure. */
  get state(): string {
    const { client } = this.#life ?? {};
    const rooms = this.rooms.map(({ id, info, cursor }) =>
      `${info.name} ${cursor?.seq} shown ${this.#shownSeqs.get(mapKey(id))} of ` +
      this.#options.truth.end(id)
    );
    return `${this.name}: ${client ? client.isConnected ? "in" : "out" : "not in"}, ` +
      `to say ${this.#tasks.length}, undelivered ${client?.undelivered}, ${rooms.join(", ")}`;
  }

  /** Starts its client's process. */
  start(): void {
    if (this.#life) return;
    this.#options.world.note(this.name, () => "starts");
    const life: Life = {
      client: undefined,
      isAlive: true,
      isRunning: true,
      isSaying: false,
      fate: undefined,
      profile: undefined,
    };
    this.#life = life;
    this.#lives.push(life);
    void this.#live(life);
  }

  /** Ends the process without a word. */
  crash(): void {
    const life = this.#life;
    if (!life) return;
    const { world, network, coverage, isKeeping } = this.#options;
    world.note(this.name, () => "crashes");
    coverage.crashes++;
    life.isAlive = life.isRunning = false;
    this.#life = undefined;
    network.killMember(this.name);
    this.#store.abandon();
    if (isKeeping) return;
    this.#shownSeqs.clear();
    for (const said of this.#said.values()) this.#doubt(said);
  }

  /** Ends the process when it next keeps something: before that is kept, or right after. */
  doom(fate: Fate | undefined): void {
    if (this.#life) this.#life.fate = fate;
  }

  /** Leaves, as a person does. */
  leave(): void {
    this.#life?.client?.close();
  }

  /** Says some things of some sizes, in this order. */
  say(sizes: readonly number[]): void {
    const { random } = this.#options;
    if (!this.#life) return;
    const contents = [Content.edit, Content.deletion];
    for (const bytes of sizes) {
      const content = random.chance(0.15) ? random.pick(contents) : Content.text;
      const room = random.int(0, 1_000);
      this.#tasks.push({ label: `${this.name}/${this.#labels++} `, bytes, room, content });
    }
    void this.#sayAll(this.#life);
  }

  /** Says something in each of its rooms. */
  sayEverywhere(): void {
    for (let room = 0; room < this.rooms.length; room++) {
      const label = `${this.name}/${this.#labels++} `;
      this.#tasks.push({ label, bytes: 20, room, content: Content.text });
    }
    if (this.#life) void this.#sayAll(this.#life);
  }

  /** Asks for something, and takes no for an answer. */
  async act(act: Act): Promise<void> {
    const { world, coverage } = this.#options;
    const client = this.#life?.client;
    const room = client?.rooms.find(({ info }) => info.name === act.room);
    if (!client || !room && act.command !== "join") return;
    world.note(this.name, () => `asks for ${act.command} ${act.room} ${act.whom}`);
    try {
      await ask({ ...this.#options, client, name: this.name }, act, room?.id);
      coverage.acts++;
    } catch (cause) {
      const { name, message } = cause as Error;
      world.note(this.name, () => `may not ${act.command}: ${message}`);
      coverage.actsRefused++;
      if (!refusals.includes(name)) world.fail(`${this.name} asked in vain: ${cause}`, cause);
    }
  }

  /**
   * Checks what the log of a room has of what was said.
   *
   * @param logged the message ids by this member's device, in the log's order
   */
  checkLogged(room: Uint8Array, logged: readonly string[]): void {
    const { world, truth } = this.#options;
    const kept = new Set(
      this.#store.profile(serverKey, this.name).messages()
        .map(({ core }) => mapKey(messageIdOf(core))),
    );
    this.#store.abandon();
    const there = new Set(logged);
    const refused = logged.filter((id) => this.#said.get(id)?.fate === "refused");
    // Where what came before is forgotten, another copy of the same may have been judged otherwise.
    const isTrimmed = truth.of(room)!.keptFrom > 1;
    world.check(
      refused.length === 0 || isTrimmed,
      () => `${this.name} was refused ${this.#labelsOf(refused)}, and the log has it`,
    );
    // What was refused, and its author has not heard of it, comes again, and may be taken then.
    const inOrder = (id: string) => !truth.refused.has(id);
    const expected = [...this.#said].filter(([id, said]) =>
      inOrder(id) && equal(said.room, room) &&
      (there.has(id) || said.fate === "to come" && !truth.lost.has(id) && !kept.has(id))
    ).map(([id]) => id);
    const known = logged.filter((id) => this.#said.has(id));
    world.check(
      known.length === logged.length,
      () => `the log has ${logged.length - known.length} things that ${this.name} did not say`,
    );
    const found = known.filter(inOrder);
    const isRight = expected.length === found.length &&
      found.every((id, at) => id === expected[at]);
    world.check(
      isRight,
      () =>
        `${this.name} said ${this.#labelsOf(expected)}, and the log has ${this.#labelsOf(found)}`,
    );
  }

  async #sayAll(life: Life): Promise<void> {
    if (life.isSaying || !life.client) return;
    life.isSaying = true;
    try {
      while (life.isAlive && this.#tasks.length > 0) {
        if (this.#options.isPatient) await life.client.hasRoom();
        if (!life.isAlive) return;
        await this.#sayOne(life.client, this.#tasks[0]!);
        if (life.isAlive) this.#tasks.shift();
      }
    } catch (cause) {
      // What was not kept is said again by the next process.
      if (life.isAlive) this.#options.world.fail(`${this.name} cannot speak: ${cause}`, cause);
    } finally {
      life.isSaying = false;
    }
  }

  async #sayOne(client: Client, task: Task): Promise<void> {
    const { world } = this.#options;
    const { label, bytes, content } = task;
    const room = client.rooms[task.room % client.rooms.length];
    if (!room) return;
    const target = content === Content.text ? undefined : this.#own(room.id);
    const text = content === Content.deletion && target ? "" : label.padEnd(bytes, ".");
    world.note(this.name, () => `says ${label}in ${room.info.name} (${bytes} bytes)`, bytes);
    const options = target ? { content, target } : {};
    const saying = client.say(room.id, text, options);
    const messageId = await saying;
    this.#remember(room.id, messageId);
  }

  #remember(room: Uint8Array, messageId: Uint8Array): void {
    this.#said.set(mapKey(messageId), { room, messageId, fate: "to come" });
  }

  /** Which of the things said these are. */
  #labelsOf(ids: readonly string[]): string {
    const all = [...this.#said.keys()];
    return ids.map((id) => all.indexOf(id)).join();
  }

  /** Something that the member said in a room. */
  #own(room: Uint8Array): Uint8Array | undefined {
    const own = [...this.#said.values()].filter((said) => equal(said.room, room));
    if (own.length === 0) return undefined;
    const deviceId = deviceIdOf(this.#identity!.device.publicKey);
    return refOf(deviceId, this.#options.random.pick(own).messageId);
  }

  #hasAll({ id, cursor }: ClientRoom): boolean {
    const shownSeq = this.#shownSeqs.get(mapKey(id));
    const end = this.#options.truth.end(id);
    return cursor?.seq === end && (shownSeq ?? end) === end;
  }

  async #live(life: Life): Promise<void> {
    const { world } = this.#options;
    try {
      const client = await this.#open(life);
      if (!client) return;
      life.client = client;
      world.note(this.name, () => "is in");
      void this.#sayAll(life);
      await client.run();
    } catch (cause) {
      if (life.isAlive) world.fail(`${this.name} gave up: ${cause}`, cause);
    } finally {
      life.isRunning = false;
    }
  }

  /** Tries until it is in, as a person would. */
  async #open(life: Life): Promise<Client | undefined> {
    const { world, network, random, isKeeping } = this.#options;
    const identity = this.#identity ??= await this.#makeIdentity();
    const clock = mortalClock(world.clock, life);
    while (life.isAlive) {
      try {
        return await Client.open({
          dial: async () => {
            if (!life.isAlive) throw new Error("the process has ended");
            const link = await network.dial(this.name);
            if (!life.isAlive) link.close();
            return await inTime(link, clock, shakeHands(link, () => {}));
          },
          login: { name: this.name, identity },
          clock,
          random: () => random.next(),
          ...(isKeeping && { keep: () => this.#keep(life) }),
          onEvent: (event) => this.#take(life, event),
        });
      } catch (cause) {
        this.#look(life, cause);
        await world.pause(random.scale(10, 2_000));
      }
    }
    return undefined;
  }

  /** What an earlier process has left has to fit what was shown and said. */
  #keep(life: Life): Profile {
    const { world, wrapProfile } = this.#options;
    if (!life.isAlive) return forgetful; // Whoever has ended takes no profile from who comes next.
    const profile = this.#store.profile(serverKey, this.name);
    for (const { id, cursor } of profile.rooms()) this.#checkKept(profile, id, cursor.seq);
    const [task] = this.#tasks;
    const found = task && profile.messages().find(({ core }) => isLabelled(core, task.label));
    if (found) {
      this.#remember(found.room, messageIdOf(found.core));
      this.#tasks.shift();
    } else if (task?.content === Content.deletion) this.#tasks.shift(); // It has no label.
    for (const { room, core } of profile.messages()) {
      const said = this.#said.get(mapKey(messageIdOf(core)));
      if (!said) this.#remember(room, messageIdOf(core));
      else if (said.fate === "refused") said.fate = "to come"; // It was told, and not yet given up.
    }
    const die = () => this.#life === life && this.crash();
    // A process that ends when it has kept a reset tells nobody; what it shows next is right anyhow.
    const reset: Profile["reset"] = (room, cursor) => {
      this.#startOver(room, cursor.seq);
      return profile.reset(room, cursor);
    };
    return wrapProfile(mortalProfile({ ...profile, reset }, life, () => life.fate, die), world);
  }

  #checkKept(profile: Profile, room: Uint8Array, seq: number): void {
    const { world, coverage } = this.#options;
    const key = mapKey(room);
    const shownSeq = this.#shownSeqs.get(key) ?? seq;
    world.check(shownSeq <= seq, () => `${this.name} was shown ${shownSeq}, and has kept ${seq}`);
    if (shownSeq < seq) coverage.keptUnshown++;
    const beginning = this.#beginnings.get(key) ?? 0;
    const seqs = profile.newest(room, entriesMax).map((entry) => entry.seq)
      .filter((kept) => kept > beginning);
    const end = seqs.length > 0 || seq === beginning ? seqs.at(-1) ?? seq : undefined;
    const isWhole = seqs.every((kept, at) => at === 0 || kept === seqs[at - 1]! + 1);
    const isThere = end === seq || !this.#beginnings.has(key);
    world.check(
      isWhole && isThere,
      () => `${this.name} has kept ${seqs} up to ${seq}, with a hole`,
    );
    this.#shownSeqs.set(key, seq);
  }

  async #makeIdentity(): Promise<Identity> {
    const secret = new Uint8Array(32).fill(this.#number + 1);
    const user = await importSigningKey(secret);
    const device = await importSigningKey(secret.fill(99, 1));
    this.#options.truth.names.set(mapKey(deviceIdOf(device.publicKey)), this.name);
    return await certify(user, device);
  }

  #take(life: Life, event: ClientEvent): void {
    if (!life.isAlive) return;
    const { world, coverage } = this.#options;
    switch (event.kind) {
      case "entries":
        for (const entry of event.entries) this.#show(life, event.room, entry);
        return;
      case "reset":
        world.note(this.name, () => `is told: ${event.reason}`);
        coverage.resets++;
        return this.#startOver(event.room.id, event.room.cursor!.seq);
      case "disconnected":
        return this.#look(life, event.reason);
      case "reconnected":
        world.note(this.name, () => "is back");
        coverage.reconnects++;
        return;
      case "delayed":
        coverage.delays++;
        return;
      case "removed":
        world.note(this.name, () => `is out of ${event.name}: ${event.reason}`);
        coverage.removals++;
        return;
      case "undelivered":
        return this.#refused(event.messageId, event.text);
    }
  }

  #refused(messageId: Uint8Array, text: string): void {
    const { world, coverage } = this.#options;
    world.note(this.name, () => `cannot say something: ${text}`);
    coverage.undelivered++;
    const said = this.#said.get(mapKey(messageId));
    if (!said) return;
    if (outsideTexts.test(text)) this.#doubt(said);
    else said.fate = "refused";
  }

  #doubt(said: Said): void {
    if (said.fate === "to come") said.fate = "uncertain";
  }

  #startOver(room: Uint8Array, seq: number): void {
    this.#shownSeqs.set(mapKey(room), seq);
    this.#beginnings.set(mapKey(room), seq);
  }

  /** One order for all: no gap without a word, no repetition, nothing that was not stored. */
  #show(_life: Life, room: ClientRoom, entry: ClientEntry): void {
    const { world, truth, coverage, random } = this.#options;
    const { seq } = entry;
    const key = mapKey(room.id);
    world.note(this.name, () => `is shown ${seq} of ${room.info.name}`, seq);
    const last = this.#shownSeqs.get(key);
    if (last === undefined) this.#beginnings.set(key, seq - 1);
    world.check(
      last === undefined || seq === last + 1,
      () => `${this.name} was shown ${seq} after ${last}`,
    );
    truth.checkShown(this.name, room.id, entry);
    this.#shownSeqs.set(key, seq);
    coverage.entriesShown++;
    if (random.chance(0.05)) this.#life?.client?.seen(room.id);
    if (random.chance(0.02)) this.#life?.client?.typing(room.id);
  }

  /** A connection may end for many reasons, but not for what only a fault of the core explains. */
  #look(life: Life, cause: unknown): void {
    if (!life.isAlive || cause instanceof ProcessEnded) return;
    const { world, coverage } = this.#options;
    const text = cause instanceof Error ? cause.message : String(cause);
    world.note(this.name, () => `is out: ${text}`);
    if (!isInnocent(text, coverage)) world.fail(`${this.name} was thrown out: ${text}`, cause);
  }
}

/** All members meet one server. */
const serverKey = new Uint8Array(32);

function isLabelled(core: Uint8Array, label: string): boolean {
  return mapKey(decodeCore(core).payload.subarray(0, label.length)) === label;
}
