import { assertEquals, assertRejects } from "@std/assert";
import type { Proposal } from "ts-mls/proposal.js";
import {
  type Circumstances,
  devicesMax,
  Group,
  GroupError,
  type GroupErrorReason,
  type GroupRules,
  newKeyPackage,
  warrant,
  warrant as warrantOf,
} from "../../crypto/group.ts";
import { rulesExtension } from "../../crypto/group/leaf.ts";
import { type Newcomer, refusal } from "../../crypto/group/policy.ts";
import { certify, type Identity } from "../../crypto/identity.ts";
import {
  addOf,
  alter,
  epochIn,
  forge,
  forgeEntry,
  leafBy,
  removeOf,
  rulesOf as proposing,
} from "./forger.ts";
import {
  expected,
  left,
  newIdentity,
  newInvitation,
  quiet,
  room,
  rulesOf,
  say,
  sentOut,
} from "./room.ts";

/** A room with one of every role: the owner, a moderator, two members and a reader. */
interface Cast {
  readonly owner: Actor;
  readonly moderator: Actor;
  readonly member: Actor;
  readonly other: Actor;
  readonly reader: Actor;
  readonly invitation: Awaited<ReturnType<typeof newInvitation>>;
  readonly rules: GroupRules;
  readonly groupInfo: Uint8Array;
}

interface Actor {
  readonly identity: Identity;
  readonly group: Group;
  readonly leaf: number;
  readonly key: Uint8Array;
}

async function cast(change: Partial<{ uses: number; untilMs: number }> = {}): Promise<Cast> {
  const [owner, moderator, member, other, reader] = await Promise.all(
    Array.from({ length: 5 }, newIdentity),
  ) as [Identity, Identity, Identity, Identity, Identity];
  const invitation = await newInvitation();
  const rules: GroupRules = {
    ...rulesOf(owner),
    roles: [
      { user: owner.user.publicKey, role: "owner" },
      { user: moderator.user.publicKey, role: "moderator" },
      { user: reader.user.publicKey, role: "reader" },
    ],
    invitations: [{ key: invitation.key, by: moderator.user.publicKey, ...change }],
  };
  const first = await Group.create(owner, room, 1, rules);
  const guests = [moderator, other, reader];
  const packages = await Promise.all(guests.map((guest) => newKeyPackage(guest)));
  const staged = await first.stage({ add: packages }, quiet);
  const groups = await Promise.all(
    guests.map((guest, at) => Group.join(guest, packages[at]!.saved, staged.welcome!, expected)),
  );
  const entry = await Group.enter(member, staged.groupInfo, expected, 1, invitation.secret);
  for (const group of [staged.group, ...groups]) await group.accept(entry.commit, quiet);
  const actor = (identity: Identity, group: Group): Actor => ({
    identity,
    group,
    leaf: group.own.leaf,
    key: identity.user.publicKey,
  });
  return {
    owner: actor(owner, staged.group),
    moderator: actor(moderator, groups[0]!),
    other: actor(other, groups[1]!),
    reader: actor(reader, groups[2]!),
    member: actor(member, entry.group),
    invitation,
    rules,
    groupInfo: entry.groupInfo,
  };
}

/** All but the author refuse a commit, for this reason, and are none the worse for it. */
async function refuses(
  { owner, moderator, member, other, reader }: Cast,
  commit: Uint8Array,
  author?: Actor,
  reason: GroupErrorReason = "policy",
  circumstances: Circumstances = quiet,
): Promise<void> {
  const all = [owner, moderator, member, other, reader].filter((actor) => actor !== author);
  for (const { group } of all) {
    const before = group.save();
    const error = await assertRejects(() => group.accept(commit, circumstances), GroupError);
    assertEquals(error.reason, reason, error.message);
    assertEquals(group.save(), before);
  }
  const [from, to] = all as [Actor, Actor];
  assertEquals(await say("still here", from.group, to.group), "still here");
}

/** All but the author take a commit. */
async function takes(
  { owner, moderator, member, other, reader }: Cast,
  commit: Uint8Array,
  author?: Actor,
  circumstances: Circumstances = quiet,
): Promise<void> {
  for (const actor of [owner, moderator, member, other, reader]) {
    if (actor !== author) await actor.group.accept(commit, circumstances);
  }
}

