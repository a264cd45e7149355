/**
 * Clients that are killed in the middle of whatever they do, again and again: what they had taken on
 * arrives once and in order, and what comes to them is shown once and in order, and kept whole.
 * `deno task kill-client` does it for longer.
 */

import { assert, assertEquals } from "@std/assert";
import { SqliteStore, storeFile } from "../../client/store/sqlite.ts";
import { DatabaseSync } from "node:sqlite";
import { decodeCore } from "../../protocol/entry.ts";
import { Random } from "../simulation/random.ts";
import type { Process } from "./process.ts";
import { RunningServer, Site } from "./site.ts";

const rounds = Number(Deno.args[0] ?? 20);
/** Lines that a writer is given in a round. */
const linesPerRound = 30;
/** More than anybody says here. */
const quick = { PUBLISH_BURST: "100000", PUBLISH_PER_SECOND: "100000" };

/** Somebody who writes and reads, and whose client is killed. */
class Victim {
  readonly name: string;
  readonly #site: Site;
  /** What its clients have printed, in order. */
  readonly shown: string[] = [];
  /** What was kept and not acknowledged when a client was killed. */
  readonly owed: string[] = [];
  #process: Process | undefined;

  constructor(site: Site, name: string) {
    this.#site = site;
    this.name = name;
  }

  /** Starts its client, and lets it say some lines. */
  start(server: RunningServer, round: number): void {
    const args = ["--name", this.name, "--home", this.name, "--follow"];
    this.#process = this.#site.connect(server, ...args);
    const lines = Array.from({ length: linesPerRound }, (_, at) => `${this.name}/${round}/${at}\n`);
    void this.#process.type(lines.join("")).catch(() => {}); // It may be killed before.
  }

  /** Resolves when the client has come so far. */
  until(text: string): Promise<void> {
    return this.#process!.until(text, "stderr");
  }

  async kill(): Promise<void> {
    const process = this.#process!;
    process.kill("SIGKILL");
    await process.code;
    assertEquals(process.stderr.match(/error|nothing of this one is kept/g), null, process.stderr);
    this.shown.push(...linesOf(process));
    if (!this.#hasFile()) return;
    const store = new SqliteStore(`${this.#site.folder}/${this.name}`);
    for (const server of this.#servers()) {
      const profile = store.profile(server, this.name);
      for (const { core } of profile.messages()) {
        this.owed.push(new TextDecoder().decode(decodeCore(core).payload));
      }
    }
    store.close();
  }

  /** A client that has nothing new to say is not killed before it has delivered all. */
  async deliver(server: RunningServer): Promise<void> {
    const process = this.#site.connect(server, "--name", this.name, "--home", this.name);
    await process.end();
    assertEquals(await process.code, 0, process.stderr);
    this.shown.push(...linesOf(process));
  }

  /** … nor before it has been shown all, up to the last word. */
  async readUpTo(server: RunningServer, end: string): Promise<void> {
    const args = ["--name", this.name, "--home", this.name, "--follow"];
    const process = this.#site.connect(server, ...args);
    await process.until(end);
    process.kill("SIGKILL");
    await process.code;
    this.shown.push(...linesOf(process));
  }

  /** What is kept of the room. */
  kept(): { seqs: number[]; texts: string[] } {
    using file = new DatabaseSync(this.#path(storeFile), { readOnly: true });
    const rows = file.prepare("select seq, text from entries order by seq").all();
    return {
      seqs: rows.map((row) => Number(row["seq"])),
      texts: rows.flatMap((row) => row["text"] === null ? [] : [String(row["text"])]),
    };
  }

  /** The keys of the servers that it knows. */
  #servers(): Uint8Array[] {
    using file = new DatabaseSync(this.#path(storeFile), { readOnly: true });
    return file.prepare("select server from profiles").all()
      .map((row) => row["server"] as Uint8Array);
  }

  /** It may be killed before it has begun. */
  #hasFile(): boolean {
    try {
      return Deno.statSync(this.#path(storeFile)).size > 0;
    } catch {
      return false;
    }
  }

  #path(file: string): string {
    return `${this.#site.folder}/${this.name}/${file}`;
  }
}

/** What somebody has printed, without the names. */
function linesOf({ stdout }: Process): string[] {
  return stdout.split("\n").slice(0, -1).map((line) => line.replace(/^\[\w+\]: /, ""));
}

/** Whether `part` stands in `whole` in its order, each once. */
function assertInOrder(part: readonly string[], whole: readonly string[], what: string): void {
  const places = part.map((text) => whole.indexOf(text));
  for (const [at, place] of places.entries()) {
    assert(place >= 0, `${what}: "${part[at]}" is nowhere`);
    assert(at === 0 || place > places[at - 1]!, `${what}: "${part[at]}" after "${part[at - 1]}"`);
  }
}

Deno.test(`clients killed ${rounds} times lose nothing, and say and show nothing twice`, async () => {
  const random = new Random(rounds, 0);
  await using site = await Site.open();
  const process = site.run("start", ["--port", "127.0.0.1:0"], { env: quick });
  await process.until("Others join with");
  const server = new RunningServer(process);
  const witness = site.connect(server, "--name", "witness", "--home", "witness", "--follow");
  await witness.until("You are", "stderr");
  const victims = ["ann", "ben"].map((name) => new Victim(site, name));

  for (let round = 0; round < rounds; round++) {
    const before = linesOf(witness).length;
    for (const victim of victims) victim.start(server, round);
    const wanted = random.int(0, 2 * linesPerRound);
    if (wanted === 0) await Promise.all(victims.map((victim) => victim.until("Connected")));
    const isThere = () => linesOf(witness).length >= before + wanted;
    await witness.waitFor(isThere, `${wanted} messages in round ${round}`);
    await Promise.all(victims.map((victim) => victim.kill()));
  }
  for (const victim of victims) await victim.deliver(server);

  const end = "the last word";
  const last = site.connect(server, "--name", "last", "--home", "last");
  await last.line(end);
  await last.end();
  await witness.until(end);
  const log = linesOf(witness);
  assertEquals(new Set(log).size, log.length, "something was said twice");
  for (const victim of victims) {
    const { name, owed, shown } = victim;
    await victim.readUpTo(server, end);
    const said = log.filter((text) => text.startsWith(`${name}/`));
    assertEquals(owed.filter((text) => !said.includes(text)), [], `${name} lost something`);
    for (const [round, texts] of Map.groupBy(said, (text) => text.split("/")[1])) {
      const expected = texts.map((_, at) => `${name}/${round}/${at}`);
      assertEquals(texts, expected, `${name} in round ${round}`);
    }
    const roundOf = (text: string) => Number(text.split("/")[1]);
    assertEquals(said, said.toSorted((a, b) => roundOf(a) - roundOf(b)), `${name}'s rounds`);
    assertInOrder(shown, log, `what ${name} was shown`);
    const { seqs, texts } = victim.kept();
    assertEquals(seqs, seqs.map((_, at) => seqs[0]! + at), `${name} kept with gaps`);
    assertEquals(texts, log.slice(log.indexOf(texts[0]!)), `what ${name} kept`);
  }
  assert(victims.some(({ owed }) => owed.length > 0), "nobody was killed while it owed something");
});
