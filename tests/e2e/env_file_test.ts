import { assertEquals, assertMatch } from "@std/assert";
import { Site } from "./site.ts";

const cases: readonly [
  command: string,
  file: string | undefined,
  code: number,
  told: RegExp,
][] = [
  ["start", "PROT=:9000", 2, /^\.env has PROT, which is not a setting\. Did you mean PORT\?$/],
  [
    "start",
    "JOIN=maybe",
    2,
    /^JOIN in \.env is "maybe"\. Right would be invite, open or closed\.$/,
  ],
  ["connect", "BROADCAST_LNIK=x", 2, /^\.env has BROADCAST_LNIK.* Did you mean BROADCAST_LINK\?$/],
  [
    "connect",
    "BROADCAST_LINK=broadcast://127.0.0.1:1#fingerprint.invitation",
    2,
    /^BROADCAST_LINK in \.env has nothing behind a '#'\. Put the link in quotes: /,
  ],
  [
    "connect",
    'BROADCAST_LINK="broadcast://127.0.0.1:1#fingerprint.invitation"',
    2,
    /^The link to 127\.0\.0\.1:1 is damaged behind the '#'\./,
  ],
  [
    "connect",
    "SOMETHING_ELSE=1\nPORT=1\nBROADCAST_NAME=Alice",
    3,
    /^Cannot connect to 127\.0\.0\.1:1:/,
  ],
  ["start", undefined, 2, /^Cannot read \.env: it is a folder, not a file\.$/],
  ["connect", undefined, 2, /^Cannot read \.env: it is a folder, not a file\.$/],
];

Deno.test("what is wrong in .env is told by name", async () => {
  await Promise.all(cases.map(async ([command, file, code, told]) => {
    await using site = await Site.open();
    if (file === undefined) await Deno.mkdir(`${site.folder}/.env`);
    else await Deno.writeTextFile(`${site.folder}/.env`, file);
    const process = site.run(command, [], { net: "127.0.0.1:1" });
    await process.end();
    assertEquals(await process.code, code, process.stderr);
    assertMatch(process.stderr.trim(), told);
  }));
});

Deno.test("flags win over the environment, the environment over .env", async () => {
  await using site = await Site.open();
  await Deno.writeTextFile(`${site.folder}/.env`, "QUIET=on\nLOG_FORMAT=json\nDATA=from-file\n");
  const net = "127.0.0.1:0";
  const args = ["--port", net, "--data", "from-flag"];
  const server = site.run("start", args, { env: { QUIET: "off", DATA: "from-env" }, net });
  await server.until("Others join with");
  const port = /:(\d+)\n/.exec(server.stdout)![1];
  const client = site.connect(`127.0.0.1:${port}`, "--name", "Alice");
  await client.end();
  assertEquals(await client.code, 0);
  await server.until("Client disconnected");
  server.kill("SIGTERM");
  assertEquals(await server.code, 0);
  JSON.parse(server.stderr.trim());
  const names = [];
  for await (const { name } of Deno.readDir(site.folder)) names.push(name);
  assertEquals(names.sort(), [".env", "from-flag", "home"]);
});