/** A guest's key package and warrant. */
async function guestWith(
  { secret, key }: { secret: Uint8Array; key: Uint8Array },
  change: Partial<{ room: Uint8Array; generation: number; for: Identity; names: Uint8Array }> = {},
) {
  const guest = await newIdentity();
  const whom = change.for ?? guest;
  const { keyPackage } = await newKeyPackage(guest, change.names ?? key);
  const keys = { userKey: whom.user.publicKey, deviceKey: whom.device.publicKey };
  const signed = await warrant(secret, change.room ?? room, change.generation ?? 1, keys);
  return { guest, keyPackage, warrant: signed };
}

Deno.test("a member adds who has a warrant, and nobody else", async (t) => {
  const scene = await cast();
  const { member, invitation } = scene;
  const made = async (change: Parameters<typeof guestWith>[1], by = invitation) => {
    const { keyPackage, warrant } = await guestWith(by, change);
    return forge(member.identity, member.group, {
      proposals: [addOf(keyPackage)],
      warrants: [warrant],
    });
  };
  const stranger = await newInvitation();
  const cases: [string, () => Promise<Uint8Array>][] = [
    ["no warrant", async () => {
      const { keyPackage } = await guestWith(invitation);
      return forge(member.identity, member.group, { proposals: [addOf(keyPackage)] });
    }],
    ["no invitation", async () => {
      const { keyPackage } = await newKeyPackage(await newIdentity());
      return forge(member.identity, member.group, { proposals: [addOf(keyPackage)] });
    }],
    ["another room", () => made({ room: new Uint8Array(16).fill(8) })],
    ["another generation", () => made({ generation: 2 })],
    ["another device", async () => made({ for: await newIdentity() })],
    ["an invitation that nobody made", () => made({}, stranger)],
    ["one signed by another invitation", () => made({ names: invitation.key }, stranger)],
  ];
  for (const [name, commit] of cases) {
    await t.step(name, async () => refuses(scene, await commit(), member));
  }
  await t.step("a good one", async () => {
    const { keyPackage, warrant, guest } = await guestWith(invitation);
    const staged = await member.group.stage({ add: [{ keyPackage, warrant }] }, quiet);
    await takes(scene, staged.commit, member);
    assertEquals(
      scene.owner.group.memberOf(staged.group.members.at(-1)!.deviceId)?.userKey,
      guest.user.publicKey,
    );
  });
});

Deno.test("an invitation ends, and is used as often as it may be", async (t) => {
  await t.step("its end", async () => {
    const scene = await cast({ untilMs: quiet.timeMs });
    const { guest, warrant } = await guestWith(scene.invitation);
    const leaf = await leafBy(guest, scene.invitation.key);
    const commit = await forgeEntry(guest, scene.groupInfo, { leaf, warrants: [warrant] });
    const late = { ...quiet, timeMs: quiet.timeMs + 1 };
    await refuses(scene, commit, undefined, "policy", late);
    await takes(scene, commit);
  });
  await t.step("its uses", async () => {
    const scene = await cast({ uses: 2 }); // The member has used one.
    const two = [await guestWith(scene.invitation), await guestWith(scene.invitation)];
    const commit = await forge(scene.member.identity, scene.member.group, {
      proposals: two.map(({ keyPackage }) => addOf(keyPackage)),
      warrants: two.map(({ warrant }) => warrant),
    });
    await refuses(scene, commit, scene.member);
    const [first, second] = two as [typeof two[0], typeof two[0]];
    const staged = await scene.member.group.stage({ add: [first] }, quiet);
    await takes(scene, staged.commit, scene.member);
    const leaf = await leafBy(second.guest, scene.invitation.key);
    const late = await forgeEntry(second.guest, staged.groupInfo, {
      leaf,
      warrants: [second.warrant],
    });
    await refuses({ ...scene, member: scene.owner }, late);
  });
  await t.step("a use is used up when who used it has left", async () => {
    const scene = await cast({ uses: 1 });
    const { owner, member } = scene;
    const gone = left(member.key);
    const staged = await owner.group.stage({ remove: [member.leaf] }, gone);
    await takes(scene, staged.commit, owner, gone);
    assertEquals(staged.group.rules.invitations, []);
    assertEquals(scene.reader.group.rules, staged.group.rules);
  });
});

