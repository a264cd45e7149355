import { assert, assertEquals, assertMatch } from "@std/assert";
import { generateSigningKey } from "../../crypto/identity.ts";
import {
  operatorConnectionsMax,
  operatorLineBytesMax,
  operatorPatienceMs,
  trimMs,
} from "../../protocol/limits.ts";
import { chunks, writeAll } from "../../protocol/link.ts";
import { loadConfig } from "../../server/config.ts";
import type { Upkeep } from "../../server/operator.ts";
import { Server } from "../../server/server.ts";
import { MemoryStore } from "../../server/store/memory.ts";
import { FakeClock, settled } from "../fixtures/fake_clock.ts";
import { type PipeRules, Wire } from "../fixtures/memory_link.ts";

/** A connection of an operator to a server, by hand. */
class Console {
  readonly wire: Wire;
  readonly #lines: AsyncGenerator<string>;

  constructor(wire: Wire) {
    this.wire = wire;
    this.#lines = linesOf(wire);
  }

  async write(text: string): Promise<void> {
    await writeAll(this.wire.near, new TextEncoder().encode(text));
  }

  /** The next answer; undefined at the end. */
  async answer(): Promise<Record<string, unknown> | undefined> {
    const { value } = await this.#lines.next();
    return value && JSON.parse(value);
  }

  async ask(request: unknown): Promise<Record<string, unknown> | undefined> {
    await this.write(`${JSON.stringify(request)}\n`);
    return await this.answer();
  }
}

async function* linesOf(wire: Wire): AsyncGenerator<string> {
  let text = "";
  for await (const chunk of chunks(wire.near)) {
    text += new TextDecoder().decode(chunk);
    const lines = text.split("\n");
    text = lines.pop()!;
    yield* lines;
  }
}

interface Operated {
  readonly server: Server;
  readonly clock: FakeClock;
  connect(inward?: PipeRules): Console;
}

async function operated(upkeep?: Upkeep, retentionDays = 0): Promise<Operated> {
  const clock = new FakeClock();
  const server = await Server.open({
    rules: loadConfig({ flags: {}, env: {}, file: {} }),
    retentionDays,
    clock,
    store: new MemoryStore(1e6),
    identity: (await generateSigningKey()).key,
    invitation: new Uint8Array(16),
    say: () => {},
    onFault(cause) {
      throw cause;
    },
    ...(upkeep && { upkeep }),
  });
  return {
    server,
    clock,
    connect(inward = {}) {
      const wire = new Wire("operator", {}, inward);
      void server.acceptOperator(wire.far);
      return new Console(wire);
    },
  };
}

