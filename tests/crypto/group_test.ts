import { sha256 } from "@noble/hashes/sha2.js";
import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { type GroupInfo, signGroupInfo } from "ts-mls/groupInfo.js";
import { encryptSenderData } from "ts-mls/privateMessage.js";
import type { ReuseGuard } from "ts-mls/sender.js";
import {
  addedBy,
  epochOf,
  type Expected,
  Group,
  type GroupChange,
  GroupError,
  type GroupErrorReason,
  newKeyPackage,
  readKeyPackage,
  warrant,
} from "../../crypto/group.ts";
import { followCommit, secretsAfter } from "../../crypto/group/commit.ts";
import { decodeEpoch } from "../../crypto/group/epoch.ts";
import { CredentialChecks } from "../../crypto/group/leaf.ts";
import { openMessage, sealMessage } from "../../crypto/group/messages.ts";
import { aheadMax } from "../../crypto/group/secret_tree.ts";
import { suiteOf } from "../../crypto/group/suite.ts";
import { readMessage, writeMessage } from "../../crypto/group/wire.ts";
import { certify, generateSigningKey, type Identity } from "../../crypto/identity.ts";
import { bucketOf } from "../../crypto/padding.ts";
import {
  context,
  expected,
  newGroup,
  newIdentity,
  newInvitation,
  quiet,
  room,
  say,
  win,
} from "./room.ts";

Deno.test("two members understand each other", async () => {
  const { owner, group } = await newGroup();
  const bob = await newIdentity();
  const { keyPackage, saved } = await newKeyPackage(bob);
  const staged = await group.stage({ add: [{ keyPackage }] }, quiet);
  const alice = await win(staged, []);
  const inviter = owner.user.publicKey;
  const bobs = await Group.join(bob, saved, staged.welcome!, { ...expected, inviter });
  assertEquals(await say("hi", alice, bobs), "hi");
  assertEquals(await say("hello", bobs, alice), "hello");
  assertEquals(await alice.code(), await bobs.code());
  assertEquals(alice.members.map(({ role }) => role), ["owner", "member"]);
  assertEquals(bobs.vouchedBy?.userKey, inviter);
});

Deno.test("somebody comes in by a link when nobody is there", async () => {
  const { owner, group } = await newGroup();
  const { key, secret } = await newInvitation();
  const rules = {
    ...group.rules,
    invitations: [{ key, by: owner.user.publicKey, uses: 2, untilMs: quiet.timeMs }],
  };
  const invited = await group.stage({ rules }, quiet);
  const alice = await win(invited, []);
  const bob = await newIdentity();
  const entry = await Group.enter(bob, invited.groupInfo, expected, quiet.timeMs, secret);
  const applied = await alice.accept(entry.commit, quiet);
  assertEquals(applied.added.map(({ userKey }) => userKey), [bob.user.publicKey]);
  assertEquals(await say("hi", alice, entry.group), "hi");
  const carol = await newIdentity();
  const second = await Group.enter(carol, entry.groupInfo, expected, quiet.timeMs, secret);
  await alice.accept(second.commit, quiet);
  await entry.group.accept(second.commit, quiet);
  assertEquals(await say("all three", second.group, entry.group), "all three");
  const error = await assertRejects(
    () => Group.enter(carol, group.room, expected, quiet.timeMs, secret),
    GroupError,
  );
  assertEquals(error.reason, "invalid");
  const dan = await newIdentity();
  const late = await assertRejects(
    () => Group.enter(dan, second.groupInfo, expected, quiet.timeMs, secret),
    GroupError,
  );
  assertEquals(late.reason, "policy");
  assertEquals(room, alice.room);
});

Deno.test("who is taken out hears nothing any more", async () => {
  const { group } = await newGroup();
  const [bob, carol] = [await newIdentity(), await newIdentity()];
  const [bobs, carols] = [await newKeyPackage(bob), await newKeyPackage(carol)];
  const staged = await group.stage({ add: [bobs, carols] }, quiet);
  const inBob = await Group.join(bob, bobs.saved, staged.welcome!, expected);
  const inCarol = await Group.join(carol, carols.saved, staged.welcome!, expected);
  const old = inBob.save();
  const leaf = inBob.own.leaf;
  const removal = await staged.group.stage({ remove: [leaf] }, quiet);
  assertEquals((await inBob.accept(removal.commit, quiet)).isOut, true);
  await inCarol.accept(removal.commit, quiet);
  const sealed = await inCarol.seal(new Uint8Array(3), new Uint8Array(0));
  assertEquals((await removal.group.open(sealed, new Uint8Array(0))).plaintext, new Uint8Array(3));
  const restored = await Group.restore(bob, old);
  await assertRejects(() => restored.open(sealed, new Uint8Array(0)), GroupError);
  await assertRejects(() => inBob.open(sealed, new Uint8Array(0)), GroupError);
});

