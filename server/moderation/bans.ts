/**
 * Who may not come in: bans from a room or from the whole server, by name, key or range of addresses.
 *
 * @module
 */

import { fingerprint } from "../../crypto/identity.ts";
import { formatTime } from "../../protocol/answer_text.ts";
import { fromBase64Url, mapKey, toBase64Url } from "../../protocol/bytes.ts";
import type { Clock } from "../../protocol/clock.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { hashBytes, roomBansMax, serverBansMax, textCharsMax } from "../../protocol/limits.ts";
import { normalizeName, skeleton } from "../../protocol/name.ts";
import {
  addressOf,
  type AddressRange,
  formatRange,
  isIn,
  parseRange,
  prefixOf,
} from "./address_range.ts";
import { loadRecords, type RecordOf, toRecord } from "../records.ts";
import type { Store, StoredRecord } from "../store/store.ts";

/** Whom a ban hits. */
export type Target =
  /** A name, and the key that owns it: a new name or a new device does not help. */
  | { readonly kind: "name"; readonly name: string; readonly fingerprint: string | undefined }
  | { readonly kind: "key"; readonly fingerprint: string }
  | { readonly kind: "range"; readonly range: AddressRange };

/** One ban. */
export interface Ban {
  readonly target: Target;
  readonly by: string;
  readonly why: string;
  /** Undefined: for ever. */
  readonly untilMs: number | undefined;
}

/** What is known of somebody who wants to come in; what is left out is not looked at. */
export interface Newcomer {
  readonly name?: string;
  readonly key?: Uint8Array | undefined;
  /** `host:port` */
  readonly remote?: string;
}

/** A room's id; undefined: the whole server. */
export type Scope = Uint8Array | undefined;

/**
 * Whom a text names: `key:` and a fingerprint, an address or a range, else a name; `@` in front makes it
 * a name that looks like an address. Neither `:` nor `/` can be in a name.
 *
 * @param keyOf the key that owns a name, and the name as its owner writes it
 * @throws {ProtocolError} bad_name
 */
export function parseTarget(
  text: string,
  keyOf: (name: string) => { name: string; key: Uint8Array | undefined } | undefined,
): Target {
  if (text.startsWith("key:")) return { kind: "key", fingerprint: parseFingerprint(text.slice(4)) };
  const range = parseRange(text);
  if (range) return { kind: "range", range };
  if (/[:/]/.test(text)) {
    throw new ProtocolError("bad_name", `"${text}" is no address, and no range of addresses.`);
  }
  const name = normalizeName(text.replace(/^@/, ""));
  const owner = keyOf(name);
  return {
    kind: "name",
    name: owner?.name ?? name,
    fingerprint: owner?.key && fingerprint(owner.key),
  };
}

/** How a target is written; {@link parseTarget} reads it again. */
export function formatTarget(target: Target): string {
  if (target.kind === "key") return `key:${target.fingerprint}`;
  if (target.kind === "range") return formatRange(target.range);
  return parseRange(target.name) ? `@${target.name}` : target.name;
}

/** Whether a target is somebody. */
export function isHit(target: Target, { name, key, remote }: Newcomer): boolean {
  if (target.kind === "range") {
    const address = remote === undefined ? undefined : addressOf(remote);
    return address !== undefined && isIn(address, target.range);
  }
  if (key && target.fingerprint !== undefined && target.fingerprint === printOf(key)) return true;
  return target.kind === "name" && name !== undefined &&
    skeleton(name) === skeleton(target.name);
}

/** Fingerprints of keys: a ban is held against all who are in a room, or on the server. */
const prints = new WeakMap<Uint8Array, string>();

function printOf(key: Uint8Array): string {
  let print = prints.get(key);
  if (print === undefined) prints.set(key, print = fingerprint(key));
  return print;
}

/** What somebody is told who is banned; `from` as in "from this server". */
export function banText({ untilMs, why }: Pick<Ban, "untilMs" | "why">, from: string): string {
  const until = untilMs === undefined ? "" : ` until ${formatTime(untilMs)}`;
  const reason = why === "" ? "." : `: ${why}`;
  return `You are banned ${from}${until}${reason}`.slice(0, textCharsMax);
}

/** MUST keep what it is told; MUST find a ban in a time that does not grow with their number. */
export class Bans {
  readonly #store: Store;
  readonly #clock: Clock;
  /** By room, the whole server under "". */
  readonly #lists = new Map<string, BanList>();

