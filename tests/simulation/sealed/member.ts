/**
 * A person with a client, for as many lives as the process has: sets out with an invitation, says things
 * in sealed rooms, sends others out, goes and comes back, and remembers what was said and shown.
 *
 * @module
 */

import type { ClientEntry, ClientEvent, ClientRoom } from "../../../client/events.ts";
import { shakeHands } from "../../../client/handshake.ts";
import { inTime } from "../../../client/in_time.ts";
import { Client } from "../../../client/reconnect.ts";
import { direct, giveRole, invite, revoke, takeOut } from "../../../client/sealed/acts.ts";
import type { Groups } from "../../../client/sealed/groups.ts";
import { decodeRoomKey, type RoomKey } from "../../../client/sealed/room_key.ts";
import type { SealedRoom } from "../../../client/sealed/sealed_room.ts";
import { newMessageId, signCore } from "../../../client/signed_core.ts";
import { forgetful, type Profile } from "../../../client/store/store.ts";
import { certify, deviceIdOf, type Identity, importSigningKey } from "../../../crypto/identity.ts";
import { mapKey } from "../../../protocol/bytes.ts";
import { encodeCommit } from "../../../protocol/commit.ts";
import { Content, decodeCore, messageIdOf, Proof } from "../../../protocol/entry.ts";
import { sha256 } from "../../../protocol/hash.ts";
import { ownKeysMs } from "../../../protocol/limits.ts";
import { MemoryClientStore } from "../../fixtures/memory_client_store.ts";
import { isInnocent } from "../innocent.ts";
import { type Fate, type Mortal, mortalClock, mortalProfile, ProcessEnded } from "../mortal.ts";
import type { Network } from "../network.ts";
import type { Random } from "../random.ts";
import type { Truth } from "../truth.ts";
import type { World } from "../world.ts";
import type { SealedCoverage } from "./coverage.ts";
import type { Deed } from "./plan.ts";

/** The room that all of them share. */
export const roomName = "team";

/** What somebody was given to come in by. */
export interface Link {
  readonly invitation: Uint8Array;
  readonly key: RoomKey;
  readonly publicKey: Uint8Array;
}

/** What a member takes. */
export interface MemberOptions {
  readonly world: World;
  readonly network: Network;
  readonly coverage: SealedCoverage;
  readonly truth: Truth;
  readonly random: Random;
  /** What makes the groups of one process. */
  readonly groups: (life: Mortal) => Groups;
  /** Keys that are made from now on have a greater number. */
  readonly newestKey: () => number;
  /** Takes an invitation to whoever sets out next. */
  readonly pass: (link: Link) => void;
  /** Whether somebody has put a commit into the log that nobody can accept. */
  readonly mayBreak: () => boolean;
  readonly wrapProfile: (profile: Profile, world: World) => Profile;
}

/** Something that was said. */
export interface Said {
  readonly room: Uint8Array;
  readonly text: string;
  /** `uncertain`: whether it is in a log nobody will know but the log. */
  fate: "to come" | "refused" | "uncertain";
  /** For whom it was said, once the keys were theirs too, and up to where the log had been read then. */
  readonly heeds?: { readonly name: string; readonly fromSeq: number };
}

/** From an entry of a room on somebody has no keys, until a commit brings them in anew. */
export interface Blindness {
  readonly fromSeq: number;
  /** The log's end when it began: the commit stands behind it. */
  readonly atSeq: number;
  /** It has to do so with keys that are newer than this. */
  readonly keysFrom: number;
  /** They were given up with the room: the commit stands behind what the log says of that. */
  readonly hasLeft?: boolean;
}

/** What a member has of a room's log. */
export interface Reader {
  /** Up to here nothing is expected: its reader begins behind it. */
  beginning: number | undefined;
  lastShown: number;
  readonly blind: Blindness[];
  readonly shown: Map<number, { readonly text: string; readonly isGood: boolean }>;
}

/** One run of its client's process. */
interface Life {
  client: Client | undefined;
  isAlive: boolean;
  isRunning: boolean;
  isSaying: boolean;
  fate: Fate | undefined;
  isEnding: boolean;
}

/** What a person does not mind: it is refused, or the connection has ended. */
const refusals = ["Refused", "ProtocolError", "CutShort", "ProcessEnded", "GroupError"];

/** All members meet one server. */
const serverKey = new Uint8Array(32);

