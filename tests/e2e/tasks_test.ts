import { assertEquals } from "@std/assert";
import { Site } from "./site.ts";
import { KEY } from "./terminal.ts";

Deno.test("`deno task start` and `deno task connect` are all there is to do", async () => {
  await using site = await Site.open();
  const server = site.task("start", "--port", "127.0.0.1:0", "--data", `${site.folder}/data`);
  await server.shows(/^Others join with: {2}deno task connect 'broadcast:/);
  const [, port] = /server on port :(\d+)/.exec(server.raw)!;
  const alice = site.task("connect", `:${port}`, "--home", `${site.folder}/a`);
  await alice.prompts("Enter your username:");
  await alice.line("Alice");
  const bob = site.task("connect", `:${port}`, "--home", `${site.folder}/b`, "--name", "Bob");
  await Promise.all([alice, bob].map((client) => client.entered()));
  await alice.shows("Bob joined");
  await alice.line("Hello everyone!");
  await bob.shows("[Alice]: Hello everyone!");
  await bob.type(KEY.ctrlC);
  assertEquals(await bob.code, 130);
  await alice.shows("Bob left");

  await server.type(KEY.ctrlC); // The terminal signals all processes of the task at once.
  await alice.shows(/^-- Disconnected, reconnecting by itself\. The server is shutting down\.$/);
  assertEquals(await server.code, 0);
  await alice.line("/quit");
  assertEquals(await alice.code, 0);
});
