/**
 * What a sealed room's keys cost: `deno task bench-group`. One process does the work of everybody, one
 * after the other; times are of one device each.
 *
 * @module
 */

import { Group, newKeyPackage } from "../crypto/group.ts";
import { generateIdentity, generateSigningKey } from "../crypto/identity.ts";
import { textTable } from "./table.ts";

const sizes = [2, 10, 32, 100, 256];
const rounds = 20;
const room = crypto.getRandomValues(new Uint8Array(16));
const server = crypto.getRandomValues(new Uint8Array(32));
const now = { timeMs: Date.now(), departed: () => false };
const context = new Uint8Array(52);
const text = new TextEncoder().encode("x".repeat(128));

/** The median time of one of them, in ms. */
async function median(times: number, act: (round: number) => Promise<unknown>): Promise<number> {
  const all: number[] = [];
  for (let round = 0; round < times; round++) {
    const start = performance.now();
    await act(round);
    all.push(performance.now() - start);
  }
  return all.sort((a, b) => a - b)[all.length >> 1]!;
}

/** A group of so many, as seen by who made it and by one who came in with the last commit. */
async function groupOf(size: number): Promise<{ maker: Group; other: Group; joinMs: number }> {
  const { identity } = await generateIdentity();
  const roles = [{ user: identity.user.publicKey, role: "owner" as const }];
  const maker = await Group.create(identity, room, 1, { server, roles, invitations: [] });
  const joiners = await Promise.all(Array.from({ length: size - 1 }, async () => {
    const { identity } = await generateIdentity();
    return { identity, ...await newKeyPackage(identity) };
  }));
  const staged = await maker.stage({ add: joiners }, now);
  const last = joiners.at(-1)!;
  const start = performance.now();
  const other = await Group.join(last.identity, last.saved, staged.welcome!, { room, server });
  return { maker: staged.group, other, joinMs: performance.now() - start };
}

const rows: string[][] = [];
for (const size of sizes) {
  let { maker, other, joinMs } = await groupOf(size);
  const commits = await median(rounds, async () => {
    const staged = await maker.stage({}, now);
    await other.accept(staged.commit, now);
    maker.forget();
    maker = staged.group;
  });
  const sealed: Uint8Array[] = [];
  const sealMs = await median(rounds, async () => sealed.push(await maker.seal(text, context)));
  const openMs = await median(rounds, (at) => other.open(sealed[at]!, context));
  const { key, secret } = await generateSigningKey();
  const by = maker.own.userKey;
  const withLink = await maker.stage({
    rules: { ...maker.rules, invitations: [{ key: key.publicKey, by }] },
  }, now);
  await other.accept(withLink.commit, now);
  let enterMs = NaN;
  let acceptMs = NaN;
  if (size < 256) {
    const { identity } = await generateIdentity();
    const start = performance.now();
    const entering = await Group.enter(
      identity,
      withLink.groupInfo,
      { room, server },
      now.timeMs,
      secret,
    );
    enterMs = performance.now() - start;
    const from = performance.now();
    await other.accept(entering.commit, now);
    acceptMs = performance.now() - from;
  }
  const state = other.save().length;
  rows.push([
    String(size),
    joinMs.toFixed(1),
    Number.isNaN(enterMs) ? "full" : enterMs.toFixed(1),
    Number.isNaN(acceptMs) ? "full" : acceptMs.toFixed(1),
    commits.toFixed(1),
    sealMs.toFixed(2),
    openMs.toFixed(2),
    (withLink.groupInfo.length / 1024).toFixed(0),
    (withLink.commit.length / 1024).toFixed(0),
    (state / 1024).toFixed(0),
  ]);
}
console.log(textTable([
  "members",
  "join by welcome ms",
  "come in by oneself ms",
  "a member follows that ms",
  "commit, made and followed ms",
  "seal ms",
  "open ms",
  "group info KB",
  "commit KB",
  "state KB",
], rows));
