/**
 * Who is known here: names and the keys that own them, devices and who is behind them.
 *
 * @module
 */

import { equal, mapKey } from "../protocol/bytes.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { guestsRememberedMax, idBytes, userDevicesMax } from "../protocol/limits.ts";
import type { Person } from "../protocol/message.ts";
import { normalizeName, skeleton } from "../protocol/name.ts";

/** Somebody with a name; `sessions` counts the ones connected. */
export interface User {
  readonly id: Uint8Array;
  readonly name: string;
  /** The identity key that owns the name; a classic guest has none. */
  readonly key: Uint8Array | undefined;
  /** The devices remembered, by {@link mapKey}, the one heard from last at the end. */
  readonly devices: Set<string>;
  sessions: number;
}

/** What a login shows, its signatures checked. */
export interface Credentials {
  readonly name: string;
  readonly userKey: Uint8Array;
  readonly deviceId: Uint8Array;
  readonly deviceKey: Uint8Array;
  readonly certificate: Uint8Array;
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
  readonly #usersMax: number;

  /**
   * @param usersMax names kept; beyond it one who is away makes room: the last to have come, so that
   * nobody gets an old name by bringing many new ones
   */
  constructor(usersMax: number) {
    this.#usersMax = usersMax;
  }

  /**
   * The user whom these credentials are of: one known, or a new one.
   *
   * @param mayRegister asked unless the name is the user's; throws what speaks against it. Asked
   * before anything is said of others: a stranger is not told which names there are
   * @throws {ProtocolError} bad_name, name_owned, name_lookalike, server_full, bad_login
   */
  login(credentials: Credentials, mayRegister: () => void): { user: User; registered: boolean } {
    const name = normalizeName(credentials.name);
    const known = this.#users.get(skeleton(name));
    const isOwner = known?.key && equal(known.key, credentials.userKey);
    if (!isOwner) mayRegister();
    if (known && known.name !== name) throw new ProtocolError("name_lookalike");
    if (known && !isOwner) throw new ProtocolError("name_owned");
    this.#checkDevice(known, credentials);
    const user = known ?? this.#add(name, credentials.userKey);
    user.sessions++;
    this.#remember(user, credentials);
    return { user, registered: !known };
  }

  /**
   * A guest of the original protocol: the name is theirs while they are here.
   *
   * @throws {ProtocolError} bad_name, name_owned
   */
  guest(rawName: string): { user: User; person: Person } {
    const name = normalizeName(rawName);
    if (this.#users.has(skeleton(name))) throw new ProtocolError("name_owned");
    const user = this.#add(name, undefined);
    user.sessions++;
    const person = { deviceId: newId(), userId: user.id, name };
    const key = mapKey(person.deviceId);
    this.#devices.set(key, person);
    user.devices.add(key);
    return { user, person };
  }

  /** One session of a user has ended; a guest's name is free again with the last. */
  logout(user: User): void {
    user.sessions--;
    if (user.key || user.sessions > 0) return;
    this.#users.delete(skeleton(user.name));
    for (const device of user.devices) this.#leftGuests.add(device);
    this.#forgetBeyond(this.#leftGuests, guestsRememberedMax);
  }

  /** Who is behind a device. */
  behind(deviceId: Uint8Array): Person | undefined {
    return this.#devices.get(mapKey(deviceId));
  }

  #add(name: string, key: Uint8Array | undefined): User {
    if (this.#users.size >= this.#usersMax) this.#makeRoom();
    const user: User = {
      id: newId(),
      name,
      key: key && key.slice(),
      devices: new Set(),
      sessions: 0,
    };
    this.#users.set(skeleton(name), user);
    if (key) this.#owners.push(user);
    return user;
  }

  /** A device is one user's: else what it said would be somebody else's from now on. */
  #checkDevice(user: User | undefined, { deviceId }: Credentials): void {
    const before = this.behind(deviceId);
    if (!before || user && equal(before.userId, user.id)) return;
    throw new ProtocolError("bad_login", "This device has another name here. Use that one.");
  }

  #remember(user: User, { deviceId, userKey, deviceKey, certificate }: Credentials): void {
    const key = mapKey(deviceId);
    this.#devices.set(key, {
      deviceId,
      userId: user.id,
      name: user.name,
      keys: { user: userKey, device: deviceKey, certificate },
    });
    user.devices.delete(key);
    user.devices.add(key);
    this.#forgetBeyond(user.devices, Math.max(userDevicesMax, user.sessions));
  }

  /** Forgets devices from the first on until so many are left. */
  #forgetBeyond(devices: Set<string>, most: number): void {
    for (const device of devices) {
      if (devices.size <= most) return;
      devices.delete(device);
      this.#devices.delete(device);
    }
  }

  #makeRoom(): void {
    const at = this.#owners.findLastIndex(({ sessions }) => sessions === 0);
    const [user] = at < 0 ? [] : this.#owners.splice(at, 1);
    if (!user) {
      throw new ProtocolError("server_full", "The server knows as many names as it may.");
    }
    this.#users.delete(skeleton(user.name));
    this.#forgetBeyond(user.devices, 0);
  }
}

/** A random id. */
export function newId(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(idBytes));
}
