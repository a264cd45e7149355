/**
 * A server that is killed under load, again and again: what was said arrives with everybody once and in
 * order, and the store is whole. `deno task kill-server` does it for longer.
 */

import { assert, assertEquals } from "@std/assert";
import { Random } from "../simulation/random.ts";
import type { Process } from "./process.ts";
import { RunningServer, Site } from "./site.ts";

const rounds = Number(Deno.args[0] ?? 5);
/** Lines that a writer is given in a round. */
const linesPerRound = 200;
const patient = ["--give-up", "600"];
const quick = { PUBLISH_BURST: "100000", PUBLISH_PER_SECOND: "100000" };

/** Starts the server on the port that it had, and waits until it listens. */
async function startServer(site: Site, port: number): Promise<RunningServer> {
  const process = site.run("start", ["--port", `127.0.0.1:${port}`], { env: quick });
  await process.until("Others join with");
  return new RunningServer(process);
}

/** What a client has printed, without the names. */
function linesOf({ stdout }: Process): string[] {
  return stdout.split("\n").slice(0, -1).map((line) => line.replace(/^\[\w+\]: /, ""));
}

Deno.test(`a server killed ${rounds} times loses nothing, and nothing comes twice`, async () => {
  const random = new Random(rounds, 1);
  await using site = await Site.open();
  let server = await startServer(site, 0);
  const { port } = server;
  const join = (name: string) =>
    site.connect(server, "--name", name, "--home", name, "--follow", ...patient);
  const [reader, ...writers] = ["reader", "ann", "ben", "cid"].map(join) as [Process, ...Process[]];
  await Promise.all([reader, ...writers].map((client) => client.until("You are", "stderr")));
  const names = ["ann", "ben", "cid"];
  const said = names.map((): string[] => []);

  for (let round = 0; round < rounds; round++) {
    const before = linesOf(reader).length;
    for (const [at, writer] of writers.entries()) {
      const lines = Array.from(
        { length: linesPerRound },
        (_, line) => `${names[at]}/${round}/${line}`,
      );
      said[at]!.push(...lines);
      await writer.type(lines.map((line) => `${line}\n`).join(""));
    }
    const wanted = random.int(0, 3 * linesPerRound);
    const isThere = () => linesOf(reader).length >= before + wanted;
    await reader.waitFor(isThere, `${wanted} messages in round ${round}`);
    server.process.kill("SIGKILL");
    await server.process.code;
    server = await startServer(site, port);
  }

  const all = said.flat().length;
  await reader.waitFor(() => linesOf(reader).length >= all, `all ${all} messages`);
  const log = linesOf(reader);
  assertEquals(new Set(log).size, log.length, "something was shown twice");
  for (const [at, name] of names.entries()) {
    assertEquals(log.filter((text) => text.startsWith(`${name}/`)), said[at], name);
  }
  for (const [at, writer] of writers.entries()) {
    const others = log.filter((text) => !text.startsWith(`${names[at]}/`));
    await writer.waitFor(() => linesOf(writer).length >= others.length, "what the others said");
    assertEquals(linesOf(writer), others, `what ${names[at]} was shown`);
  }
  server.process.kill("SIGTERM");
  assertEquals(await server.process.code, 0);
  const doctor = site.run("doctor", ["--port", `127.0.0.1:${port}`]);
  await doctor.code;
  assert(!/problem/i.test(doctor.stdout), doctor.stdout + doctor.stderr);
});
