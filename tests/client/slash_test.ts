/** Every command is found, helped with, completed and answered: what the one table promises. */

import { assert, assertEquals } from "@std/assert";
import { answerRows } from "../../client/chat/answers.ts";
import { complete, type Completion } from "../../client/chat/completion.ts";
import { helpOf, helpText } from "../../client/chat/help.ts";
import { parseInput } from "../../client/chat/input.ts";
import { findSlash, isAllowed, slashes } from "../../client/chat/slash.ts";
import {
  type Args,
  commands,
  isTyped,
  type Result,
  type Role,
  roles,
  type TypedName,
} from "../../protocol/command.ts";

const timeMs = Date.UTC(2026, 10, 23, 9, 13, 5);
const admin = { role: "owner", isAdmin: true } as const;
const known = {
  ...admin,
  rooms: ["lobby", "team", "ops"],
  ownRooms: ["lobby", "team"],
  people: ["Alice", "Bob", "Bobby"],
};

/** For each command what may be typed, what it answers, and what is told of it. */
const all: {
  readonly [Name in TypedName]: readonly [typed: string, Result<Name>, told: readonly string[]];
} = {
  rooms: [
    "",
    {
      rooms: [{
        name: "team",
        topic: "",
        members: 2,
        access: "invited",
        sealed: true,
        isJoined: true,
      }],
      total: 1,
    },
    [
      "name  topic  members  access   sealed  joined",
      "team  -      2        invited  yes     yes",
      "/join ROOM goes into one, or makes a new one.",
    ],
  ],
  join: ["team", { room: {} as never, isNew: true }, []],
  part: ["", {}, []],
  who: [
    "",
    {
      members: [
        { name: "Bob", role: "member", isHere: true, away: "lunch" },
        { name: "Alice", role: "owner", isHere: true },
        { name: "Carol", role: "reader", isHere: false, mutedUntilMs: timeMs },
        { name: "Dave", role: "member", isHere: false, mutedUntilMs: Number.MAX_SAFE_INTEGER },
      ],
      here: 2,
      total: 4,
    },
    [
      "2 here: Alice (owner), Bob (away: lunch). Not here: " +
      "Carol (reader, muted until 2026-11-23 09:13:05Z), Dave (muted).",
    ],
  ],
  whois: [
    "Bob",
    { name: "Bob", isHere: false, isAdmin: true, lastSeenMs: timeMs, fingerprint: "F" },
    ["Bob is not here. Last seen 2026-11-23 09:13:05Z. An admin of this server.", "Key: F"],
  ],
  away: ["lunch", {}, ["You are away: lunch. /away without a text: you are back."]],
  topic: ["new", {}, []],
  receipts: [
    "",
    { members: [{ name: "Bob", delivered: 5, read: 4 }], total: 1 },
    ["name  delivered  read", "Bob   5          4"],
  ],
  history: ["", {}, []],
  invite: ["1d 5", { invitation: new Uint8Array(16), untilMs: timeMs }, [
    "Whoever has this link comes into team by it, until 2026-11-23 09:13:05Z, 5 times in all. " +
    "It is a secret:",
    "LINK",
  ]],
  invitations: ["", { invitations: [{ id: "ab", by: "Alice" }] }, ["id  by", "ab  Alice"]],
  revoke: ["ab", {}, ["The invitation ab lets nobody in any more."]],
  role: ["Bob moderator", {}, []],
  kick: ["Bob", {}, []],
  ban: ["Bob 1h", {}, []],
  unban: ["Bob", {}, []],
  bans: ["", { bans: [] }, ["No bans."]],
  mute: ["Bob", {}, []],
  unmute: ["Bob", {}, []],
  slow: ["5s", {}, []],
  announce: ["on", {}, []],
  access: ["invited", {}, []],
  allow: ["Bob", {}, ["Bob may come into team: /join team"]],
  disallow: ["Bob", {}, ["Bob may no longer come into team uninvited."]],
  close: ["", {}, []],
  audit: [
    "",
    { changes: [{ timeMs, by: "Alice", act: "kick", whom: "Bob", why: "spam" }] },
    ["2026-11-23 09:13:05Z  Alice sent Bob out: spam"],
  ],
  users: [
    "",
    { users: [{ name: "Bob", isHere: true, isAdmin: false }], total: 9 },
    ["name  here  admin", "Bob   yes   -", "9 in all"],
  ],
  admin: ["Bob on", {}, ["Bob is an admin of this server."]],
  forget: ["Bob", {}, ["Bob is forgotten; the name is free."]],
  registration: ["closed", {}, ["Nobody new may be a user now."]],
  exclude: ["Bob", {}, ["Bob is banned from this server. /readmit Bob ends it."]],
  readmit: ["Bob", {}, ["Bob may come back to this server."]],
  excluded: ["", { bans: [] }, ["No bans."]],
  log: [
    "",
    { changes: [{ timeMs, by: "Alice", act: "close", whom: "team", room: "team" }] },
    ["2026-11-23 09:13:05Z  Alice closed team (team)"],
  ],
  stats: [
    "",
    {
      upMs: 5000,
      connections: 1,
      users: 1,
      rooms: 1,
      memoryBytes: 1024,
      isReadOnly: false,
      isDraining: false,
    },
    [
      "up           5s",
      "connections  1",
      "users        1",
      "rooms        1",
      "memory       1 KiB",
      "read only    -",
      "draining     -",
    ],
  ],
  drain: ["off", {}, ["Everybody is let in again."]],
};

