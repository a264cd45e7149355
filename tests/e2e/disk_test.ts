import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { RunningServer, Site } from "./site.ts";

const topic = (site: Site, text: string) => site.run("admin", ["topic", text, "--room", "lobby"]);

Deno.test("a server whose disk fails ends at once, says so, and has all that was acknowledged", async () => {
  await using site = await Site.open();
  // A file may not grow beyond this: writing fails as it does on a broken disk.
  const args = ["--port", "127.0.0.1:0"];
  const process = site.run("start", args, { under: `trap "" XFSZ && ulimit -f 240` });
  await process.until("Others join with");
  const server = new RunningServer(process);
  let acknowledged = 0;
  while (await topic(site, `${acknowledged + 1} ${"x".repeat(1000)}`).code === 0) acknowledged++;
  assertEquals(await server.process.code, 1);
  assertMatch(
    process.stderr,
    /Storing has ended: The disk with \.\/data\/broadcast\.sqlite failed \(disk I\/O error\)/,
  );
  assertStringIncludes(process.stderr, "start again");

  await site.start();
  const rooms = site.run("admin", ["rooms", "--json"]);
  assertEquals(await rooms.code, 0);
  const kept = Number.parseInt(JSON.parse(rooms.stdout).rooms[0].topic);
  assertEquals(
    kept >= acknowledged && kept <= acknowledged + 1,
    true,
    `${kept} of ${acknowledged}`,
  );
});

const unusable: readonly [what: string, make: (path: string) => Promise<void>, told: RegExp][] = [
  [
    "no database",
    (path) => Deno.writeFile(path, crypto.getRandomValues(new Uint8Array(8192))),
    /^\.\/data\/broadcast\.sqlite is damaged .*put a backup in its place/,
  ],
  [
    "one of a newer version",
    async (path) => {
      using file = await Deno.open(path, { read: true, write: true });
      await file.seek(60, Deno.SeekMode.Start); // SQLite's user_version.
      await file.write(new Uint8Array([0, 0, 3, 231]));
    },
    /^\.\/data\/broadcast\.sqlite was written by a newer version .*999.* put a backup in its place/,
  ],
  [
    "another program's",
    async (path) => {
      using file = await Deno.open(path, { read: true, write: true });
      await file.seek(68, Deno.SeekMode.Start); // SQLite's application_id.
      await file.write(new Uint8Array([1, 2, 3, 4]));
    },
    /^\.\/data\/broadcast\.sqlite belongs to another program\./,
  ],
];

Deno.test("a store that cannot be used is refused, with what to do", async () => {
  await using site = await Site.open();
  const server = await site.start();
  server.process.kill("SIGTERM");
  assertEquals(await server.process.code, 0);
  const path = `${site.folder}/data/broadcast.sqlite`;
  const whole = await Deno.readFile(path);
  for (const [what, make, told] of unusable) {
    await Deno.writeFile(path, whole);
    await make(path);
    const start = site.run("start", ["--port", "127.0.0.1:0"]);
    assertEquals(await start.code, 2, what);
    assertMatch(start.stderr.trim(), told);
  }
});
