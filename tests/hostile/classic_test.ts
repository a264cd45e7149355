import { assert, assertEquals, assertMatch } from "@std/assert";
import { sealClassicFrame } from "../../crypto/classic_frame.ts";
import { type Bytes, concat, writeU32 } from "../../protocol/bytes.ts";
import { classicPrompt, classicRefusals, encodeClassicFrame } from "../../protocol/classic.ts";
import { join, Peer, publishMessage, Wire } from "./peer.ts";
import { within } from "../fixtures/within.ts";
import { enter, fastClock, hostile, serve, type Served } from "./served.ts";

const fast = { publishBurst: 1e9, publishPerSecond: 1e9, bytesPerSecond: 1e9 };

function line(text: string): Bytes {
  return new TextEncoder().encode(text);
}

async function sealed(text: string | Bytes): Promise<Bytes> {
  return encodeClassicFrame(await sealClassicFrame(typeof text === "string" ? line(text) : text));
}

function lengthOf(length: number): Bytes {
  const bytes = new Uint8Array(4);
  writeU32(bytes, 0, length);
  return bytes;
}

/** A classic client that has a name, which the others have seen. */
async function guest({ port }: Served, name: string): Promise<Wire> {
  const wire = await Wire.connect(port);
  assertEquals(await wire.text(classicPrompt.length), classicPrompt);
  await wire.write(line(`${name}\n`));
  return wire;
}

hostile("A frame of the original's of any wrong length ends its connection", async (served) => {
  for (const length of [0, 1, 11, 12, 43, 44, 59, 65_597, 0x7fffffff, 0xffffffff]) {
    using wire = await guest(served, "Carol");
    await wire.write(lengthOf(length), new Uint8Array(Math.min(length, 100)));
    await wire.rest();
    await served.left(2);
  }
});

hostile("A frame of the original's that does not open ends its connection", async (served) => {
  using wire = await guest(served, "Carol");
  const bytes = await sealed("Hello");
  bytes[bytes.length - 1]! ^= 1;
  await wire.write(bytes);
  await wire.rest();
});

hostile(
  "A name and a first frame that come in one read are both taken",
  async (served, { bob }) => {
    using wire = await Wire.connect(served.port);
    await wire.write(concat([line("Carol\n"), await sealed("Hello everyone!")]));
    await bob.sees("Hello everyone!");
  },
);

hostile("Bytes that are no text do not end the server, however many they get", async (served) => {
  for (const byte of [0xff, 0x80, 0xc0, 0x00]) {
    using wire = await guest(served, "Carol");
    await wire.write(await sealed(new Uint8Array(64 * 1024).fill(byte)), await sealed("after"));
    await wire.end();
    await wire.rest();
    await served.left(2);
  }
});

hostile("A newline does not forge somebody else's line", async (served, { alice, bob }) => {
  using wire = await guest(served, "Carol");
  await wire.write(await sealed("Carol is here"));
  await bob.sees("Carol is here");
  await alice.say("one\\n[Bob]: two\\r[Bob]: three\\x1b[2J\\u202e".replaceAll(
    /\\(n|r|x1b|u202e)/g,
    (_, which) => ({ n: "\n", r: "\r", x1b: "\x1b", u202e: "\u202e" })[which as "n"],
  ));
  const lines = "[Alice]: one\n[Alice]: [Bob]: two\n[Alice]: [Bob]: three\\x1b[2J\\u{202e}\n";
  assertEquals(await wire.text(lines.length), lines);
});

hostile("A guest's newline does not forge a line either", async (served) => {
  using carol = await guest(served, "Carol");
  using dave = await guest(served, "Dave");
  await dave.write(await sealed("x\n[Bob]: y"));
  const lines = "[Dave]: x\n[Dave]: [Bob]: y\n";
  assertEquals(await carol.text(lines.length), lines);
});

hostile(
  "Two clients cannot have one name, nor one that looks like it or is owned",
  async (served) => {
    using first = await guest(served, "Carol");
    for (const name of ["Carol", "carol", "Саrоl", "Alice", "a1ice"]) {
      using second = await guest(served, name);
      const answer = classicRefusals.taken + classicPrompt;
      assertEquals(await second.text(answer.length), answer, name);
    }
    await first.write(await sealed("still here"));
  },
);

