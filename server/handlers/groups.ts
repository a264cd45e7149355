/**
 * What members of sealed rooms ask for: commits, and the objects and key packages that go with them.
 *
 * @module
 */

import { equal, fromMapKey, mapKey } from "../../protocol/bytes.ts";
import type { Args, Result } from "../../protocol/command.ts";
import { decodeCommit, type ObjectRef } from "../../protocol/commit.ts";
import { Content, type Core, decodeCore, Proof } from "../../protocol/entry.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { takeDevicesMax } from "../../protocol/limits.ts";
import type { Person } from "../../protocol/message.ts";
import { whoMay } from "../../protocol/may.ts";
import { type Asked, type AskedInRoom, standingOf } from "../asked.ts";
import type { Commit, Group, GroupState } from "../group.ts";
import type { User } from "../people.ts";
import { can } from "../roles.ts";
import type { Effect } from "../room.ts";
import type { Uploads } from "../uploads.ts";
import { isInLog, muteOf } from "./publish.ts";

/** Which epoch a sealed room's log has reached. */
export async function group({ room }: AskedInRoom): Promise<Result<"group">> {
  await room.group?.load();
  const state = room.group?.state;
  if (!state) return {};
  const { generation, epoch, commit, seq, groupInfo: { hash, bytes } } = state;
  return { generation, epoch, commit, seq, groupInfo: hash, bytes };
}

/** Puts a commit into the room's log, where it comes right after the last one. */
export function commit(asked: AskedInRoom, args: Args<"commit">): Promise<Result<"commit">> {
  const author = authorOf(asked);
  const group = groupOf(asked);
  const { room } = asked;
  const core = decodeCore(args.core);
  if (core.content !== Content.commit || core.proof !== Proof.signature || !core.epoch) {
    throw new ProtocolError("bad_message", "This is no signed commit with an epoch.");
  }
  const wanted = { core, made: core.epoch, args, payload: decodeCommit(core.payload) };
  mustBeFree(asked, author.user);
  let next: GroupState | undefined;
  return new Promise((resolve, reject) => {
    room.room.publish({
      deviceId: author.person.deviceId,
      core: args.core,
      isAlone: true,
      async examine(seq) {
        next = undefined;
        try {
          if (await isInLog({ services: asked.services, ...author }, room, args.core)) return {};
          mustBeFree(asked, author.user);
          const commit = commitOf(wanted, group, author.uploads, room.id);
          next = group.after(commit, seq, asked.services.clock.now());
          return { records: group.recordsFor(commit, next) } satisfies Effect;
        } catch (error) {
          if (error instanceof ProtocolError) return error;
          throw error;
        }
      },
      onKept(seq) {
        group.take(next!);
        for (const hash of namedBy(wanted)) author.uploads.drop(room.id, hash);
        resolve({ seq });
      },
      onRepeated: (seq) => resolve({ seq }),
      onRefused: reject,
    });
  });
}

/** The object by which the asking device comes into the group. */
export async function welcome(
  asked: AskedInRoom,
  { commit }: Args<"welcome">,
): Promise<Result<"welcome">> {
  const { room, services: { clock } } = asked;
  const { person } = authorOf(asked);
  await room.group?.load();
  const found = room.group?.welcomeOf(person.deviceId, commit, clock.now());
  if (!found) return {};
  return { hash: found.hash, bytes: found.bytes, commit: found.commit, seq: found.seq };
}

/** Takes a part of an object into the session's memory. */
export function upload(asked: AskedInRoom, part: Args<"upload">): Result<"upload"> {
  groupOf(asked);
  authorOf(asked).uploads.add(asked.room.id, part);
  return {};
}

/** Gives a part of an object. */
export async function download(
  { room }: AskedInRoom,
  { hash, at }: Args<"download">,
): Promise<Result<"download">> {
  if (!room.group) throw new ProtocolError("no_such_object");
  await room.group.load();
  return await room.group.read(hash, at);
}

/** Puts key packages into the pool of the asking device. */
export async function keys(
  asked: Asked,
  { packages, last }: Args<"keys">,
): Promise<Result<"keys">> {
  const { person } = authorOf(asked);
  return { left: await asked.services.keyPackages.add(person.deviceId, packages, last) };
}

/** Takes a key package of each of somebody's devices that were heard from last. */
export async function take(
  asked: Asked,
  { user: name }: Args<"take">,
): Promise<Result<"take">> {
  authorOf(asked);
  const { people, keyPackages } = asked.services;
  const devices = [...people.named(name).devices].slice(-takeDevicesMax).map(fromMapKey);
  const packages = await Promise.all(devices.map(async (deviceId) => {
    const found = await keyPackages.take(deviceId);
    return found ? [{ deviceId, package: found }] : [];
  }));
  return { packages: packages.flat() };
}

