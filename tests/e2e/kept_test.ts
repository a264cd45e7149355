import { assertEquals } from "@std/assert";
import { type RunningServer, Site } from "./site.ts";

/** Lets Alice say something by a pipe. */
async function say(site: Site, server: RunningServer, text: string): Promise<void> {
  const alice = site.connect(server, "--name", "Alice", "--home", "a");
  await alice.line(text);
  await alice.end();
  assertEquals(await alice.code, 0);
}

Deno.test("a terminal shows what was said last, then what was missed, each once and in order", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const before = site.terminal(server, ["--name", "Bob", "--home", "b"]);
  await before.entered();
  await say(site, server, "one");
  await before.shows("[Alice]: one");
  await before.line("/quit");
  assertEquals(await before.code, 0);
  await say(site, server, "two");

  const after = site.terminal(server, ["--name", "Bob", "--home", "b"]);
  await after.shows("[Alice]: two");
  const said = after.rows.filter((row) => row.startsWith("["));
  assertEquals(said, ["[Alice]: one", "[Alice]: two"]);
});

Deno.test("a pipe prints what was missed since its last run, and what it printed then not again", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const reader = (...lines: string[]) => {
    const process = site.connect(server, "--name", "log", "--home", "l", "--follow");
    return process.waitFor(() => process.stdout.split("\n").length > lines.length, lines.join())
      .then(() => assertEquals(process.stdout, lines.map((line) => `${line}\n`).join("")))
      .then(() => process.kill("SIGKILL"))
      .then(() => process.code);
  };
  const first = site.connect(server, "--name", "log", "--home", "l", "--follow");
  await first.until("You are", "stderr");
  await say(site, server, "one");
  await first.until("one\n");
  first.kill("SIGKILL");
  await first.code;
  for (const text of ["two", "three"]) await say(site, server, text);
  await reader("[Alice]: two", "[Alice]: three");
  await say(site, server, "four");
  await reader("[Alice]: four");
});

Deno.test("a second process with a name works, keeps nothing, and says so", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const first = site.connect(server, "--name", "ci", "--home", "c", "--follow");
  await first.until("You are", "stderr");
  const second = site.connect(server, "--name", "ci", "--home", "c");
  await second.line("by the second");
  await second.end();
  assertEquals(await second.code, 0);
  const told = "-- Another process uses this name here, so nothing of this one is kept.";
  assertEquals(second.stderr.split("\n").filter((line) => line === told), [told]);
  await first.until("[ci]: by the second\n");
});
