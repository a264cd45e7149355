import { assertEquals, assertMatch } from "@std/assert";
import { KEY } from "./terminal.ts";
import { Site } from "./site.ts";

Deno.test("a session looks as it did with the original", async () => {
  await using site = await Site.open();
  const server = await site.start();
  await using alice = site.terminal(server, ["--home", "a"]);
  await alice.prompts("Enter your username:");
  await alice.line("Alice");
  await alice.entered();
  await using bob = site.terminal(server, ["--home", "b"]);
  await bob.prompts("Enter your username:");
  await bob.line("Bob");
  await bob.shows("-- You are Bob. 2 here: Alice, Bob. /help lists the commands.");
  await alice.shows("Bob joined");
  await alice.line("Hello everyone!");
  await bob.shows("[Alice]: Hello everyone!");
  await alice.shows("[Alice]: Hello everyone!");
  await bob.type("half a li");
  await bob.prompts("lobby (open)> half a li");
  await bob.type(KEY.ctrlC);
  await bob.prompts("lobby (open)>");
  await bob.type(KEY.ctrlC);
  await alice.shows("Bob left");
  assertEquals(await bob.code, 130);
  await alice.line("/quit");
  assertEquals(await alice.code, 0);

  assertEquals(alice.rows.filter((row) => !row.startsWith("-- ")), [
    "Connected to the server",
    "Enter your username:Alice",
    "Bob joined",
    "[Alice]: Hello everyone!",
    "Bob left",
    "",
  ]);
  const [first, second, ...rest] = server.process.stdout.trim().split("\n");
  assertEquals(first, `connect to the server on port :${server.port}`);
  assertMatch(second!, /^Others join with: {2}deno task connect 'broadcast:\/\//);
  assertEquals(rest.length, 4);
  assertMatch(rest[0]!, /^Client connected 127\.0\.0\.1:\d+$/);
});