Deno.test("of two commits of one epoch one wins, and the other's author follows and tries again", async () => {
  const { alice, bob } = await pair();
  const guest = await newIdentity();
  const own = await newKeyPackage(guest);
  const [winner, loser] = await Promise.all([
    bob.stage({}, quiet),
    alice.stage({ add: [own] }, quiet),
  ]);
  assertEquals(await say("both still there", alice, bob), "both still there");
  await alice.accept(winner.commit, quiet);
  loser.group.forget();
  const again = await alice.stage({ add: [own] }, quiet);
  bob.forget();
  await winner.group.accept(again.commit, quiet);
  const guests = await Group.join(guest, own.saved, again.welcome!, expected);
  assertEquals(await say("hi", winner.group, guests), "hi");
  assertEquals(await say("ho", again.group, winner.group), "ho");
  await refused(() => guests.accept(loser.commit, quiet), "old");
  await refused(() => bob.seal(new Uint8Array(1), context), "gone");
  await refused(() => loser.group.stage({}, quiet), "gone");
});

Deno.test("a group that was saved goes on where it was, byte by byte", async () => {
  const { alice, bob, bobs } = await pair();
  await say("one", alice, bob);
  const skipped = await alice.seal(new Uint8Array(5), context);
  await say("three", alice, bob);
  const saved = bob.save();
  const restored = await Group.restore(bobs, saved);
  assertEquals(restored.save(), saved);
  assertEquals(restored.members, bob.members);
  assertEquals(restored.rules, bob.rules);
  assertEquals([restored.room, restored.generation, restored.epoch], [room, 1, 1]);
  assertEquals((await restored.open(skipped, context)).plaintext, new Uint8Array(5));
  assertEquals(await say("four", alice, restored), "four");
  await refused(async () => Group.restore(await newIdentity(), saved), "invalid");
});

Deno.test("a stolen state opens nothing after its owner's next commit", async (t) => {
  const changes: [string, GroupChange][] = [
    ["that renews", {}],
    ["that adds somebody", { add: [await newKeyPackage(await newIdentity())] }],
  ];
  for (const [name, change] of changes) {
    await t.step(name, async () => {
      const { alice, bob, bobs } = await pair();
      const thief = await Group.restore(bobs, bob.save());
      const staged = await bob.stage(change, quiet);
      await alice.accept(staged.commit, quiet);
      const sealed = await alice.seal(new Uint8Array(9), context);
      await staged.group.open(sealed, context);
      await refused(() => thief.open(sealed, context), "early");
      await refused(() => thief.accept(staged.commit, quiet), "own");
      await failsToFollow(thief, bobs, staged.commit, sealed);
    });
  }
});

Deno.test("a state that was stolen from who was alone is worth nothing after a commit", async () => {
  const { owner, group } = await newGroup();
  const thief = decodeEpoch(group.save())!;
  const staged = await group.stage({}, quiet);
  const after = decodeEpoch(staged.group.save())!;
  const secrets = await secretsAfter(
    thief.schedule.initSecret,
    new Uint8Array(64), // What the library would take.
    after.context,
    suiteOf(owner.device),
  );
  assertNotEquals(secrets.keySchedule.exporterSecret, after.schedule.exporterSecret);
});

Deno.test("a removed member, with all that it ever had, opens nothing and cannot come back", async () => {
  const { alice, bob, bobs, link } = await pair();
  const states = [bob.save()];
  await say("heard", alice, bob);
  states.push(bob.save());
  const removal = await alice.stage({ remove: [bob.own.leaf] }, quiet);
  const sealed = await removal.group.seal(new Uint8Array(9), context);
  assertEquals((await bob.accept(removal.commit, quiet)).isOut, true);
  await refused(() => bob.open(sealed, context), "gone");
  await refused(() => bob.code(), "gone");
  for (const state of states) {
    const old = await Group.restore(bobs, state);
    await refused(() => old.open(sealed, context), "early");
    await failsToFollow(old, bobs, removal.commit, sealed);
  }
  await refused(() => Group.enter(bobs, removal.groupInfo, expected, 1, link), "policy");
  await refused(() => Group.enter(bobs, removal.groupInfo, expected, 1), "policy");
});

