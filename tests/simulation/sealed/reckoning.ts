/**
 * What must hold in the end: of each sealed room's log, as it was stored, everybody has what they were
 * in the group for, and nobody has anything else.
 *
 * @module
 */

import { decodeSaid } from "../../../client/sealed/trail.ts";
import { equal, mapKey } from "../../../protocol/bytes.ts";
import { decodeCommit } from "../../../protocol/commit.ts";
import { Content, type Entry } from "../../../protocol/entry.ts";
import { personPayload } from "../../../protocol/message.ts";
import type { TrueLog } from "../truth.ts";
import type { World } from "../world.ts";
import type { SealedCoverage } from "./coverage.ts";
import { type Commit, type Epoch, type Leaf, type Ledger, membersOf } from "./group.ts";
import type { Blindness, Reader, Said, SealedMember } from "./member.ts";

/** What is compared. */
export interface Reckoning {
  readonly world: World;
  readonly coverage: SealedCoverage;
  readonly ledger: Ledger;
  readonly log: TrueLog;
  readonly members: readonly SealedMember[];
  /** By message id of a commit: the hash of what lets others into the epoch that it begins. */
  readonly infos: ReadonlyMap<string, Uint8Array>;
}

/** An entry, and the epoch that the log has reached before it; none where the group was broken. */
interface Place {
  readonly entry: Entry;
  readonly epoch: Epoch | undefined;
  /** Where it is a commit that counts, or a beginning: what comes of it. */
  readonly begins: Epoch | undefined;
  readonly commit: Commit | undefined;
}

/** Checks one room. */
export function reckon(reckoning: Reckoning): Epoch | undefined {
  const { world, coverage, ledger, log, members } = reckoning;
  const places = follow(reckoning);
  const byDevice = new Map(
    members.flatMap((member) =>
      member.deviceId ? [[mapKey(member.deviceId), member] as const] : []
    ),
  );
  const outside = new Set<string>();
  for (const { entry, epoch } of places) {
    noteCrowd(outside, entry);
    if (entry.core.content !== Content.text) continue;
    coverage.messages++;
    const message = ledger.find(entry.core.payload);
    const author = byDevice.get(mapKey(entry.deviceId));
    if (message?.kind !== "message" || !author) {
      world.fail(`${entry.seq} is no message`);
      continue;
    }
    world.check(
      message.epoch.secret === epoch?.secret,
      () => `${entry.seq} was sealed in another epoch than the one that the log had reached`,
    );
    const text = new TextDecoder().decode(decodeSaid(message.plaintext).payload);
    const said = author.said.get(mapKey(entry.core.messageId));
    world.check(said?.text === text, () => `${author.name} did not say ${text}`);
    if (said?.heeds) checkHeeded(reckoning, places, entry, said.heeds);
    for (const member of members) {
      const reader = member.readers.get(mapKey(log.id));
      const isOutside = outside.has(member.name);
      const reading = { entry, epoch, text, author, member, isOutside };
      if (reader) checkReading(reckoning, places, { ...reading, reader });
    }
  }
  for (const member of members) checkSaid(reckoning, member);
  return places.at(-1)?.begins ?? places.at(-1)?.epoch;
}

interface Reading {
  readonly entry: Entry;
  readonly epoch: Epoch | undefined;
  readonly text: string;
  readonly author: SealedMember;
  readonly member: SealedMember;
  readonly reader: Reader;
  /** The server says that they are out of the room, and gives them nothing of it. */
  readonly isOutside: boolean;
}

/** Who goes and who comes. */
function noteCrowd(outside: Set<string>, { core: { content, payload } }: Entry): void {
  if (content === Content.left) outside.add(personPayload.decode(payload).name);
  if (content === Content.joined) outside.delete(personPayload.decode(payload).name);
}

function checkReading(
  { world, coverage, log }: Reckoning,
  places: readonly Place[],
  { entry: { seq, deviceId }, epoch, text, author, member, reader, isOutside }: Reading,
): void {
  const isOwn = equal(member.deviceId!, deviceId);
  const isIn = epoch !== undefined &&
    membersOf(epoch).some((one) => equal(one.deviceId, member.deviceId!));
  const shown = reader.shown.get(seq) ?? member.kept(log.id).get(seq);
  const isShown = shown?.isGood === true && shown.text === text;
  if (shown?.isGood && shown.text !== text) {
    world.fail(`${member.name} was shown "${shown.text}" as ${seq}, which is "${text}"`);
  }
  if (!isIn && !isOwn) {
    coverage.unreadable++;
    world.check(!isShown, () => `${member.name} reads ${seq} without being in the group`);
    return;
  }
  const isBlind = reader.blind.some((blindness) =>
    seq >= blindness.fromSeq && seq < comesBack(places, blindness, member)
  );
  if (isBlind || isOutside || reader.beginning === undefined || seq <= reader.beginning) {
    coverage.unreadable++;
    return;
  }
  coverage.readings++;
  world.check(
    isShown,
    () =>
      `${member.name} was not shown ${seq} by ${author.name}, "${text}", ` +
      `in ${epoch?.generation}.${epoch?.epoch}, but ${shown ? `"${shown.text}"` : "nothing"}`,
  );
}

