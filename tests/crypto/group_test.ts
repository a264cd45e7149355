import { assertEquals, assertRejects } from "@std/assert";
import { Group, GroupError, newKeyPackage } from "../../crypto/group.ts";
import { expected, newGroup, newIdentity, newInvitation, quiet, room, say, win } from "./room.ts";

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
