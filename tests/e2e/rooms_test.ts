import { assert, assertEquals } from "@std/assert";
import { person, Site } from "./site.ts";
import { KEY, type Terminal } from "./terminal.ts";

/** What is on the screen from a row on. */
function rowsFrom({ rows }: Terminal, row: string | RegExp): string[] {
  const at = rows.findLastIndex((shown) =>
    typeof row === "string" ? shown === row : row.test(shown)
  );
  assert(at >= 0, `no row ${row}:\n${rows.join("\n")}`);
  return rows.slice(at);
}

Deno.test("a link made on the server's own machine says where others find the server", async () => {
  await using site = await Site.open();
  const server = await site.start("--link-host", "chat.example.org");
  const alice = site.terminal(server, ["--name", "Alice", "--home", "a"]);
  await alice.entered();
  await alice.line("/join team --open");
  await alice.prompts("team (open)>");
  await alice.line("/invite 1d");
  await alice.shows(new RegExp(`broadcast://chat\\.example\\.org:${server.port}/team#`));
});

Deno.test("a room is made, joined, talked in beside another, and marks what is new there", async () => {
  await using site = await Site.open();
  const server = await site.start("--publish-burst", "1000");
  const [alice, bob] = [person(site, server, "Alice"), person(site, server, "Bob")];
  await Promise.all([alice.entered(), bob.entered()]);

  await alice.line("/join team --open");
  await alice.shows("-- You are in team (open: the server can read this).");
  await alice.shows("-- You made this room, and are its owner. /invite makes a link for others.");
  await alice.prompts("team (open)>");
  await alice.line("/topic");
  await alice.shows("-- team has no topic. /topic TEXT sets one.");
  await alice.line("/topic Deploys and incidents");
  await alice.shows("-- Alice set the topic: Deploys and incidents");
  await bob.line("/join team --open");
  await bob.shows(
    "-- You are in team (open: the server can read this). Topic: Deploys and incidents",
  );
  await bob.prompts("team (open)>");
  await alice.shows("-- Bob came into the room");
  await bob.line("first");
  await alice.shows("[Bob]: first");
  assertEquals(alice.rows.filter((row) => row === "Bob joined").length <= 1, true);

  await bob.line("/switch lobby");
  await bob.prompts("lobby (open)>");
  await alice.line("one");
  await bob.prompts("lobby (open) [team 1]>");
  await alice.line("/me waves at bob.");
  await bob.prompts("lobby (open) [team 2!]>");
  assertEquals(bob.screen.bells, 1);
  await alice.line("Bobby is somebody else");
  await bob.prompts("lobby (open) [team 3!]>");
  await bob.line("for the lobby");
  await alice.prompts("team (open) [lobby 1]>");
  await bob.type("/sw");
  await bob.prompts("lobby (open) [team 3!]> /sw");
  await bob.type(KEY.tab);
  await bob.prompts("lobby (open) [team 3!]> /switch");
  await bob.type("t");
  await bob.prompts("lobby (open) [team 3!]> /switch t");
  await bob.type(KEY.tab);
  await bob.prompts("lobby (open) [team 3!]> /switch team");
  await bob.type(KEY.enter);
  await bob.shows("[Alice]: Bobby is somebody else");
  await bob.prompts("team (open)>");
  assertEquals(rowsFrom(bob, "-- You are in team. Topic: Deploys and incidents").slice(1), [
    "[Bob]: first",
    "---- new ----",
    "[Alice]: one",
    "* Alice waves at bob.",
    "[Alice]: Bobby is somebody else",
    "team (open)>",
  ]);
  await alice.type("half a message for the te");
  await alice.type("\x1b1");
  await alice.shows("[Bob]: for the lobby");
  await alice.prompts("lobby (open)>");
  await alice.type("\x1b2");
  await alice.prompts("team (open)> half a message for the te");
  await alice.line("am");
  await bob.shows("[Alice]: half a message for the team");
  await alice.line("/slow 1h");
  await bob.shows("-- Alice lets everybody wait 1h between two messages");
  await bob.line("one");
  await bob.line("two");
  await bob.shows("-- team is slow: one message each 1h. Still waiting: 1 message.");
  await alice.type("\x1b1");
  await alice.prompts("lobby (open)>");
  await alice.line("/switch");
  await alice.shows("-- Nothing is new in other rooms. Yours are 1 lobby, 2 team.");
  await alice.line("/part");
  await alice.shows("-- Everybody is in the lobby. /quit leaves the server.");
  await bob.type("\x1b1");
  await bob.prompts("lobby (open)>");
  await bob.line("/part teem");
  await bob.shows("-- You are in no room teem. Yours are lobby, team.");
  await bob.line("/part team");
  await bob.shows("-- You are no longer in team. You left.");
});