Deno.test("who has lost all comes back with a new device, and the old one goes", async () => {
  const { alice, bob, bobs } = await pair();
  const { key } = await generateSigningKey();
  const anew = await certify(bobs.user, key);
  const back = await Group.enter(anew, await alice.groupInfo(), expected, 1);
  const { added, removed, by } = await alice.accept(back.commit, quiet);
  assertEquals([added.length, removed.length, by.userKey], [1, 1, bobs.user.publicKey]);
  assertEquals((await bob.accept(back.commit, quiet)).isOut, true);
  assertEquals(await say("back", back.group, alice), "back");
  const lost = await Group.enter(anew, back.groupInfo, expected, 1);
  assertEquals((await alice.accept(lost.commit, quiet)).added.length, 1);
  assertEquals(await say("and again", alice, lost.group), "and again");
});

Deno.test("a welcome opens to the device that it is for, once the group is the expected one", async () => {
  const { owner, group } = await newGroup();
  const [bobs, carols] = [await newIdentity(), await newIdentity()];
  const [bob, carol] = [await newKeyPackage(bobs), await newKeyPackage(carols)];
  const { welcome = new Uint8Array(0) } = await group.stage({ add: [bob] }, quiet);
  const join = (change: Partial<Expected>, who = bobs, saved = bob.saved) =>
    Group.join(who, saved, welcome, { ...expected, ...change });
  await refused(() => join({}, carols, carol.saved), "invalid");
  await refused(() => join({}, carols), "invalid");
  await refused(() => join({ room: new Uint8Array(16) }), "stranger");
  await refused(() => join({ server: new Uint8Array(32) }), "stranger");
  await refused(() => join({ generation: 2 }), "stranger");
  await refused(() => join({ inviter: carols.user.publicKey }), "stranger");
  await refused(() => join({ vouchers: [bobs.user.publicKey, carols.user.publicKey] }), "stranger");
  const inviter = sha256(owner.user.publicKey);
  const vouchers = [bobs.user.publicKey, owner.user.publicKey];
  assertEquals((await join({ inviter, generation: 1, vouchers })).members.length, 2);
});

Deno.test("a group info is taken from who is in its tree, and whole", async () => {
  const { alice } = await pair();
  const guest = await newIdentity();
  const bytes = await alice.groupInfo();
  const { groupInfo: info } = readMessage("", "mls_group_info", bytes);
  const enter = (groupInfo: GroupInfo, change: Partial<Expected> = {}) =>
    Group.enter(
      guest,
      writeMessage({ version: "mls10", wireformat: "mls_group_info", groupInfo }),
      { ...expected, ...change },
      1,
      new Uint8Array(32),
    );
  await refused(() => enter(info, { room: new Uint8Array(16) }), "stranger");
  await refused(() => enter(info, { server: new Uint8Array(32) }), "stranger");
  await refused(() => enter(info, { inviter: guest.user.publicKey }), "stranger");
  await refused(() => enter(info, { vouchers: [guest.user.publicKey] }), "stranger");
  await refused(() => enter(info), "policy");
  await refused(() => enter({ ...info, signer: 7 }), "invalid");
  await refused(() => enter({ ...info, signer: 1 }), "invalid");
  await refused(() => enter({ ...info, extensions: info.extensions.slice(0, 1) }), "invalid");
  const foreign = await signGroupInfo(info, new Uint8Array(0), suiteOf(guest.device).signature);
  await refused(() => enter(foreign), "invalid");
});

Deno.test("a message stands where its author put it, and is opened once", async () => {
  const { alice, bob, bobs } = await pair();
  const sealed = await alice.seal(new Uint8Array(1), context);
  await refused(() => bob.open(sealed, new Uint8Array(3)), "invalid");
  await refused(() => alice.open(sealed, context), "own");
  for (let at = 0; at < sealed.length; at += 7) {
    await assertRejects(() => bob.open(sealed.with(at, sealed[at]! ^ 1), context), GroupError);
  }
  const before = await Group.restore(bobs, bob.save());
  assertEquals((await bob.open(sealed, context)).sender.leaf, 0);
  await refused(() => bob.open(sealed, context), "invalid");
  assertEquals((await before.open(sealed, context)).plaintext, new Uint8Array(1));
});