const requests: readonly [what: string, line: string, answer: RegExp][] = [
  ["a command", `{"command":"rooms"}`, /^\{"value":\{"rooms":\[\{"name":"lobby",/],
  [
    "a room by its name",
    `{"command":"topic","room":"LOBBY","args":{"text":"x"}}`,
    /^\{"value":\{\}/,
  ],
  ["an unknown command", `{"command":"rm"}`, /"code":"no_such_command"/],
  ["a name of the object's own", `{"command":"toString"}`, /"code":"no_such_command"/],
  ["an unknown room", `{"command":"who","room":"nowhere"}`, /"no_such_room".*\\"nowhere\\" here/],
  ["no room where one is needed", `{"command":"who"}`, /"text":".*Say which: --room NAME"/],
  ["arguments that are none", `{"command":"whois","args":{"user":7}}`, /"code":"bad_message"/],
  ["no such user", `{"command":"whois","args":{"user":"Nobody"}}`, /"code":"no_such_user"/],
  ["what only a user can", `{"command":"join","args":{"name":"team"}}`, /"code":"forbidden"/],
  ["garbage", `\u0000\uffff{{{`, /"code":"bad_message"/],
  ["JSON that is no request", `[1,2,3]`, /"code":"bad_message","text":"This is not a request\."/],
  ["null", `null`, /"code":"bad_message"/],
  ["a deep one", `${"[".repeat(30_000)}`, /"code":"bad_message"/],
  ["a poisoned one", `{"command":"rooms","args":{"__proto__":{"x":1}}}`, /"value"/],
  ["a backup of what is not on disk", `{"command":"backup"}`, /keeps nothing on disk/],
];

Deno.test("each line of an operator is answered by a line, whatever is in it", async () => {
  const { server, connect } = await operated();
  const operator = connect();
  for (const [what, line, answer] of requests) {
    await operator.write(`${line}\n`);
    assertMatch(JSON.stringify(await operator.answer()), answer, what);
  }
  await operator.write(requests.map(([, line]) => `${line}\n\n`).join(""));
  for (const [what, , answer] of requests) {
    assertMatch(JSON.stringify(await operator.answer()), answer, `${what}, among others`);
  }
  await server.close();
  assertEquals(await operator.answer(), undefined, "The end of the server ends the connection.");
});

Deno.test("a line that comes byte by byte is one line", async () => {
  const { server, connect } = await operated();
  const operator = connect();
  for (const character of `{"command":"rooms"}\n`) await operator.write(character);
  assert(await operator.answer());
  await server.close();
});

Deno.test("a line that is too long ends the connection before it has come whole", async () => {
  const { server, connect } = await operated();
  const operator = connect();
  await operator.write("x".repeat(operatorLineBytesMax + 1));
  assertMatch(JSON.stringify(await operator.answer()), /"code":"too_large"/);
  assertEquals(await operator.answer(), undefined);
  await server.close();
});

Deno.test("the longest line is taken", async () => {
  const { server, connect } = await operated();
  const line = `{"command":"rooms"}`;
  const operator = connect();
  await operator.write(`${line}${" ".repeat(operatorLineBytesMax - line.length)}\n`);
  assert((await operator.answer())!["value"]);
  await server.close();
});

Deno.test("half a line is no request", async () => {
  const { server, connect } = await operated();
  const operator = connect();
  await operator.write(`{"command":"topic","room":"lobby","args":{"text":"half"}}`);
  operator.wire.outward.end();
  assertMatch(JSON.stringify(await operator.answer()), /"code":"bad_message"/);
  const { value } = (await connect().ask({ command: "rooms" }))! as {
    value: { rooms: { topic: string }[] };
  };
  assertEquals(value.rooms[0]!.topic, "");
  await server.close();
});

Deno.test("who sends no whole request in time is sent away", async () => {
  const { server, clock, connect } = await operated();
  const operator = connect();
  for (let second = 0; second < operatorPatienceMs / 1000; second++) {
    await operator.write("x");
    await clock.advance(1000);
  }
  assertEquals(await operator.answer(), undefined);
  await server.close();
});

Deno.test("who does not take the answer is sent away, and others are served", async () => {
  const { server, clock, connect } = await operated();
  const deaf = connect({ capacityBytes: 10 });
  await deaf.write(`{"command":"rooms"}\n`);
  await settled();
  assert(await connect().ask({ command: "rooms" }));
  await clock.advance(operatorPatienceMs);
  assert(deaf.wire.inward.bytes <= 10);
  for (let at = 1; at < operatorConnectionsMax; at++) {
    assert(await connect().ask({ command: "rooms" }), "its place is free again");
  }
  await server.close();
});

Deno.test("there are only so many connections, and a place that is left is free", async () => {
  const { server, connect } = await operated();
  const operators = Array.from({ length: operatorConnectionsMax }, () => connect());
  for (const operator of operators) assert(await operator.ask({ command: "rooms" }));
  const one = connect();
  assertMatch(JSON.stringify(await one.answer()), /"code":"too_many_connections"/);
  assertEquals(await one.answer(), undefined);
  operators[0]!.wire.closeNear();
  await settled();
  assert((await connect().ask({ command: "rooms" }))!["value"]);
  await server.close();
});

Deno.test("a fault of the store's upkeep is told without its internals", async () => {
  const { server, connect } = await operated({
    backup: () => Promise.reject(new Error("/secret/path is broken")),
    integrity: () => Promise.resolve(["room 1: the chain breaks"]),
    link: (invitation) => invitation,
  });
  const operator = connect();
  const refused = JSON.stringify(await operator.ask({ command: "backup" }));
  assertMatch(refused, /"code":"internal"/);
  assert(!refused.includes("secret"));
  const { value } = (await operator.ask({ command: "integrity" }))!;
  assertEquals(value, { faults: ["room 1: the chain breaks"] });
  await server.close();
});

Deno.test("what is older than the operator keeps is forgotten each hour", async () => {
  const { server, clock, connect } = await operated(undefined, 1);
  const lobbySeqs = async () => {
    const answer = await connect().ask({ command: "history", room: "lobby" });
    return (answer!["value"] as { firstSeq?: number }).firstSeq;
  };
  for (const text of ["old", "newest"]) {
    await connect().ask({ command: "topic", room: "lobby", args: { text } });
  }
  await clock.advance(23 * trimMs);
  assertEquals(await lobbySeqs(), 1);
  await clock.advance(2 * trimMs);
  assertEquals(await lobbySeqs(), 2, "The newest stays, so that no seq is given twice.");
  await server.close();
  assertEquals(clock.waiting, 0, "No timer is left.");
});
