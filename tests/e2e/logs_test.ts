import { assertEquals, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { storeFile } from "../../client/store/sqlite.ts";
import { toBase64Url } from "../../protocol/bytes.ts";
import { OriginalClient } from "../fixtures/original_client.ts";
import { Site } from "./site.ts";

for (const format of ["text", "json"]) {
  Deno.test(`a session at debug level leaves no secret in the ${format} log`, async () => {
    await using site = await Site.open();
    const server = await site.start("--log-level", "debug", "--log-format", format);
    const alice = site.connect(server.link, "--name", "CanaryName", "--home", "a", "--follow");
    await alice.until("You are", "stderr");
    const bob = site.connect(server, "--name", "Bob", "--home", "b");
    await bob.type("canary text in the clear\n");
    await bob.end();
    assertEquals(await bob.code, 0);
    await alice.until("[Bob]: canary text in the clear\n");
    using original = await OriginalClient.connect(server.port);
    await original.type("CanaryGuest");
    await original.type("canary text by the original\n");
    await alice.until("canary text by the original");
    for (const garbage of ["GET /canary HTTP/1.1\r\n\r\n", "\0\0\0\x40canary", "\0\xff\xff\xff"]) {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
      await conn.write(new TextEncoder().encode(garbage));
    }
    alice.kill("SIGKILL");
    await alice.code;
    server.process.kill("SIGTERM");
    assertEquals(await server.process.code, 0);

    const { stdout, stderr } = server.process;
    assertStringIncludes(stderr, "closing");
    const secrets = [
      ...["canary", "CanaryName", "CanaryGuest", "Bob"],
      ...server.link.split("#")[1]!.split("."),
      ...await secretsIn(`${site.folder}/data`),
      ...["a", "b"].flatMap((home) => clientSecrets(`${site.folder}/${home}`)),
    ];
    assertEquals(secrets.filter((secret) => stderr.includes(secret)), []);
    // What is for the operator to pass on stands in one line of what the command prints.
    const printed = stdout.split("\n").filter((line) => !line.startsWith("Others join with:"));
    assertEquals(secrets.filter((secret) => printed.some((line) => line.includes(secret))), []);
    for (const line of printed.filter((line) => line !== "").slice(1)) {
      assertEquals(/^Client (dis)?connected 127\.0\.0\.1:\d+$/.test(line), true, line);
    }
    for (const line of stderr.trim().split("\n")) {
      if (format === "json") assertEquals(typeof JSON.parse(line).level, "string");
    }
  });
}

Deno.test("at info level, and quiet, there is no address and no name", async () => {
  await using site = await Site.open();
  const server = await site.start("--quiet", "on");
  const alice = site.connect(server, "--name", "CanaryName", "--home", "a");
  await alice.line("canary");
  await alice.end();
  assertEquals(await alice.code, 0);
  server.process.kill("SIGTERM");
  assertEquals(await server.process.code, 0);
  const { stdout, stderr } = server.process;
  assertEquals(/127\.0\.0\.1:\d|canary/i.test(stderr + stdout.replace(server.link, "")), false);
});

/** The keys that a client has kept, in the forms in which they might be told. */
function clientSecrets(home: string): string[] {
  using file = new DatabaseSync(`${home}/${storeFile}`, { readOnly: true });
  const rows = file.prepare("select user_secret, device_secret from identities").all();
  const secrets = rows.flatMap((row) => Object.values(row) as Uint8Array[]);
  assertEquals(secrets.length, 2);
  return secrets.flatMap((secret) => [toBase64Url(secret), secret.toBase64(), secret.toHex()]);
}

/** What the files of a folder hold: lines, and the values of JSON. */
async function secretsIn(folder: string): Promise<string[]> {
  const secrets: string[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    const text = await Deno.readTextFile(`${folder}/${name}`);
    secrets.push(...text.match(/[\w-]{20,}/g) ?? []);
  }
  assertEquals(secrets.length >= 2, true, `No secrets in ${folder}`);
  return secrets;
}