/** Somebody at a session. */
interface Author {
  readonly user: User;
  readonly person: Person;
  readonly uploads: Uploads;
}

/** @throws {ProtocolError} forbidden, for who has no device: the operator */
function authorOf({ actor: { user, person, session } }: Asked): Author {
  if (user && person && session) return { user, person, uploads: session.uploads };
  throw new ProtocolError("forbidden", "Only a user can be in a room, and have keys for it.");
}

/** @throws {ProtocolError} forbidden, in an open room */
function groupOf({ room }: AskedInRoom): Group {
  if (room.group) return room.group;
  throw new ProtocolError("forbidden", "This room is open: it has no group.");
}

/** @throws {ProtocolError} forbidden, where somebody is in the room no more, or muted there */
function mustBeFree({ room, services }: AskedInRoom, user: User): void {
  const standing = standingOf(services, { user }, room);
  const refusal = can(standing, "reader")
    ? muteOf(services, user, room)
    : new ProtocolError("forbidden", whoMay("reader"));
  if (refusal) throw refusal;
}

/** A commit as it came. */
interface Wanted {
  readonly core: Core;
  /** The epoch that it was made in. */
  readonly made: NonNullable<Core["epoch"]>;
  readonly args: Args<"commit">;
  readonly payload: ReturnType<typeof decodeCommit>;
}

/** The objects that it names. */
function namedBy({ args, payload }: Wanted): Uint8Array[] {
  return [
    args.groupInfo,
    ...args.welcomes.map(({ hash }) => hash),
    ...("object" in payload ? [payload.object.hash] : []),
  ];
}

/**
 * A commit whose turn has come, with what it names.
 *
 * @throws {ProtocolError} stale_commit, no_such_object, bad_message
 */
function commitOf(wanted: Wanted, group: Group, uploads: Uploads, roomId: Uint8Array): Commit {
  const { core, args, payload } = wanted;
  const last = group.state?.commit;
  if (args.after && last ? !equal(args.after, last) : args.after !== last) {
    throw new ProtocolError("stale_commit");
  }
  mustFollow(wanted, group);
  const found = new Map<string, Uint8Array>();
  const object = (hash: Uint8Array, mayBeKept = true): ObjectRef => {
    const bytes = found.get(mapKey(hash)) ?? uploads.whole(roomId, hash);
    if (bytes) found.set(mapKey(hash), bytes);
    const ref = bytes ? { hash, bytes: bytes.length } : mayBeKept ? group.find(hash) : undefined;
    if (!ref) throw new ProtocolError("no_such_object");
    return { hash: ref.hash, bytes: ref.bytes };
  };
  const ofPayload = "object" in payload ? object(payload.object.hash, false) : undefined;
  if ("object" in payload && ofPayload!.bytes !== payload.object.bytes) {
    throw new ProtocolError("bad_message", "The object is not as long as the commit says.");
  }
  return {
    messageId: core.messageId,
    begins: { generation: args.generation, epoch: args.epoch },
    groupInfo: object(args.groupInfo),
    welcomes: args.welcomes.map(({ device, hash }) => ({ device, object: object(hash) })),
    payload: ofPayload,
    bytesOf: (hash) => found.get(mapKey(hash)),
  };
}

/**
 * An epoch follows the one before it, or a group the one before it.
 *
 * @throws {ProtocolError} bad_message
 */
function mustFollow({ made, args: { generation, epoch } }: Wanted, group: Group): void {
  const { state } = group;
  if (!state || generation === state.generation + 1) return;
  if (group.isAt(made) && generation === made.generation && epoch === made.epoch + 1) return;
  throw new ProtocolError(
    "bad_message",
    "Neither the next epoch nor the next group begins with it.",
  );
}

/** Puts somebody's wish to be let into the group into the room's log. */
export function knock(asked: AskedInRoom, args: Args<"knock">): Promise<Result<"knock">> {
  const { user, person } = authorOf(asked);
  groupOf(asked);
  mustBeFree(asked, user);
  const core = decodeCore(args.core);
  if (core.content !== Content.knock || core.proof !== Proof.signature) {
    throw new ProtocolError("bad_message", "This is no signed knock.");
  }
  return new Promise((resolve, reject) => {
    asked.room.room.publish({
      deviceId: person.deviceId,
      core: args.core,
      onKept: () => resolve({}),
      onRepeated: () => resolve({}),
      onRefused: reject,
    });
  });
}
