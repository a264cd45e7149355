import { assertEquals, assertMatch } from "@std/assert";
import { Site } from "./site.ts";

const mistakes: readonly [args: readonly string[], code: number, told: RegExp][] = [
  [["--port", "99999"], 2, /^--port is "99999"\. Right would be 9000, :9000, 127\.0\.0\.1:9000 or/],
  [["--jion", "open"], 2, /^There is no option --jion\. Did you mean --join\?$/],
  [["--data", ""], 2, /^--data needs a value\.$/],
  [["9000"], 2, /^start takes no "9000"\. A port goes with --port\.$/],
  [["--connections-max", "0"], 2, /^--connections-max is "0"\. Right would be a whole number from/],
  [
    ["--port", "198.51.100.1:9000"],
    3,
    /^198\.51\.100\.1 is not an address of this machine\. Listen on/,
  ],
  [
    ["--port", "127.0.0.1:0", "--data", "file"],
    2,
    /^Cannot use the folder file: .* --data FOLDER$/,
  ],
  [
    ["--port", "127.0.0.1:0", "--data", "damaged"],
    2,
    /^damaged\/identity is damaged\. Put it back/,
  ],
];

Deno.test("a server that cannot start says why, and what to do", async () => {
  await using site = await Site.open();
  await Deno.writeTextFile(`${site.folder}/file`, "");
  await Deno.mkdir(`${site.folder}/damaged`);
  await Deno.writeTextFile(`${site.folder}/damaged/identity`, "not a key\n");
  await Promise.all(mistakes.map(async ([args, code, told]) => {
    const server = site.run("start", args);
    assertEquals(await server.code, code, server.stderr);
    assertMatch(server.stderr.trim(), told);
    assertEquals(server.stdout, "");
  }));
});

Deno.test("the server's folder and its files are for their owner only", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const client = site.connect(server, "--name", "Alice", "--home", "a");
  await client.end();
  assertEquals(await client.code, 0);
  const mode = async (path: string) => (await Deno.stat(`${site.folder}/${path}`)).mode! & 0o777;
  for (const folder of ["data", "a", "a/locks"]) assertEquals(await mode(folder), 0o700);
  for (const file of ["data/identity", "data/invitation", "a/broadcast.sqlite"]) {
    assertEquals(await mode(file), 0o600);
  }
});
