import { assertEquals, assertMatch } from "@std/assert";
import { Site } from "./site.ts";

async function doctor(site: Site, ...args: string[]) {
  const run = site.run("doctor", args);
  return { code: await run.code, out: run.stdout, err: run.stderr };
}

/** A folder of a server that has run, and its port. */
async function ended(site: Site): Promise<string> {
  const server = await site.start();
  const set = site.run("admin", ["topic", "a long enough topic", "--room", "lobby"]);
  assertEquals(await set.code, 0);
  server.process.kill("SIGTERM");
  assertEquals(await server.process.code, 0);
  return `127.0.0.1:${server.port}`;
}

Deno.test("doctor finds a server well that runs, and one that does not", async () => {
  await using site = await Site.open();
  const port = await ended(site);
  const before = await doctor(site, "--port", port);
  assertEquals(before.code, 0, before.out + before.err);
  for (
    const line of [
      /^ok {7}\.\/data is its owner's alone \(700\)$/m,
      /^ok {7}3 files, for their owner only$/m,
      /^ok {7}the identity is [\w-]{43}$/m,
      /^ok {7}no server runs on this folder$/m,
      /^ok {7}\.\/data\/broadcast\.sqlite is whole, and so are the chains of all rooms$/m,
      /^ok {7}\d+ MiB are free on the disk of \.\/data$/m,
      /^ok {7}127\.0\.0\.1:\d+ is free to listen on$/m,
      /^ok {7}the clock says 20\d\d-/m,
      /^ok {7}at least \d+ files may be open at once$/m,
      /^All is well\.$/m,
    ]
  ) assertMatch(before.out, line);

  await site.start("--port", port);
  const running = await doctor(site, "--port", port);
  assertEquals(running.code, 0, running.out + running.err);
  assertMatch(running.out, /^ok {7}a server runs on this folder$/m);
  assertMatch(running.out, /^ok {7}the server answers on 127\.0\.0\.1:\d+$/m);
  assertMatch(running.out, /^ok {7}\.\/data\/broadcast\.sqlite is whole/m);
});

Deno.test("doctor says what others may read, and how to change that", async () => {
  await using site = await Site.open();
  const port = await ended(site);
  await Deno.chmod(`${site.folder}/data`, 0o755);
  await Deno.chmod(`${site.folder}/data/identity`, 0o644);
  const { code, out } = await doctor(site, "--port", port);
  assertEquals(code, 1);
  assertMatch(
    out,
    /^PROBLEM {2}others on this machine may use \.\/data \(its mode is 755\)\n +chmod 700 \.\/data$/m,
  );
  assertMatch(
    out,
    /^PROBLEM {2}others .* \.\/data\/identity \(its mode is 644\)\n +chmod 600 \.\/data\/identity$/m,
  );
  assertMatch(out, /^2 of \d+ are problems\.$/m);
  const server = await site.start();
  assertMatch(server.process.stderr, /WRN.*others on this machine may use \.\/data .*chmod 700/);
});

Deno.test("doctor finds a store that is damaged, and an identity that is", async () => {
  await using site = await Site.open();
  const port = await ended(site);
  const path = `${site.folder}/data/broadcast.sqlite`;
  const bytes = await Deno.readFile(path);
  const at = new TextDecoder("latin1").decode(bytes).indexOf(`"value":"a long enough topic"`);
  bytes[at + 12]! ^= 1;
  await Deno.writeFile(path, bytes);
  const forged = await doctor(site, "--port", port);
  assertEquals(forged.code, 1);
  assertMatch(
    forged.out,
    /^PROBLEM {2}.*: room \w+: the chain breaks between 1 and 1\n +Stop the/m,
  );

  await Deno.writeFile(path, bytes.fill(7, 100, 8000));
  await Deno.writeTextFile(`${site.folder}/data/identity`, "not a key\n");
  const broken = await doctor(site, "--port", port);
  assertEquals(broken.code, 1);
  assertMatch(broken.out, /^PROBLEM {2}.*broadcast\.sqlite/m);
  assertMatch(
    broken.out,
    /^PROBLEM {2}the identity\n +\.\/data\/identity is damaged\. Put it back/m,
  );
});

Deno.test("doctor says what is in the way of a start", async () => {
  await using site = await Site.open();
  const none = await doctor(site);
  assertEquals(none.code, 1);
  assertMatch(
    none.out,
    /^PROBLEM {2}the folder \.\/data: there is no such file or folder\.\n +`start` makes/,
  );

  await ended(site);
  using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await Deno.mkdir(`${site.folder}/data/restoring`);
  const { code, out } = await doctor(site, "--port", `127.0.0.1:${other.addr.port}`);
  assertEquals(code, 1);
  assertMatch(
    out,
    /^PROBLEM {2}127\.0\.0\.1:\d+ is taken by another program\n +Stop what listens/m,
  );
  assertMatch(out, /^PROBLEM {2}a restore into \.\/data was not done to its end\n +Do it again/m);
});

Deno.test("doctor is told in plain words what was typed wrong", async () => {
  await using site = await Site.open();
  for (
    const [args, told] of [
      [["--prot", "1"], /^There is no option --prot\. Did you mean --port\?$/],
      [["--port", "99999"], /^--port is "99999"\. Right would be/],
      [["data"], /^doctor takes no "data"\.$/],
    ] as const
  ) {
    await Deno.mkdir(`${site.folder}/data`, { recursive: true });
    const { code, err } = await doctor(site, ...args);
    assertEquals(code, 2);
    assertMatch(err.trim(), told);
  }
});
