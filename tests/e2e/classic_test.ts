import { assertEquals, assertMatch } from "@std/assert";
import { classicPrompt } from "../../protocol/classic.ts";
import { OriginalClient } from "../fixtures/original_client.ts";
import { OriginalServer } from "../fixtures/original_server.ts";
import { Site } from "./site.ts";
import { KEY } from "./terminal.ts";

Deno.test("original clients chat in the lobby, on the same port, as with the original", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const alice = site.terminal(server, ["--name", "Alice", "--home", "a"]);
  await alice.entered();
  using carol = await OriginalClient.connect(server.port);
  await carol.type("");
  await carol.until("Try again:Enter your username:");
  await carol.type("Alice");
  await carol.until("This name already taken.Try otherEnter your username:");
  await carol.type("Carol");
  await alice.shows("Carol joined");
  using dave = await OriginalClient.connect(server.port);
  await dave.type("Dave");
  await alice.shows("Dave joined");
  await alice.line("Hello everyone!");
  for (const original of [carol, dave]) await original.until("[Alice]: Hello everyone!\n");
  await carol.type("Hello Alice!");
  await alice.shows("[Carol]: Hello Alice! (not verified)");
  await dave.until("[Carol]: Hello Alice!\n");
  await alice.line("/me waves");
  await dave.until("* Alice waves\n");
  carol.close();
  await alice.shows("Carol left");
  await alice.line("/quit");
  assertEquals(await alice.code, 0);
  assertEquals(
    dave.printed,
    `Connected to the server\n${classicPrompt}[Alice]: Hello everyone!\n[Carol]: Hello Alice!\n` +
      `* Alice waves\n`,
  );
});

Deno.test("CLASSIC=off tells an original client nothing it could take for a prompt", async () => {
  await using site = await Site.open();
  const server = await site.start("--classic", "off");
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await conn.write(new TextEncoder().encode("Alice\n"));
  const told = await new Response(conn.readable).text();
  assertMatch(told, /share no protocol version\. Update the older/);
  assertEquals(told.includes(classicPrompt), false);
});

Deno.test("connect --classic talks to an original server, from a terminal and from a pipe", async () => {
  await using site = await Site.open();
  await using server = new OriginalServer();
  const to = `127.0.0.1:${server.port}`;
  const alice = site.terminal(to, ["--classic", "--home", "a"]);
  await alice.shows(/^-- The original protocol protects nothing: whoever is on the way reads/);
  await alice.prompts("Enter your username:");
  await alice.line("Alice");
  await server.until(() => server.names.size === 1);
  const pipe = site.connect(to, "--classic", "--name", "ci");
  await pipe.type("one\ntwo\n");
  await pipe.end();
  assertEquals(await pipe.code, 0, pipe.stderr);
  await alice.shows("[ci]: one");
  await alice.shows("[ci]: two");

  const taken = site.connect(to, "--classic", "--name", "Alice");
  await taken.line("never said");
  assertEquals(await taken.code, 4, taken.stderr);
  assertMatch(taken.stderr, /^This name already taken\.Try other$/m);

  const bob = site.terminal(to, ["--classic", "--name", "Alice", "--home", "b"]);
  await bob.shows("-- This name already taken.Try other");
  await bob.prompts("Enter your username:");
  await bob.line("Bob");
  await bob.prompts("lobby (original)>");
  await bob.line("Hello Alice!");
  await alice.shows("[Bob]: Hello Alice!");
  await bob.shows("[Bob]: Hello Alice!");
  await alice.line("/me waves");
  await bob.shows("[Alice]: * waves");
  await bob.line("/who");
  await bob.shows("-- An original server does not tell who is here.");
  await bob.type(KEY.ctrlD);
  assertEquals(await bob.code, 0);
  await alice.type(KEY.ctrlC);
  assertEquals(await alice.code, 130);
});

Deno.test("without --classic an original server gets nothing that was to be secret", async () => {
  await using site = await Site.open();
  const server = new OriginalServer();
  const client = site.connect(`127.0.0.1:${server.port}`, "--name", "Alice");
  await client.line("a secret");
  await server.until(() => server.names.size === 1); // It takes the handshake for a name.
  await server[Symbol.asyncDispose]();
  assertEquals(await client.code, 3);
  assertMatch(client.stderr, /original server of the first version needs --classic\.$/m);
  assertEquals(server.printed.some((line) => line.includes("secret")), false);
});
