import { assertEquals, assertStringIncludes } from "@std/assert";
import { toBase64Url } from "../../protocol/bytes.ts";
import { encodeCommit } from "../../protocol/commit.ts";
import { Content, encodeCore, Proof } from "../../protocol/entry.ts";
import { sha256 } from "../../protocol/hash.ts";
import {
  type Command,
  type CommandName,
  commands,
  isTyped,
  type May,
} from "../../protocol/command.ts";
import type { Actor } from "../../server/asked.ts";
import type { Standing } from "../../server/roles.ts";
import { numbered } from "../fixtures/bytes.ts";
import { codeOf, Core, operator, refusalOf } from "../fixtures/core.ts";

/** Who gives a command: what they are in the room, or the operator, who is not a user. */
type Asker = Standing | "operator";

/** From the least to the most. */
const askers: readonly Asker[] = [
  "stranger",
  "reader",
  "member",
  "moderator",
  "owner",
  "admin",
  "operator",
];

/** An object, and a room's first commit. */
const object = { hash: toBase64Url(sha256(Uint8Array.of(1, 2, 3))), at: 0 };
const firstCommit = {
  core: toBase64Url(encodeCore({
    proof: Proof.signature,
    content: Content.commit,
    messageId: numbered(16),
    epoch: { generation: 0, epoch: 0 },
    payload: encodeCommit({ mls: numbered(40) }),
  }, new Uint8Array(64))),
  groupInfo: object.hash,
  generation: 0,
  epoch: 1,
  welcomes: [],
};

const knocking = toBase64Url(encodeCore({
  proof: Proof.signature,
  content: Content.knock,
  messageId: numbered(16),
  payload: numbered(40),
}, new Uint8Array(64)));

/** Every command: who may give it, and arguments with which it works. A new command belongs here. */
const listed: Record<CommandName, readonly [may: May, args: Record<string, unknown>]> = {
  rooms: ["anyone", {}],
  join: ["anyone", { name: "new" }],
  part: ["reader", {}],
  who: ["reader", {}],
  whois: ["anyone", { user: "Target" }],
  away: ["anyone", { text: "lunch" }],
  topic: ["moderator", { text: "tea" }],
  receipts: ["reader", {}],
  history: ["reader", {}],
  invite: ["moderator", { uses: 1, forMs: 1000 }],
  invitations: ["moderator", {}],
  revoke: ["moderator", { invitation: "0123456789" }],
  role: ["moderator", { user: "Target", role: "reader" }],
  kick: ["moderator", { user: "Target", why: "spam" }],
  ban: ["moderator", { who: "Target", forMs: 1000 }],
  unban: ["moderator", { who: "Target" }],
  bans: ["moderator", {}],
  mute: ["moderator", { user: "Target" }],
  unmute: ["moderator", { user: "Target" }],
  slow: ["moderator", { everyMs: 5000 }],
  announce: ["moderator", { isOn: true }],
  access: ["owner", { access: "invited" }],
  allow: ["moderator", { user: "Target" }],
  disallow: ["moderator", { user: "Target" }],
  close: ["owner", {}],
  audit: ["moderator", {}],
  users: ["admin", {}],
  admin: ["admin", { user: "Target", isOn: true }],
  forget: ["admin", { user: "Target" }],
  registration: ["admin", { mode: "closed" }],
  exclude: ["admin", { who: "Target" }],
  readmit: ["admin", { who: "Target" }],
  excluded: ["admin", {}],
  log: ["admin", {}],
  stats: ["admin", {}],
  drain: ["admin", { isOn: true }],
  direct: ["anyone", { user: "Target" }],
  group: ["reader", {}],
  commit: ["reader", firstCommit],
  welcome: ["reader", {}],
  knock: ["reader", { core: knocking }],
  upload: ["reader", { ...object, bytes: 3, data: toBase64Url(Uint8Array.of(1, 2, 3)) }],
  download: ["reader", object],
  keys: ["anyone", { packages: [toBase64Url(numbered(40))] }],
  take: ["anyone", { user: "Target" }],
};

/** Commands that only a user can give: the operator is nowhere. */
const ofUsers: readonly CommandName[] = [
  "join",
  "part",
  "away",
  "direct",
  "commit",
  "welcome",
  "knock",
  "upload",
  "keys",
  "take",
];

/** Whether a command makes sense in sealed rooms only. */
function isInner(command: string): boolean {
  return !isTyped(command);
}

/** What each role is called where a refusal says who may. */
const whoMay: Readonly<Record<May, string>> = {
  anyone: "",
  reader: "Only who is in this room may do that.",
  member: "Only owners, moderators and members of this room may do that.",
  moderator: "Only owners and moderators of this room may do that.",
  owner: "Only owners of this room may do that.",
  admin: "Only admins of this server may do that.",
};

