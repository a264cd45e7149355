import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { payloadBytesMax } from "../../protocol/limits.ts";
import { type RunningServer, Site } from "./site.ts";

Deno.test("a pipe says its lines, hears the others', and ends when all is acknowledged", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const reader = site.connect(server, "--name", "Reader", "--home", "r", "--follow");
  await reader.until("You are", "stderr");
  const writer = site.connect(server, "--name", "ci", "--home", "w");
  await writer.type("deploy started\n\n/quit is no command here\n* 漢字 👩‍👩‍👧\nno newline at the end");
  await writer.end();
  assertEquals(await writer.code, 0);
  await reader.until("at the end\n");
  assertEquals(
    reader.stdout,
    "[ci]: deploy started\n[ci]: /quit is no command here\n[ci]: * 漢字 👩‍👩‍👧\n" +
      "[ci]: no newline at the end\n",
  );
  assertEquals(writer.stdout, "", "A pipe does not echo its own lines.");
  assertMatch(
    writer.stderr,
    /^-- New server\. .*\nConnected to the server\n-- You are ci in lobby \(open\)\.\n$/,
  );
  reader.kill("SIGTERM");
  assertEquals(await reader.code, 143);
});

Deno.test("a pipe is asked for a name too, as by the original: its first line", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const writer = site.connect(server);
  await writer.type("Alice\nHello everyone!\n");
  await writer.end();
  assertEquals(await writer.code, 0);
  assertStringIncludes(writer.stderr, "Connected to the server\nEnter your username:");
});

Deno.test("a line that is too long is told and left out; those around it are said", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const reader = site.connect(server, "--name", "Reader", "--home", "r", "--follow");
  await reader.until("You are", "stderr");
  const writer = site.connect(server, "--name", "ci", "--home", "w");
  const longest = "x".repeat(payloadBytesMax);
  await writer.type(`before\n${longest}y\n${"z".repeat(3 * payloadBytesMax)}\n${longest}\nafter`);
  await writer.end();
  assertEquals(await writer.code, 5);
  await reader.until("[ci]: after\n");
  assertEquals(reader.stdout, `[ci]: before\n[ci]: ${longest}\n[ci]: after\n`);
  assertEquals(writer.stderr.match(/-- Not sent: a line of \d+ bytes\./g), [
    `-- Not sent: a line of ${payloadBytesMax + 1} bytes.`,
    `-- Not sent: a line of ${3 * payloadBytesMax} bytes.`,
  ]);
});

Deno.test("when nobody reads its output any more, a pipe says what it has to say and ends", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const other = site.connect(server, "--name", "Other", "--home", "o", "--follow");
  await other.until("You are", "stderr");
  const code = 'echo "code $?" >&2';
  const follower = site.shell(server, ["--name", "Follower", "--home", "f", "--follow"], {
    before: "{",
    after: `</dev/null; ${code}; } | head -n 1`,
  });
  const writer = site.shell(server, ["--name", "ci", "--home", "w"], {
    before: "{ { read line; echo the last word; } |",
    after: `; ${code}; } | head -n 1`,
  });
  for (const joined of ["Follower joined", "ci joined"]) await other.until(joined, "stderr");
  const witness = site.connect(server, "--name", "Witness", "--home", "i", "--follow");
  await witness.until("You are", "stderr");
  // That nobody reads any more, a writer learns with the first line after that.
  for (let at = 0; !follower.raw.includes("code 0"); at++) {
    await other.line(`line ${at}`);
    await witness.until(`[Other]: line ${at}\n`);
  }
  await writer.line("go on");
  await writer.shows("code 0");
  await other.until("[ci]: the last word\n");
  for (const { raw } of [follower, writer]) assertEquals(raw.match(/rror|at file|roken/g), null);
});

