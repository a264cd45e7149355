import { assertEquals } from "@std/assert";
import { Site } from "./site.ts";
import { KEY } from "./terminal.ts";

Deno.test("after the server was killed and started again, clients are back and nothing is lost", async () => {
  await using site = await Site.open();
  const first = await site.start();
  const alice = site.terminal(first, ["--name", "Alice", "--home", "a"]);
  await alice.entered();
  const bob = site.connect(first, "--name", "Bob", "--home", "b", "--follow");
  await alice.shows("Bob joined");
  await alice.type("half a li");
  await alice.prompts("lobby (open)> half a li");

  first.process.kill("SIGKILL");
  await alice.shows(
    /^-- Disconnected, reconnecting by itself\. The (server closed the connection|connection broke)\.$/,
  );
  await alice.prompts("lobby (not connected)> half a li");
  await alice.line("ne");
  await alice.shows("-- Sent as soon as the connection is back: half a line");
  await bob.until("-- Disconnected, reconnecting by itself.", "stderr");
  await bob.line("from a pipe");
  await alice.line("/who");
  await alice.shows("-- Not connected right now.");

  await site.start("--port", `127.0.0.1:${first.port}`);
  await alice.shows("-- Connected again.");
  await alice.shows("[Alice]: half a line");
  await alice.shows("[Bob]: from a pipe");
  await bob.until("[Alice]: half a line\n");
  await alice.entered();
  assertEquals(bob.stdout, "[Alice]: half a line\n");
});

Deno.test("a server that stands still is noticed, and what was said arrives when it goes on", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const alice = site.terminal(server, ["--name", "Alice", "--home", "a"]);
  await alice.entered();
  server.process.kill("SIGSTOP");
  await alice.line("one");
  await alice.shows("-- The server has not confirmed 1 message yet; still trying.");
  await alice.line("two");
  await alice.type(KEY.ctrlD);
  await alice.shows("-- Still to be delivered: 2 messages. Ctrl-C leaves without that.");
  server.process.kill("SIGCONT");
  assertEquals(await alice.code, 0);
  assertEquals(alice.rows.slice(-3), ["[Alice]: one", "[Alice]: two", ""]);
});

Deno.test("leaving while something is undelivered says so, and Ctrl-C leaves without it", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const alice = site.terminal(server, ["--name", "Alice", "--home", "a"]);
  await alice.entered();
  server.process.kill("SIGKILL");
  await alice.shows(/^-- Disconnected/);
  await alice.line("too late");
  await alice.type(KEY.ctrlD);
  await alice.shows("-- Still to be delivered: 1 message. Ctrl-C leaves without that.");
  await alice.type(KEY.ctrlC);
  await alice.shows("-- Not delivered: 1 of your messages.");
  assertEquals(await alice.code, 130);
});

Deno.test("who has nothing undelivered leaves at once, the server gone or not", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const bob = site.terminal(server, ["--name", "Bob", "--home", "Bob"]);
  await bob.entered();
  const alice = site.terminal(server, ["--name", "Alice", "--home", "Alice"]);
  await bob.shows("Alice joined");
  await alice.line("/quit");
  assertEquals(await alice.code, 0);
  await bob.shows("Alice left");
  server.process.kill("SIGKILL");
  await bob.shows(/^-- Disconnected/);
  await bob.type(KEY.ctrlD);
  assertEquals(await bob.code, 0);
});