for (const [name, [typed, result, told]] of Object.entries(all)) {
  Deno.test(`/${name} is understood, and its answer is shown`, () => {
    const intent = parseInput(`/${name} ${typed}`, 1000);
    assert(intent.kind !== "mistake" && intent.kind !== "say", JSON.stringify(intent));
    const args = (intent.kind === "command" ? intent.args : {}) as Args<TypedName>;
    const context = { args, room: "team", linkOf: () => "LINK" };
    const rows = answerRows(name as TypedName, result as Result<TypedName>, context);
    assertEquals(
      rows.map((row) => typeof row === "string" ? row : "text" in row && row.text),
      [...told],
    );
  });
}

for (const { name, usage, about } of slashes) {
  Deno.test(`/${name} has help, a usage and completion`, () => {
    const rows = helpText(admin).join("\n");
    assert(rows.includes(`/${usage}`) && rows.includes(about));
    const more = helpOf(name)!;
    assertEquals(more[0], `/${usage}`);
    assert(more.length >= 3 && /may do that|Anyone/.test(more[2]!), more.join("\n"));
    assertEquals(helpOf(`/${name.toUpperCase()}`), more);
    const { line, candidates } = complete(`/${name}`, known);
    assert(line === `/${name} ` || candidates.includes(`/${name}`), line);
  });
}

Deno.test("each command of the server can be typed, but for those that programs ask for", () => {
  for (const name of Object.keys(commands)) {
    assertEquals(findSlash(name) !== undefined, isTyped(name));
  }
});

Deno.test("help hides what somebody may not do, and says that there is more", () => {
  const shown = (role: Role, isAdmin = false) => helpText({ role, isAdmin }).join("\n");
  const has = (role: Role, isAdmin?: boolean) =>
    ["/reply", "/kick", "/close", "/drain"].filter((usage) => shown(role, isAdmin).includes(usage));
  assertEquals(roles.map((role) => has(role)), [
    [],
    ["/reply"],
    ["/reply", "/kick"],
    ["/reply", "/kick", "/close"],
  ]);
  assertEquals(has("reader", true), ["/reply", "/kick", "/close", "/drain"]);
  assert(shown("member").includes("/help all shows"));
  assert(helpText({ role: "reader", isAdmin: false }, true).join("\n").includes("/drain"));
  assertEquals(isAllowed("reader", { role: undefined, isAdmin: false }), false);
});

const completions: readonly [line: string, completion: Completion][] = [
  ["/he", { line: "/help ", candidates: [] }],
  ["/HE", { line: "/help ", candidates: [] }],
  ["/wh", { line: "/who", candidates: ["/who", "/whois"] }],
  ["/who", { line: "/who", candidates: ["/who", "/whois"] }],
  ["/whoi", { line: "/whois ", candidates: [] }],
  ["/whois al", { line: "/whois Alice ", candidates: [] }],
  ["/whois bo", { line: "/whois Bob", candidates: ["Bob", "Bobby"] }],
  ["/kick @a", { line: "/kick @Alice ", candidates: [] }],
  ["/kick Bob sp", { line: "/kick Bob sp", candidates: [] }],
  ["/role Bob mo", { line: "/role Bob moderator ", candidates: [] }],
  ["/role Bob ", { line: "/role Bob ", candidates: ["member", "moderator", "owner", "reader"] }],
  ["/announce of", { line: "/announce off ", candidates: [] }],
  ["/join o", { line: "/join ops ", candidates: [] }],
  ["/join team --", { line: "/join team --open ", candidates: [] }],
  ["/switch ", { line: "/switch ", candidates: ["lobby", "team"] }],
  ["/help ki", { line: "/help kick ", candidates: [] }],
  ["see you @ali", { line: "see you @Alice ", candidates: [] }],
  ["see you ali", { line: "see you ali", candidates: [] }],
  ["see /h", { line: "see /h", candidates: [] }],
  ["//h", { line: "//h", candidates: [] }],
  ["/nothing a", { line: "/nothing a", candidates: [] }],
  ["", { line: "", candidates: [] }],
];

for (const [line, completion] of completions) {
  Deno.test(`Tab makes ${JSON.stringify(completion.line)} of ${JSON.stringify(line)}`, () => {
    assertEquals(complete(line, known), completion);
  });
}

Deno.test("Tab offers first what one may use", () => {
  const member = { ...known, role: "member", isAdmin: false } as const;
  assert(!complete("/", member).candidates.includes("/kick"));
  assertEquals(complete("/ki", member).line, "/kick ");
});
