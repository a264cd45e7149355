import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type ClassicEvent, ClassicSession } from "../../client/classic.ts";
import { ClassicClientReader } from "../../protocol/classic_client_reader.ts";
import { openClassicFrame } from "../../crypto/classic_frame.ts";
import { systemClock } from "../../cli/clock.ts";
import type { Link } from "../../protocol/link.ts";
import { OriginalClient } from "../fixtures/original_client.ts";
import { OriginalServer } from "../fixtures/original_server.ts";

const prompt = "Enter your username:";
const taken = "This name already taken.Try other" + prompt;

Deno.test("ClassicSession chats with an original client through an original server", async () => {
  await using server = new OriginalServer();
  using bob = await OriginalClient.connect(server.port);
  await bob.type("Bob");
  const alice = await join(server, "Alice");
  const events = alice.events.getReader();

  await alice.send("Hello everyone!");
  assertEquals((await events.read()).value, { kind: "accepted" });
  await bob.until("[Alice]: Hello everyone!\n");
  await bob.type("Hi Alice!");
  assertEquals((await events.read()).value, { kind: "line", text: "[Bob]: Hi Alice!" });
  await alice.send("one\n");
  await alice.send("two");
  await bob.until("[Alice]: one\n\n[Alice]: two\n");

  alice.close();
  assertEquals((await events.read()).done, true);
  await assertRejects(() => alice.send("late"), Error, "the connection is closed");
});

Deno.test("ClassicSession tries another name when an original server refuses one", async () => {
  await using server = new OriginalServer();
  using bob = await OriginalClient.connect(server.port);
  await bob.type("Bob");
  const alice = await join(server, "Bob");
  const events = alice.events.getReader();
  const sent = alice.send("waits for a name");

  assertEquals((await events.read()).value, { kind: "refused", reason: "taken" });
  await alice.rename(" ");
  assertEquals((await events.read()).value, { kind: "refused", reason: "empty" });
  await alice.rename("Alice");
  assertEquals((await events.read()).value, { kind: "accepted" });
  await sent;
  await bob.until("[Alice]: waits for a name\n");
  await assertRejects(() => alice.rename("Eve"), Error, "only after a refusal");
  alice.close();
});

Deno.test("ClassicSession says when an original server ends the connection", async () => {
  const server = new OriginalServer();
  const alice = await join(server, "Alice", 1);
  const last: ClassicEvent[] = [];
  for await (const event of alice.events) {
    last.push(event);
    if (event.kind === "accepted") await server[Symbol.asyncDispose]();
  }
  assertEquals(last.map((event) => event.kind), ["accepted", "closed"]);
});

Deno.test("the original's faults are in the model: a name and a frame in one read", async () => {
  await using server = new OriginalServer();
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await conn.read(new Uint8Array(100));
  await conn.write(new TextEncoder().encode("Eve\n\0\0\0\x41"));
  await server.until(() => server.names.size > 0);
  assertEquals([...server.names.values()], ["Eve\n\0\0\0A"]);
  conn.close();
});

Deno.test("ClassicSession sends nothing behind a name before the name is settled", async () => {
  const { session, server, timers } = await joined("Alice");
  const sent = Promise.all([session.send("one"), session.send("two")]);
  await turns();
  assertEquals(server.sent(), "Alice\n");
  timers.run();
  await sent;
  assertEquals(await server.texts(), ["one", "two"]);
  session.close();
});

Deno.test("ClassicSession counts a name as accepted when a line comes", async () => {
  const { session, server } = await joined("Alice");
  const events = session.events.getReader();
  server.says("[Bob]: hi\n");
  assertEquals((await events.read()).value, { kind: "accepted" });
  assertEquals((await events.read()).value, { kind: "line", text: "[Bob]: hi" });
  server.says(taken); // Said by somebody with newlines in a message: not the server.
  server.ends();
  assertEquals((await events.read()).value, { kind: "line", text: taken });
  assertEquals((await events.read()).value?.kind, "closed");
});

Deno.test("ClassicSession takes a late refusal while no message was sent", async () => {
  const { session, server, timers } = await joined("Alice");
  const events = session.events.getReader();
  timers.run();
  assertEquals((await events.read()).value, { kind: "accepted" });
  server.says(taken);
  assertEquals((await events.read()).value, { kind: "refused", reason: "taken" });
  session.close();
});

