import { assert, assertEquals } from "@std/assert";
import { generateSigningKey } from "../../crypto/identity.ts";
import { trimMs } from "../../protocol/limits.ts";
import { chunks, writeAll } from "../../protocol/link.ts";
import { loadConfig } from "../../server/config.ts";
import { Server } from "../../server/server.ts";
import { SqliteStore } from "../../server/store/sqlite.ts";
import { FakeClock } from "../fixtures/fake_clock.ts";
import { Wire } from "../fixtures/memory_link.ts";

/** Asks as the operator; `ok`, or the code of the refusal. */
async function ask(server: Server, request: unknown): Promise<string> {
  const wire = new Wire("operator");
  const served = server.acceptOperator(wire.far);
  await writeAll(wire.near, new TextEncoder().encode(`${JSON.stringify(request)}\n`));
  let text = "";
  for await (const chunk of chunks(wire.near)) {
    text += new TextDecoder().decode(chunk);
    if (text.endsWith("\n")) break;
  }
  wire.closeNear();
  await served;
  return JSON.parse(text).error?.code ?? "ok";
}

Deno.test("a server whose disk is full can be read, takes nothing new, and goes on when there is room", async () => {
  const folder = await Deno.makeTempDir();
  const clock = new FakeClock();
  const store = await SqliteStore.open({ path: `${folder}/store.db`, pagesMax: 60 });
  const faults: unknown[] = [];
  const server = await Server.open({
    rules: loadConfig({ flags: {}, env: {}, file: {} }),
    retentionDays: 1,
    clock,
    store,
    identity: (await generateSigningKey()).key,
    invitation: new Uint8Array(16),
    say: () => {},
    onFault: (cause) => faults.push(cause),
  });
  const say = (text: string) =>
    ask(server, { command: "topic", room: "lobby", args: { text: text.repeat(1000) } });
  const isReadOnly = async () => {
    const answers = [];
    while (answers.length < 500 && answers.at(-1) !== "read_only") answers.push(await say("x"));
    return answers.at(-1);
  };
  assertEquals(await isReadOnly(), "read_only");
  assertEquals(await ask(server, { command: "history", room: "lobby" }), "ok");
  assertEquals(await ask(server, { command: "rooms" }), "ok");

  await clock.advance(25 * trimMs); // What is there is older than the operator wants to keep.
  let answer = "";
  for (let tries = 0; tries < 500 && answer !== "ok"; tries++) {
    await clock.advance(trimMs); // A trim waits for the disk, which has a time of its own.
    answer = await say("y");
  }
  assertEquals(answer, "ok", "There is room again.");
  assert((await store.integrity()).length === 0);
  await server.close();
  await store.close();
  assertEquals(faults, []);
  await Deno.remove(folder, { recursive: true });
});
