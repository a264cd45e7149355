import { assert, assertEquals } from "@std/assert";
import { Site } from "./site.ts";
import { KEY } from "./terminal.ts";

Deno.test("what is being typed survives what others say, and hides nothing of it", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const alice = site.terminal(server, ["--name", "Alice", "--home", "a"], { columns: 40 });
  await alice.entered();
  const bob = site.connect(server, "--name", "Bob", "--home", "b");
  await alice.shows("Bob joined");

  const long = "a line longer than forty columns, with 漢字 and 👩‍👩‍👧 in it, and an end";
  await alice.type(long);
  await alice.prompts("lobby (open)> …👩‍👩‍👧 in it, and an end");
  await bob.line("one");
  await alice.shows("[Bob]: one");
  await alice.prompts("lobby (open)> …👩‍👩‍👧 in it, and an end");
  await alice.type(KEY.ctrlA);
  await alice.prompts("lobby (open)> a line longer than forty…");
  assertEquals(alice.screen.column, "lobby (open)> ".length);
  await bob.line("two");
  await alice.shows("[Bob]: two");
  await alice.type(KEY.enter);
  await bob.until(`[Alice]: ${long}\n`);
  await alice.shows("    it, and an end");
  await alice.entered();

  assertEquals(alice.rows.slice(-6), [
    "[Bob]: one",
    "[Bob]: two",
    "[Alice]: a line longer than forty",
    "    columns, with 漢字 and 👩‍👩‍👧 in",
    "    it, and an end",
    "lobby (open)>",
  ]);
});

Deno.test("a terminal has history, completion, help, and a hint for what it does not know", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const alice = site.terminal(server, ["--home", "a"]);
  await alice.prompts("Enter your username:");
  await alice.line("Alice");
  await alice.entered();
  await alice.line("first");
  await alice.shows("[Alice]: first");
  await alice.line("//etc/hosts");
  await alice.shows("[Alice]: /etc/hosts");
  await alice.type(KEY.up, KEY.up);
  await alice.prompts("lobby (open)> first");
  await alice.type(" agan", KEY.left, "i", KEY.enter);
  await alice.shows("[Alice]: first again");
  await alice.type("/", KEY.tab);
  await alice.shows(/^-- .away {2}.delete {2}.*.me {2}.msg {2}.next/);
  await alice.type("me", KEY.tab);
  await alice.prompts("lobby (open)> /me");
  await alice.type("waves", KEY.enter);
  await alice.shows("* Alice waves");
  await alice.type(KEY.up, KEY.up, KEY.up, KEY.up, KEY.up); // The name is not in the history.
  await alice.entered();
  await alice.line("/help");
  await alice.shows(/^-- {3}\/quit {2,}leave \(so does Ctrl-D\)$/);
  await alice.line("/hepl");
  await alice.shows(/^-- There is no command \/hepl\. Did you mean \/help\?/);
  await alice.line("/who");
  await alice.shows("-- 1 here: Alice.");
  await alice.type("half a line", KEY.ctrlL);
  await alice.prompts("lobby (open)> half a line");
  await alice.hasRows(1);
  await alice.type(KEY.ctrlU, KEY.ctrlD);
  assertEquals(await alice.code, 0);
});

Deno.test("text from others moves no cursor and passes for nobody else's", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const alice = site.terminal(server, ["--name", "Alice", "--home", "a"]);
  await alice.entered();
  const bob = site.connect(server, "--name", "Bob", "--home", "b");
  await bob.line("\x1b[2J\x1b[Hgone\x07\x9b1A \u202eesrever\r[Carol]: I never said this");
  await alice.shows(
    "[Bob]: \\x1b[2J\\x1b[Hgone\\x07\\x9b1A \\u{202e}esrever",
  );
  await alice.shows("  | [Carol]: I never said this");
  await alice.shows("-- You are Alice. Nobody else is here. /help lists the commands.");
});

Deno.test("lines pasted at once are all said, in order", async () => {
  await using site = await Site.open();
  const server = await site.start("--publish-burst", "1000");
  const reader = site.connect(server, "--name", "Reader", "--home", "r", "--follow");
  await reader.until("You are", "stderr");
  const alice = site.terminal(server, ["--name", "Alice", "--home", "a"]);
  await alice.entered();
  const lines = Array.from({ length: 100 }, (_, at) => `line ${at}`);
  await alice.type(lines.map((line) => line + KEY.enter).join(""));
  await reader.until("line 99\n");
  assertEquals(reader.stdout, lines.map((line) => `[Alice]: ${line}\n`).join(""));
  await alice.shows("[Alice]: line 99");
  const shown = alice.rows.filter((row) => row.startsWith("[Alice]"));
  assertEquals(shown, lines.map((line) => `[Alice]: ${line}`));
});

Deno.test("many pasted lines are sent only when somebody says so, and a few at once", async () => {
  await using site = await Site.open();
  const server = await site.start("--publish-burst", "1000");
  const reader = site.connect(server, "--name", "Reader", "--home", "r", "--follow");
  await reader.until("You are", "stderr");
  const alice = site.terminal(server, ["--name", "Alice", "--home", "a"]);
  await alice.entered();
  const paste = (text: string) => alice.type(`\x1b[200~${text}\x1b[201~`);
  const many = (word: string) => Array.from({ length: 40 }, (_, at) => `${word} ${at}\r`).join("");

  await paste("one\rtwo\r");
  await alice.shows("[Alice]: two");
  await alice.type("half ");
  await paste("a line");
  await alice.prompts("lobby (open)> half a line");
  await alice.type(KEY.ctrlU);

  await paste(`${many("secret")}and the start of a line`);
  await alice.prompts("Send 40 lines? [y/N]");
  await reader.line("still there?");
  await alice.shows("[Reader]: still there?");
  await alice.prompts("Send 40 lines? [y/N]");
  await alice.line("");
  await alice.shows("-- None of it was sent.");
  await alice.prompts("lobby (open)>");

  await paste(`${many("y")}and the start of a line`);
  await alice.prompts("Send 40 lines? [y/N]");
  await paste("y\r");
  await alice.prompts("Send 41 lines? [y/N]");
  await alice.line("y");
  await alice.shows("[Alice]: y");
  await alice.prompts("lobby (open)> and the start of a line");
  await alice.type(KEY.ctrlU);
  await alice.line("done");
  await reader.until("[Alice]: done\n");
  const wanted = [..."one,two".split(","), ...many("y").split("\r").slice(0, -1), "y", "done"];
  assertEquals(reader.stdout, wanted.map((line) => `[Alice]: ${line}\n`).join(""));
});

Deno.test("NO_COLOR, a dumb terminal and --plain are plain: no escape sequence at all", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const plain: [args: string[], env: Record<string, string>][] = [
    [[], { NO_COLOR: "1" }],
    [[], { TERM: "dumb" }],
    [["--plain"], {}],
  ];
  await Promise.all(plain.map(async ([args, env], at) => {
    const name = `Plain${at}`;
    const client = site.terminal(server, ["--home", name, ...args], { env });
    await client.prompts("Enter your username:");
    await client.line(name);
    await client.shows("-- You are in lobby (open: the server can read this).");
    await client.shows(new RegExp(`^-- You are ${name}\\.`));
    await client.line(`/me is plain`);
    await client.line("/who");
    await client.shows(/^-- \d here: /);
    await client.line("/quit");
    assertEquals(await client.code, 0);
    assert(!client.raw.includes("\x1b"), JSON.stringify(client.raw));
    assert(!client.rows.some((row) => row.startsWith(`* ${name}`)), "It echoes its own words.");
  }));
});
