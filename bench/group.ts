/**
 * Measures sealed rooms: what joining, commits and messages cost the one device that does them, in
 * groups of several sizes. `accept entry` begins with a group that was just restored, so that nothing
 * of it has been hashed before. `deno task bench-group`.
 *
 * @module
 */

import { Group, newKeyPackage, type Staged } from "../crypto/group.ts";
import { generateIdentity, generateSigningKey, type Identity } from "../crypto/identity.ts";

const sizes = [3, 32, 100, 256];
const rounds = 20;
const messages = 200;

const room = new Uint8Array(16).fill(1);
const server = new Uint8Array(32).fill(2);
const expected = { room, server };
const circumstances = { timeMs: 1, departed: () => false };
const context = new Uint8Array(120);

const columns = [
  "members",
  "welcome",
  "enter",
  "accept",
  "accept entry",
  "stage",
  "seal",
  "open",
  "save",
  "restore",
  "kB saved",
  "kB group info",
  "kB commit",
];

console.log(`milliseconds, medians of ${rounds} (of ${messages} for seal and open)\n`);
console.log(`| ${columns.join(" | ")} |\n|${columns.map(() => " ---: ").join("|")}|`);
for (const size of sizes) console.log(`| ${(await measure(size)).join(" | ")} |`);

/** One row of the table. */
async function measure(size: number): Promise<string[]> {
  const { alice, bob, bobs, link } = await grow(size - 1);
  const times = new Map<string, number[]>();
  const time = async <T>(name: string, work: () => T | Promise<T>): Promise<T> => {
    const from = performance.now();
    const result = await work();
    times.set(name, [...times.get(name) ?? [], performance.now() - from]);
    return result;
  };
  let [first, second] = [alice, bob];
  let staged: Staged | undefined;
  for (let round = 0; round < rounds; round++) {
    const renewed = await time("stage", () => first.stage({}, circumstances));
    await time("accept", () => second.accept(renewed.commit, circumstances));
    first = renewed.group;
    const guest = (await generateIdentity()).identity;
    const own = await newKeyPackage(guest);
    const added = await first.stage({ add: [own] }, circumstances);
    await time("welcome", () => Group.join(guest, own.saved, added.welcome!, expected));
    const info = await first.groupInfo();
    const entry = await time("enter", () => Group.enter(guest, info, expected, 1, link));
    const saved = await time("save", () => second.save());
    const witness = await time("restore", () => Group.restore(bobs, saved));
    await time("accept entry", () => witness.accept(entry.commit, circumstances));
    staged = renewed;
  }
  for (let message = 0; message < messages; message++) {
    const sealed = await time("seal", () => first.seal(new Uint8Array(100), context));
    await time("open", () => second.open(sealed, context));
  }
  const median = (name: string): string => {
    const sorted = times.get(name)!.toSorted((a, b) => a - b);
    return sorted[sorted.length >> 1]!.toFixed(2);
  };
  const kilobytes = (bytes: Uint8Array): string => (bytes.length / 1000).toFixed(0);
  return [
    String(size),
    ...columns.slice(1, 10).map(median),
    kilobytes(second.save()),
    kilobytes(staged!.groupInfo),
    kilobytes(staged!.commit),
  ];
}

/** A group of a size, as two of its members have it, and the secret of its link. */
async function grow(
  size: number,
): Promise<{ alice: Group; bob: Group; bobs: Identity; link: Uint8Array }> {
  const owner = (await generateIdentity()).identity;
  const { key, secret } = await generateSigningKey();
  const by = owner.user.publicKey;
  let alice = await Group.create(owner, room, 1, {
    server,
    roles: [{ user: by, role: "owner" }],
    invitations: [{ key: key.publicKey, by }],
  });
  const bobs = (await generateIdentity()).identity;
  const own = await newKeyPackage(bobs);
  const staged = await alice.stage({ add: [own] }, circumstances);
  alice = staged.group;
  const bob = await Group.join(bobs, own.saved, staged.welcome!, expected);
  let groupInfo = staged.groupInfo;
  for (let more = 2; more < size; more++) { // Each comes in by themselves, as in a real room.
    const guest = (await generateIdentity()).identity;
    const entry = await Group.enter(guest, groupInfo, expected, 1, secret);
    await Promise.all([alice, bob].map((group) => group.accept(entry.commit, circumstances)));
    groupInfo = entry.groupInfo;
  }
  return { alice, bob, bobs, link: secret };
}