Deno.test("nobody is taken out without right", async (t) => {
  const scene = await cast();
  const { owner, moderator, member, other, reader } = scene;
  const cases: [string, Actor, Actor][] = [
    ["a member by a member", member, other],
    ["a reader by a member", member, reader],
    ["a moderator by a member", member, moderator],
    ["the owner by a moderator", moderator, owner],
  ];
  for (const [name, by, whom] of cases) {
    await t.step(name, async () => {
      const proposals = [removeOf(whom.leaf)];
      await refuses(scene, await forge(by.identity, by.group, { proposals }), by);
    });
  }
  await t.step("who has left, by anybody, with what follows from it", async () => {
    const gone = left(other.key);
    const proposals = [removeOf(other.leaf)];
    const commit = await forge(member.identity, member.group, { proposals });
    await refuses(scene, commit, member);
    await takes(scene, commit, member, gone);
  });
});

Deno.test("who is sent out takes role and invitations along", async (t) => {
  const takesAll = async (by: "owner" | "member", isLogged: boolean) => {
    const scene = await cast();
    const { moderator, rules } = scene;
    const circumstances = isLogged ? left(moderator.key) : quiet;
    const author = scene[by];
    const lazy = [removeOf(moderator.leaf)];
    const half = { ...rules, invitations: [] };
    const otherHalf = { ...rules, roles: rules.roles.slice(0, 1) };
    for (const changed of [rules, half, otherHalf]) {
      const proposals = changed === rules ? lazy : [...lazy, proposing(changed)];
      const commit = await forge(author.identity, author.group, { proposals });
      await refuses(scene, commit, author, "policy", circumstances);
    }
    const staged = await author.group.stage({ remove: [moderator.leaf] }, circumstances);
    await takes(scene, staged.commit, author, circumstances);
    assertEquals(staged.group.rules.invitations, []);
    assertEquals(staged.group.rules.roles.length, 2);
  };
  await t.step("by the owner", () => takesAll("owner", false));
  await t.step("by a member, when the log says so", () => takesAll("member", true));
  await t.step("by a moderator: the link by which they came", async () => {
    const scene = await cast();
    const { moderator, member } = scene;
    const proposals = [removeOf(member.leaf)];
    const commit = await forge(moderator.identity, moderator.group, { proposals });
    await refuses(scene, commit, moderator);
    const staged = await moderator.group.stage({ remove: [member.leaf] }, quiet);
    await takes(scene, staged.commit, moderator);
    assertEquals(staged.group.rules.invitations, []);
    const again = await assertRejects(
      () => Group.enter(member.identity, staged.groupInfo, expected, 1, scene.invitation.secret),
      GroupError,
    );
    assertEquals(again.reason, "policy");
  });
  await t.step("by anybody, when the log says so: the link by which they came", async () => {
    const scene = await cast();
    const { member, other, reader } = scene;
    const out = sentOut(member.key);
    const proposals = [removeOf(member.leaf)];
    await refuses(
      scene,
      await forge(other.identity, other.group, { proposals }),
      other,
      "policy",
      out,
    );
    const staged = await reader.group.stage({ remove: [member.leaf] }, out);
    await takes(scene, staged.commit, reader, out);
    assertEquals(staged.group.rules.invitations, []);
  });
});

Deno.test("rules are changed by whom they allow to", async (t) => {
  const scene = await cast();
  const { owner, moderator, member, rules, invitation } = scene;
  const fresh = await newInvitation();
  const promoted = {
    ...rules,
    roles: [...rules.roles, { user: member.key, role: "moderator" as const }],
  };
  const otherServer = { ...rules, server: new Uint8Array(32) };
  const inTheirName = {
    ...rules,
    invitations: [...rules.invitations, { key: fresh.key, by: owner.key }],
  };
  const otherRole = {
    ...rules,
    invitations: [{ key: invitation.key, by: moderator.key, role: "reader" as const }],
  };
  const cases: [string, Actor, GroupRules][] = [
    ["a member changes nothing", member, { ...rules, invitations: [] }],
    ["a member makes no invitation", member, {
      ...rules,
      invitations: [{ key: fresh.key, by: member.key }],
    }],
    ["a moderator changes no role", moderator, promoted],
    ["a moderator ends no role", moderator, { ...rules, roles: rules.roles.slice(0, 2) }],
    ["nobody changes the server", owner, otherServer],
    ["nobody invites in another's name", moderator, inTheirName],
    ["nobody changes what an invitation makes of people", moderator, otherRole],
  ];
  for (const [name, by, changed] of cases) {
    await t.step(name, async () => {
      const commit = await forge(by.identity, by.group, { proposals: [proposing(changed)] });
      await refuses(scene, commit, by);
      const error = await assertRejects(
        () => by.group.stage({ rules: changed }, quiet),
        GroupError,
      );
      assertEquals(error.reason, "policy");
    });
  }
  await t.step("a moderator makes and ends invitations", async () => {
    const changed = { ...rules, invitations: [{ key: fresh.key, by: moderator.key, uses: 3 }] };
    const staged = await moderator.group.stage({ rules: changed }, quiet);
    await takes(scene, staged.commit, moderator);
  });
});

