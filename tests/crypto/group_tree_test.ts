import { assertEquals, assertRejects } from "@std/assert";
import { validateRatchetTree } from "ts-mls/clientState.js";
import { verifyParentHashes } from "ts-mls/parentHash.js";
import type { Node, RatchetTree } from "ts-mls/ratchetTree.js";
import { treeHashRoot } from "ts-mls/treeHash.js";
import { Group, GroupError, newKeyPackage, type Staged } from "../../crypto/group.ts";
import { toClientState } from "../../crypto/group/epoch.ts";
import { CredentialChecks } from "../../crypto/group/leaf.ts";
import { verifyingSuite } from "../../crypto/group/suite.ts";
import { checkTree, treeHashOf } from "../../crypto/group/tree.ts";
import type { Identity } from "../../crypto/identity.ts";
import { epochIn } from "./forger.ts";
import { expected, newIdentity, newInvitation, quiet, room, rulesOf, say } from "./room.ts";

/** The same numbers for the same seed (mulberry32). */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

interface Actor {
  readonly identity: Identity;
  readonly group: Group;
}

Deno.test("a group holds together whoever comes, goes and renews", async (t) => {
  for (const seed of [1, 2]) await t.step(`seed ${seed}`, () => walk(seed, 30));
});

/** Owners come, go and renew in any order; after each step all have the same, and trees are sound. */
async function walk(seed: number, steps: number): Promise<void> {
  const below = chance(seed);
  const crowd = await Promise.all(Array.from({ length: 11 }, newIdentity));
  const { key, secret } = await newInvitation();
  const first = crowd[0]!;
  const by = first.user.publicKey;
  const group = await Group.create(first, room, 1, {
    ...rulesOf(first),
    invitations: [{ key, by }],
  });
  let actors: Actor[] = [{ identity: first, group }];
  for (let step = 0; step < steps; step++) {
    const author = actors[below(actors.length)]!;
    const outside = crowd.filter((identity) =>
      !actors.some((actor) => actor.identity === identity)
    );
    const others = actors.filter((actor) => actor !== author && actor.identity !== first);
    let staged: Staged;
    let newcomers: Actor[] = [];
    let gone: Actor[] = [];
    const dice = below(5);
    if (dice < 2 && outside.length > 0) {
      const guest = outside[below(outside.length)]!;
      staged = await Group.enter(guest, await author.group.groupInfo(), expected, 1, secret);
      newcomers = [{ identity: guest, group: staged.group }];
    } else if (dice === 2 && outside.length > 1) {
      const guests = outside.slice(0, 1 + below(3));
      const own = await Promise.all(guests.map((guest) => newKeyPackage(guest)));
      staged = await actors[0]!.group.stage({ add: own }, quiet);
      newcomers = await Promise.all(guests.map(async (identity, at) => ({
        identity,
        group: await Group.join(identity, own[at]!.saved, staged.welcome!, expected),
      })));
    } else if (dice === 3 && others.length > 0) {
      gone = others.filter(() => below(3) === 0);
      const log = { ...quiet, departed: (user: Uint8Array) => gone.some((one) => is(one, user)) };
      staged = await author.group.stage({ remove: gone.map(({ group }) => group.own.leaf) }, log);
    } else {
      staged = await author.group.stage({}, quiet);
    }
    const log = { ...quiet, departed: (user: Uint8Array) => gone.some((one) => is(one, user)) };
    const next: Actor[] = [];
    for (const actor of actors) {
      if (isSame(actor.identity, staged.group)) next.push({ ...actor, group: staged.group });
      else if ((await actor.group.accept(staged.commit, log)).isOut !== gone.includes(actor)) {
        throw new Error("Somebody is out, or in, who should not be.");
      } else if (!gone.includes(actor)) next.push(actor);
    }
    actors = [...next, ...newcomers];
    await agree(actors, staged);
  }
}

function is({ identity }: Actor, user: Uint8Array): boolean {
  return identity.user.publicKey.toHex() === user.toHex();
}

function isSame(identity: Identity, group: Group): boolean {
  return identity.device.publicKey.toHex() === group.own.deviceKey.toHex();
}

async function agree(actors: readonly Actor[], { group, groupInfo }: Staged): Promise<void> {
  const codes = await Promise.all(actors.map((actor) => actor.group.code()));
  assertEquals(new Set(codes).size, 1);
  const { tree, context } = epochIn(group);
  await checkTree(tree, context.groupId, new CredentialChecks());
  assertEquals(treeHashOf(tree), await treeHashRoot(tree, verifyingSuite.hash));
  assertEquals(await verifyParentHashes(tree, verifyingSuite.hash), true);
  const [from, to] = [actors[0]!, actors.at(-1)!];
  if (from !== to) assertEquals(await say("so", from.group, to.group), "so");
  assertEquals(groupInfo.length > 0, true);
}