export class SealedMember {
  readonly name: string;
  readonly number: number;
  readonly #options: MemberOptions;
  #store = new MemoryClientStore();
  /** The newest key that it may have lost. */
  #lostKeys = 0;
  #identity: Identity | undefined;
  #life: Life | undefined;
  readonly #lives: Life[] = [];
  #link: Link | undefined;
  #tasks: string[] = [];
  #labels = 0;
  /** By message id, in the order said. */
  readonly said = new Map<string, Said>();
  /** By room. */
  readonly readers = new Map<string, Reader>();
  /** Makes the room, as soon as there is a session. */
  #isMaker: boolean;
  /** Wants to be in the room though it has no invitation. */
  #isReturning = false;
  /** It has set out at some time. */
  hasCome = false;
  #isOver = false;
  /** Nothing goes wrong any more. */
  isCalm = false;

  constructor(number: number, options: MemberOptions) {
    this.number = number;
    this.name = `member${number}`;
    this.#isMaker = number === 0;
    this.#options = options;
  }

  get client(): Client | undefined {
    return this.#life?.client;
  }

  get isThere(): boolean {
    return this.#life !== undefined;
  }

  get hasEnded(): boolean {
    return this.#lives.every(({ isRunning }) => !isRunning);
  }

  /** By what it would come in. */
  get link(): Link | undefined {
    return this.#link;
  }

  /** Its device's id, once it has been made. */
  get deviceId(): Uint8Array | undefined {
    return this.#identity && deviceIdOf(this.#identity.device.publicKey);
  }

  get identity(): Identity | undefined {
    return this.#identity;
  }

  /** The sealed rooms that its client is in. */
  get rooms(): { room: ClientRoom; sealed: SealedRoom }[] {
    const client = this.client;
    return (client?.rooms ?? []).flatMap((room) => {
      const sealed = client!.sealedRoom(room.id);
      return sealed ? [{ room, sealed }] : [];
    });
  }