/** A room with two owners and somebody to act on, and somebody of this standing in it. */
async function scene(asker: Asker, isSealed = false) {
  const core = await Core.open();
  const owner = core.somebody("Olga");
  const target = core.somebody("Target");
  const second = core.somebody("Second");
  const room = await core.room("team", owner, [[target, "member"], [second, "owner"]], isSealed);
  const actor: Actor = asker === "operator" ? operator : core.somebody("Actor");
  if (asker === "admin") actor.user!.isAdmin = true;
  else if (asker !== "operator" && asker !== "stranger") {
    await core.services.hub.admit(room, actor.user!, actor.person!);
    core.services.hub.membership(room, actor.user!)!.role = asker;
  }
  return { core, room, actor };
}

Deno.test("each command is in the table of this test, for those it says", () => {
  const table = Object.entries(commands).map(([name, { may }]) => [name, may]);
  assertEquals(table, Object.entries(listed).map(([name, [may]]) => [name, may]));
});

Deno.test("each command is in the table of protocol/README.md, with who may", async () => {
  const text = await Deno.readTextFile(`${import.meta.dirname}/../../protocol/README.md`);
  const section = text.slice(text.indexOf("## Commands"), text.indexOf("## Pace"));
  const rows = [...section.matchAll(/^\| (\w+) +\|([^|]*)\| ([\w ]+?) +\|/gm)].slice(1);
  const words: Partial<Record<May, string>> = { anyone: "anybody", reader: "who is in it" };
  assertEquals(
    rows.map(([, name, args, may]) => [name, args!.match(/\w+/g)?.join() ?? "", may]),
    Object.entries<Command>(commands).map(([name, { may, args }]) => [
      name,
      Object.keys(args).join(),
      words[may] ?? may,
    ]),
  );
});

for (const [command, [may, args]] of Object.entries(listed)) {
  for (const asker of askers) {
    const isAble = may === "anyone" ||
      askers.indexOf(asker) >= askers.indexOf(may as Asker);
    const isNowhere = asker === "operator" && ofUsers.includes(command as CommandName);
    Deno.test(`${command}: ${asker} ${isAble ? "may" : "may not"}`, async () => {
      const { inRoom } = commands[command as CommandName];
      const { core, room, actor } = await scene(asker, isInner(command));
      using _ = core;
      const refusal = await refusalOf(core.ask(actor, command, args, inRoom ? room : undefined));
      if (!isAble) {
        assertEquals(refusal?.code, "forbidden");
        assertStringIncludes(refusal!.message, whoMay[may]);
      } else if (isNowhere) {
        assertStringIncludes(refusal!.message, "Only a user can be");
      } else {
        assertEquals(refusal?.code === "forbidden" ? refusal.message : undefined, undefined);
      }
      assertEquals(core.faults, []);
    });
  }
}

/** Acts on people, each by somebody on somebody, and the code of the refusal. */
const actsOnPeople: readonly [command: CommandName, args: Record<string, unknown>][] = [
  ["kick", {}],
  ["mute", {}],
  ["ban", {}],
  ["role", { role: "reader" }],
];
const ranks: readonly Exclude<Standing, "stranger">[] = [
  "reader",
  "member",
  "moderator",
  "owner",
  "admin",
];

for (const [command, args] of actsOnPeople) {
  for (const asker of ["moderator", "owner", "admin"] as const) {
    for (const target of ranks) {
      const isAble = asker === "admin" || ranks.indexOf(asker) > ranks.indexOf(target);
      Deno.test(`${command} of ${target} by ${asker} is ${isAble ? "done" : "refused"}`, async () => {
        const { core, room, actor } = await scene(asker);
        using _ = core;
        const other = core.somebody("Other");
        await core.services.hub.admit(room, other.user, other.person!);
        if (target === "admin") other.user.isAdmin = true;
        else core.services.hub.membership(room, other.user)!.role = target;
        const named = command === "ban" ? { who: "Other" } : { user: "Other" };
        const refusal = await refusalOf(core.ask(actor, command, { ...named, ...args }, room));
        assertEquals(refusal?.code, isAble ? undefined : "forbidden");
        if (!isAble) assertStringIncludes(refusal!.message, `is ${target} here`);
      });
    }
  }
}

for (const asker of ["moderator", "owner"] as const) {
  for (const role of ["reader", "member", "moderator", "owner"] as const) {
    const isAble = asker === "owner" || role === "reader" || role === "member";
    Deno.test(`role: ${asker} ${isAble ? "may" : "may not"} make somebody ${role}`, async () => {
      const { core, room, actor } = await scene(asker);
      using _ = core;
      const other = core.somebody("Other");
      await core.services.hub.admit(room, other.user, other.person!);
      core.services.hub.membership(room, other.user)!.role = role === "reader"
        ? "member"
        : "reader";
      const asked = core.ask(actor, "role", { user: "Other", role }, room);
      assertEquals(await codeOf(asked), isAble ? undefined : "forbidden");
    });
  }
}

Deno.test("role: one may step down, and not up", async () => {
  const { core, room, actor } = await scene("moderator");
  using _ = core;
  const become = (role: string) => codeOf(core.ask(actor, "role", { user: "Actor", role }, room));
  assertEquals(await become("owner"), "forbidden");
  assertEquals(await become("member"), undefined);
  assertEquals(await become("moderator"), "forbidden");
});

