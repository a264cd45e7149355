/**
 * Who is known here: names and the keys that own them, devices and who is behind them.
 *
 * @module
 */

import { equal, fromBase64Url, mapKey, toBase64Url } from "../protocol/bytes.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { guestsRememberedMax, idBytes, userDevicesMax } from "../protocol/limits.ts";
import type { Person } from "../protocol/message.ts";
import { normalizeName, skeleton } from "../protocol/name.ts";
import { Keeping } from "./keeping.ts";
import { loadRecords, type RecordOf, toRecord } from "./records.ts";
import type { Store, StoredRecord } from "./store/store.ts";

/** Somebody with a name; `sessions` counts the ones connected. */
export interface User {
  readonly id: Uint8Array;
  readonly name: string;
  /** The identity key that owns the name; a classic guest has none. */
  readonly key: Uint8Array | undefined;
  /** The devices remembered, by {@link mapKey}, the one heard from last at the end. */
  readonly devices: Set<string>;
  sessions: number;
  /** An admin of this server. */
  isAdmin: boolean;
  readonly sinceMs: number;
  /** When the last session ended. */
  lastSeenMs: number;
  /** Why they are away, while they say that they are. */
  away: string | undefined;
}

/** What a login shows, its signatures checked. */
export interface Credentials {
  readonly name: string;
  readonly userKey: Uint8Array;
  readonly deviceId: Uint8Array;
  readonly deviceKey: Uint8Array;
  readonly certificate: Uint8Array;
}

/** Who has logged in, and the promise that what is new of them is kept. */
export interface LoggedIn {
  readonly user: User;
  readonly registered: boolean;
  /** The name is not theirs before that is kept: this login is the first, or came right behind it. */
  readonly isPending: boolean;
  readonly saved: Promise<void> | undefined;
}

/** MUST give a name to one key only; checks and changes happen in one turn. */
export class People {
  /** By skeleton, so that look-alikes collide. */
  readonly #users = new Map<string, User>();
  /** Those of them who own their names, in the order in which they came. */
  readonly #owners: User[] = [];
  readonly #devices = new Map<string, Person>();
  /** Devices of guests who have left, the first to leave first: the log still has what they said. */
  readonly #leftGuests = new Set<string>();
  readonly #byId = new Map<string, User>();
  /** Those whose names are being kept for the first time. */
  readonly #registering = new Map<User, Promise<void>>();
  readonly #keeping: Keeping;
  readonly #usersMax: number;
  /** Told in the turn in which a user is forgotten. */
  onForgotten: (user: User) => void = () => {};
  /** Told of a device with keys that is remembered no more. */
  onDeviceForgotten: (deviceId: Uint8Array) => void = () => {};

  private constructor(store: Store, usersMax: number) {
    this.#keeping = new Keeping(store);
    this.#usersMax = usersMax;
  }

  /**
   * Everybody whom the store knows.
   *
   * @param usersMax names kept; beyond it one who is away makes room: the last to have come, so that
   * nobody gets an old name by bringing many new ones
   */
  static async open(store: Store, usersMax: number): Promise<People> {
    const people = new People(store, usersMax);
    const records = [...await loadRecords(store, "user")];
    for (const [id, record] of records.sort(([, a], [, b]) => a.sinceMs - b.sinceMs)) {
      people.#restore(fromBase64Url(id), record);
    }
    const guests = [...await loadRecords(store, "guest")];
    for (const [id, { name, user }] of guests.sort(([, a], [, b]) => a.sinceMs - b.sinceMs)) {
      const deviceId = fromBase64Url(id);
      people.#devices.set(mapKey(deviceId), { deviceId, userId: user, name });
      people.#leftGuests.add(mapKey(deviceId));
    }
    return people;
  }