hostile("Of two guests who take a name in the same moment one gets it", async (served, { bob }) => {
  const wires = await Promise.all([Wire.connect(served.port), Wire.connect(served.port)]);
  await Promise.all(
    wires.map(async (wire, at) => await wire.write(line("Carol\n"), await sealed(`I am ${at}`))),
  );
  await bob.sees(/^I am [01]$/);
  const prompts = await Promise.all(wires.map((wire) => wire.text(classicPrompt.length)));
  assertEquals(prompts, [classicPrompt, classicPrompt]);
  await bob.say("who are you?");
  const answers = await Promise.all(wires.map((wire) => wire.text(12)));
  assertEquals(answers.filter((text) => text === "[Bob]: who a").length, 1);
  for (const wire of wires) wire[Symbol.dispose]();
});

const http = "GET / HTTP/1.1\r\nHost: localhost:9000\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\r\n";

hostile("An HTTP request gets a readable answer and an end", async (served) => {
  using wire = await Wire.connect(served.port);
  await wire.write(line(http));
  assertMatch(new TextDecoder().decode(await wire.rest()), /Enter your username:/);
});

hostile("Where the original is not spoken, who is no client of ours is told so", async (served) => {
  for (const bytes of [line(http), line("Alice\n"), Uint8Array.of(0x16, 3, 1, 2, 0)]) {
    using peer = await Peer.connect(served.port);
    await peer.write(bytes);
    await peer.assertEnds("version");
  }
}, { classic: "off" });

hostile(
  "Who never types a name is let go",
  async (served) => {
    using wire = await Wire.connect(served.port);
    assertEquals(await wire.text(classicPrompt.length), classicPrompt);
    await wire.rest();
  },
  {},
  { clock: fastClock(500) },
);

hostile("A TLS ClientHello gets an end", async (served) => {
  using wire = await Wire.connect(served.port);
  const hello = new Uint8Array(517).fill(0x41);
  hello.set([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]);
  await wire.write(hello);
  await wire.end();
  await wire.rest();
  using long = await Wire.connect(served.port);
  await long.write(new Uint8Array(2000).fill(0x16));
  await long.rest();
});

hostile("A line that does not end is not kept", async (served) => {
  using wire = await Wire.connect(served.port);
  await wire.write(new Uint8Array(1024 * 1024).fill(0x41));
  await wire.rest();
});

hostile("A million empty names do not hold up the others", async (served, pair) => {
  using wire = await Wire.connect(served.port);
  const flood = wire.write(new Uint8Array(1_000_000).fill(10));
  const startMs = performance.now();
  await pair.chat();
  assert(performance.now() - startMs < 2_000);
  await flood;
  await wire.rest();
});

hostile("A guest who does not read is let go, and delays nobody", async (served, pair) => {
  using wire = await guest(served, "Carol");
  const text = "x".repeat(60_000);
  let ended = false;
  const end = served.left(2).then(() => ended = true);
  for (let at = 0; at < 300 && !ended; at++) {
    const startMs = performance.now();
    await pair.alice.say(`${at} ${text}`);
    await pair.bob.hears(`${at} ${text}`);
    assert(performance.now() - startMs < 1_000, `message ${at}`);
  }
  await end;
  wire[Symbol.dispose]();
}, fast);

hostile(
  "Text that grows when it is made visible does not cost a guest the connection",
  async (served, pair) => {
    using wire = await guest(served, "Carol");
    await wire.write(await sealed("hello"));
    await pair.bob.sees("hello");
    const mallory = await join(served, { name: "Mallory" });
    const text = "\x01".repeat(65_000);
    await mallory.peer.send(
      ...await Promise.all([1, 2, 3].map(() => publishMessage(mallory, text))),
    );
    const shown = `[Mallory]: ${"\\x01".repeat(65_000)}\n`;
    assertEquals((await wire.text(3 * shown.length)) === shown.repeat(3), true);
    mallory.peer[Symbol.dispose]();
  },
  fast,
);

Deno.test("The server closes at once, also when guests have much left to say", async () => {
  await using served = await serve();
  await using bob = await enter(served, "Bob");
  using wire = await guest(served, "Carol");
  const frames = await Promise.all(Array.from({ length: 200 }, (_, at) => sealed(`${at}`)));
  await wire.write(...frames); // 20 at once, then 5 a second: 36 s.
  await bob.sees("19");
  bob.client.close();
  await within(served.server.close(), "the server to close", 3_000);
});