Deno.test("an owner makes a moderator of somebody", async () => {
  const scene = await cast();
  const { owner, member, rules } = scene;
  const roles = [...rules.roles, { user: member.key, role: "moderator" as const }];
  const staged = await owner.group.stage({ rules: { ...rules, roles } }, quiet);
  await takes(scene, staged.commit, owner);
  assertEquals(member.group.own.role, "moderator");
});

Deno.test("a group's context holds the rules and nothing else", async (t) => {
  const scene = await cast();
  const { owner } = scene;
  const [needs, rules] = epochIn(owner.group).context.extensions as [never, never];
  const contexts = {
    "without rules": [needs],
    "without what everybody must know": [rules],
    "with senders from outside": [needs, rules, {
      extensionType: 0xf123,
      extensionData: new Uint8Array(1),
    }],
    "with rules that cannot be read": [needs, {
      extensionType: rulesExtension,
      extensionData: new Uint8Array(9),
    }],
  };
  const good = await owner.group.stage({}, quiet);
  for (const [name, extensions] of Object.entries(contexts)) {
    await t.step(name, async () => {
      const proposal: Proposal = {
        proposalType: "group_context_extensions",
        groupContextExtensions: { extensions },
      };
      const commit = await alter(owner.identity, owner.group, good.commit, (commit, sender) => ({
        commit: { ...commit, proposals: [{ proposalOrRefType: "proposal", proposal }] },
        sender,
      }));
      await refuses(scene, commit, owner, "invalid");
    });
  }
});

Deno.test("a leaf keeps its name, device and invitation", async (t) => {
  const scene = await cast();
  const { member, owner } = scene;
  const epoch = epochIn(member.group);
  const at = member.leaf * 2;
  const node = epoch.tree[at]!;
  if (node.nodeType !== "leaf") throw new Error();
  const other = await newIdentity();
  const credential = (user: Uint8Array, certificate: Uint8Array) => ({
    credentialType: "basic" as const,
    identity: new Uint8Array([...user, ...certificate]),
  });
  const leaves = {
    "another user": {
      ...node.leaf,
      credential: credential(owner.key, member.identity.certificate),
    },
    "another user who certified the device": {
      ...node.leaf,
      credential: credential(
        other.user.publicKey,
        (await certify(other.user, member.identity.device)).certificate,
      ),
    },
    "another device": { ...node.leaf, signaturePublicKey: other.device.publicKey },
    "another invitation": {
      ...node.leaf,
      extensions: [{ ...node.leaf.extensions[0]!, extensionData: new Uint8Array(32) }],
    },
    "no invitation": { ...node.leaf, extensions: [] },
  };
  for (const [name, leaf] of Object.entries(leaves)) {
    await t.step(name, async () => {
      const tree = epoch.tree.with(at, { nodeType: "leaf", leaf });
      const commit = await forge(member.identity, member.group, { epoch: { ...epoch, tree } });
      await refuses(scene, commit, member);
    });
  }
});