Deno.test("what was said is edited, deleted, answered, reacted to, found again and read", async () => {
  await using site = await Site.open();
  const server = await site.start("--publish-burst", "1000");
  const [alice, bob] = [person(site, server, "Alice"), person(site, server, "Bob")];
  await Promise.all([alice.entered(), bob.entered()]);
  await alice.line("lunch at noon?");
  await bob.shows("[Alice]: lunch at noon?");
  await bob.line("/reply yes");
  await alice.shows("[Bob]: yes (to #1 Alice: lunch at noon?)");
  await alice.line("/edit lunch at one?");
  for (const each of [alice, bob]) await each.shows("-- Alice edited #1: lunch at one?");
  await bob.line("/react 1 👍");
  await alice.shows("-- Bob reacted to #1 of Alice (lunch at one?) with 👍");
  await bob.line("/edit 1 never");
  await bob.shows(/^-- #1 is no message of yours\./);
  await bob.line("a slip");
  await alice.shows("[Bob]: a slip");
  await bob.line("/delete");
  await alice.shows("-- Bob deleted #5");
  await alice.line("/delete #2");
  await alice.shows(/^-- Not delivered: You may delete only what you said\. Only owners and moder/);
  await alice.line("/history");
  await alice.shows("-- That is all that is kept.");
  const timed = (row: string) => row.replace(/\d{4}-\d\d-\d\d/, "DAY").replace(/\d\d:\d\d/, "TIME");
  assertEquals(rowsFrom(alice, /^-- \d{4}-/).slice(0, 5).map(timed), [
    "-- DAY, times in UTC",
    "#1 TIME [Alice]: lunch at one? (edited) (👍 Bob)",
    "#2 TIME [Bob]: yes (to #1 Alice: lunch at one?)",
    "#5 TIME [Bob]: [deleted]",
    "-- That is all that is kept.",
  ]);
  await alice.line("/history 2"); // Neither the deletion nor edit and reaction are lines.
  await alice.shows("-- /history 2 2 shows what was said before that.");
  await alice.line("/history 2 3");
  await alice.shows("-- That is all that is kept.");
  await alice.line("/search LUNCH");
  await alice.shows(/^#1 \[Alice\]: lunch at one\? \(edited\) \(👍 Bob\) \(lobby, \d{4}-.*Z\)$/);
  await alice.shows(/^-- 1 found\. What is kept here reaches back to \d{4}-\d\d-\d\d /);
  await alice.line("/search slip");
  await alice.shows(/^-- 0 found\./);
  await bob.line("/away at lunch");
  await bob.shows("-- You are away: at lunch. /away without a text: you are back.");
  await alice.line("/who");
  await alice.shows("-- 2 here: Alice, Bob (away: at lunch).");
  await alice.line("/edit 99 what");
  await alice.shows("-- #99 is no message that is known here. /history shows the numbers.");
});

Deno.test("a room is ended by its name only", async () => {
  await using site = await Site.open();
  const alice = person(site, await site.start(), "Alice");
  await alice.entered();
  await alice.line("/join plaza --open");
  await alice.prompts("plaza (open)>");
  await alice.line("/close");
  await alice.shows(/^-- This would end plaza for everybody, and erase its log\./);
  await alice.line("/close lobby");
  await alice.prompts("plaza (open)>");
  await alice.line("/close Plaza");
  await alice.prompts("lobby (open)>");
  await alice.line("/rooms");
  await alice.shows(/^lobby /);
  assertEquals(alice.rows.filter((row) => row.startsWith("plaza ")), []);
});

Deno.test("who was read is told, and who types is seen while they do", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const [alice, bob] = [person(site, server, "Alice"), person(site, server, "Bob")];
  await Promise.all([alice.entered(), bob.entered()]);
  await alice.line("/join team --open");
  await alice.prompts("team (open)>");
  await bob.line("/join team --open");
  await bob.prompts("team (open)>");
  await alice.line("read this");
  await bob.shows("[Alice]: read this");
  await bob.type("I have");
  await alice.prompts("team (open) Bob is typing…>");
  assert(!alice.rows.some((row) => row.includes("I have")));
  await bob.type(KEY.enter);
  await alice.shows("[Bob]: I have");
  await alice.prompts("team (open)>");
  // What was read is told once a second, no more often.
  while (!alice.rows.includes('-- #2 "read this": Read by Bob.')) {
    await bob.line("/who");
    await bob.shows(/^-- 2 here/);
    await alice.line("/receipts");
    await alice.shows(/^-- #2 "read this": /);
  }
});

Deno.test("moderation is shown, refusals say who may, and who is sent out talks nowhere", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const [alice, bob] = [person(site, server, "Alice"), person(site, server, "Bob")];
  await Promise.all([alice.entered(), bob.entered()]);
  await alice.line("/join team --open");
  await alice.prompts("team (open)>");
  await bob.line("/join team --open");
  await bob.prompts("team (open)>");
  await bob.line("/kick Alice");
  await bob.shows("-- Only owners and moderators of this room may do that.");
  await bob.line("/help kick");
  await bob.shows("-- /kick WHO [WHY]");
  await bob.line("/kick");
  await bob.shows("-- WHO is missing. It is typed: /kick WHO [WHY]. /help kick tells more.");
  await bob.line("/stats");
  await bob.shows("-- Only admins of this server may do that.");
  await alice.shows("-- Bob came into the room");
  await alice.line("/mute Bob 1h");
  await bob.line("Why? What did I do, and for how long am I to say nothing?");
  await bob.shows(
    /^-- Not delivered: "Why\? What did I do, and for how long am…" \(team\)\. A moderator has muted you/,
  );
  await alice.type("/kick b");
  await alice.prompts("team (open)> /kick b");
  await alice.type(KEY.tab);
  await alice.prompts("team (open)> /kick Bob");
  await alice.line("too loud");
  await alice.shows("-- Alice sent Bob out: too loud");
  await bob.shows("-- You are no longer in team. Alice sent you out of team: too loud");
  await bob.prompts("(no room)>");
  await bob.line("meant for team");
  await bob.shows(
    "-- You are in no room now, so nothing was said. /switch ROOM goes to one of yours.",
  );
  await bob.line("/join team --open");
  await bob.prompts("team (open)>");
  await alice.line("/ban bob 1h spam");
  await alice.shows(/^-- Alice banned Bob until .*Z: spam$/);
  await bob.shows(
    /^-- You are no longer in team\. You are banned from team by Alice until .*: spam/,
  );
  await bob.line("/join team --open");
  await bob.shows(/^-- You are banned from team until .*: spam/);
  await alice.line("/bans");
  await alice.shows(/^-- Bob +Alice +spam +\d{4}-/);
  await alice.line("/audit");
  await alice.shows(/^-- \d{4}-.*Z {2}Alice banned Bob until .*: spam$/);
  assertEquals(alice.rows.some((row) => row.includes("meant for team")), false);
});

Deno.test("an invitation's link brings a third into the room, from the first moment on", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const alice = person(site, server, "Alice");
  await alice.entered();
  await alice.line("/join team --open");
  await alice.prompts("team (open)>");
  await alice.line("/access invited");
  await alice.shows("-- Alice lets in only who is invited or allowed");
  await alice.line("/invite 1d 1");
  await alice.shows(
    /^-- Whoever has this link comes into team by it, until .*, once\. It is a secret:$/,
  );
  await alice.shows(/^broadcast:/);
  const link = alice.rows.find((row) => row.startsWith("broadcast:"))!;
  assert(
    link.startsWith(server.link.replace("#", "/team#").split(".").slice(0, -1).join(".")),
    link,
  );
  const carol = person(site, link, "Carol");
  await carol.shows("-- You are in team (open: the server can read this).");
  await carol.prompts("team (open)>");
  await alice.shows("-- Carol came into the room");
  await carol.line("thank you");
  await alice.shows("[Carol]: thank you");
  const dave = person(site, server, "Dave", "--room", "team");
  assertEquals(await dave.code, 4);
  await dave.shows(/^Cannot go into team\. This room is for who is invited\./);

  const pipe = (to: string) => site.connect(to, "--name", "ci", "--home", "ci");
  const late = pipe(link);
  await late.line("by a link that was good once");
  assertEquals(await late.code, 4);
  await alice.line("/invite 1d 5");
  await alice.shows(new RegExp(`^broadcast:(?!.*${link.split(".").at(-1)})`));
  const ci = pipe(alice.rows.findLast((row) => row.startsWith("broadcast:"))!);
  await ci.line("deployed");
  await ci.end();
  assertEquals(await ci.code, 0, ci.stderr);
  await alice.shows("[ci]: deployed");
});

