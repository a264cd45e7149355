/**
 * Whose key goes with which name, as this client first met it: the server only says so. What was compared
 * by another way is remembered as verified.
 *
 * @module
 */

import { equal, mapKey } from "../../protocol/bytes.ts";
import type { KeptPerson, Profile } from "../store/store.ts";

/** MUST tell when a name comes with another key than the one that was accepted. */
export class People {
  readonly #profile: Profile;
  readonly #byName: Map<string, KeptPerson>;
  /** By user key: names as they are written. */
  readonly #names = new Map<string, string>();
  /** Keys that came for a name that had another, and were not accepted, whatever they are called now. */
  readonly #doubted = new Set<string>();
  readonly #onChanged: (name: string) => void;

  /** @param onChanged told once for each key that is another than before */
  constructor(profile: Profile, onChanged: (name: string) => void) {
    this.#profile = profile;
    this.#onChanged = onChanged;
    this.#byName = new Map(profile.people().map((person) => [keyOf(person.name), person]));
    for (const { name, userKey, changedTo } of this.#byName.values()) {
      this.#names.set(mapKey(userKey), name);
      if (changedTo) this.#doubt(name, changedTo);
    }
  }

  /** The server says that this key is this name's. */
  meet(name: string, userKey: Uint8Array): void {
    this.#names.set(mapKey(userKey), name);
    const known = this.#byName.get(keyOf(name));
    if (!known) return this.#keep({ name, userKey, isVerified: false });
    if (equal(known.userKey, userKey)) return;
    if (known.changedTo && equal(known.changedTo, userKey)) return;
    this.#doubt(name, userKey);
    this.#keep({ ...known, changedTo: userKey });
    this.#onChanged(name);
  }

  /** Who goes by this name. */
  named(name: string): KeptPerson | undefined {
    return this.#byName.get(keyOf(name));
  }

  /** Whether the server has said whose key this is. */
  isMet(userKey: Uint8Array): boolean {
    return this.#names.has(mapKey(userKey));
  }

  /** What a user key's owner is called. */
  nameOf(userKey: Uint8Array): string {
    return this.#names.get(mapKey(userKey)) ?? "somebody";
  }

  /** Whether this key's owner goes, or went, by a name. */
  isNamed(userKey: Uint8Array, name: string): boolean {
    const known = this.#names.get(mapKey(userKey));
    return known !== undefined && keyOf(known) === keyOf(name);
  }

  /** Whether this key has come for a name that has another one, and was not accepted. */
  isDoubtful(userKey: Uint8Array): boolean {
    return this.#doubted.has(mapKey(userKey));
  }

  /** The key that goes with a name now is the right one: it was compared. */
  accept(name: string): void {
    const person = this.named(name);
    if (!person) return;
    const { changedTo, ...kept } = person;
    if (changedTo) this.#doubted.delete(mapKey(changedTo));
    this.#keep({ ...kept, userKey: changedTo ?? person.userKey, isVerified: true });
  }

  #doubt(name: string, userKey: Uint8Array): void {
    this.#names.set(mapKey(userKey), name);
    this.#doubted.add(mapKey(userKey));
  }

  #keep(person: KeptPerson): void {
    this.#byName.set(keyOf(person.name), person);
    this.#profile.keepPerson(person);
  }
}

function keyOf(name: string): string {
  return name.normalize("NFKC").toLowerCase();
}