Deno.test("messages that are sealed together all have keys of their own, and open in any near order", async () => {
  const { alice, bob } = await pair();
  const texts = Array.from({ length: 8 }, (_, at) => new Uint8Array([at]));
  const sealed = await Promise.all(texts.map((text) => alice.seal(text, context)));
  const opened = await Promise.all(sealed.toReversed().map((one) => bob.open(one, context)));
  assertEquals(opened.map(({ plaintext }) => plaintext[0]), [7, 6, 5, 4, 3, 2, 1, 0]);
});

Deno.test("a message of an impossible generation is refused without the work", async () => {
  const { alice, bob, owner } = await pair();
  const epoch = decodeEpoch(alice.save())!;
  const suite = suiteOf(owner.device);
  for (const generation of [2 ** 31, 2 ** 32 - 1, aheadMax + 1]) {
    const message = await sealMessage(epoch, new Uint8Array(1), context, suite);
    const encryptedSenderData = await encryptSenderData(
      epoch.schedule.senderDataSecret,
      { leafIndex: 0, generation, reuseGuard: new Uint8Array(4) as ReuseGuard },
      { groupId: message.groupId, epoch: message.epoch, contentType: "application" },
      message.ciphertext,
      suite,
    );
    const forged = writeMessage({
      version: "mls10",
      wireformat: "mls_private_message",
      privateMessage: { ...message, encryptedSenderData },
    });
    const error = await refused(() => bob.open(forged, context), "invalid");
    assertEquals(error.message, "The message is too far ahead of its sender's last one.");
  }
});

Deno.test("what is sealed says only which bucket its length is in", async () => {
  const { alice, bob } = await pair();
  const sizes = new Map<number, number>();
  for (const length of [0, 1, 100, 251, 252, 253, 508, 509, 1020, 1021, 5000, 5001, 65536]) {
    const sealed = await alice.seal(new Uint8Array(length).fill(1), context);
    assertEquals((await bob.open(sealed, context)).plaintext, new Uint8Array(length).fill(1));
    const bucket = bucketOf(length + 4);
    assertEquals(sizes.get(bucket) ?? sealed.length, sealed.length);
    sizes.set(bucket, sealed.length);
  }
  assertEquals(new Set(sizes.values()).size, sizes.size);
});

Deno.test("readers by invitation stay readers when it ends", async () => {
  const { owner, group } = await newGroup();
  const link = await newInvitation();
  const invitation = { key: link.key, by: owner.user.publicKey, role: "reader" as const };
  const invited = await group.stage(
    { rules: { ...group.rules, invitations: [invitation] } },
    quiet,
  );
  const guest = await newIdentity();
  const entry = await Group.enter(guest, invited.groupInfo, expected, 1, link.secret);
  await invited.group.accept(entry.commit, quiet);
  assertEquals(entry.group.own.role, "reader");
  const rules = { ...entry.group.rules, invitations: [] };
  const ended = await invited.group.stage({ rules }, quiet);
  await entry.group.accept(ended.commit, quiet);
  assertEquals(entry.group.own.role, "reader");
  assertEquals(ended.group.rules.invitations, []);
});

Deno.test("who adds on the word of a link is held to the link, moderator or not", async () => {
  const { group } = await newGroup();
  const link = await newInvitation();
  const guest = await newIdentity();
  const { keyPackage } = await newKeyPackage(guest, link.key);
  const keys = { userKey: guest.user.publicKey, deviceKey: guest.device.publicKey };
  const signed = await warrant(link.secret, room, 1, keys);
  await refused(() => group.stage({ add: [{ keyPackage, warrant: signed }] }, quiet), "policy");
  assertEquals((await group.stage({ add: [{ keyPackage }] }, quiet)).group.members.length, 2);
});

Deno.test("a group that is forgotten stays so, whatever was under way", async () => {
  const { alice, bob } = await pair();
  const staged = await bob.stage({}, quiet);
  const underWay = [alice.seal(new Uint8Array(1), context), alice.accept(staged.commit, quiet)];
  await Promise.resolve();
  alice.forget();
  const ends = await Promise.allSettled([...underWay, alice.groupInfo()]);
  assertEquals(ends.at(-1)!.status, "rejected");
  assertEquals(ends[1]!.status, "rejected");
  await refused(() => alice.seal(new Uint8Array(1), context), "gone");
  alice.forget();
});