Deno.test("the next day everything that was missed is there once, in order, behind a mark", async () => {
  await using site = await Site.open();
  const server = await site.start("--publish-burst", "1000");
  const bob = person(site, server, "Bob");
  await bob.entered();
  await bob.line("/join team --open");
  await bob.prompts("team (open)>");
  const before = person(site, server, "Alice", "--room", "team");
  await before.prompts("team (open)>");
  await bob.line("today");
  await before.shows("[Bob]: today");
  await before.line("see you");
  await before.shows("[Alice]: see you");
  await before.line("/quit");
  assertEquals(await before.code, 0);

  for (let at = 1; at <= 30; at++) await bob.line(`missed ${at}`);
  await bob.line("/edit missed 30, edited");
  await bob.shows(/^-- Bob edited #\d+: missed 30, edited$/);
  await bob.line("/switch lobby");
  await bob.line("Alice, are you there?");
  await bob.shows("[Bob]: Alice, are you there?");

  const after = person(site, server, "Alice", "--room", "team");
  await after.shows(/^-- Bob edited #\d+: missed 30, edited$/);
  await after.prompts("team (open) [lobby 1!]>");
  const missed = Array.from({ length: 30 }, (_, at) => `[Bob]: missed ${at + 1}`);
  const shown = after.rows.filter((row) => /^(\[|----)/.test(row));
  assertEquals(shown, ["[Bob]: today", "[Alice]: see you", "---- new ----", ...missed]);
  await after.line("/next");
  await after.prompts("lobby (open)>");
  assertEquals(rowsFrom(after, /^-- You are in lobby/).slice(1), [
    "---- new ----",
    "[Bob]: Alice, are you there?",
    "lobby (open)>",
  ]);
  await after.line("/quit");
  assertEquals(await after.code, 0);

  const again = person(site, server, "Alice", "--room", "team");
  await again.shows(/^-- You are Alice\./);
  await again.prompts("team (open)>");
  assertEquals(again.rows.includes("---- new ----"), false, "All of it was read.");
  assertEquals(
    again.rows.filter((row) => row.startsWith("[Bob]")),
    [...missed.slice(-20, -1), "[Bob]: missed 30, edited (edited)"],
  );
});

Deno.test("a pipe talks in the room that it was told, and hears only that", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const reader = site.connect(
    server,
    "--name",
    "Reader",
    "--home",
    "r",
    "--room",
    "#team",
    "--open",
    "--follow",
  );
  await reader.until("-- You are Reader in team (open).", "stderr");
  const other = site.connect(server, "--name", "Other", "--home", "o");
  await other.line("for the lobby");
  await other.end();
  assertEquals(await other.code, 0);
  const writer = site.connect(server, "--name", "ci", "--home", "w", "--room", "team");
  await writer.line("/topic is said as it is");
  await writer.end();
  assertEquals(await writer.code, 0);
  await reader.until("is said as it is\n");
  assertEquals(reader.stdout, "[ci]: /topic is said as it is\n");
  for (const [room, code] of [["a b", 2], ["-", 2]] as const) {
    const wrong = site.connect(server, "--name", "ci", "--home", "w", "--room", room);
    assertEquals(await wrong.code, code);
  }
});
