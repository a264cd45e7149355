import { assertEquals, assertStringIncludes } from "@std/assert";
import { OriginalClient } from "../fixtures/original_client.ts";
import { Site } from "./site.ts";

Deno.test("a server that is told to end tells everybody, writes what is queued, and exits 0", async () => {
  await using site = await Site.open();
  const server = await site.start("--publish-burst", "1000");
  const alice = site.connect(server, "--name", "Alice", "--home", "a", "--follow");
  const bob = site.connect(server, "--name", "Bob", "--home", "b", "--follow");
  await Promise.all([alice, bob].map((client) => client.until("You are", "stderr")));
  using original = await OriginalClient.connect(server.port);
  await original.type("Carol");
  await alice.until("Carol joined", "stderr");
  const lines = Array.from({ length: 200 }, (_, at) => `line ${at}\n`);
  await alice.type(lines.join(""));
  await bob.until("line 0\n");
  server.process.kill("SIGTERM");
  server.process.kill("SIGTERM"); // As by a task runner and a terminal both.
  assertEquals(await server.process.code, 0);
  await bob.until("The server is shutting down.", "stderr");
  await alice.until("The server is shutting down.", "stderr");
  await original.ended;
  const heard = bob.stdout.trim().split("\n");
  assertEquals(heard, lines.slice(0, heard.length).map((line) => `[Alice]: ${line.trim()}`));
  assertStringIncludes(server.process.stderr, "SIGTERM: telling the clients, then closing");
});

Deno.test("a server ends by Ctrl-C, and again on the same port", async () => {
  await using site = await Site.open();
  const first = await site.start();
  first.process.kill("SIGINT");
  assertEquals(await first.process.code, 0);
  const second = await site.start("--port", `127.0.0.1:${first.port}`);
  assertEquals(second.link, first.link, "Identity and invitation are kept.");
  const third = site.run("start", ["--port", `127.0.0.1:${first.port}`]);
  assertEquals(await third.code, 3);
  assertStringIncludes(third.stderr, `Port ${first.port} is taken. Stop what listens there, or`);
});