Deno.test("proposals that no room knows are refused, by value and by reference", async (t) => {
  const scene = await cast();
  const { owner } = scene;
  const good = await owner.group.stage({}, quiet);
  const leafNode = (await makeUpdate(owner)) as never;
  const proposals: Record<string, Proposal> = {
    update: { proposalType: "update", update: { leafNode } },
    psk: {
      proposalType: "psk",
      psk: {
        preSharedKeyId: {
          psktype: "external",
          pskId: new Uint8Array(4),
          pskNonce: new Uint8Array(64),
        },
      },
    },
    reinit: {
      proposalType: "reinit",
      reinit: {
        groupId: new Uint8Array(20),
        version: "mls10",
        cipherSuite: "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
        extensions: [],
      },
    },
    external_init: {
      proposalType: "external_init",
      externalInit: { kemOutput: new Uint8Array(9) },
    },
    custom: { proposalType: 0xf077, proposalData: new Uint8Array(2) },
  };
  const withProposals = (list: Parameters<Parameters<typeof alter>[3]>[0]["proposals"]) =>
    alter(owner.identity, owner.group, good.commit, (commit, sender) => ({
      commit: { ...commit, proposals: list },
      sender,
    }));
  for (const [name, proposal] of Object.entries(proposals)) {
    await t.step(name, async () => {
      const commit = await withProposals([{ proposalOrRefType: "proposal", proposal }]);
      await refuses(scene, commit, owner);
    });
  }
  await t.step("by reference", async () => {
    const reference = new Uint8Array(64);
    await refuses(
      scene,
      await withProposals([{ proposalOrRefType: "reference", reference }]),
      owner,
    );
  });
  await t.step("two sets of rules", async () => {
    const proposal = proposing(scene.rules);
    const twice = [proposal, proposal].map((one) => ({
      proposalOrRefType: "proposal" as const,
      proposal: one,
    }));
    await refuses(scene, await withProposals(twice), owner);
  });
  await t.step("no new keys", async () => {
    const commit = await alter(owner.identity, owner.group, good.commit, (commit, sender) => ({
      commit: { ...commit, path: undefined },
      sender,
    }));
    await refuses(scene, commit, owner);
  });
  await t.step("somebody else's name under it", async () => {
    const commit = await alter(owner.identity, owner.group, good.commit, (commit) => ({
      commit,
      sender: { senderType: "member", leafIndex: scene.reader.leaf },
    }));
    await refuses({ ...scene, reader: scene.owner }, commit, owner);
  });
});

/** A leaf for an update, as a member would propose it. */
async function makeUpdate({ group, leaf }: Actor): Promise<unknown> {
  const node = epochIn(group).tree[leaf * 2]!;
  return await Promise.resolve(
    node.nodeType === "leaf"
      ? { ...node.leaf, leafNodeSource: "update", extensions: [] }
      : undefined,
  );
}

Deno.test("who comes in by themselves takes nobody else out", async (t) => {
  const scene = await cast();
  const { invitation, groupInfo, other, member } = scene;
  const { guest, warrant } = await guestWith(invitation);
  const leaf = await leafBy(guest, invitation.key);
  await t.step("no warrant", async () => {
    await refuses(scene, await forgeEntry(guest, groupInfo, { leaf }));
    await refuses(scene, await forgeEntry(guest, groupInfo, {}));
  });
  await t.step("a member goes", async () => {
    const commit = await forgeEntry(guest, groupInfo, {
      leaf,
      warrants: [warrant],
      former: other.leaf,
    });
    await refuses(scene, commit);
  });
  await t.step("a second leaf of the same device", async () => {
    const again = await forgeEntry(member.identity, groupInfo, {
      leaf: await leafBy(member.identity, invitation.key),
      warrants: [
        await warrantOf(invitation.secret, room, 1, {
          userKey: member.key,
          deviceKey: member.identity.device.publicKey,
        }),
      ],
    });
    await refuses(scene, again);
  });
  await t.step("coming back by another invitation", async () => {
    const commit = await forgeEntry(member.identity, groupInfo, { former: member.leaf });
    await refuses(scene, commit);
  });
  await t.step("coming back after having left", async () => {
    const back = await Group.enter(member.identity, groupInfo, expected, 1);
    await refuses(scene, back.commit, member, "policy", left(member.key));
    assertEquals((await member.group.accept(back.commit, quiet)).isOut, true);
  });
});

Deno.test("a room has 256 devices at most", () => {
  const { key } = { key: new Uint8Array(32).fill(1) };
  const numbered = (at: number) => new Uint8Array(32).fill(at & 0xff, 0, 1).fill(at >> 8, 1, 2);
  const members = Array.from({ length: devicesMax }, (_, leaf) => ({
    leaf,
    userKey: leaf === 0 ? key : numbered(leaf),
    deviceKey: numbered(leaf),
    deviceId: numbered(leaf),
    role: leaf === 0 ? "owner" as const : "member" as const,
  }));
  const rules: GroupRules = { server: key, roles: [{ user: key, role: "owner" }], invitations: [] };
  const newcomer: Newcomer = { userKey: key, deviceKey: numbered(999), isWarranted: false };
  const add = { committer: members[0]!, newcomers: [newcomer], removed: [], rules: undefined };
  const standing = { members, rules };
  assertEquals(refusal(standing, add, quiet), "A room has at most 256 devices.");
  assertEquals(refusal(standing, { ...add, removed: [members[9]!] }, quiet), undefined);
  const fewer = { members: members.slice(1, 256).concat(members[0]!).slice(1), rules };
  assertEquals(refusal(fewer, add, quiet), undefined);
});