Deno.test("what commits, messages and group infos are of can be read by anybody", async () => {
  const { alice, bob } = await pair();
  const own = await newKeyPackage(await newIdentity());
  const { deviceId } = await readKeyPackage(own.keyPackage);
  const staged = await bob.stage({}, quiet);
  const adding = await alice.stage({ add: [own] }, quiet);
  const here = { room, generation: 1, epoch: 1 };
  assertEquals(epochOf(staged.commit), here);
  assertEquals(epochOf(await bob.seal(new Uint8Array(1), context)), here);
  assertEquals(epochOf(staged.groupInfo), { ...here, epoch: 2 });
  assertEquals(addedBy(staged.commit), []);
  assertEquals(addedBy(adding.commit).map((added) => added.deviceId), [deviceId]);
  await refused(async () => epochOf(await Promise.resolve(own.keyPackage)), "invalid");
});

Deno.test("garbage is refused as such", async () => {
  const { alice, bob, bobs } = await pair();
  const staged = await bob.stage({ add: [await newKeyPackage(await newIdentity())] }, quiet);
  const good = [
    staged.commit,
    staged.groupInfo,
    staged.welcome!,
    await bob.seal(new Uint8Array(3), context),
    bob.save(),
    (await newKeyPackage(bobs)).keyPackage,
    (await newKeyPackage(bobs)).saved,
  ];
  const takers = [
    (bytes: Uint8Array) => alice.accept(bytes, quiet),
    (bytes: Uint8Array) => alice.open(bytes, context),
    (bytes: Uint8Array) => Group.enter(bobs, bytes, expected, 1),
    (bytes: Uint8Array) => Group.join(bobs, bytes, staged.welcome!, expected),
    (bytes: Uint8Array) => Group.join(bobs, good.at(-1)!, bytes, expected),
    (bytes: Uint8Array) => readKeyPackage(bytes),
    async (bytes: Uint8Array) => addedBy(await Promise.resolve(bytes)),
    async (bytes: Uint8Array) => epochOf(await Promise.resolve(bytes)),
  ];
  const damaged = fc.tuple(fc.constantFrom(...good), fc.nat(), fc.nat(255), fc.boolean()).map(
    ([bytes, at, value, isCut]) =>
      isCut
        ? bytes.slice(0, at % bytes.length)
        : bytes.with(at % Math.min(bytes.length, 200), value),
  );
  const anything = fc.oneof(damaged, fc.uint8Array({ maxLength: 300 }));
  await fc.assert(
    fc.asyncProperty(anything, fc.constantFrom(...takers), async (bytes, take) => {
      try {
        await take(bytes);
      } catch (error) {
        if (!(error instanceof GroupError)) throw error;
      }
    }),
    { numRuns: 600 },
  );
  const saved = fc.tuple(fc.nat(), fc.nat(255)).map(([at, value]) => {
    const state = good[4]!;
    return state.with(at % state.length, value);
  });
  await fc.assert(
    fc.asyncProperty(saved, async (bytes) => {
      try {
        (await Group.restore(bobs, bytes)).forget();
      } catch (error) {
        if (!(error instanceof GroupError)) throw error;
      }
    }),
    { numRuns: 200 },
  );
});

/** The owner, and a moderator who came by a link. */
async function pair() {
  const { owner, group } = await newGroup();
  const { key, secret } = await newInvitation();
  const invitations = [{ key, by: owner.user.publicKey }];
  const bobs = await newIdentity();
  const roles = [
    ...group.rules.roles,
    { user: bobs.user.publicKey, role: "moderator" as const },
  ];
  const invited = await Group.create(owner, room, 1, { ...group.rules, roles, invitations });
  const entry = await Group.enter(bobs, await invited.groupInfo(), expected, 1, secret);
  await invited.accept(entry.commit, quiet);
  return { owner, alice: invited, bob: entry.group, bobs, link: secret };
}

/** With an old state one does not get into the epoch that a commit begins, rules or no rules. */
async function failsToFollow(
  old: Group,
  identity: Identity,
  commit: Uint8Array,
  sealed: Uint8Array,
): Promise<void> {
  const epoch = decodeEpoch(old.save())!;
  const { publicMessage } = readMessage("", "mls_public_message", commit);
  const suite = suiteOf(identity.device);
  const next = await followCommit(epoch, publicMessage, suite, new CredentialChecks())
    .then((followed) => followed.next, () => undefined);
  assertEquals(next, undefined);
  const { privateMessage } = readMessage("", "mls_private_message", sealed);
  await assertRejects(() => openMessage(epoch, privateMessage, suite));
}

async function refused(
  work: () => Promise<unknown>,
  reason: GroupErrorReason,
): Promise<GroupError> {
  const error = await assertRejects(work, GroupError);
  assertEquals(error.reason, reason, error.message);
  return error;
}