Deno.test("the library's own check refuses sound trees", async () => {
  const crowd = await Promise.all(Array.from({ length: 8 }, newIdentity));
  const [owner, ...others] = crowd as [Identity, ...Identity[]];
  const alone = await Group.create(owner, room, 1, rulesOf(owner));
  const own = await Promise.all(others.map((identity) => newKeyPackage(identity)));
  const full = await alone.stage({ add: own }, quiet);
  const fourth = await Group.join(crowd[4]!, own[3]!.saved, full.welcome!, expected);
  const removal = await full.group.stage({ remove: [5] }, quiet);
  await fourth.accept(removal.commit, quiet);
  const renewed = await fourth.stage({}, quiet); // Its path leads over the place of the fifth.
  await removal.group.accept(renewed.commit, quiet);
  const back = await newKeyPackage(crowd[5]!);
  const again = await removal.group.stage({ add: [back] }, quiet); // New there; but not at the root.
  const epoch = epochIn(again.group);
  const { lifetimeConfig, authService } = toClientState(epoch, new CredentialChecks()).clientConfig;
  const error = await validateRatchetTree(
    epoch.tree,
    epoch.context,
    lifetimeConfig,
    authService,
    epoch.context.treeHash,
    verifyingSuite,
  );
  assertEquals(
    error?.message,
    "non-blank intermediate node must list leaf node in its unmerged_leaves",
  );
  await checkTree(epoch.tree, epoch.context.groupId, new CredentialChecks());
  const joined = await Group.join(crowd[5]!, back.saved, again.welcome!, expected);
  assertEquals(await say("in all the same", joined, again.group), "in all the same");
});

Deno.test("a tree with anything out of place is not sound", async (t) => {
  const crowd = await Promise.all(Array.from({ length: 5 }, newIdentity));
  const [owner] = crowd as [Identity];
  const group = await Group.create(owner, room, 1, rulesOf(owner));
  const own = await Promise.all(crowd.slice(1).map((identity) => newKeyPackage(identity)));
  const staged = await group.stage({ add: own }, quiet);
  const joined = await Group.join(crowd[2]!, own[1]!.saved, staged.welcome!, expected);
  const late = await newKeyPackage(await newIdentity());
  await joined.accept((await staged.group.stage({ add: [late] }, quiet)).commit, quiet);
  const { tree, context: { groupId } } = epochIn(joined);
  const check = (changed: RatchetTree) => checkTree(changed, groupId, new CredentialChecks());
  await check(tree);
  const parentAt = tree.findIndex((node) => node?.nodeType === "parent");
  const parent = tree[parentAt] as Extract<Node, { nodeType: "parent" }>;
  const leafAt = (at: number) => tree[at * 2] as Extract<Node, { nodeType: "leaf" }>;
  const withParent = (change: Partial<typeof parent.parent>) =>
    tree.with(parentAt, { ...parent, parent: { ...parent.parent, ...change } });
  const withLeaf = (at: number, change: object) =>
    tree.with(at * 2, { nodeType: "leaf", leaf: { ...leafAt(at).leaf, ...change } });
  const otherKey = leafAt(1).leaf.hpkePublicKey.map((byte, at) => at === 1200 ? byte ^ 1 : byte);
  const cases: Record<string, RatchetTree> = {
    "a leaf in a parent's place": tree.with(parentAt, leafAt(0)),
    "a parent in a leaf's place": tree.with(2, parent),
    "a leaf twice": tree.with(2, leafAt(0)),
    "another key of a parent": withParent({
      hpkePublicKey: otherKey,
    }),
    "a key of a parent that is none": withParent({ hpkePublicKey: new Uint8Array(1216).fill(255) }),
    "another parent hash": withParent({ parentHash: new Uint8Array(64) }),
    "a blank leaf that is new": withParent({ unmergedLeaves: [7 as never] }),
    "a leaf that is new twice": withParent({ unmergedLeaves: [1 as never, 1 as never] }),
    "another key of a leaf": withLeaf(1, {
      hpkePublicKey: otherKey,
    }),
    "another device": withLeaf(1, { signaturePublicKey: leafAt(2).leaf.signaturePublicKey }),
    "more capabilities": withLeaf(1, {
      capabilities: { ...leafAt(1).leaf.capabilities, proposals: [9] },
    }),
    "another credential": withLeaf(1, { credential: leafAt(2).leaf.credential }),
    "too many leaves": [...tree, ...new Array(600).fill(undefined)],
  };
  for (const [name, changed] of Object.entries(cases)) {
    await t.step(name, async () => {
      await assertRejects(() => check(changed), GroupError);
    });
  }
});
