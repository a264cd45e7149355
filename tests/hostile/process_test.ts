import { assert, assertMatch } from "@std/assert";
import { Process } from "../e2e/process.ts";
import { join, logIn, Peer, publishMessage, Wire } from "./peer.ts";
import { enterPair } from "./served.ts";

const root = `${import.meta.dirname}/../..`;

/** Garbage is collected soon: what grows is not garbage. */
const eagerCollector = "--v8-flags=--max-old-space-size=128,--max-semi-space-size=2";

/** What the server may have more at the end: the collector does not take all at once. */
const slackMiB = 24;

/** The real server, as a process of its own whose memory can be looked at. */
interface RealServer extends AsyncDisposable {
  readonly port: number;
  readonly process: Process;
  memoryMiB(): Promise<number>;
  /** File descriptors that are open. */
  files(): Promise<number>;
}

async function start(filesMax: number, ...flags: string[]): Promise<RealServer> {
  const folder = await Deno.makeTempDir();
  const command = [
    ...["run", "-q", "--no-prompt", "--frozen", "-P=start"],
    ...[`--allow-read=.env,protocol,server/store,${folder}`, `--allow-write=${folder}`],
    `--allow-net=127.0.0.1:0,unix:${folder}/admin.sock`,
    ...[
      eagerCollector,
      "main.ts",
      "start",
      "--port",
      "127.0.0.1:0",
      "--data",
      folder,
      "--quiet",
      "on",
      ...flags,
    ],
  ];
  const limited = ["-c", 'ulimit -n "$0" && exec "$@"', `${filesMax}`, Deno.execPath(), ...command];
  const process = new Process("sh", limited, { cwd: root, env: {} });
  await process.until("Others join with");
  const { pid } = process;
  return {
    port: Number(/on port :(\d+)/.exec(process.stdout)![1]),
    process,
    memoryMiB: async () => Number(await shell(`grep VmRSS /proc/${pid}/status`)) / 1024,
    files: async () => Number(await shell(`ls /proc/${pid}/fd | wc -l`)),
    async [Symbol.asyncDispose]() {
      await process[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** The number in what a shell says. */
async function shell(script: string): Promise<string> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script] }).output();
  return /\d+/.exec(new TextDecoder().decode(stdout))![0];
}

/** Memory and files as they were, whatever the collector still holds. */
async function assertFlat(server: RealServer, before: { memory: number; files: number }) {
  let files = await server.files();
  for (const giveUpMs = Date.now() + 5_000; files > before.files && Date.now() < giveUpMs;) {
    files = await server.files(); // Each connection lingers for a moment.
  }
  assert(files <= before.files, `${files} files, ${before.files} before`);
  const grown = await server.memoryMiB() - before.memory;
  assert(grown < slackMiB, `grew by ${grown} MiB`);
}

async function measure(server: RealServer) {
  return { memory: await server.memoryMiB(), files: await server.files() };
}

/** How many files a process may have open here: not everywhere is it enough for 10,000 connections. */
async function filesAllowed(): Promise<number> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", "ulimit -Hn"] }).output();
  const text = new TextDecoder().decode(stdout).trim();
  return text === "unlimited" ? Infinity : Number(text);
}

Deno.test("10,000 connections that say nothing cost others nothing, and are let go", async () => {
  const filesMax = Math.min(16_384, await filesAllowed());
  const batches = Math.min(20, Math.floor((filesMax - 500) / 500));
  assert(batches > 0, `no more than ${filesMax} files may be open here`);
  await using server = await start(filesMax);
  await using pair = await enterPair(server);
  const silent: Wire[] = [];
  let slowestMs = 0;
  const open = async (connections: number) => {
    const opening = Array.from({ length: connections }, () => Wire.connect(server.port));
    const startMs = performance.now();
    await pair.chat();
    slowestMs = Math.max(slowestMs, performance.now() - startMs);
    silent.push(...await Promise.all(opening));
  };
  for (let batch = 0; batch < Math.min(6, batches); batch++) await open(500);
  for (const wire of silent) wire[Symbol.dispose]();
  const before = await measure(server);
  for (let batch = 0; batch < batches; batch++) await open(500);
  const { peer } = await logIn(server);
  peer[Symbol.dispose]();
  assert(slowestMs < 2_000, `the slowest message took ${slowestMs} ms`);
  for (const wire of silent) wire[Symbol.dispose]();
  await pair.chat();
  await assertFlat(server, before);
});

Deno.test("Bad connections by the thousand leave the server's memory as it was", async () => {
  await using server = await start(Math.min(4096, await filesAllowed()));
  await using pair = await enterPair(server);
  const attack = async () => {
    await Promise.all(Array.from({ length: 100 }, async (_, at) => {
      using wire = await Wire.connect(server.port);
      await wire.write(crypto.getRandomValues(new Uint8Array(at * 20)));
      await wire.end();
      await wire.rest();
    }));
    await Promise.all(Array.from({ length: 20 }, async (_, at) => {
      const insider = await join(server);
      await insider.peer.send(await publishMessage(insider, "x".repeat(1000)));
      const bytes = await insider.peer.seal(new Uint8Array(100));
      bytes[at]! ^= 1;
      await insider.peer.write(bytes);
      insider.peer[Symbol.dispose]();
    }));
  };
  for (let times = 0; times < 4; times++) await attack();
  const before = await measure(server);
  for (let times = 0; times < 8; times++) await attack();
  await pair.chat();
  await assertFlat(server, before);
});

Deno.test("Readers who never read cost no more than their bound", async () => {
  const unlimited = ["--publish-burst", "--publish-per-second", "--bytes-per-second"]
    .flatMap((flag) => [flag, "1000000000"]);
  await using server = await start(1024, ...unlimited);
  await using pair = await enterPair(server);
  const text = "x".repeat(50_000);
  const flood = async (messages: number) => {
    for (let at = 0; at < messages; at++) await pair.alice.say(`${at} ${text}`);
    await pair.bob.hears(`${messages - 1} ${text}`);
  };
  await flood(150); // All that is kept in memory is there.
  const before = await measure(server);
  const stuck = await Promise.all(Array.from({ length: 50 }, () => join(server)));
  await flood(400); // 20 MB: more than sockets and tail take.
  const grown = await server.memoryMiB() - before.memory;
  assert(grown < 60, `grew by ${grown} MiB`);
  for (const { peer } of stuck) peer[Symbol.dispose]();
  await pair.chat();
});

Deno.test("A server out of file descriptors serves who is in, and others when there are some again", async () => {
  await using server = await start(64);
  await using pair = await enterPair(server);
  await pair.chat();
  const silent = await Promise.all(Array.from({ length: 200 }, () => Wire.connect(server.port)));
  await server.process.until("cannot accept", "stderr");
  for (let times = 0; times < 3; times++) await pair.chat();
  for (const wire of silent) wire[Symbol.dispose]();
  using _newcomer = await (await Peer.connect(server.port)).shake();
  assertMatch(server.process.stderr, /cannot accept a connection, trying again/);
  await pair.chat();
});
