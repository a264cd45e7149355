import type { GroupMember } from "../../crypto/group.ts";
import { equal, mapKey } from "../../protocol/bytes.ts";

/** Users of a room of two whose comings and goings are remembered: a server may make some up. */
const usersMax = 16;

type Device = Pick<GroupMember, "deviceId" | "userKey">;

/**
 * Devices that stand in the tree of a room of two and have its keys no more: those of a user who has left,
 * be they back or not. What is sealed while they stand there their user would never read.
 */
export class Orphans {
  /** By {@link mapKey}. */
  readonly #devices = new Set<string>();
  /** Of users who have come or gone: the devices that have had keys since. */
  readonly #since = new Map<string, Set<string>>();

  /** All, to be kept. */
  get all(): ReadonlySet<string> {
    return this.#devices;
  }

  has({ deviceId }: Device): boolean {
    return this.#devices.has(mapKey(deviceId));
  }

  /** Goes on with what was kept. */
  restore(devices: Iterable<string>): void {
    for (const device of devices) this.#devices.add(device);
  }

  /**
   * The log says that a user has come or gone: without keys, either way.
   *
   * @param members of the group; whether some are theirs
   */
  move(userKey: Uint8Array, members: readonly Device[]): boolean {
    const key = mapKey(userKey);
    this.#since.delete(key);
    this.#since.set(key, new Set());
    if (this.#since.size > usersMax) this.#since.delete(this.#since.keys().next().value!);
    const theirs = members.filter((member) => equal(member.userKey, userKey));
    for (const { deviceId } of theirs) this.#devices.add(mapKey(deviceId));
    return theirs.length > 0;
  }

  /** A device has the keys: it was added, or has made a commit. */
  clear({ deviceId, userKey }: Device): void {
    this.#devices.delete(mapKey(deviceId));
    this.#since.get(mapKey(userKey))?.add(mapKey(deviceId));
  }

  /** We have made a commit ourselves, which takes orphans out: whoever is there after it has keys. */
  settle(): void {
    this.#since.clear();
  }

  /** These are in the group that we have come into, and were so before us. */
  meet(members: readonly Device[]): void {
    for (const { deviceId, userKey } of members) {
      const since = this.#since.get(mapKey(userKey));
      if (since && !since.has(mapKey(deviceId))) this.#devices.add(mapKey(deviceId));
    }
  }

  /** Only these are in the group now. */
  keepOnly(members: readonly Device[]): void {
    const there = new Set(members.map(({ deviceId }) => mapKey(deviceId)));
    for (const device of this.#devices) if (!there.has(device)) this.#devices.delete(device);
  }
}
