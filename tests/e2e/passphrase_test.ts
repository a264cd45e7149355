import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Process } from "./process.ts";
import { type RunOptions, Site } from "./site.ts";

const passphrase = "correct horse battery";

/** Which files of a folder have a text in them. */
function filesWith(text: string, folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) return filesWith(text, path);
    const bytes = Deno.readFileSync(path);
    return new TextDecoder("latin1").decode(bytes).includes(text) ? [path] : [];
  });
}

Deno.test("a pipe takes the passphrase from a file or the environment, and is told when it is wrong", async () => {
  await using site = await Site.open();
  const server = await site.start();
  await Deno.writeTextFile(`${site.folder}/pass`, `${passphrase}\n`);
  await Deno.writeTextFile(`${site.folder}/short`, "seven77\n");
  const say = async (args: string[], options: RunOptions = {}): Promise<Process> => {
    const to = `127.0.0.1:${server.port}`;
    const all = [to, "--name", "ci", "--home", "c", ...args];
    const process = site.run("connect", all, options);
    await process.end();
    await process.code;
    assertEquals(process.stdout, "");
    assertEquals(process.stderr.includes(passphrase), false);
    return process;
  };
  const byFile = ["--passphrase-file", "pass"];

  const short = await say(["--passphrase-file", "short"], { read: "short" });
  assertEquals([await short.code, short.stderr], [2, "A passphrase has 8 characters or more.\n"]);
  const first = await say([]); // The server knows the name by its key from now on.
  assertEquals(await first.code, 0);
  const set = await say(byFile, { read: "pass" });
  assertEquals(await set.code, 0, set.stderr);
  assertMatch(set.stderr, /^Your keys are under this passphrase now\./);
  const again = await say(byFile, { read: "pass" });
  assertEquals(await again.code, 0, again.stderr);
  assertEquals(again.stderr.includes("Your keys are under"), false);
  const byEnv = await say([], { env: { BROADCAST_PASSPHRASE: passphrase } });
  assertEquals(await byEnv.code, 0, byEnv.stderr);

  const none = await say([]);
  assertEquals(await none.code, 2);
  assertMatch(
    none.stderr,
    /^The keys in c are under a passphrase\. Give it where .*--passphrase-file/,
  );
  const wrong = await say([], { env: { BROADCAST_PASSPHRASE: "wrong horse battery" } });
  assertEquals([await wrong.code, wrong.stderr], [4, "This is not the passphrase of c.\n"]);
  const missing = await say(["--passphrase-file", "nowhere"], { read: "nowhere" });
  assertEquals(await missing.code, 2);
  assertMatch(missing.stderr, /^Cannot read the passphrase from nowhere: there is no such file/);
  assertEquals(filesWith(passphrase, `${site.folder}/c`), []);
});

Deno.test("on a terminal a passphrase is typed twice, then once each time, and never shown", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const args = ["--name", "Alice", "--home", "a"];
  const first = site.terminal(server, [...args, "--passphrase"]);
  await first.prompts("New passphrase:");
  await first.line("short");
  await first.shows("A passphrase has 8 characters or more.");
  await first.prompts("New passphrase:");
  await first.line(passphrase);
  await first.prompts("Once more:");
  await first.line("correct horse batterz");
  await first.shows("That was not the same.");
  await first.prompts("New passphrase:");
  await first.line(passphrase);
  await first.prompts("Once more:");
  await first.line(passphrase);
  await first.shows(/^Your keys are under this passphrase now/);
  await first.entered();
  await first.line("/quit");
  assertEquals(await first.code, 0);

  const second = site.terminal(server, args);
  await second.prompts("Passphrase:");
  await second.line("correct horse batterz");
  await second.shows("This is not the passphrase of a.");
  await second.prompts("Passphrase:");
  await second.line(passphrase);
  await second.entered();
  await second.line("/quit");
  assertEquals(await second.code, 0);
  for (const { raw } of [first, second]) {
    assertEquals(/horse|short|\*/.test(raw), false, raw);
  }
});

Deno.test("`broadcast passphrase` changes it and takes it away, while nobody uses the folder", async () => {
  await using site = await Site.open();
  const server = await site.start();
  await Deno.writeTextFile(`${site.folder}/old`, passphrase);
  await Deno.writeTextFile(`${site.folder}/new`, "another horse battery");
  const join = async (file?: string) => {
    const args = ["--name", "Alice", "--home", "a", ...(file ? ["--passphrase-file", file] : [])];
    const net = `127.0.0.1:${server.port}`;
    const client = site.run("connect", [net, ...args], file ? { read: file } : {});
    await client.end();
    return await client.code;
  };
  const change = async (...args: string[]) => {
    const process = site.run("passphrase", ["--home", "a", ...args]);
    await process.end();
    return { code: await process.code, told: process.stderr };
  };
  assertEquals(await join("old"), 0);
  const running = site.run("connect", [
    ...[`127.0.0.1:${server.port}`, "--name", "Alice", "--home", "a", "--follow"],
    ...["--passphrase-file", "old"],
  ], { read: "old" });
  await running.until("You are", "stderr");
  const busy = await change("--passphrase-file", "old", "--remove");
  assertEquals(busy.code, 2);
  assertMatch(busy.told, /^Another process uses a\. End it before you change the passphrase\./);
  running.kill("SIGKILL");
  await running.code;

  const changed = await change("--passphrase-file", "old", "--new-file", "new");
  assertEquals(changed.code, 0, changed.told);
  assertEquals([await join("old"), await join("new")], [4, 0]);
  const wrong = await change("--passphrase-file", "old", "--remove");
  assertEquals([wrong.code, wrong.told], [4, "This is not the passphrase of a.\n"]);
  const argument = await change(passphrase);
  assertEquals([argument.code, argument.told.includes(passphrase)], [2, false]);
  assertStringIncludes(argument.told, "A passphrase is no argument: others could read it.");
  const nobody = await change("--passphrase-file", "new");
  assertEquals(nobody.code, 2);

  const typed = site.runOnTerminal("passphrase", ["--home", "a"]);
  await typed.prompts("Passphrase:");
  await typed.line("another horse battery");
  await typed.prompts("New passphrase:");
  await typed.line(passphrase);
  await typed.prompts("Once more:");
  await typed.line(passphrase);
  assertEquals(await typed.code, 0);
  assertEquals([await join("new"), await join("old")], [4, 0]);

  const removed = await change("--passphrase-file", "old", "--remove");
  assertEquals(removed.code, 0, removed.told);
  assertMatch(removed.told, /^Your keys are under no passphrase: whoever can read a has them\./);
  assertEquals(await join(), 0);
});