Deno.test("ClassicSession ends when a refusal comes after a message was sent", async () => {
  const { session, server, timers } = await joined("Alice");
  const events = session.events.getReader();
  timers.run();
  await session.send("hello");
  server.says(taken);
  assertEquals((await events.read()).value, { kind: "accepted" });
  const { value } = await events.read();
  assert(value?.kind === "closed");
  assertMatch(value.text, /because the name was refused after the first message was sent/);
  await assertRejects(() => session.send("more"));
});

Deno.test("ClassicSession finds the prompt in pieces", async () => {
  const server = new FakeServer();
  const joining = ClassicSession.join(server.link, "Alice", { clock: new Timers() });
  for (const letter of prompt) {
    assertEquals(server.sent(), "");
    server.says(letter);
    await turns();
  }
  (await joining).close();
  assertEquals(server.sent(), "Alice\n");
});

Deno.test("ClassicSession refuses what is no original server", async () => {
  const cases = [
    ["SSH-2.0-OpenSSH_9.9\r\n", "it does not speak the original protocol"],
    [null, "the server closed the connection"],
    [undefined, "it did not ask for a name"],
  ] as const;
  for (const [said, why] of cases) {
    const server = new FakeServer();
    const timers = new Timers();
    const joining = ClassicSession.join(server.link, "Alice", { clock: timers });
    if (said === undefined) timers.run();
    else if (said === null) server.ends();
    else server.says(said);
    await assertRejects(() => joining, Error, `Cannot join fake because ${why}.`);
    assertEquals([server.sent(), server.closed, timers.waiting], ["", true, 0]);
  }
});

Deno.test("ClassicSession leaves no timer and no open link behind", async () => {
  const { session, server, timers } = await joined("Alice");
  server.says("[Bob]: hi\n");
  for await (const event of session.events) {
    assertEquals(event, { kind: "accepted" });
    break;
  }
  assertEquals([server.closed, timers.waiting], [true, 0]);
});

/** A session with an original server over TCP. */
async function join(server: OriginalServer, name: string, settleMs = 200): Promise<ClassicSession> {
  const link = await dial(server.port);
  return await ClassicSession.join(link, name, { clock: systemClock, settleMs });
}

/** A session whose name is sent and not settled, over a fake server. */
async function joined(name: string) {
  const server = new FakeServer();
  const timers = new Timers();
  server.says(prompt);
  const session = await ClassicSession.join(server.link, name, { clock: timers });
  return { session, server, timers };
}

/** The other end of a link, in memory. It takes at most 7 bytes a write. */
class FakeServer {
  closed = false;
  #reads: (Uint8Array | null)[] = [];
  #readable = Promise.withResolvers<void>();
  #written: number[] = [];

  readonly link: Link = {
    remote: "fake",
    read: async (into) => {
      while (this.#reads.length === 0) await this.#readable.promise;
      const bytes = this.#reads.shift()!;
      if (bytes === null) return null;
      into.set(bytes);
      return bytes.length;
    },
    write: (bytes) => {
      this.#written.push(...bytes.subarray(0, 7));
      return Promise.resolve(Math.min(bytes.length, 7));
    },
    close: () => {
      this.closed = true;
      this.ends();
    },
  };

  says(text: string): void {
    this.#put(new TextEncoder().encode(text));
  }

  ends(): void {
    this.#put(null);
  }

  sent(): string {
    return new TextDecoder().decode(Uint8Array.from(this.#written));
  }

  /** The texts of the frames after the name. */
  async texts(): Promise<string[]> {
    const reader = new ClassicClientReader();
    reader.push(Uint8Array.from(this.#written));
    const texts: string[] = [];
    for (let input; (input = reader.next()) !== undefined;) {
      if (input.kind === "name") reader.acceptName();
      else texts.push(new TextDecoder().decode(await openClassicFrame(input.frame)));
    }
    return texts;
  }

  #put(bytes: Uint8Array | null): void {
    this.#reads.push(bytes);
    this.#readable.resolve();
    this.#readable = Promise.withResolvers();
  }
}

/** Timers that run when the test says so. */
class Timers {
  readonly #runs = new Set<() => void>();

  get waiting(): number {
    return this.#runs.size;
  }

  timer(_ms: number, run: () => void): () => void {
    this.#runs.add(run);
    return () => this.#runs.delete(run);
  }

  run(): void {
    const runs = [...this.#runs];
    this.#runs.clear();
    for (const run of runs) run();
  }
}

async function dial(port: number): Promise<Link> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  return {
    remote: `127.0.0.1:${port}`,
    read: (into) => conn.read(into),
    write: (bytes) => conn.write(bytes),
    close: () => conn.close(),
  };
}

/** Lets everything that can go on do so. */
function turns(): Promise<void> {
  return new Promise((done) => setTimeout(done, 5));
}
