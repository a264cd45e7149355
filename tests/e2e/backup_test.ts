import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromBase64Url } from "../../protocol/bytes.ts";
import { decodeRows } from "../../protocol/entry.ts";
import { encodeControl } from "../../protocol/message.ts";
import { type Insider, join, logIn, publishMessage } from "../hostile/peer.ts";
import { type RunningServer, Site } from "./site.ts";

const fast = ["--publish-burst", "100000", "--publish-per-second", "100000"];

async function run(site: Site, command: string, ...args: string[]) {
  const process = site.run(command, args);
  return { code: await process.code, out: process.stdout, err: process.stderr };
}

/** Says a text again and again, numbered, and knows what was acknowledged. */
class Talker {
  /** The texts that were acknowledged, by seq. */
  readonly acknowledged = new Map<number, string>();
  readonly #insider: Insider;
  #isOver = false;
  #running: Promise<void>;
  #reached = Promise.withResolvers<void>();

  constructor(insider: Insider) {
    this.#insider = insider;
    this.#running = this.#talk();
  }

  /** Resolves when so many more are acknowledged. */
  async more(count: number): Promise<void> {
    for (const goal = this.acknowledged.size + count; this.acknowledged.size < goal;) {
      await this.#reached.promise;
    }
  }

  /** Says no more. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async #talk(): Promise<void> {
    const { peer } = this.#insider;
    for (let number = 1; !this.#isOver; number++) {
      const text = `message ${number}`;
      const message = await publishMessage(this.#insider, text);
      // What comes again is answered with its seq, and not before the first copy is durable.
      await peer.send(message, message);
      this.acknowledged.set((await peer.receive("stored")).seq, text);
      this.#reached.resolve();
      this.#reached = Promise.withResolvers<void>();
    }
  }
}

/** The newest texts of the lobby, by seq. */
async function lobbyTexts(site: Site, data: string): Promise<Map<number, string>> {
  const args = ["history", "500", "--room", "lobby", "--json", "--data", data];
  const { code, out, err } = await run(site, "admin", ...args);
  assertEquals(code, 0, err);
  const { rows, firstSeq, timeMs } = JSON.parse(out);
  const entries = decodeRows(fromBase64Url(rows), firstSeq, timeMs);
  return new Map(
    entries.map(({ seq, core }) => [seq, new TextDecoder().decode(core.payload)]),
  );
}

async function kill(server: RunningServer): Promise<void> {
  server.process.kill("SIGKILL");
  await server.process.code;
}

Deno.test("a backup of a busy server has all that was acknowledged before, and restores whole", async () => {
  await using site = await Site.open();
  const server = await site.start(...fast);
  const insider = await join(server, { name: "Alice" });
  using _peer = insider.peer;
  const talker = new Talker(insider);
  await talker.more(100);
  const before = new Map(talker.acknowledged);
  const backup = await run(site, "backup", "backup.sqlite");
  assertEquals(backup.code, 0, backup.err);
  assertMatch(backup.out, /^Backed up \.\/data to backup\.sqlite \(\d.*\)\. Keep it as secret as/);
  await talker.more(20);
  await talker.stop();
  await kill(server);
  assertEquals((await Deno.stat(`${site.folder}/backup.sqlite`)).mode! & 0o777, 0o600);
  const left = [...Deno.readDirSync(`${site.folder}/data`)].map(({ name }) => name);
  assert(!left.some((name) => name.startsWith("backup-")), `${left}`);

  const restored = await run(site, "restore", "backup.sqlite", "--data", "other");
  assertEquals(restored.code, 0, restored.err);
  assertEquals(restored.out, "Restored other from backup.sqlite.\n");
  const second = await site.start(...fast, "--data", "other");
  const fingerprint = (link: string) => link.replace(/.*#/, "");
  assertEquals(fingerprint(second.link), fingerprint(server.link), "identity and invitation");
  const texts = await lobbyTexts(site, "other");
  for (const [seq, text] of before) assertEquals(texts.get(seq), text);
  for (const [seq, text] of texts) {
    assertEquals(talker.acknowledged.get(seq) ?? text, text, "Nothing is in it that was not said.");
  }
  assertEquals([...texts.keys()], Array.from(texts.keys(), (_, at) => at + [...texts.keys()][0]!));

  // Who has seen more than the backup holds is told, and goes on.
  const again = await logIn(second, { name: "Alice", identity: insider.identity });
  using peer = again.peer;
  assertEquals(again.welcome.registered, false, "The name is Alice's still.");
  const seq = Math.max(...talker.acknowledged.keys());
  const hash = crypto.getRandomValues(new Uint8Array(32));
  await peer.send(encodeControl("join", { room: again.room, cursor: { seq, hash } }));
  const reset = await peer.receive("reset");
  assertEquals(reset.cursor.seq < seq, true);
  await peer.receive("attach");
  const doctor = await run(site, "doctor", "--data", "other", "--port", `127.0.0.1:${second.port}`);
  assertEquals(doctor.code, 0, doctor.out);
});

Deno.test("a restore keeps what was there, and is not for a server that runs", async () => {
  await using site = await Site.open();
  const server = await site.start();
  const topic = (text: string) => run(site, "admin", "topic", text, "--room", "lobby");
  await topic("then");
  assertEquals((await run(site, "backup", "b.sqlite")).code, 0);
  await topic("later");
  const refused = await run(site, "restore", "b.sqlite");
  assertEquals(refused.code, 2);
  assertMatch(refused.err, /^Another server uses .* \(process \d+\)\. End it/);
  server.process.kill("SIGTERM");
  assertEquals(await server.process.code, 0);

  const restored = await run(site, "restore", "b.sqlite");
  assertEquals(restored.code, 0, restored.err);
  const [, kept] = /^What was there before is in (\S+): remove it/m.exec(restored.out)!;
  const names = [...Deno.readDirSync(`${site.folder}/${kept}`)].map(({ name }) => name).sort();
  assertEquals(names, ["broadcast.sqlite", "identity", "invitation"]);
  await site.start();
  assertMatch((await run(site, "admin", "rooms")).out, /^lobby {2}then/m);
});

Deno.test("a server that does not run is backed up too", async () => {
  await using site = await Site.open();
  const server = await site.start();
  await run(site, "admin", "topic", "kept", "--room", "lobby");
  await kill(server);
  assertEquals((await run(site, "backup", "b.sqlite")).code, 0);
  assertEquals((await run(site, "restore", "b.sqlite", "--data", "other")).code, 0);
  await site.start("--data", "other");
  assertMatch((await run(site, "admin", "rooms", "--data", "other")).out, /^lobby {2}kept/m);
});

Deno.test("a file that is no whole backup is refused before anything is touched", async () => {
  await using site = await Site.open();
  const server = await site.start();
  await run(site, "admin", "topic", "a long enough topic", "--room", "lobby");
  assertEquals((await run(site, "backup", "whole")).code, 0);
  server.process.kill("SIGTERM");
  assertEquals(await server.process.code, 0);

  const whole = await Deno.readFile(`${site.folder}/whole`);
  const said = new TextDecoder("latin1").decode(whole).indexOf(`"value":"a long enough topic"`);
  const forged = whole.slice();
  forged[said + 12]! ^= 1;
  const files: Record<string, Uint8Array> = {
    empty: new Uint8Array(),
    garbage: crypto.getRandomValues(new Uint8Array(10_000)),
    half: whole.slice(0, whole.length / 2),
    forged,
    store: await Deno.readFile(`${site.folder}/data/broadcast.sqlite`),
  };
  const before = contentsOf(`${site.folder}/data`);
  for (const [name, bytes] of Object.entries(files)) {
    await Deno.writeFile(`${site.folder}/${name}`, bytes);
    const { code, out, err } = await run(site, "restore", name);
    assertEquals([code, out], [2, ""], `${name}: ${err}`);
    assertMatch(err, new RegExp(`^(Cannot restore from )?${name}( is (no backup|damaged)|: )`));
    assertEquals(contentsOf(`${site.folder}/data`), before, name);
    assertEquals(await Deno.readFile(`${site.folder}/${name}`), bytes);
  }
  const none = await run(site, "restore", "nowhere");
  assertEquals([none.code, none.err], [2, "There is no file nowhere.\n"]);
});

Deno.test("a restore that was cut short is done again before the server starts", async () => {
  await using site = await Site.open();
  const server = await site.start();
  await run(site, "admin", "topic", "then", "--room", "lobby");
  assertEquals((await run(site, "backup", "b.sqlite")).code, 0);
  await kill(server);
  const data = `${site.folder}/data`;
  await Deno.mkdir(`${data}/restoring`);
  await Deno.rename(`${data}/identity`, `${data}/restoring/identity`);
  const start = site.run("start", ["--port", "127.0.0.1:0"]);
  assertEquals(await start.code, 2);
  assertMatch(start.stderr, /^A restore into \.\/data was not done to its end\. Do it again: /);
  assertEquals((await run(site, "restore", "b.sqlite")).code, 0);
  await Deno.writeTextFile(`${data}/backup-${crypto.randomUUID()}.sqlite.new`, "left over");
  const second = await site.start();
  const left = [...Deno.readDirSync(data)].map(({ name }) => name);
  assert(!left.some((name) => /^(backup-|restoring)/.test(name)), `${left}`);
  assertEquals(second.link.replace(/.*#/, ""), server.link.replace(/.*#/, ""));
});

const mistakes: readonly [args: readonly string[], told: RegExp][] = [
  [[], /^Say which file: broadcast backup FILE$/],
  [["a", "b"], /^One file is enough: what is "b"\?$/],
  [["there"], /^there is there already\. --force replaces it\.$/],
  [["folder"], /^folder is a folder\. Say which file in it\.$/],
  [["new", "--data", "nowhere"], /^There is no server's data in nowhere\. Say where: --data/],
  [["new", "--froce"], /^There is no option --froce\. Did you mean --force\?$/],
];

Deno.test("a backup replaces nothing unless it is told to", async () => {
  await using site = await Site.open();
  await site.start();
  await Deno.writeTextFile(`${site.folder}/there`, "precious");
  await Deno.mkdir(`${site.folder}/folder`);
  for (const [args, told] of mistakes) {
    const { code, err } = await run(site, "backup", ...args);
    assertEquals(code, 2, err);
    assertMatch(err.trim(), told);
  }
  assertEquals(await Deno.readTextFile(`${site.folder}/there`), "precious");
  assertEquals((await run(site, "backup", "there", "--force")).code, 0);
  const { mode, size } = await Deno.stat(`${site.folder}/there`);
  assertEquals([mode! & 0o777, size > 1000], [0o600, true]);
  const nowhere = await run(site, "backup", "no/such/folder");
  assertEquals(nowhere.code, 1);
  assertMatch(nowhere.err, /^Cannot back up because of this: there is no such file or folder\.$/m);
});

/** Names and sizes; the lock's is that of a process id. */
function contentsOf(folder: string): Record<string, number> {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
    !name.endsWith(".lock")
  ).sort();
  return Object.fromEntries(names.map((name) => [name, Deno.statSync(`${folder}/${name}`).size]));
}