  private constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Those that the store knows. */
  static async open(store: Store, clock: Clock): Promise<Bans> {
    const bans = new Bans(store, clock);
    for (const { room, ...record } of (await loadRecords(store, "ban")).values()) {
      const ban = fromRecord(record);
      if (ban) bans.#list(room).set(ban);
    }
    return bans;
  }

  /**
   * Bans somebody, instead of before where they were; resolves when that is kept.
   *
   * @throws {ProtocolError} too_many
   */
  async add(scope: Scope, ban: Ban): Promise<void> {
    const list = this.#list(scope);
    const before = list.of(ban.target);
    const ended = this.#sweep(scope);
    if (!before && list.size >= (scope ? roomBansMax : serverBansMax)) {
      throw new ProtocolError("too_many");
    }
    list.set(ban);
    try {
      await this.#store.put([...ended, banRecord(scope, ban)]);
    } catch (cause) {
      if (list.of(ban.target) === ban) before ? list.set(before) : list.delete(ban);
      throw cause;
    }
  }

  /** Ends bans; resolves when that is kept. */
  async lift(scope: Scope, bans: readonly Ban[]): Promise<void> {
    for (const ban of bans) this.#list(scope).delete(ban);
    try {
      await this.#store.put(bans.map((ban) => banRecord(scope, ban, true)));
    } catch (cause) {
      for (const ban of bans) this.#list(scope).set(ban);
      throw cause;
    }
  }

  /** The bans that name a target: of a name, those of its key too. */
  naming(scope: Scope, target: Target): Ban[] {
    const list = this.#lists.get(scopeKey(scope));
    if (!list) return [];
    const found = [list.of(target)];
    if (target.kind !== "range" && target.fingerprint !== undefined) {
      found.push(list.ofKey(target.fingerprint));
    }
    return [...new Set(found.filter((ban) => ban !== undefined))];
  }

  /** The ban that keeps somebody out, if one does. */
  find(scope: Scope, { name, key, remote }: Newcomer): Ban | undefined {
    const list = this.#lists.get(scopeKey(scope));
    if (!list || list.size === 0) return undefined;
    const found = [
      key && list.hasKeys ? list.ofKey(printOf(key)) : undefined,
      name === undefined ? undefined : list.ofName(name),
      remote === undefined ? undefined : list.ofRemote(remote),
    ];
    return found.find((ban) => ban && this.#isOn(ban));
  }

  /** The bans that count, the newest first. */
  list(scope: Scope): Ban[] {
    const all = this.#lists.get(scopeKey(scope))?.all() ?? [];
    return [...all].filter((ban) => this.#isOn(ban)).reverse();
  }

  /** A room is no more; resolves when that is kept. */
  async drop(room: Uint8Array): Promise<void> {
    const list = this.#lists.get(scopeKey(room));
    this.#lists.delete(scopeKey(room));
    if (list) await this.#store.put([...list.all()].map((ban) => banRecord(room, ban, true)));
  }

  #isOn({ untilMs }: Ban): boolean {
    return untilMs === undefined || untilMs > this.#clock.now();
  }

  /** Takes those out whose time is over: what the store has to forget. */
  #sweep(scope: Scope): StoredRecord[] {
    const list = this.#list(scope);
    const ended = [...list.all()].filter((ban) => !this.#isOn(ban));
    for (const ban of ended) list.delete(ban);
    return ended.map((ban) => banRecord(scope, ban, true));
  }

  #list(scope: Scope): BanList {
    const key = scopeKey(scope);
    let list = this.#lists.get(key);
    if (!list) this.#lists.set(key, list = new BanList());
    return list;
  }
}

/** The bans of one room, each found by all that it hits. */
class BanList {
  /** By the form in which the target is written. */
  readonly #bans = new Map<string, Ban>();
  /** By skeleton. */
  readonly #names = new Map<string, Ban>();
  /** Those of a key, and those of a name that has one. */
  readonly #keys = new Map<string, Set<Ban>>();
  /** By family and length, then by the bits of that length: few lengths are in use at a time. */
  readonly #ranges = new Map<string, Map<bigint, Ban>>();

  get size(): number {
    return this.#bans.size;
  }

