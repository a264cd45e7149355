import { assert, assertEquals } from "@std/assert";
import { certify, generateIdentity, generateSigningKey } from "../../crypto/identity.ts";
import { type Bytes, concat, writeU32 } from "../../protocol/bytes.ts";
import { classicPrompt } from "../../protocol/classic.ts";
import { encodeControl } from "../../protocol/message.ts";
import { type Insider, logIn, loginMessage, Peer, Wire } from "./peer.ts";
import { within } from "../fixtures/within.ts";
import { enter, fastClock, hostile, serve } from "./served.ts";

function lengthOf(length: number): Bytes {
  const bytes = new Uint8Array(4);
  writeU32(bytes, 0, length);
  return bytes;
}

hostile("A login may take so long in all, not for each read", async ({ port }) => {
  using slow = await Peer.connect(port);
  const startMs = performance.now();
  let isOver = false;
  const words = slow.lastWords().finally(() => isOver = true);
  const hello = [...lengthOf(900), ...new Uint8Array(900)];
  for (let at = 0; !isOver; at++) {
    await slow.write(Uint8Array.of(hello[at]!));
    await new Promise((resolve) => setTimeout(resolve, 20)); // A byte in a while is the attack.
  }
  assertEquals((await words)?.code, "login_timeout");
  assert(performance.now() - startMs < 1_500);
}, { loginTimeoutMs: 500 });

hostile(
  "Who was taken for a classic client has no longer than others for a login",
  async ({ port }) => {
    using peer = await Peer.connect(port);
    peer.prepare = (bytes) => bytes;
    await peer.text(classicPrompt.length); // A person would be typing a name now.
    const startMs = performance.now();
    await peer.write(lengthOf(900));
    await peer.assertEnds("login_timeout");
    assert(performance.now() - startMs < 1_500);
  },
  { loginTimeoutMs: 500 },
);

hostile("Half a handshake, then silence, ends with a text", async ({ port }) => {
  using peer = await (await Peer.connect(port)).shake();
  await peer.assertEnds("login_timeout");
}, { loginTimeoutMs: 300 });

hostile("Silent connections do not keep a real login out", async (served) => {
  const silent = await Promise.all(Array.from({ length: 300 }, () => Wire.connect(served.port)));
  await within(Promise.resolve(logIn(served)), "a real login", 1_000).then(({ peer }) =>
    peer[Symbol.dispose]()
  );
  for (const wire of silent) wire[Symbol.dispose]();
}, { handshakesMax: 256 });

hostile(
  "Half a hello keeps its place for a second, then a real login gets in",
  async (served, pair) => {
    const half = await Promise.all(Array.from({ length: 10 }, () => Peer.connect(served.port)));
    for (const peer of half) await peer.write(new Uint8Array(1));
    await pair.chat(); // The server has read them by now.
    const first = await Peer.connect(served.port);
    await first.assertEnds("server_full");
    let isLate = false;
    const tryAgain = (): Promise<Insider> =>
      logIn(served).catch(async (error) => {
        if (isLate) throw error;
        await new Promise((resolve) => setTimeout(resolve, 5));
        return await tryAgain();
      });
    const { peer } = await within(tryAgain(), "a real login").finally(() => isLate = true);
    for (const one of [...half, first, peer]) one[Symbol.dispose]();
  },
  { handshakesMax: 10 },
  { clock: fastClock(8) },
);

hostile("Those evicted to make room are evicted once, so that the bound holds", async (served) => {
  const silent: Wire[] = [];
  for (let count = 0; count < 50; count++) silent.push(await Wire.connect(served.port));
  await served.left(2 + 10);
  const ends = await Promise.all(silent.slice(0, 40).map((wire) => wire.rest()));
  for (const bytes of ends) assert(bytes.length > 0, "an evicted one is told");
  for (const wire of silent) wire[Symbol.dispose]();
}, { handshakesMax: 10, classic: "off" });

Deno.test("As many connections are let in as the limit says, and no more", async () => {
  await using served = await serve({ connectionsMax: 1 });
  const { peer: only } = await logIn(served);
  using other = await Peer.connect(served.port);
  await other.assertEnds("server_full");
  only[Symbol.dispose]();
  await served.left(0);
  const { peer: next } = await logIn(served);
  next[Symbol.dispose]();
});

hostile("Of several who take a name in the same moment one gets it", async (served) => {
  const peers = await Promise.all(Array.from({ length: 20 }, async () => {
    const peer = await (await Peer.connect(served.port)).shake();
    return { peer, login: await loginMessage(peer, (await generateIdentity()).identity, "Carol") };
  }));
  await Promise.all(peers.map(({ peer, login }) => peer.send(login)));
  const answers = await Promise.all(peers.map(({ peer }) => peer.message()));
  const codes = answers.map((answer) => answer?.type === "error" ? answer.code : answer?.type);
  assertEquals(codes.filter((code) => code === "welcome").length, 1);
  assertEquals(codes.filter((code) => code === "name_owned").length, 19);
  for (const { peer } of peers) peer[Symbol.dispose]();
});

