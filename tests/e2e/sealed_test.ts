/** Sealed rooms as people use them: real processes, real terminals. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { linkShown, person, Site } from "./site.ts";

Deno.test("a sealed room is made, handed on by a link, talked in, and taken away from one", async () => {
  await using site = await Site.open();
  const server = await site.start("--publish-burst", "1000");
  const alice = person(site, server, "Alice");
  await alice.entered();
  await alice.line("/join team");
  await alice.shows("-- You are in team (sealed: only its members can read this).");
  await alice.prompts("team (sealed)>");
  await alice.line("/invite 1d 5");
  await alice.shows(/^broadcast:/);
  const link = linkShown(alice);
  assert(link.includes("/team#"), link);

  const carol = person(site, link, "Carol");
  await carol.shows("-- You are in team (sealed: only its members can read this).");
  await carol.shows("-- team: you have the keys: what is said from now on is yours to read.");
  await carol.line("hello team");
  await alice.shows("[Carol]: hello team");
  await alice.line("/edit nothing of mine");
  await alice.shows("-- You have said nothing here yet, as far as this client knows.");
  await alice.line("hi");
  await carol.shows("[Alice]: hi");
  await alice.line("/edit hi Carol");
  await carol.shows(/^-- Alice edited #\d+: hi Carol$/);
  await carol.line("/history");
  await carol.shows(/^#\d+ \d\d:\d\d \[Alice\]: hi Carol \(edited\)$/);
  await carol.line("/search hello");
  await carol.shows(/^#\d+ \[Carol\]: hello team \(team, .*\)$/);
  await alice.line("/room");
  await alice.shows("-- 2 have its keys: Alice (owner), Carol. /verify WHO compares.");
  await carol.line("/room");
  const code = /^-- Keys \d+\.\d+; all members see the same code: ([\d ]+)$/;
  await alice.shows(code);
  await carol.shows(code);
  const codeOf = (rows: string[]) => rows.flatMap((row) => code.exec(row)?.[1] ?? [])[0];
  assertEquals(codeOf(alice.rows), codeOf(carol.rows));

  await alice.line("/kick Carol spam");
  await carol.shows(
    "-- team: Alice has taken you out: what is said from now on cannot be read here.",
  );
  await alice.shows("-- Alice sent Carol out: spam");
  await alice.line("now alone");
  await alice.shows("[Alice]: now alone");
  assert(!carol.rows.some((row) => row.includes("now alone")));
});

Deno.test("two talk in a room of their own, compare their keys, and the next day all is there", async () => {
  await using site = await Site.open();
  const server = await site.start("--publish-burst", "1000");
  const [alice, bob] = [person(site, server, "Alice"), person(site, server, "Bob")];
  await Promise.all([alice.entered(), bob.entered()]);
  await bob.line("/msg alice hi there");
  await bob.shows("-- You are in @Alice (sealed: only its members can read this).");
  await bob.shows("[Bob]: hi there");
  await alice.shows("-- You are in @Bob too now. /switch @Bob shows it.");
  await alice.line("/switch @Bob");
  await alice.shows("[Bob]: hi there");
  for (const [one, other] of [[alice, "Bob"], [bob, "Alice"]] as const) {
    await one.line(`/verify ${other}`);
    await one.shows(`-- Compare these digits with ${other}, by phone or face to face, not here:`);
  }
  const digits = (rows: string[]) => rows.filter((row) => /^-- {3}(\d{5} ){3}\d{5}$/.test(row));
  await alice.shows(/^-- Are they the same\?/);
  await bob.shows(/^-- Are they the same\?/);
  assertEquals(digits(alice.rows).length, 3);
  assertEquals(digits(alice.rows), digits(bob.rows));
  await bob.line("/verify alice ok");
  await bob.shows("-- Alice is verified: another key would be told, and nothing sent.");
  await bob.line("/quit");
  assertEquals(await bob.code, 0);
  await alice.line("until tomorrow");
  await alice.shows("[Alice]: until tomorrow");

  const again = person(site, server, "Bob");
  await again.prompts("lobby (open) [@Alice 1]>");
  await again.line("/switch @Alice");
  await again.shows("[Alice]: until tomorrow");
  await again.line("/room");
  await again.shows(
    "-- 2 have its keys: Alice (verified), Bob. /verify WHO compares.",
  );
});

Deno.test("a pipe waits for a sealed room's keys as long as it may, and says what is missing", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const alice = person(site, server, "Alice");
  await alice.entered();
  await alice.line("/join team");
  await alice.prompts("team (sealed)>");
  await alice.line("/access anyone");
  await alice.shows("-- Alice lets anyone come in");
  const ci = ["--name", "ci", "--home", "ci", "--room", "team"];
  const early = site.connect(server, ...ci, "--give-up", "1");
  await early.until("-- team: you have asked to be let in.", "stderr");
  await early.type("deploy finished\n");
  await early.end();
  assertEquals(await early.code, 5);
  assertMatch(
    early.stderr,
    /-- Not delivered: 1 of your messages\.\n-- They are kept, .*\n-- You do not have the keys of team\. .*\(\/invite\).*\(\/admit ci\)\.\n$/,
  );
  await alice.shows("-- team: ci asks to be let in. /admit ci does so; /verify compares keys.");
  await alice.line("/admit ci");
  await alice.shows("-- ci has the keys now.");
  const later = site.connect(server, ...ci);
  await later.end();
  assertEquals(await later.code, 0);
  await alice.shows("[ci]: deploy finished");
});