  /** All that it has said is in a log, and it has been shown all of its rooms' logs. */
  get isAtRest(): boolean {
    if (!this.#life) return true;
    return this.#tasks.length === 0 && this.client?.undelivered === 0 && this.hasReadAll;
  }

  /** Whether it is connected, and knows all that the logs have. */
  get hasReadAll(): boolean {
    const client = this.client;
    return client !== undefined && client.isConnected &&
      client.rooms.every(({ id, cursor }) => cursor?.seq === this.#options.truth.end(id));
  }

  /** For the report of a failure. */
  get state(): string {
    const rooms = this.rooms.map(({ room: { info, cursor, id }, sealed: { keys } }) => {
      const { group, broken, mustRenew } = keys;
      const at = group
        ? `${group.generation}.${group.epoch} of ${group.members.length}`
        : "no keys";
      return `${info.name} ${at}${broken ? " (broken)" : ""}${mustRenew ? " (unclean)" : ""} ` +
        `at ${cursor?.seq} of ${this.#options.truth.end(id)}`;
    });
    const client = this.client;
    return `${this.name}: ${client ? client.isConnected ? "in" : "out" : "not in"}, ` +
      `to say ${this.#tasks.length}, undelivered ${client?.undelivered}, ${rooms.join(", ")}`;
  }

  /** Sets out with an invitation; whoever is there already comes anew with it. */
  come(link: Link | undefined): void {
    this.hasCome = true;
    this.#options.coverage.arrivals++;
    if (link) this.#link = link;
    if (this.#life) return this.restart(10);
    this.start();
  }

  /** Starts its client's process. */
  start(): void {
    if (this.#life || !this.hasCome || this.#isOver) return;
    this.#options.world.note(this.name, () => "starts");
    const life: Life = {
      client: undefined,
      isAlive: true,
      isRunning: true,
      isSaying: false,
      fate: undefined,
      isEnding: false,
    };
    this.#life = life;
    this.#lives.push(life);
    void this.#live(life);
  }

  /** Ends the process without a word. */
  crash(): void {
    const life = this.#life;
    if (!life) return;
    const { world, network, coverage } = this.#options;
    world.note(this.name, () => "crashes");
    coverage.crashes++;
    life.isAlive = life.isRunning = false;
    this.#life = undefined;
    network.killMember(this.name);
    this.#store.abandon();
  }

  /** Ends the process when it next keeps something: before that is kept, or right after. */
  doom(fate: Fate | undefined): void {
    if (this.#life) this.#life.fate = fate;
  }

  /** Its device loses all that it kept, and its process with that. */
  lose(): void {
    const { world, coverage, truth } = this.#options;
    if (!this.hasCome) return;
    this.crash();
    world.note(this.name, () => "loses all that it has kept");
    coverage.lostStores++;
    this.#store = new MemoryClientStore();
    for (const said of this.said.values()) if (said.fate === "to come") said.fate = "uncertain";
    const keysFrom = this.#lostKeys = this.#options.newestKey();
    for (const { id, entries } of truth.logs.values()) {
      const reader = this.#readerOf(id);
      const atSeq = entries.length;
      reader.blind.push({ fromSeq: reader.lastShown + 1, atSeq, keysFrom });
      reader.lastShown = 0;
    }
  }

  /** Leaves for good. */
  retire(): void {
    this.#isOver = true;
    this.restart();
  }

  /** Leaves, as a person does, and comes again so much later; never where it is not given. */
  restart(afterMs?: number): void {
    const life = this.#life;
    if (!life) return;
    life.isEnding = true;
    life.client?.close();
    if (!life.client) this.crash();
    if (afterMs === undefined) return;
    const { world } = this.#options;
    const again = () => {
      if (life.isRunning) return world.after(10, again);
      if (this.#life === life) this.#life = undefined;
      this.start();
    };
    world.after(afterMs, again);
  }

  /** Says so many things, in whichever of its rooms. */
  say(messages: number): void {
    if (!this.#life) return;
    for (let at = 0; at < messages; at++) this.#tasks.push(`${this.name}/${this.#labels++}`);
    void this.#sayAll(this.#life);
  }

  /** Says something in each of its rooms. */
  async sayEverywhere(): Promise<void> {
    const client = this.client;
    if (!client) return;
    await Promise.all(this.rooms.map(async ({ room }) => {
      const text = `${this.name}/last ${this.#labels++}`;
      this.#remember(room.id, await client.say(room.id, text), text);
    }));
  }

  /** Does something, and takes no for an answer. */
  async act({ what }: Pick<Deed, "what">, whom: SealedMember): Promise<void> {
    const { world, coverage } = this.#options;
    world.note(this.name, () => `does ${what} ${whom.name}`);
    try {
      await this.#act(what, whom);
      coverage.acts++;
    } catch (cause) {
      const { name, message } = cause as Error;
      world.note(this.name, () => `may not ${what}: ${message}`);
      coverage.actsRefused++;
      if (!refusals.includes(name)) world.fail(`${this.name} acted in vain: ${cause}`, cause);
    }
  }

  /** Lets in who waits. */
  async admit(whom: SealedMember): Promise<boolean> {
    try {
      const team = this.#team();
      return team !== undefined && await team.sealed.admit(whom.name);
    } catch (cause) {
      const { name } = cause as Error;
      if (!refusals.includes(name)) {
        this.#options.world.fail(`${this.name} admits: ${cause}`, cause);
      }
      return false;
    }
  }

  /** Puts a commit into the room's log that nobody can accept. */
  async spoil(): Promise<void> {
    const { world, coverage } = this.#options;
    const client = this.client;
    const team = this.#team();
    const { group, lastCommit: after } = team?.sealed.keys ?? {};
    if (!client || !team || !group || !after) return;
    const { generation, epoch } = group;
    world.note(this.name, () => `spoils ${generation}.${epoch}`);
    const data = sha256(new TextEncoder().encode(`${this.name} ${world.ms}`));
    const hash = sha256(data);
    try {
      const core = await signCore(this.#identity!.device, team.room.id, {
        proof: Proof.signature,
        content: Content.commit,
        messageId: newMessageId(world.clock.now()),
        epoch: { generation, epoch },
        payload: encodeCommit({ mls: data }),
      });
      await client.command("upload", { hash, bytes: data.length, at: 0, data }, team.room.id);
      const place = { groupInfo: hash, generation, epoch: epoch + 1, welcomes: [] };
      await client.command("commit", { after, core, ...place }, team.room.id);
      coverage.badCommits++;
    } catch (cause) {
      world.note(this.name, () => `cannot spoil it: ${cause}`);
    }
  }

  /** What it has kept of a room. */
  kept(room: Uint8Array): Map<number, { text: string; isGood: boolean }> {
    const profile = this.#store.copy().profile(serverKey, this.name);
    return new Map(
      profile.newest(room, Infinity).map((entry) => [entry.seq, toShown(entry)]),
    );
  }

  /** Message ids that are kept and not in a log. */
  get unsent(): Set<string> {
    const profile = this.#store.copy().profile(serverKey, this.name);
    return new Set(profile.messages().map(({ core }) => mapKey(messageIdOf(core))));
  }

  async #act(what: Deed["what"], whom: SealedMember): Promise<void> {
    const { coverage } = this.#options;
    const client = this.client;
    if (!client) return;
    if (what === "return") return await this.#comeBack(client);
    if (what === "direct") {
      if (whom === this || !whom.client) return;
      const { room, sealed, seq } = await direct(client, whom.name);
      const { group, trail: { end } } = sealed.keys;
      if (!group || !end) return; // It waits for whoever is there.
      const text = `${this.name} to ${whom.name} ${this.#labels++}`;
      const messageId = await client.say(room.id, text);
      if (this.client !== client) return;
      const heeds = { name: whom.name, fromSeq: Math.max(end.seq, seq) };
      this.said.set(mapKey(messageId), { room: room.id, text, fate: "to come", heeds });
      return;
    }
    if (what === "part direct") {
      const theirs = client.rooms.find(({ info }) => info.name === `@${whom.name}`);
      return void (theirs && await client.part(theirs.id));
    }
    const team = this.#team();
    if (!team) return;
    const { room: { id }, sealed } = team;
    switch (what) {
      case "invite":
      case "invite once": {
        const args = what === "invite" ? {} : { uses: 1 };
        const made = await invite(client, sealed, args);
        const key = decodeRoomKey(made.key);
        const { publicKey } = await importSigningKey(key.secret.slice());
        coverage.invitations++;
        return this.#options.pass({ invitation: made.invitation, key, publicKey });
      }
      case "renew":
        return await sealed.change(() => ({}));
      case "age": // As if a day had passed.
        sealed.keys.renewedMs = Math.max(0, sealed.keys.renewedMs - ownKeysMs);
        return;
      case "kick":
        if (whom === this) return;
        await takeOut(client, sealed, whom.name);
        return void await client.command("kick", { user: whom.name }, id);
      case "part":
        if (this.number === 0) return; // With the last one the room would end.
        this.#isReturning = false;
        return await client.part(id);
      case "moderator":
      case "member":
        await client.command("role", { user: whom.name, role: what }, id);
        return await giveRole(client, sealed, whom.name, what);
      case "revoke": {
        const { invitations } = await client.command("invitations", {}, id);
        const [first] = invitations;
        if (!first) return;
        await client.command("revoke", { invitation: first.id }, id);
        return await revoke(sealed, first.id);
      }
    }
  }

  async #comeBack(client: Client): Promise<void> {
    if (!client.rooms.some(({ info }) => info.name === roomName)) await client.join(roomName);
  }

  #team(): { room: ClientRoom; sealed: SealedRoom } | undefined {
    return this.rooms.find(({ room }) => room.info.name === roomName);
  }

  async #sayAll(life: Life): Promise<void> {
    if (life.isSaying || !life.client || life.isEnding) return;
    life.isSaying = true;
    const { world, random } = this.#options;
    try {
      while (life.isAlive && this.#tasks.length > 0 && !life.isEnding) {
        const { rooms } = this;
        if (rooms.length === 0) {
          await world.pause(500);
          if (this.isCalm) this.#tasks.length = 0; // It will not be in one any more.
          continue;
        }
        const text = this.#tasks[0]!;
        const { room } = random.pick(rooms);
        world.note(this.name, () => `says ${text} in ${room.info.name}`);
        const messageId = await life.client.say(room.id, text);
        if (!life.isAlive) return;
        this.#remember(room.id, messageId, text);
        this.#tasks.shift();
      }
    } catch (cause) {
      const isOver = !life.isAlive || life.isEnding || (cause as Error).name === "Refused";
      if (!isOver) world.fail(`${this.name} cannot speak: ${cause}`, cause);
    } finally {
      life.isSaying = false;
    }
  }

  #remember(room: Uint8Array, messageId: Uint8Array, text: string): void {
    this.said.set(mapKey(messageId), { room, text, fate: "to come" });
  }

  async #live(life: Life): Promise<void> {
    const { world } = this.#options;
    try {
      const client = await this.#open(life);
      if (!client) return;
      life.client = client;
      world.note(this.name, () => "is in");
      if (life.isEnding) client.close();
      const running = client.run();
      if (this.#isMaker) void this.#make(client);
      void this.#sayAll(life);
      await running;
    } catch (cause) {
      if (life.isAlive) world.fail(`${this.name} gave up: ${cause}`, cause);
    } finally {
      life.isRunning = false;
      if (this.#life === life && life.isEnding) this.#life = undefined;
    }
  }

  async #make(client: Client): Promise<void> {
    while (this.client === client) {
      try {
        if (!client.rooms.some(({ info }) => info.name === roomName)) await client.join(roomName);
        this.#isMaker = false;
        return;
      } catch (cause) {
        const { name } = cause as Error;
        if (!refusals.includes(name)) return this.#options.world.fail(`${cause}`, cause);
        await this.#options.world.pause(200);
      }
    }
  }

  /** Tries until it is in, as a person would. */
  async #open(life: Life): Promise<Client | undefined> {
    const { world, network, random } = this.#options;
    const identity = this.#identity ??= await this.#makeIdentity();
    const clock = mortalClock(world.clock, life);
    while (life.isAlive && !life.isEnding) {
      try {
        const link = this.#link;
        return await Client.open({
          dial: async () => {
            if (!life.isAlive) throw new Error("the process has ended");
            const wire = await network.dial(this.name);
            if (!life.isAlive) wire.close();
            return await inTime(wire, clock, shakeHands(wire, () => {}));
          },
          login: { name: this.name, identity, ...(link && { invitation: link.invitation }) },
          ...(link && { roomKey: { room: roomName, ...link.key } }),
          clock,
          random: () => random.next(),
          isReachable: true,
          groups: this.#options.groups(life),
          keep: () => this.#keep(life),
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
    const { world, wrapProfile, coverage } = this.#options;
    if (!life.isAlive) return forgetful;
    const profile = this.#store.profile(serverKey, this.name);
    for (const { id, cursor } of profile.rooms()) {
      const reader = this.readers.get(mapKey(id));
      if (!reader) continue;
      world.check(
        reader.lastShown <= cursor.seq,
        () => `${this.name} was shown ${reader.lastShown}, and has kept ${cursor.seq}`,
      );
      if (reader.lastShown < cursor.seq) coverage.keptUnshown++;
      for (const entry of profile.newest(id, cursor.seq - reader.lastShown)) {
        if (entry.seq > reader.lastShown) reader.shown.set(entry.seq, toShown(entry));
      }
      reader.lastShown = cursor.seq;
    }
    for (const { room, core } of profile.messages()) {
      const text = new TextDecoder().decode(decodeCore(core).payload);
      if (this.#tasks[0] === text) this.#tasks.shift();
      if (!this.said.has(mapKey(messageIdOf(core)))) this.#remember(room, messageIdOf(core), text);
    }
    const die = () => this.#life === life && this.crash();
    const noted = noting(profile, (what) => world.note(this.name, () => `keeps: ${what}`));
    return wrapProfile(mortalProfile(noted, life, () => life.fate, die), world);
  }

  async #makeIdentity(): Promise<Identity> {
    const secret = new Uint8Array(32).fill(this.number + 1);
    const user = await importSigningKey(secret);
    const device = await importSigningKey(secret.fill(99, 1));
    this.#options.truth.names.set(mapKey(deviceIdOf(device.publicKey)), this.name);
    return await certify(user, device);
  }

  #take(life: Life, event: ClientEvent): void {
    if (!life.isAlive) return;
    const { world, coverage, mayBreak } = this.#options;
    switch (event.kind) {
      case "entries":
        for (const entry of event.entries) this.#show(event.room, entry);
        return;
      case "reset":
        return world.fail(`${this.name} is told that a log goes on elsewhere: ${event.reason}`);
      case "keys": {
        const { happening, room } = event;
        world.note(this.name, () => `keys of ${room.info.name}: ${JSON.stringify(happening)}`);
        if (happening.what === "in") this.#link = undefined;
        const isBad = happening.what === "bad_commit" && !mayBreak();
        return world.check(
          !isBad && happening.what !== "forked",
          () => `${this.name} met a bad commit, or another log: ${JSON.stringify(happening)}`,
        );
      }
      case "changed_key":
        return world.fail(`${this.name} is told that ${event.name} has another key`);
      case "disconnected":
        return this.#look(life, event.reason);
      case "reconnected":
        coverage.reconnects++;
        return;
      case "delayed":
        coverage.delays++;
        return;
      case "removed":
        return this.#removed(event.room, event.reason);
      case "undelivered":
        return this.#refused(event.messageId, event.text);
    }
  }

  #removed(room: Uint8Array, reason: string): void {
    const { world, coverage, truth } = this.#options;
    world.note(this.name, () => `is out: ${reason}`);
    coverage.removals++;
    for (const said of this.said.values()) {
      if (mapKey(said.room) === mapKey(room) && said.fate === "to come") said.fate = "uncertain";
    }
    const reader = this.#readerOf(room);
    const atSeq = truth.end(room);
    reader.blind.push({
      fromSeq: reader.lastShown + 1,
      atSeq,
      keysFrom: this.#lostKeys,
      hasLeft: true,
    });
  }

  #refused(messageId: Uint8Array, text: string): void {
    const { world, coverage } = this.#options;
    world.note(this.name, () => `cannot say something: ${text}`);
    coverage.undelivered++;
    const said = this.said.get(mapKey(messageId));
    if (said && said.fate === "to come") {
      said.fate = /no longer in|Join the room/.test(text) ? "uncertain" : "refused";
    }
  }

  /** One order for all, and nothing twice. */
  #show({ id, info }: ClientRoom, entry: ClientEntry): void {
    const { world, coverage, truth } = this.#options;
    if (!info.sealed) return;
    const { seq } = entry;
    const shown = toShown(entry);
    world.note(this.name, () => `is shown ${seq} of ${info.name}: ${shown.text}`, seq);
    const reader = this.#readerOf(id);
    reader.beginning ??= seq - 1;
    world.check(
      seq > reader.lastShown,
      () => `${this.name} was shown ${seq} after ${reader.lastShown}`,
    );
    world.check(
      seq <= truth.end(id),
      () => `${this.name} was shown ${seq} before it was stored`,
    );
    reader.lastShown = seq;
    if (!reader.shown.get(seq)?.isGood) reader.shown.set(seq, shown);
    coverage.entriesShown++;
  }