/** The bytes of a message with one name put for another of the same length. */
function rename(message: Bytes, from: string, to: string): Bytes {
  const text = new TextDecoder().decode(message.subarray(5)).replace(from, to);
  return concat([message.subarray(0, 5), new TextEncoder().encode(text)]);
}

const lookalikes = ["alice", "ALICE", "A1ice", "AIice", "Аlice", "Alicе", "Al\u0301ice", "Αlıсе"];
const noNames = [
  "\u3164",
  "Alice\u3164",
  "Alice\u115f",
  "Alice\uffa0",
  "Alice\u200b",
  "\u202eecilA",
  "Al ice",
  "-alice",
  "a\nb",
  "a".repeat(33),
  "[Bob]:",
  "../../etc/passwd",
];

hostile("Names that look alike, and what is no name, are refused", async (served) => {
  const cases: [string, string][] = [
    ["Alice", "name_owned"],
    ["Ａｌｉｃｅ", "name_owned"], // Full width: the same name in its one form.
    ...lookalikes.map((name): [string, string] => [name, "name_lookalike"]),
    ...noNames.map((name): [string, string] => [name, "bad_name"]),
  ];
  await Promise.all(cases.map(async ([name, code]) => {
    using peer = await (await Peer.connect(served.port)).shake();
    await peer.send(await loginMessage(peer, (await generateIdentity()).identity, name));
    await peer.assertEnds(code, JSON.stringify(name));
  }));
});

hostile("A login is for one handshake, one server, one name and one key", async (served) => {
  const { identity } = await generateIdentity();
  const { identity: other } = await generateIdentity();
  const device = (await generateSigningKey()).key;
  const old = await (await Peer.connect(served.port)).shake();
  const cases: Record<string, (peer: Peer) => Promise<Bytes>> = {
    "another handshake's": () => loginMessage(old, identity, "Carol"),
    "another server's": (peer) =>
      loginMessage({ hash: peer.hash, server: other.user.publicKey }, identity, "Carol"),
    "another name's": async (peer) =>
      rename(await loginMessage(peer, identity, "Carol"), "Carol", "David"),
    "a device that the user did not certify": (peer) =>
      loginMessage(peer, { ...identity, device }, "Carol"),
    "a user who did not certify the device": (peer) =>
      loginMessage(peer, { ...identity, user: other.user }, "Carol"),
  };
  for (const [name, make] of Object.entries(cases)) {
    using peer = await (await Peer.connect(served.port)).shake();
    await peer.send(await make(peer));
    await peer.assertEnds("bad_login", name);
  }
  old[Symbol.dispose]();
});

hostile("Keys under which any signature holds are refused", async (served) => {
  const identityPoint = new Uint8Array(32);
  identityPoint[0] = 1;
  // R = identity, S = 0 verifies for every message under such a key, where nobody looks.
  const signature = new Uint8Array(64);
  signature[0] = 1;
  using peer = await (await Peer.connect(served.port)).shake();
  await peer.send(encodeControl("login", {
    name: "Carol",
    userKey: identityPoint,
    deviceKey: identityPoint,
    certificate: signature,
    signature,
  }));
  await peer.assertEnds("bad_login");
});

hostile("A device is one user's", async (served) => {
  const { identity } = await generateIdentity();
  const { peer } = await logIn(served, { name: "Carol", identity });
  peer[Symbol.dispose]();
  const second = await certify((await generateSigningKey()).key, identity.device);
  using again = await (await Peer.connect(served.port)).shake();
  await again.send(await loginMessage(again, second, "David"));
  await again.assertEnds("bad_login");
});

const remote = "203.0.113.7:4711";

Deno.test("A stranger without an invitation is not told which names are in use", async () => {
  await using served = await serve({ join: "invite" }, { remote });
  await using _alice = await enter(served, "Alice");
  for (const name of ["Alice", "A1ice", "Nobody"]) {
    using peer = await (await Peer.connect(served.port)).shake();
    await peer.send(await loginMessage(peer, (await generateIdentity()).identity, name));
    await peer.assertEnds("invitation_needed", name);
  }
});

Deno.test("An invitation lets in, and a wrong one does not", async () => {
  await using served = await serve({ join: "invite" }, { remote });
  const { identity } = await generateIdentity();
  const wrong = served.invitation.slice();
  wrong[15]! ^= 1;
  for (const invitation of [undefined, new Uint8Array(0), wrong.subarray(0, 15), wrong]) {
    using peer = await (await Peer.connect(served.port)).shake();
    await peer.send(await loginMessage(peer, identity, "Carol", invitation));
    await peer.assertEnds("invitation_needed", `${invitation}`);
  }
  using peer = await (await Peer.connect(served.port)).shake();
  await peer.send(await loginMessage(peer, identity, "Carol", served.invitation));
  await peer.receive("welcome");
});

Deno.test("One address may have so many connections that log in, and an IPv6 /64 is one", async () => {
  await using served = await serve({ addressConnectionsMax: 2 }, { remote: "[2001:db8::1]:4711" });
  const silent = [await Wire.connect(served.port), await Wire.connect(served.port)];
  using peer = await Peer.connect(served.port);
  await peer.assertEnds("too_many_connections");
  for (const wire of silent) wire[Symbol.dispose]();
});