  /**
   * The user whom these credentials are of: one known, or a new one.
   *
   * @param mayRegister asked unless the name is the user's; throws what speaks against it. Asked
   * before anything is said of others: a stranger is not told which names there are
   * @throws {ProtocolError} bad_name, name_owned, name_lookalike, server_full, bad_login
   */
  login(credentials: Credentials, mayRegister: () => void, nowMs: number): LoggedIn {
    const name = normalizeName(credentials.name);
    const known = this.#users.get(skeleton(name));
    const isOwner = known?.key && equal(known.key, credentials.userKey);
    if (!isOwner) mayRegister();
    if (known && known.name !== name) throw new ProtocolError("name_lookalike");
    if (known && !isOwner) throw new ProtocolError("name_owned");
    this.#checkDevice(known, credentials);
    const gone = known ? undefined : this.#makeRoom();
    const user = known ??
      this.#add({ id: newId(), name, key: credentials.userKey, sinceMs: nowMs });
    user.sessions++;
    const isNewDevice = this.#remember(user, credentials);
    const saving = isNewDevice || gone ? this.#save(user, ...(gone ? [gone] : [])) : undefined;
    const registering = known ? this.#registering.get(known) : this.#registers(user, saving!);
    const saved = registering && saving ? bothOf(registering, saving) : registering ?? saving;
    return { user, registered: !known, isPending: registering !== undefined, saved };
  }

