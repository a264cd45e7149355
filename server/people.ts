/**
 * Who is known here: names and the keys that own them, devices and who is behind them.
 *
 * @module
 */

import { equal, mapKey } from "../protocol/bytes.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { idBytes } from "../protocol/limits.ts";
import type { Person } from "../protocol/message.ts";
import { normalizeName, skeleton } from "../protocol/name.ts";

/** Somebody with a name; `sessions` counts the ones connected. */
export interface User {
  readonly id: Uint8Array;
  readonly name: string;
  /** The identity key that owns the name; a classic guest has none. */
  readonly key: Uint8Array | undefined;
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
  readonly #devices = new Map<string, Person>();
  readonly #usersMax: number;

  /** @param usersMax names kept; beyond it those who are away make room, the first to come first */
  constructor(usersMax: number) {
    this.#usersMax = usersMax;
  }

  /**
   * The user whom these credentials are of: one known, or a new one.
   *
   * @param mayRegister asked only when the name is new; throws what speaks against it
   * @throws {ProtocolError} bad_name, name_owned, name_lookalike, server_full
   */
  login(credentials: Credentials, mayRegister: () => void): { user: User; registered: boolean } {
    const name = normalizeName(credentials.name);
    const known = this.#users.get(skeleton(name));
    if (known) {
      if (known.name !== name) throw new ProtocolError("name_lookalike");
      if (!known.key || !equal(known.key, credentials.userKey)) {
        throw new ProtocolError("name_owned");
      }
    } else {
      mayRegister();
    }
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
    this.#devices.set(mapKey(person.deviceId), person);
    return { user, person };
  }

  /** One session of a user has ended; a guest's name is free again with the last. */
  logout(user: User): void {
    user.sessions--;
    if (!user.key && user.sessions === 0) this.#users.delete(skeleton(user.name));
  }

  /** Who is behind a device. */
  behind(deviceId: Uint8Array): Person | undefined {
    return this.#devices.get(mapKey(deviceId));
  }

  #add(name: string, key: Uint8Array | undefined): User {
    if (this.#users.size >= this.#usersMax) this.#makeRoom();
    const user = { id: newId(), name, key: key && key.slice(), sessions: 0 };
    this.#users.set(skeleton(name), user);
    return user;
  }

  #remember(user: User, { deviceId, userKey, deviceKey, certificate }: Credentials): void {
    this.#devices.set(mapKey(deviceId), {
      deviceId,
      userId: user.id,
      name: user.name,
      keys: { user: userKey, device: deviceKey, certificate },
    });
  }

  #makeRoom(): void {
    for (const [key, user] of this.#users) {
      if (user.sessions > 0) continue;
      this.#users.delete(key);
      for (const [device, { userId }] of this.#devices) {
        if (equal(userId, user.id)) this.#devices.delete(device);
      }
      return;
    }
    throw new ProtocolError("server_full", "The server knows as many names as it may.");
  }
}

/** A random id. */
export function newId(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(idBytes));
}