Deno.test("who waits in vain for a server that went away gives up, and says what is missing", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const other = site.connect(server, "--name", "Other", "--home", "o", "--follow");
  await other.until("You are", "stderr");
  const writer = site.connect(server, "--name", "ci", "--home", "w", "--give-up", "0");
  await other.until("ci joined", "stderr");
  server.process.kill("SIGKILL");
  await writer.until("-- Disconnected, reconnecting by itself.", "stderr");
  await writer.type("one\ntwo\n");
  await writer.end();
  assertEquals(await writer.code, 5);
  assertMatch(
    writer.stderr,
    /-- Not delivered: [12] of your messages\.\n-- They are kept, .*\n-- Cannot connect to /,
  );
});

type Mistake = readonly [args: readonly string[], code: number, text: RegExp];

/** Each is told in plain English, with what to do and the right code. */
const mistakes = ({ port, link }: RunningServer): readonly Mistake[] => [
  [["127.0.0.1:1"], 3, /^Cannot connect to 127\.0\.0\.1:1: nobody listens there\. Is the server/],
  [["999999"], 2, /^"999999" is not an address\. Right would be 9000, :9000,/],
  [[":1", ":2"], 2, /^connect takes one address\./],
  [[":1", "--nmae", "x"], 2, /^There is no option --nmae\. Did you mean --name\?$/],
  [[":1", "--name"], 2, /^--name needs a value\.$/],
  [[":1", "--name", "a b"], 2, /^"a b" cannot be a name\. A name has 1 to 32 letters/],
  [[":1", "--give-up", "soon"], 2, /^--give-up is "soon"\. Right would be a whole number/],
  [[":1", "--ask"], 2, /^--ask needs a terminal\. Without one: BROADCAST_LINK, or --link-file\.$/],
  [
    [link.slice(0, 60)],
    2,
    /^The link to 127\.0\.0\.1:\d+ is damaged behind the '#'\. Copy it whole/,
  ],
  [[":1", "--link-file", "no/such"], 2, /^Cannot read the link from no\/such: /],
  [[`:${port}`, "--home", "file"], 2, /^Cannot use the folder file: .* Choose another: --home/],
  [[`:${port}`, "--home", "damaged", "--name", "Alice"], 2, /Alice\.json|alice\.json is damaged\./],
  [[`:${port}`, "--name", "Taken"], 4, /^This name belongs to another key\. Choose another name/m],
  [[`:${port}`, "--name", "tAken"], 4, /^This name looks like one that is in use\./m],
  [[`:${port}`], 2, /There is no name\. Give one: --name NAME$/],
  [
    [link.replace(/#.{43}/, `#${"A".repeat(43)}`), "--name", "x"],
    4,
    /^The server at \S+ is not the one that the link names\..*\n {2}expected A+\n {2}found/,
  ],
  [[`:${port}`, "--name", "x", "--home", "other"], 4, /has another identity than the last time\./],
  [[`:${port}`, "--classic", "--home", "other"], 4, /is known as a server that encrypts;/],
];

Deno.test("mistakes are told in plain English, each with its exit code", async () => {
  await using site = await Site.open();
  const server = await site.start();
  await Deno.writeTextFile(`${site.folder}/file`, "");
  await Deno.mkdir(`${site.folder}/damaged/identities`, { recursive: true });
  await Deno.writeTextFile(`${site.folder}/damaged/identities/alice.json`, '{"name":"Al');
  await Deno.mkdir(`${site.folder}/other/servers`, { recursive: true });
  await Deno.writeTextFile(
    `${site.folder}/other/servers/${encodeURIComponent(`127.0.0.1:${server.port}`)}`,
    "B".repeat(43),
  );
  const owner = site.connect(server, "--name", "Taken", "--home", "owner");
  await owner.end();
  assertEquals(await owner.code, 0);

  await Promise.all(
    mistakes(server).map(async ([args, code, text]) => {
      const client = site.run("connect", args);
      await client.end();
      assertEquals(await client.code, code, `${args.join(" ")}: ${client.stderr}`);
      const told = client.stderr.trim();
      assertMatch(told, text, args.join(" "));
      assertEquals(told.match(/\bat \S+:\d+:\d+|Uncaught|allow-/g), null, told);
      assertEquals(client.stdout, "");
    }),
  );
});
