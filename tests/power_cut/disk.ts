/**
 * A disk that loses its power. What was synced is there; of what was not, some has reached the disk
 * and some has not, by sectors, in any order that a disk may choose. Names of files are taken to be
 * there once they are made.
 *
 * @module
 */

import type { Random } from "../simulation/random.ts";
import type { Event } from "./trace.ts";

/** What a disk writes whole or not at all. */
const sectorBytes = 512;

type Change = Extract<Event, { type: "write" | "truncate" | "remove" }>;

/** Files as they are after a power cut. */
export type Files = Map<string, Uint8Array>;

/** The files when the power goes right before event number `cutAt`. */
export class Disk {
  readonly #files: Files = new Map();
  #pending: Change[] = [];

  /** Takes the next event. */
  take(event: Event): void {
    if (event.type === "said") return;
    if (event.type !== "sync") {
      this.#pending.push(event);
      return;
    }
    const isSynced = (change: Change) => placeOf(change) === event.path;
    for (const change of this.#pending) if (isSynced(change)) apply(this.#files, change);
    this.#pending = this.#pending.filter((change) => !isSynced(change));
  }

  /** What is found when the power goes now. */
  cut(random: Random): Files {
    const files = new Map(
      Array.from(this.#files, ([path, bytes]) => [path, bytes.slice()] as const),
    );
    for (const { path } of this.#pending) if (!files.has(path)) files.set(path, new Uint8Array());
    const isInOrder = random.next() < 0.5;
    const kept = random.next();
    const reached = Math.floor(random.next() * (this.#pending.length + 1));
    for (const [at, change] of this.#pending.entries()) {
      if (isInOrder && at < reached) apply(files, change);
      else if (isInOrder && at === reached) tear(files, change, () => random.next() < kept);
      else if (!isInOrder) tear(files, change, () => random.next() < kept);
    }
    return files;
  }
}

/** What has to be synced so that a change is on the disk. */
function placeOf({ type, path }: Change): string {
  return type === "remove" ? path.replace(/\/[^/]*$/, "") : path;
}

function apply(files: Files, change: Change): void {
  if (change.type === "remove") {
    files.delete(change.path);
    return;
  }
  const bytes = files.get(change.path) ?? new Uint8Array();
  if (change.type === "truncate") {
    files.set(change.path, resized(bytes, change.size));
    return;
  }
  const { path, at, data } = change;
  const grown = bytes.length < at + data.length ? resized(bytes, at + data.length) : bytes;
  grown.set(data, at);
  files.set(path, grown);
}

/** Applies some of the sectors of a change. */
function tear(files: Files, change: Change, isKept: () => boolean): void {
  if (change.type !== "write") {
    if (isKept()) apply(files, change);
    return;
  }
  const { at, data } = change;
  for (let from = 0; from < data.length;) {
    const to = Math.min(data.length, from + sectorBytes - (at + from) % sectorBytes);
    if (isKept()) apply(files, { ...change, at: at + from, data: data.subarray(from, to) });
    from = to;
  }
}

function resized(bytes: Uint8Array, length: number): Uint8Array {
  const other = new Uint8Array(length);
  other.set(bytes.subarray(0, length));
  return other;
}