  get hasKeys(): boolean {
    return this.#keys.size > 0;
  }

  all(): IterableIterator<Ban> {
    return this.#bans.values();
  }

  of(target: Target): Ban | undefined {
    return this.#bans.get(targetKey(target));
  }

  ofName(name: string): Ban | undefined {
    return this.#names.get(skeleton(name));
  }

  /** Of several, the one that lasts longest. */
  ofKey(fingerprint: string): Ban | undefined {
    const end = ({ untilMs = Infinity }: Ban) => untilMs;
    return [...this.#keys.get(fingerprint) ?? []].sort((a, b) => end(b) - end(a))[0];
  }

  ofRemote(remote: string): Ban | undefined {
    const address = this.#ranges.size > 0 ? addressOf(remote) : undefined;
    if (!address) return undefined;
    let longest: Ban | undefined;
    for (const [kind, bans] of this.#ranges) {
      const [family, length] = kind.split("/");
      if (Number(family) !== address.family) continue;
      const ban = bans.get(prefixOf(address, Number(length)));
      if (ban && !(longest && lastsLonger(longest, ban))) longest = ban;
    }
    return longest;
  }

  set(ban: Ban): void {
    const before = this.of(ban.target);
    if (before) this.delete(before);
    const { target } = ban;
    this.#bans.set(targetKey(target), ban);
    if (target.kind === "range") {
      const kind = `${target.range.family}/${target.range.length}`;
      const bans = this.#ranges.get(kind);
      if (bans) bans.set(target.range.value, ban);
      else this.#ranges.set(kind, new Map([[target.range.value, ban]]));
      return;
    }
    if (target.kind === "name") this.#names.set(skeleton(target.name), ban);
    if (target.fingerprint === undefined) return;
    const bans = this.#keys.get(target.fingerprint);
    if (bans) bans.add(ban);
    else this.#keys.set(target.fingerprint, new Set([ban]));
  }

  delete(ban: Ban): void {
    const { target } = ban;
    if (this.of(target) !== ban) return;
    this.#bans.delete(targetKey(target));
    if (target.kind === "range") {
      const kind = `${target.range.family}/${target.range.length}`;
      this.#ranges.get(kind)?.delete(target.range.value);
      if (this.#ranges.get(kind)?.size === 0) this.#ranges.delete(kind);
      return;
    }
    if (target.kind === "name") this.#names.delete(skeleton(target.name));
    if (target.fingerprint === undefined) return;
    this.#keys.get(target.fingerprint)?.delete(ban);
    if (this.#keys.get(target.fingerprint)?.size === 0) this.#keys.delete(target.fingerprint);
  }
}

function lastsLonger(one: Ban, other: Ban): boolean {
  return (one.untilMs ?? Infinity) >= (other.untilMs ?? Infinity);
}

function targetKey(target: Target): string {
  return target.kind === "name" ? `name ${skeleton(target.name)}` : formatTarget(target);
}

function scopeKey(scope: Scope): string {
  return scope ? mapKey(scope) : "";
}

/** @throws {ProtocolError} bad_name */
function parseFingerprint(text: string): string {
  try {
    const hash = fromBase64Url(text);
    if (hash.length === hashBytes) return toBase64Url(hash);
  } catch {
    // Falls through: it is none.
  }
  throw new ProtocolError("bad_name", `"key:" is followed by a fingerprint, which /whois shows.`);
}

function fromRecord(record: Omit<RecordOf<"ban">, "room">): Ban | undefined {
  const { who, fingerprint, by, why, untilMs } = record;
  try {
    const target = parseTarget(who, () => undefined);
    const whole = target.kind === "name" ? { ...target, fingerprint } : target;
    return { target: whole, by, why, untilMs };
  } catch {
    return undefined; // A later version's.
  }
}

function banRecord(scope: Scope, { target, by, why, untilMs }: Ban, isGone = false): StoredRecord {
  const key = JSON.stringify([scope ? toBase64Url(scope) : "", targetKey(target)]);
  if (isGone) return toRecord("ban", key, undefined);
  return toRecord("ban", key, {
    ...(scope && { room: scope }),
    who: formatTarget(target),
    ...(target.kind === "name" && target.fingerprint !== undefined &&
      { fingerprint: target.fingerprint }),
    by,
    why,
    ...(untilMs !== undefined && { untilMs }),
  });
}
