import { assert, assertEquals } from "@std/assert";
import { SealingChannel } from "../../crypto/channel.ts";
import { generateIdentity, type Identity } from "../../crypto/identity.ts";
import { dhBytes, initiate } from "../../crypto/noise.ts";
import { type Bytes, concat, writeU32 } from "../../protocol/bytes.ts";
import { frame } from "../../protocol/framer.ts";
import { encodeHello, encodePayload, prologue } from "../../protocol/hello.ts";
import { encodeControl } from "../../protocol/message.ts";
import { askWho, join, logIn, loginMessage, Peer, publishMessage, Wire } from "./peer.ts";
import { hostile, type Served } from "./served.ts";

/** One user may connect as often as these tests do. */
const many = { userConnectionsMax: 1000, handshakesMax: 1000 };

/** A session's frames behind the hello. */
const steps = ["login", "join", "publish"] as const;
type Step = (typeof steps)[number];

hostile("Random bytes end a connection and nothing else", async ({ port }) => {
  const random = seeded(1);
  await forEachOf(1000, async () => {
    using wire = await Wire.connect(port);
    const bytes = bytesOf(random, Math.floor(random() * 2000));
    if (random() < 0.5) bytes.fill(0, 0, 2); // It begins as a frame of ours does.
    await wire.write(bytes);
    await wire.end();
    await wire.rest();
  });
});

hostile("Random frames behind the handshake and behind the login are refused", async (served) => {
  const random = seeded(2);
  await forEachOf(200, async (index) => {
    using peer = index % 2 === 0
      ? await (await Peer.connect(served.port)).shake()
      : (await logIn(served)).peer;
    await peer.writeFrame(bytesOf(random, 28 + Math.floor(random() * 900)));
    await peer.assertEnds("bad_frame");
  });
});

hostile("A session cut at any byte is told so, and leaves nothing behind", async (served) => {
  const hello = await helloFrame();
  await forEachOf(hello.length, async (length) => {
    using peer = await Peer.connect(served.port);
    await peer.write(hello.subarray(0, length));
    await peer.end();
    if (length === 0) assertEquals((await peer.rest()).length, 0);
    else await peer.assertEnds("bad_frame", `a hello cut at ${length}`);
  });
  await forEachByte(served, async (peer, bytes, length, step) => {
    await peer.write(bytes.subarray(0, length));
    await peer.end();
    if (length > 0) await peer.assertEnds("bad_frame", `${step} cut at ${length}`);
  });
}, many);

hostile("A session cut at any byte that then says nothing is not waited for", async (served) => {
  const hello = await helloFrame();
  await forEachOf(hello.length, async (length) => {
    using peer = await Peer.connect(served.port);
    await peer.write(hello.subarray(0, length));
    const heard = await peer.rest();
    // Who has said nothing may be a person at a classic client, and has longer.
    if (length > 0) assert(heard.length > 0, `a hello cut at ${length}`);
  }, hello.length);
}, { ...many, loginTimeoutMs: 500, classic: "off" });

hostile("A login cut at any byte that then says nothing is not waited for", async (served) => {
  await forEachByte(served, async (peer, bytes, length, step) => {
    if (step !== "login") return;
    await peer.write(bytes.subarray(0, length));
    await peer.assertEnds("login_timeout", `a login cut at ${length}`);
  }, 300);
}, { ...many, loginTimeoutMs: 4_000 });

hostile("A bit flipped anywhere in a hello is noticed by one side", async ({ port }) => {
  const payload = encodePayload({ versions: [2], capabilities: [] });
  await forEachOf((await helloFrame()).length, async (at) => {
    const initiator = await initiate(prologue(dhBytes + payload.length), payload);
    const flipped = flip(frame(encodeHello(initiator.message)), at);
    using peer = await Peer.connect(port);
    await peer.write(flipped);
    await peer.end();
    const answer = await peer.frame();
    const result = answer && await initiator.finish(answer).catch(() => undefined);
    assertEquals(result, undefined, `flipped at ${at}`);
  });
});

hostile("A bit flipped anywhere in a session ends it with a code", async (served) => {
  await forEachByte(served, async (peer, bytes, at, step) => {
    await peer.write(flip(bytes, at));
    await peer.end();
    const code = (await peer.lastWords())?.code;
    const isLength = at < 4;
    assert(
      code === "bad_frame" || isLength && code === "too_large",
      `${step} flipped at ${at}: ${code}`,
    );
  });
}, many);

hostile("Lengths over the limit are refused before the body comes", async (served) => {
  for (const length of [1025, 0xffff]) {
    using peer = await Peer.connect(served.port);
    await peer.write(u32(length));
    await peer.assertEnds("too_large", `${length} before the handshake`);
    using shaken = await (await Peer.connect(served.port)).shake();
    await shaken.write(u32(length));
    await shaken.assertEnds("too_large", `${length} before login`);
  }
  for (const length of [256 * 1024 + 1, 0x7fffffff, 0xffffffff]) {
    const { peer } = await logIn(served);
    await peer.write(u32(length));
    await peer.assertEnds("too_large", `${length} after login`);
    peer[Symbol.dispose]();
  }
});