Deno.test("the last owner of a room is not demoted, sent out or let go, whoever asks", async () => {
  using core = await Core.open();
  const olga = core.somebody("Olga");
  const admin = core.somebody("Admin");
  admin.user.isAdmin = true;
  const member = core.somebody("Max");
  const room = await core.room("team", olga, [[member, "member"]]);
  const demotion = { user: "Olga", role: "member" };
  for (const actor of [olga, admin, operator]) {
    assertEquals(await codeOf(core.ask(actor, "role", demotion, room)), "forbidden", actor.name);
  }
  for (const actor of [admin, operator]) {
    assertEquals(await codeOf(core.ask(actor, "kick", { user: "Olga" }, room)), "forbidden");
    assertEquals(await codeOf(core.ask(actor, "ban", { who: "Olga" }, room)), "forbidden");
  }
  const parting = await refusalOf(core.ask(olga, "part", {}, room));
  assertStringIncludes(parting!.message, "/role WHO owner");
  await core.ask(olga, "role", { user: "Max", role: "owner" }, room);
  await core.ask(olga, "part", {}, room);
  assertEquals(core.services.hub.membership(room, olga.user), undefined);
});

Deno.test("the last one in a room may go but not step down, and who comes next owns it", async () => {
  using core = await Core.open();
  const olga = core.somebody("Olga");
  const max = core.somebody("Max");
  const room = await core.room("team", olga);
  const stepDown = core.ask(olga, "role", { user: "Olga", role: "member" }, room);
  assertEquals(await codeOf(stepDown), "forbidden");
  await core.ask(olga, "part", {}, room);
  await core.ask(max, "join", { name: "team" });
  assertEquals(core.services.hub.membership(room, max.user)?.role, "owner");
});

Deno.test("two owners of one key are not sent out together where they are the last", async () => {
  using core = await Core.open();
  const one = core.somebody("One", undefined, 7);
  const two = core.somebody("Two", undefined, 7);
  const max = core.somebody("Max");
  const room = await core.room("team", one, [[two, "owner"], [max, "member"]]);
  assertEquals(await codeOf(core.ask(operator, "ban", { who: "One" }, room)), "forbidden");
});

Deno.test("nobody sends out, bans or silences themselves", async () => {
  for (const asker of ["moderator", "owner", "admin"] as const) {
    const { core, room, actor } = await scene(asker);
    using _ = core;
    if (asker === "admin") await core.services.hub.admit(room, actor.user!, actor.person!);
    for (const [command, key] of [["kick", "user"], ["ban", "who"], ["mute", "user"]] as const) {
      const asked = core.ask(actor, command, { [key]: "Actor" }, room);
      assertEquals(await codeOf(asked), "forbidden", `${command} by ${asker}`);
    }
  }
});

Deno.test("an admin may not forget, exclude or demote themselves where no other would be left", async () => {
  using core = await Core.open();
  const admin = core.somebody("Admin");
  admin.user.isAdmin = true;
  const demotion = { user: "Admin", isOn: false };
  assertEquals(await codeOf(core.ask(admin, "admin", demotion)), "forbidden");
  assertEquals(await codeOf(core.ask(admin, "forget", { user: "Admin" })), "forbidden");
  assertEquals(await codeOf(core.ask(admin, "exclude", { who: "Admin" })), "forbidden");
  core.somebody("Second");
  await core.ask(admin, "admin", { user: "Second", isOn: true });
  await core.ask(admin, "admin", demotion);
  assertEquals(admin.user.isAdmin, false);
  await core.ask(operator, "admin", { user: "Second", isOn: false }); // The operator may do that.
});

Deno.test("nobody is sent out of the lobby, and it has no door", async () => {
  using core = await Core.open();
  core.somebody("Max");
  const { lobby } = core.services.hub;
  for (
    const [command, args] of [
      ["kick", { user: "Max" }],
      ["ban", { who: "Max" }],
      ["access", { access: "invited" }],
      ["close", {}],
    ] as const
  ) {
    assertEquals(await codeOf(core.ask(operator, command, args, lobby)), "forbidden", command);
  }
});

Deno.test("who was muted or made a reader is so again after leaving and coming back", async () => {
  const { core, room, actor } = await scene("moderator");
  using _ = core;
  const { hub } = core.services;
  const [muted, reader] = [core.somebody("Muted"), core.somebody("Reader")];
  for (const one of [muted, reader]) await core.ask(one, "join", { name: "team" });
  await core.ask(actor, "mute", { user: "Muted", forMs: 60_000 }, room);
  await core.ask(actor, "role", { user: "Reader", role: "reader" }, room);
  for (const one of [muted, reader]) await core.ask(one, "part", {}, room);
  using again = await Core.open(core.store, core.clock);
  assertEquals(again.services.hub.room(room.id).former, room.former, "It survives a restart.");
  for (const one of [muted, reader]) await core.ask(one, "join", { name: "team" });
  assertEquals(hub.membership(room, muted.user)!.mutedUntilMs, core.clock.now() + 60_000);
  assertEquals(hub.membership(room, reader.user)!.role, "reader");
});