  #registers(user: User, saving: Promise<void>): Promise<void> {
    this.#registering.set(user, saving);
    const done = () => void this.#registering.delete(user);
    saving.then(done, done);
    return saving;
  }

  /**
   * A guest of the original protocol: the name is theirs while they are here, and what they said is
   * remembered as by them.
   *
   * @throws {ProtocolError} bad_name, name_owned
   */
  guest(rawName: string, nowMs: number): { user: User; person: Person } {
    const name = normalizeName(rawName);
    if (this.#users.has(skeleton(name))) throw new ProtocolError("name_owned");
    const gone = this.#makeRoom();
    const user = this.#add({ id: newId(), name, key: undefined, sinceMs: nowMs });
    user.sessions++;
    const person = { deviceId: newId(), userId: user.id, name };
    const key = mapKey(person.deviceId);
    const kept = { name, user: user.id, sinceMs: nowMs };
    const record = toRecord("guest", toBase64Url(person.deviceId), kept);
    // Nobody waits for this: at worst what they say is by somebody unknown after a restart.
    void this.#keeping.put(gone ? [gone, record] : [record]).catch(() => {});
    this.#devices.set(key, person);
    user.devices.add(key);
    return { user, person };
  }

  /** One session of a user has ended; a guest's name is free again with the last. */
  logout(user: User, nowMs: number): void {
    user.sessions--;
    user.lastSeenMs = nowMs;
    if (user.sessions > 0) return;
    user.away = undefined;
    // Nobody waits for this: at worst the time before is shown.
    if (user.key) return void (this.#isKnown(user) && this.#save(user).catch(() => {}));
    this.#byId.delete(mapKey(user.id));
    this.#users.delete(skeleton(user.name));
    for (const device of user.devices) this.#leftGuests.add(device);
    const forgotten = this.#forgetBeyond(this.#leftGuests, guestsRememberedMax);
    const records = forgotten.map(({ deviceId }) =>
      toRecord("guest", toBase64Url(deviceId), undefined)
    );
    if (records.length > 0) void this.#keeping.put(records).catch(() => {});
  }

  /** Who is behind a device. */
  behind(deviceId: Uint8Array): Person | undefined {
    return this.#devices.get(mapKey(deviceId));
  }

  /** A user as others see them who are not there: by the device that was heard from last. */
  lastDeviceOf({ devices }: User): Person | undefined {
    return this.#devices.get([...devices].at(-1) ?? "");
  }

  /** The user with this id. */
  withId(userId: Uint8Array): User | undefined {
    return this.#byId.get(mapKey(userId));
  }

  /** The user whom a name names, however it is written, if there is one. */
  find(name: string): User | undefined {
    return this.#users.get(skeleton(name.replace(/^@/, "")));
  }

  /**
   * The user whom a name names, however it is written.
   *
   * @throws {ProtocolError} no_such_user
   */
  named(name: string): User {
    const user = this.find(name);
    if (!user) throw new ProtocolError("no_such_user", `There is nobody named "${name}" here.`);
    return user;
  }

  /** All who are known. */
  all(): IterableIterator<User> {
    return this.#users.values();
  }

  get size(): number {
    return this.#users.size;
  }

  /** Makes an admin of a user, or not; resolves when that is kept. */
  setAdmin(user: User, isAdmin: boolean): Promise<void> {
    user.isAdmin = isAdmin;
    return this.#save(user);
  }

  /** Whether what memory has of a user is kept. */
  isKept(user: User): boolean {
    return this.#keeping.isKept(toRecord("user", toBase64Url(user.id), undefined));
  }

  /** Forgets a user: the name is free, and what the user said stays as by somebody unknown. */
  forget(user: User): Promise<void> {
    const at = this.#owners.indexOf(user);
    if (at >= 0) this.#owners.splice(at, 1);
    return this.#keeping.put([this.#drop(user)]);
  }

  #add(given: Pick<User, "id" | "name" | "key" | "sinceMs">): User {
    const user: User = {
      ...given,
      key: given.key?.slice(),
      devices: new Set(),
      sessions: 0,
      isAdmin: false,
      lastSeenMs: given.sinceMs,
      away: undefined,
    };
    this.#users.set(skeleton(user.name), user);
    this.#byId.set(mapKey(user.id), user);
    if (user.key) this.#owners.push(user);
    return user;
  }

  #restore(id: Uint8Array, record: RecordOf<"user">): void {
    const { name, key, sinceMs, lastSeenMs, isAdmin, devices } = record;
    const user = this.#add({ id, name, key, sinceMs });
    Object.assign(user, { lastSeenMs, isAdmin });
    for (const { id: deviceId, key: deviceKey, certificate } of devices) {
      this.#remember(user, { name, userKey: key, deviceId, deviceKey, certificate });
    }
  }

  #isKnown(user: User): boolean {
    return this.#byId.has(mapKey(user.id));
  }

  #save(user: User, ...others: StoredRecord[]): Promise<void> {
    const devices = [...user.devices].flatMap((device) => {
      const { deviceId: id, keys } = this.#devices.get(device)!;
      return keys ? [{ id, key: keys.device, certificate: keys.certificate }] : [];
    });
    const { name, key, sinceMs, lastSeenMs, isAdmin } = user;
    const record = { name, key: key!, sinceMs, lastSeenMs, isAdmin, devices };
    return this.#keeping.put([toRecord("user", toBase64Url(user.id), record), ...others]);
  }

  /** A device is one user's: else what it said would be somebody else's from now on. */
  #checkDevice(user: User | undefined, { deviceId }: Credentials): void {
    const before = this.behind(deviceId);
    if (!before || user && equal(before.userId, user.id)) return;
    throw new ProtocolError("bad_login", "This device has another name here. Use that one.");
  }

  /** Whether it was not the one heard from last. */
  #remember(user: User, { deviceId, userKey, deviceKey, certificate }: Credentials): boolean {
    const key = mapKey(deviceId);
    const isNew = [...user.devices].at(-1) !== key;
    this.#devices.set(key, {
      deviceId,
      userId: user.id,
      name: user.name,
      keys: { user: userKey, device: deviceKey, certificate },
    });
    user.devices.delete(key);
    user.devices.add(key);
    this.#forgetBeyond(user.devices, Math.max(userDevicesMax, user.sessions));
    return isNew;
  }

  /** Forgets devices from the first on until so many are left: whose they were. */
  #forgetBeyond(devices: Set<string>, most: number): Person[] {
    const forgotten: Person[] = [];
    for (const device of devices) {
      if (devices.size <= most) break;
      const person = this.#devices.get(device)!;
      forgotten.push(person);
      devices.delete(device);
      this.#devices.delete(device);
      if (person.keys) this.onDeviceForgotten(person.deviceId);
    }
    return forgotten;
  }

  /** Where there are as many as there may be, one goes; what the store has to be told of that. */
  #makeRoom(): StoredRecord | undefined {
    if (this.#users.size < this.#usersMax) return undefined;
    const at = this.#owners.findLastIndex(({ sessions }) => sessions === 0);
    const [user] = at < 0 ? [] : this.#owners.splice(at, 1);
    if (!user) {
      throw new ProtocolError("server_full", "The server knows as many names as it may.");
    }
    return this.#drop(user);
  }

  #drop(user: User): StoredRecord {
    this.#users.delete(skeleton(user.name));
    this.#byId.delete(mapKey(user.id));
    this.#forgetBeyond(user.devices, 0);
    this.onForgotten(user);
    return toRecord("user", toBase64Url(user.id), undefined);
  }
}

async function bothOf(one: Promise<void>, other: Promise<void>): Promise<void> {
  await Promise.all([one, other]);
}

/** A random id. */
export function newId(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(idBytes));
}