hostile("Lengths that are too short for a frame are refused", async (served) => {
  for (const length of [0, 1, 4, 27]) {
    for (const stranger of [await Peer.connect(served.port), (await logIn(served)).peer]) {
      using peer = stranger;
      await peer.write(u32(length), new Uint8Array(length));
      await peer.assertEnds("bad_frame", `${length}`);
    }
  }
});

hostile(
  "The largest length that is allowed costs nothing before its bytes come",
  async (served) => {
    const before = Deno.memoryUsage().external;
    const peers = await Promise.all(Array.from({ length: 100 }, () => logIn(served)));
    for (const { peer } of peers) await peer.write(u32(256 * 1024), new Uint8Array(10));
    for (const { peer } of peers) await peer.end();
    const grownMiB = (Deno.memoryUsage().external - before) / 2 ** 20;
    for (const { peer } of peers) {
      await peer.assertEnds("bad_frame");
      peer[Symbol.dispose]();
    }
    assert(grownMiB < 10, `grew by ${grownMiB} MiB`); // 100 announced 25 MiB.
  },
);

/** Frames that are good, in an order or a place where they are not. */
const misplaced: Record<string, (peer: Peer, message: Bytes) => Promise<Bytes>> = {
  "a frame twice": async (peer, message) => {
    const once = await peer.seal(message);
    return concat([once, once]);
  },
  "two frames swapped": async (peer, message) => {
    const first = await peer.seal(message);
    return concat([await peer.seal(message), first]);
  },
  "a frame left out": async (peer, message) => {
    await peer.seal(message);
    return await peer.seal(message);
  },
  "the login again": (peer) => Promise.resolve(peer.sent.at(-1)!),
  "a counter with its top bit set": async (peer, message) => {
    const bytes = await peer.seal(message);
    bytes[8]! |= 0x80;
    return bytes;
  },
  "another channel's number": async (peer, message) => {
    const bytes = await peer.seal(message);
    bytes[7] = 1;
    return bytes;
  },
};

for (const [name, make] of Object.entries(misplaced)) {
  hostile(`${name} ends the session`, async (served) => {
    const { peer, room } = await logIn(served);
    using _ = peer;
    await peer.write(await make(peer, askWho(1, room)));
    await peer.assertEnds("bad_frame");
  });
}

hostile("A frame of another session is refused", async (served) => {
  const [one, other] = [await logIn(served), await logIn(served)];
  await other.peer.write(await one.peer.seal(encodeControl("ping", {})));
  await other.peer.assertEnds("bad_frame");
  await one.peer.write(other.peer.sent.at(-1)!);
  await one.peer.assertEnds("bad_frame");
  for (const { peer } of [one, other]) peer[Symbol.dispose]();
});

hostile(
  "A room's channel is the server's: a member that writes on it is sent away",
  async (served) => {
    const member = await join(served);
    using peer = member.peer;
    const { channel, key } = member.attach;
    const forged = await SealingChannel.create(channel, key);
    await peer.write(frame(...await forged.seal(await publishMessage(member, "forged"))));
    await peer.assertEnds("bad_frame");
  },
);

/** Does something with each byte of each frame of a session, in a session of its own. */
async function forEachByte(
  served: Served,
  act: (peer: Peer, bytes: Bytes, at: number, step: Step) => Promise<void>,
  atOnce?: number,
): Promise<void> {
  const { identity } = await generateIdentity();
  for (const step of steps) {
    const { peer, bytes } = await playTo(served, identity, step);
    peer[Symbol.dispose]();
    await forEachOf(bytes.length, async (at) => {
      const { peer, bytes } = await playTo(served, identity, step);
      using _ = peer;
      await act(peer, bytes, at, step);
    }, atOnce);
  }
}

/** A session up to the frame of a step, and that frame. */
async function playTo(
  served: Served,
  identity: Identity,
  step: Step,
): Promise<{ peer: Peer; bytes: Bytes }> {
  const name = "Mallory";
  if (step === "login") {
    const peer = await (await Peer.connect(served.port)).shake();
    return { peer, bytes: await peer.seal(await loginMessage(peer, identity, name)) };
  }
  const { peer, ...insider } = await logIn(served, { name, identity });
  const joining = encodeControl("join", { room: insider.room });
  if (step === "join") return { peer, bytes: await peer.seal(joining) };
  await peer.send(joining);
  await peer.receive("attach");
  return { peer, bytes: await peer.seal(await publishMessage(insider, "Hello everyone!")) };
}

async function helloFrame(): Promise<Bytes> {
  const payload = encodePayload({ versions: [2], capabilities: [] });
  const { message } = await initiate(prologue(dhBytes + payload.length), payload);
  return frame(encodeHello(message));
}

function flip(bytes: Bytes, at: number): Bytes {
  const flipped = bytes.slice();
  flipped[at]! ^= 1 << at % 8;
  return flipped;
}

/** Numbers that look random and are the same in each run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function bytesOf(random: () => number, length: number): Bytes {
  return Uint8Array.from({ length }, () => random() * 256);
}

function u32(value: number): Bytes {
  const bytes = new Uint8Array(4);
  writeU32(bytes, 0, value);
  return bytes;
}

/** Does something so many times, some at once. */
async function forEachOf(
  count: number,
  act: (index: number) => Promise<void>,
  atOnce = 32,
): Promise<void> {
  let next = 0;
  const work = async () => {
    while (next < count) await act(next++);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, work));
}