  #readerOf(room: Uint8Array): Reader {
    const key = mapKey(room);
    // Others may still take in a device by what it has lost.
    const blind = this.#lostKeys > 0 ? [{ fromSeq: 1, atSeq: 0, keysFrom: this.#lostKeys }] : [];
    const made = { beginning: undefined, lastShown: 0, blind, shown: new Map() };
    const reader = this.readers.get(key) ?? made;
    this.readers.set(key, reader);
    return reader;
  }

  /** A connection may end for many reasons, but not for what only a fault of the core explains. */
  #look(life: Life, cause: unknown): void {
    if (!life.isAlive || cause instanceof ProcessEnded) return;
    const { world, coverage } = this.#options;
    const text = cause instanceof Error ? cause.message : String(cause);
    world.note(this.name, () => `is out: ${text}`);
    if (/^Only who is in this room/.test(text)) return; // Sent out while reading.
    if (!isInnocent(text, coverage)) world.fail(`${this.name} was thrown out: ${text}`, cause);
  }
}

/** What is told of the changes of a store. */
const changes = [
  "say",
  "keepSealed",
  "settle",
  "enter",
  "leave",
  "keepGroup",
  "stage",
  "dropGroup",
  "dropInvitation",
  "keepInvitation",
] as const;

function noting(profile: Profile, note: (what: string) => void): Profile {
  const noted = { ...profile };
  for (const name of changes) {
    const change = profile[name] as (...args: unknown[]) => unknown;
    Object.assign(noted, {
      [name](...args: unknown[]) {
        note(name === "stage" && args[1] === undefined ? "stage nothing" : name);
        return change(...args);
      },
    });
  }
  const take: Profile["take"] = (taken) => {
    note(`up to ${taken.cursor.seq}${taken.group ? " with keys" : ""}`);
    profile.take(taken);
  };
  return { ...noted, take };
}

function toShown({ core, verified }: ClientEntry): { text: string; isGood: boolean } {
  const text = core.content < 128
    ? new TextDecoder().decode(core.payload)
    : `event ${core.content}`;
  return { text, isGood: verified === "signed" };
}
