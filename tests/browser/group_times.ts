/**
 * What a group costs on the machine and in the runtime at hand; that it does what it should is checked
 * on the way.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { Group, GroupError, newKeyPackage } from "../../crypto/group.ts";
import { context, expected, newGroup, newIdentity, quiet, say, win } from "../crypto/room.ts";

/** What is done, and how many milliseconds it takes. */
export type Times = Readonly<Record<string, number>>;

/** The medians of some rounds; the first, in which the code is still cold, is not among them. */
export async function groupTimes(rounds = 15): Promise<Times> {
  await round();
  const all: Times[] = [];
  while (all.length < rounds) all.push(await round());
  return Object.fromEntries(
    Object.keys(all[0]!).map((what) => [what, median(all.map((times) => times[what]!))]),
  );
}

/** A group of two, from its beginning to its end. */
async function round(): Promise<Times> {
  const times: Record<string, number> = {};
  const timed = async <T>(what: string, act: () => T | Promise<T>): Promise<T> => {
    const startMs = performance.now();
    const done = await act();
    times[what] = performance.now() - startMs;
    return done;
  };
  const { group } = await timed("new group", newGroup);
  const bob = await newIdentity();
  const pool = await timed("key package", () => newKeyPackage(bob));
  const added = await timed("add", () => group.stage({ add: [pool] }, quiet));
  const alice = await win(added, []);
  const bobs = await timed("join", () => Group.join(bob, pool.saved, added.welcome!, expected));
  const text = "x".repeat(100);
  assertEquals(await timed("say and hear", () => say(text, alice, bobs)), text);
  const again = await timed("save and restore", () => Group.restore(bob, bobs.save()));
  assertEquals(await say("to the restored", alice, again), "to the restored");
  const { leaf } = again.own;
  const removal = await timed("remove", () => alice.stage({ remove: [leaf] }, quiet));
  const alone = await win(removal, []);
  const sealed = await alone.seal(new TextEncoder().encode("without Bob"), context);
  await assertRejects(() => again.open(sealed, context), GroupError);
  const { isOut } = await timed("follow", () => again.accept(removal.commit, quiet));
  assertEquals(isOut, true);
  await assertRejects(() => again.open(sealed, context));
  return times;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