/** Who is spoken to in a room of two can open it, unless they leave, or all begins anew, meanwhile. */
function checkHeeded(
  { world, coverage, log, members }: Reckoning,
  places: readonly Place[],
  { seq }: Entry,
  { name, fromSeq }: NonNullable<Said["heeds"]>,
): void {
  const { deviceId, readers } = members.find((member) => member.name === name)!;
  const before = places.filter(({ entry }) => entry.seq < seq);
  const leftSeq =
    before.findLast(({ entry: { core } }) =>
      core.content === Content.left && personPayload.decode(core.payload).name === name
    )?.entry.seq ?? 0;
  const anewSeq = before.findLast(({ begins, commit }) => begins && !commit)?.entry.seq ?? 0;
  if (Math.max(leftSeq, anewSeq) > fromSeq) return;
  coverage.heeded++;
  const isTheirs = ({ deviceId: id }: Pick<Leaf, "deviceId">) => equal(id, deviceId!);
  const { epoch } = places.find(({ entry }) => entry.seq === seq)!;
  const isIn = epoch !== undefined && membersOf(epoch).some(isTheirs);
  // The keys that they had before they left are gone.
  const hasCome = leftSeq === 0 || before.some(({ entry, begins, commit }) => {
    if (entry.seq < leftSeq || !begins) return false;
    const added = commit ? commit.added.map(({ leaf }) => leaf) : [...begins.leaves.values()];
    return added.some(isTheirs);
  });
  const isShown = readers.get(mapKey(log.id))?.shown.get(seq)?.isGood === true;
  world.check(
    isIn && (hasCome || isShown),
    () => `${seq} was said to ${name}, who has no keys for it`,
  );
}

function isLeaving({ core: { content, payload } }: Entry, name: string): boolean {
  return content === Content.left && personPayload.decode(payload).name === name;
}

/** Where a device that has lost its keys comes into the group anew. */
function comesBack(
  places: readonly Place[],
  { fromSeq, atSeq, keysFrom, hasLeft }: Blindness,
  { name, deviceId }: SealedMember,
): number {
  const left = hasLeft
    ? places.find(({ entry }) => entry.seq >= fromSeq && isLeaving(entry, name))
    : undefined;
  const behindSeq = left?.entry.seq ?? atSeq;
  const isTheirs = ({ deviceId: id, key }: Leaf) => equal(id, deviceId!) && key > keysFrom;
  const found = places.find(({ entry: { seq }, commit, begins }) =>
    seq > behindSeq && begins && (
      !commit && [...begins.leaves.values()].some(isTheirs) ||
      commit?.added.some(({ leaf }) => isTheirs(leaf))
    )
  );
  return found?.entry.seq ?? Infinity;
}

/** What each member said is in the log, once, in order. */
function checkSaid({ world, log }: Reckoning, member: SealedMember): void {
  const texts = log.entries.filter(({ core, deviceId }) =>
    core.content === Content.text && member.deviceId && equal(deviceId, member.deviceId)
  );
  const logged = texts.map(({ core }) => mapKey(core.messageId));
  const there = new Set(logged);
  const { unsent } = member;
  const expected = [...member.said].filter(([id, { room, fate }]) =>
    equal(room, log.id) && (there.has(id) || fate === "to come" && !unsent.has(id))
  );
  const words = (ids: readonly string[]) => ids.map((id) => member.said.get(id)?.text).join(", ");
  world.check(
    expected.length === logged.length && expected.every(([id], at) => logged[at] === id),
    () =>
      `${member.name} said ${words(expected.map(([id]) => id))}, and the log has ${words(logged)}`,
  );
}

/** The epochs that a log goes through. */
function follow({ world, coverage, ledger, log, infos }: Reckoning): Place[] {
  const places: Place[] = [];
  let epoch: Epoch | undefined;
  let isBegun = false;
  for (const entry of log.entries) {
    if (entry.core.content !== Content.commit) {
      places.push({ entry, epoch, begins: undefined, commit: undefined });
      continue;
    }
    coverage.commits++;
    const commit = commitOf(ledger, entry);
    const info = infos.get(mapKey(entry.core.messageId));
    const told = info && ledger.findHash(info);
    const begins = commit
      ? commit.from.secret === epoch?.secret ? commit.to : undefined
      : told?.kind === "info" && told.epoch.epoch === 0
      ? told.epoch
      : undefined;
    if (commit) {
      world.check(
        begins !== undefined,
        () => `The commit ${entry.seq} does not follow on the epoch that the log has reached`,
      );
      if (commit.committer !== undefined) coverage.added += commit.added.length;
      else if (commit.removed.length > 0) coverage.comebacks++;
      else coverage.entries++;
      coverage.takenOut += commit.committer === undefined ? 0 : commit.removed.length;
    } else if (begins && isBegun) coverage.generations++;
    isBegun ||= begins !== undefined;
    places.push({ entry, epoch, begins, commit });
    epoch = begins;
  }
  return places;
}

function commitOf(ledger: Ledger, { core: { payload } }: Entry): Commit | undefined {
  const decoded = decodeCommit(payload);
  const thing = "mls" in decoded ? ledger.find(decoded.mls) : ledger.findHash(decoded.object.hash);
  return thing?.kind === "commit" ? thing.commit : undefined;
}
