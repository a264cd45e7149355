import { assertEquals } from "@std/assert";
import { Site } from "./site.ts";

Deno.test("a refused name is asked for again, however long the answer takes", async () => {
  await using site = await Site.open();
  const server = await site.start("--login-timeout-ms", "200");
  const alice = site.connect(server, "--name", "Alice", "--home", "a", "--follow");
  const bob = site.terminal(server, ["--home", "b"], { columns: 120 });
  await alice.until("You are", "stderr");
  await bob.prompts("Enter your username:");
  await server.process.until(/(Client disconnected .*\n[^]*){1}/); // It has waited long enough.
  for (
    const [name, answer] of [
      ["", /^-- "" cannot be a name\. A name has 1 to 32 letters/],
      ["two words", /^-- "two words" cannot be a name\./],
      ["Alice", /^-- This name belongs to another key\. Choose another name/],
      ["aIice", /^-- This name looks like one that is in use\./],
      ["Bob", /^-- You are Bob\. 2 here: Alice, Bob\./],
    ] as const
  ) {
    await bob.line(name);
    await bob.shows(answer);
    await bob.prompts(name === "Bob" ? "lobby (open)>" : "Enter your username:");
  }
});

Deno.test("of several who take one name at once, one key gets it, with all its windows", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const homes = ["one", "one", "one", "two", "two", "two"];
  const codes = await Promise.all(homes.map(async (home) => {
    const client = site.connect(server, "--name", "Same", "--home", home);
    await client.line(`from ${home}`);
    await client.end();
    return await client.code;
  }));
  const ofHome = (home: string) => new Set(codes.filter((_, at) => homes[at] === home));
  assertEquals([ofHome("one"), ofHome("two")].map((set) => [...set]).sort(), [[0], [4]]);
});
