import type { Result } from "../../protocol/command.ts";
import { assert, assertEquals } from "@std/assert";
import { generateIdentity } from "../../crypto/identity.ts";
import type { Bytes } from "../../protocol/bytes.ts";
import { encodeControl } from "../../protocol/message.ts";
import { askWho, type Insider, join, logIn, publishMessage } from "./peer.ts";
import { fastClock, hostile } from "./served.ts";

/** Nobody is slowed down by these. */
const generous = {
  loginTimeoutMs: 1e9,
  publishBurst: 1e9,
  publishPerSecond: 1e9,
  framesPerSecond: 1e9,
  bytesPerSecond: 1e12,
};

/** A person at a keyboard would notice; these tests run on busy machines. */
const noticedMs = 2_000;

/** How long the pair takes to hear each other. */
async function chatMs({ chat }: { chat(): Promise<void> }): Promise<number> {
  const startMs = performance.now();
  await chat();
  return performance.now() - startMs;
}

/** Requests whose answer is as long as one can be for its length. */
function expensiveRequest({ welcome }: Insider, request: number): Bytes {
  const devices = Array.from({ length: 64 }, () => welcome.deviceId);
  return encodeControl("people", { request, devices });
}

hostile("A flood of publishes is slowed down, and the others go on", async (served, pair) => {
  const flooders = await Promise.all(Array.from({ length: 8 }, () => join(served)));
  const floods = flooders.map(async (insider) => {
    const messages = await Promise.all(
      Array.from({ length: 1000 }, (_, at) => publishMessage(insider, `${at}`)),
    );
    await insider.peer.send(...messages);
    await insider.peer.send(...messages.slice(20)); // Again, as if nothing had been said.
  });
  for (let times = 0; times < 5; times++) assert(await chatMs(pair) < noticedMs);
  await Promise.all(floods);
  for (const { peer } of flooders) {
    let next = await peer.message();
    assert(next?.type === "error" && next.code === "slow_down" && next.retryAfterMs! > 0);
    for (let more = 1; more < 900; more++) next = await peer.message();
    assertEquals(next?.type, "error");
    peer[Symbol.dispose]();
  }
});

hostile("A flood of requests ends the session, and the others go on", async (served, pair) => {
  const cases: Record<string, (insider: Insider, at: number) => Bytes> = {
    who: ({ room }, request) => askWho(request, room),
    ping: () => encodeControl("ping", {}),
    join: ({ room }) => encodeControl("join", { room }),
    people: expensiveRequest,
  };
  for (const [name, make] of Object.entries(cases)) {
    const insider = await logIn(served);
    using peer = insider.peer;
    const requests = Array.from({ length: 150 }, (_, at) => make(insider, at));
    await peer.send(...requests);
    await peer.send(...requests);
    const [tookMs] = await Promise.all([chatMs(pair), peer.assertEnds("slow_down", name)]);
    assert(tookMs < noticedMs, name);
  }
});

hostile("A few requests more than usual are answered, only more slowly", async (served) => {
  const insider = await logIn(served);
  using peer = insider.peer;
  for (let request = 1; request <= 120; request++) {
    await peer.send(askWho(request, insider.room));
  }
  for (let request = 1; request <= 120; request++) {
    assertEquals((await peer.receive("answer")).request, request);
  }
});

hostile(
  "Who does not read what it is told is let go before it costs much",
  async (served, pair) => {
    const insider = await join(served);
    using peer = insider.peer;
    const publishes = await Promise.all(
      Array.from({ length: 1000 }, (_, at) => publishMessage(insider, `${at}`)),
    );
    let isOver = false;
    const end = served.left(2).then(() => isOver = true);
    while (!isOver) {
      await peer.send(...publishes); // Each is refused as too fast, with a text.
      assert(await chatMs(pair) < noticedMs);
    }
    await end;
  },
  { ...generous, publishBurst: 20, publishPerSecond: 5 },
);

hostile(
  "Who says nothing at all is asked, then let go",
  async (served) => {
    const { peer } = await logIn(served);
    using _ = peer;
    await peer.receive("ping");
    await peer.assertEnds("silent");
  },
  {},
  { clock: fastClock(50) },
);

hostile(
  "Who joins and never reads delays nobody, and is let go",
  async (served, pair) => {
    const stuck = await Promise.all(Array.from({ length: 10 }, () => join(served)));
    const text = "x".repeat(50_000);
    let isOver = false;
    const end = served.left(2).then(() => isOver = true);
    for (let times = 0; !isOver; times++) {
      const said = `${times} ${text}`;
      const startMs = performance.now();
      await pair.alice.say(said);
      await pair.bob.hears(said);
      const tookMs = performance.now() - startMs;
      assert(tookMs < noticedMs, `message ${times} took ${tookMs} ms`);
    }
    await end;
    for (const { peer } of stuck) peer[Symbol.dispose]();
  },
  generous,
  { clock: fastClock(20) },
);

hostile("Who reads one byte at a time gets everything", async (served, pair) => {
  const insider = await join(served);
  using peer = insider.peer;
  peer.readBytes = 1;
  for (let times = 0; times < 5; times++) await pair.chat();
  await peer.send(askWho(1, insider.room));
  const { value } = await peer.receive("answer");
  assertEquals((value as Result<"who">).total, 3);
});

hostile("Bytes that come one by one are put together", async (served, pair) => {
  const insider = await join(served);
  using peer = insider.peer;
  for (const byte of await peer.seal(await publishMessage(insider, "slow and steady"))) {
    await peer.write(Uint8Array.of(byte));
  }
  await pair.bob.hears("slow and steady");
});

hostile(
  "Connections that come and go by the hundred leave nothing behind",
  async (served, pair) => {
    for (let round = 0; round < 5; round++) {
      const insiders = await Promise.all(Array.from({ length: 40 }, () => join(served)));
      for (const { peer } of insiders) peer[Symbol.dispose]();
      assert(await chatMs(pair) < noticedMs);
      await served.left(2);
    }
  },
);

hostile("One user may connect so often, and no more", async (served) => {
  const first = await logIn(served);
  const { identity, welcome: { name } } = first;
  const others = await Promise.all(
    Array.from({ length: 3 }, () => logIn(served, { name, identity })),
  );
  await logIn(served, { name, identity }).then(
    () => assert(false, "a fifth connection"),
    (error) => assert(error.message.startsWith("too_many_connections"), error.message),
  );
  for (const { peer } of [first, ...others]) peer[Symbol.dispose]();
}, { userConnectionsMax: 4 });

hostile(
  "Who comes and goes all the time does not fill everybody's screen",
  async (served, { alice }) => {
    const { identity } = await generateIdentity();
    for (let times = 0; times < 50; times++) {
      const { peer } = await join(served, { name: "Mallory", identity });
      await peer.send(encodeControl("goodbye", {}));
      await peer.rest();
      peer[Symbol.dispose]();
    }
    const shown = alice.events.filter((event) =>
      event.kind === "presence" && [...event.here, ...event.gone].includes("Mallory")
    );
    assert(shown.length > 0 && shown.length < 30, `${shown.length} lines`);
  },
  { publishBurst: 5, publishPerSecond: 1 },
);

hostile(
  "Half a frame behind the login, then silence, is not waited for",
  async (served) => {
    const insider = await join(served);
    using peer = insider.peer;
    const bytes = await peer.seal(await publishMessage(insider, "half"));
    await peer.write(bytes.subarray(0, bytes.length / 2));
    await peer.assertEnds("silent");
  },
  {},
  { clock: fastClock(50) },
);
