/**
 * Who is sent out, kept out or let in by a running server: bans, invitations, registration, draining
 * and the pace of logins, over real connections.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fingerprint, generateIdentity, type Identity } from "../../crypto/identity.ts";
import { classicPrompt, encodeClassicFrame } from "../../protocol/classic.ts";
import { sealClassicFrame } from "../../crypto/classic_frame.ts";
import { fromBase64Url, toBase64Url } from "../../protocol/bytes.ts";
import type { Clock } from "../../protocol/clock.ts";
import { drainGraceMs } from "../../protocol/limits.ts";
import { type Control, encodeControl } from "../../protocol/message.ts";
import { Wire as MemoryWire } from "../fixtures/memory_link.ts";
import { type Insider, join, logIn, loginMessage, Peer, Wire } from "./peer.ts";
import { within } from "../fixtures/within.ts";
import { fastClock, serve, type Served } from "./served.ts";

const remote = "203.0.113.7:4711";

/** What the operator asks for on the machine itself; its value. */
async function operate(
  { server }: Served,
  command: string,
  args?: Record<string, unknown>,
  room?: string,
): Promise<Record<string, unknown>> {
  const wire = new MemoryWire("operator");
  const serving = server.acceptOperator(wire.far);
  const line = JSON.stringify({ command, args, ...(room !== undefined && { room }) });
  await wire.near.write(new TextEncoder().encode(`${line}\n`));
  const buffer = new Uint8Array(65_536);
  const count = await within(wire.near.read(buffer), "the operator's answer");
  wire.near.close();
  await serving;
  const answer = JSON.parse(new TextDecoder().decode(buffer.subarray(0, count!)));
  if (answer.error) throw new Error(`${answer.error.code}: ${answer.error.text}`);
  return answer.value;
}

/** Logs in with what is given; what comes of it: a welcome, or the code of the refusal. */
async function tryLogin(
  { port }: Served,
  name: string,
  { identity, invitation }: { identity?: Identity; invitation?: Uint8Array | undefined } = {},
): Promise<{ code: string; text: string; welcome?: Control<"welcome"> }> {
  using peer = await (await Peer.connect(port)).shake();
  const who = identity ?? (await generateIdentity()).identity;
  await peer.send(await loginMessage(peer, who, name, invitation));
  const answer = await peer.message();
  if (answer?.type === "welcome") return { code: "welcome", text: "", welcome: answer };
  assert(answer?.type === "error");
  return answer;
}

/** Asks for something; the value, or an error with code and text. */
async function ask(
  { peer }: Insider,
  command: string,
  args: Record<string, unknown> = {},
): Promise<Record<string, unknown>> {
  await peer.send(encodeControl("request", { request: 1, command, args }));
  return (await peer.receive("answer")).value as Record<string, unknown>;
}

/** A new room of somebody's. */
async function makeRoom(owner: Insider, name: string): Promise<string> {
  const { room } = await ask(owner, "join", { name, open: true });
  return (room as { id: string }).id;
}

async function invite(
  owner: Insider,
  room: string,
  terms: Record<string, unknown> = {},
): Promise<Uint8Array> {
  return fromBase64Url((await ask(owner, "invite", { room, ...terms }))["invitation"] as string);
}

Deno.test("Who is excluded by address is cut off, and refused in the clear before the handshake", async () => {
  await using served = await serve({}, { remote });
  const carol = await named(served, "Carol");
  const { peer } = await logIn(served, carol);
  using _ = peer;
  await operate(served, "exclude", { who: "203.0.113.0/24", why: "spam", forMs: 3_600_000 });
  await peer.assertEnds("banned");
  using again = await Peer.connect(served.port);
  const words = await again.lastWords();
  assertEquals(words?.code, "banned");
  assertMatch(words!.text, /^You are banned from this server until .*Z: spam$/);
  await operate(served, "readmit", { who: "203.0.113.7/24" });
  assertEquals((await tryLogin(served, "Carol", carol)).code, "welcome");
});

Deno.test("Who is excluded by name or key is cut off, under a new name and device too", async () => {
  await using served = await serve();
  const mallory = await logIn(served, { name: "Mallory" });
  using _ = mallory.peer;
  await operate(served, "exclude", { who: "Mallory" });
  await mallory.peer.assertEnds("banned");
  const { identity } = mallory;
  assertEquals((await tryLogin(served, "Mallory", { identity })).code, "banned");
  assertEquals((await tryLogin(served, "Innocent", { identity })).code, "banned");
  const other = (await generateIdentity()).identity;
  assertEquals((await tryLogin(served, "Innocent", { identity: other })).code, "welcome");
  await operate(served, "exclude", { who: `key:${fingerprint(other.user.publicKey)}` });
  assertEquals((await tryLogin(served, "Innocent", { identity: other })).code, "banned");
});

Deno.test("A stranger is not told which names are banned", async () => {
  await using served = await serve({ join: "invite" }, { remote });
  await operate(served, "exclude", { who: "Nobody" });
  assertEquals((await tryLogin(served, "Nobody")).code, "invitation_needed");
  assertEquals(
    (await tryLogin(served, "Nobody", { invitation: served.invitation })).code,
    "banned",
  );
});

Deno.test("Somebody is told that they are out of a room, and why, and hears it no more", async () => {
  await using served = await serve();
  const olga = await logIn(served, { name: "Olga" });
  const max = await join(served, { name: "Max" });
  using _ = olga.peer;
  using __ = max.peer;
  const room = await makeRoom(olga, "team");
  await ask(max, "join", { name: "team" });
  await max.peer.send(encodeControl("join", { room: fromBase64Url(room) }));
  await max.peer.receive("attach");
  await ask(olga, "kick", { room, user: "Max", why: "spam" });
  const { name, reason } = await max.peer.receive("removed");
  assertEquals([name, reason], ["team", "Olga sent you out of team: spam"]);
  await ask(max, "join", { name: "team" });
  await ask(olga, "ban", { room, who: "Max", forMs: 60_000 });
  assertStringIncludes((await max.peer.receive("removed")).reason, "You are banned from team");
  await max.peer.send(encodeControl("request", { request: 9, command: "who", args: { room } }));
  const refusal = await max.peer.message();
  assert(refusal?.type === "error");
  assertEquals(refusal.code, "forbidden");
});

Deno.test("A room's invitation makes a user and puts them into the room, once", async () => {
  await using served = await serve({ join: "invite" }, { remote });
  const olga = await logIn(served, await named(served, "Olga"));
  using _ = olga.peer;
  const room = await makeRoom(olga, "team");
  await ask(olga, "access", { room, access: "invited" });
  const invitation = await invite(olga, room, { uses: 2 });
  const { identity } = await generateIdentity();
  const first = await tryLogin(served, "Max", { identity, invitation });
  assertEquals(first.welcome?.rooms.map(({ name }) => name), ["lobby", "team"]);
  await ask(olga, "kick", { room, user: "Max" });
  // The same link again, as a client shows it at every login, lets nobody in again.
  const second = await tryLogin(served, "Max", { identity, invitation });
  assertEquals(second.welcome?.rooms.map(({ name }) => name), ["lobby"]);
  const listed = await ask(olga, "invitations", { room });
  assertEquals((listed["invitations"] as { uses: number }[])[0]?.uses, 1);
  await ask(olga, "ban", { room, who: "Max" });
});

/** A user from beyond this machine, let in by the server's own invitation. */
async function named(served: Served, name: string): Promise<{ name: string; identity: Identity }> {
  const { identity } = await generateIdentity();
  const { code } = await tryLogin(served, name, { identity, invitation: served.invitation });
  assertEquals(code, "welcome");
  return { name, identity };
}

Deno.test("An invitation with one use, shown twice in one moment, lets one in", async () => {
  await using served = await serve({ join: "invite" }, { remote });
  const olga = await logIn(served, await named(served, "Olga"));
  using _ = olga.peer;
  const invitation = await invite(olga, await makeRoom(olga, "team"), { uses: 1 });
  const names = ["Max", "Eve", "Ben", "Zoe"];
  const tried = await Promise.all(names.map((name) => tryLogin(served, name, { invitation })));
  assertEquals(tried.map(({ code }) => code).sort(), [
    "invitation_needed",
    "invitation_needed",
    "invitation_needed",
    "welcome",
  ]);
});

Deno.test("An invitation that has ended, or was revoked, lets nobody in", async () => {
  const clock = fastClock(1);
  await using served = await serve({ join: "invite" }, { remote, clock });
  const olga = await logIn(served, await named(served, "Olga"));
  using _ = olga.peer;
  const room = await makeRoom(olga, "team");
  const short = await invite(olga, room, { forMs: 1 });
  const revoked = await invite(olga, room);
  const listed = await ask(olga, "invitations", { room });
  const { id } = (listed["invitations"] as { id: string }[]).at(-1)!;
  await ask(olga, "revoke", { room, invitation: id });
  for (const invitation of [short, revoked]) {
    assertEquals((await tryLogin(served, "Max", { invitation })).code, "invitation_needed");
  }
});

Deno.test("Registration that is closed takes nobody new, and users come in as before", async () => {
  await using served = await serve({ join: "open" });
  const olga = await named(served, "Olga");
  await operate(served, "registration", { mode: "closed" });
  const { invitation } = served;
  assertEquals((await tryLogin(served, "Max", { invitation })).code, "registration_closed");
  assertEquals((await tryLogin(served, "Olga", olga)).code, "welcome");
  await operate(served, "registration", { mode: "invite" });
  assertEquals((await tryLogin(served, "Max", { invitation })).code, "welcome");
});

Deno.test("Draining keeps newcomers out; who is in may connect again for a minute", async () => {
  let nowMs = Date.UTC(2026, 0, 1);
  const fast = fastClock(4);
  const clock = { ...fast, now: () => nowMs };
  await using served = await serve({ join: "open" }, { clock });
  const olga = await named(served, "Olga");
  const long = await named(served, "Long");
  await served.left(0);
  nowMs += 2 * drainGraceMs;
  const connected = await logIn(served, olga);
  await operate(served, "drain", { isOn: true });
  assertEquals((await tryLogin(served, "Max")).code, "draining");
  for (let at = 0; at < 2; at++) { // A refused try does not make them look as if they were here.
    assertEquals((await tryLogin(served, "Long", long)).code, "draining");
  }
  assertEquals((await tryLogin(served, "Olga", olga)).code, "welcome");
  connected.peer[Symbol.dispose]();
  await served.left(0);
  nowMs += drainGraceMs - 1;
  assertEquals((await tryLogin(served, "Olga", olga)).code, "welcome");
  await served.left(0);
  nowMs += drainGraceMs + 1;
  assertEquals((await tryLogin(served, "Olga", olga)).code, "draining");
  assertEquals((await operate(served, "stats"))["isDraining"], true);
});

Deno.test("Logins from one address have a pace, and a refusal says when to try again", async () => {
  const rules = { join: "open", loginBurst: 3, loginsPerMinute: 1 } as const;
  await using served = await serve(rules, { remote });
  for (let at = 0; at < 3; at++) {
    assertEquals((await tryLogin(served, `user${at}`)).code, "welcome");
  }
  using peer = await Peer.connect(served.port);
  await peer.writeFrame(new Uint8Array(100));
  const words = await peer.lastWords() as { code: string; retryAfterMs?: number };
  assertEquals(words.code, "slow_down");
  assert(words.retryAfterMs! > 0 && words.retryAfterMs! <= 60_000);
  await using local = await serve(rules);
  for (let at = 0; at < 6; at++) {
    assertEquals((await tryLogin(local, `user${at}`)).code, "welcome", "This machine has none.");
  }
});

/** A client of the original protocol that has a name. */
async function guest({ port }: Served, name: string): Promise<Wire> {
  const wire = await Wire.connect(port);
  assertEquals(await wire.text(classicPrompt.length), classicPrompt);
  await wire.write(new TextEncoder().encode(`${name}\n`));
  return wire;
}

Deno.test("Guests of the original protocol from one address share what they may say", async () => {
  const fast = fastClock(1);
  const waiting = Promise.withResolvers<void>();
  let nowMs = Date.UTC(2026, 0, 1);
  const clock: Clock = {
    ...fast,
    now: () => nowMs,
    timer(ms, act) {
      if (ms !== 334) return fast.timer(ms, act);
      waiting.resolve(); // For the next of three a second.
      return fast.timer(0, () => {
        nowMs += ms;
        act();
      });
    },
  };
  const rules = { classic: "on", publishBurst: 2, publishPerSecond: 3 } as const;
  await using served = await serve(rules, { remote, clock });
  using reader = await guest(served, "Reader");
  const say = async (wire: Wire, text: string) =>
    await wire.write(encodeClassicFrame(await sealClassicFrame(new TextEncoder().encode(text))));
  using one = await guest(served, "One");
  await say(one, "1");
  await say(one, "2");
  assertEquals(await reader.text(18), "[One]: 1\n[One]: 2\n");
  using two = await guest(served, "Two"); // A new connection has no budget of its own.
  await say(two, "3");
  await within(waiting.promise, "the server to let a guest wait");
  assertEquals(await reader.text(9), "[Two]: 3\n");
});

Deno.test("A guest of the original protocol is cut off when excluded, and the name is not to be had", async () => {
  await using served = await serve();
  using carol = await guest(served, "Carol");
  using peer = (await join(served)).peer;
  void peer;
  await operate(served, "exclude", { who: "Carol" });
  await carol.rest();
  using again = await guest(served, "Carol");
  assertStringIncludes(await again.text(20), "This name already");
});

/** What keeps guests from writing; a mute ends with the name. */
const silences: readonly [command: string, args: Record<string, unknown>][] = [
  ["mute", { user: "Carol" }],
  ["announce", { isOn: true }],
];

for (const [command, args] of silences) {
  Deno.test(`A guest of the original protocol who may not write is not heard: ${command}`, async () => {
    await using served = await serve();
    using reader = await guest(served, "Reader");
    const say = async (wire: Wire, text: string) =>
      await wire.write(encodeClassicFrame(await sealClassicFrame(new TextEncoder().encode(text))));
    using carol = await guest(served, "Carol");
    await say(carol, "1");
    assertEquals(await reader.text(11), "[Carol]: 1\n");
    await operate(served, command, args, "lobby");
    await say(carol, "2");
    await carol.end();
    await carol.rest(); // All that she said is taken.
    await served.left(1);
    if (command === "announce") await operate(served, command, { isOn: false }, "lobby");
    using again = await guest(served, "Carol");
    await say(again, "3");
    assertEquals(await reader.text(11), "[Carol]: 3\n");
  });
}

Deno.test("Who was away when their address was banned is out as soon as they read from there", async () => {
  await using served = await serve({ join: "invite" }, { remote });
  const olga = await logIn(served, await named(served, "Olga"));
  using _ = olga.peer;
  const room = await makeRoom(olga, "team");
  const max = await named(served, "Max");
  const before = await logIn(served, max);
  await ask(before, "join", { name: "team" });
  before.peer[Symbol.dispose]();
  await served.left(1);
  await operate(served, "ban", { who: "203.0.113.0/24" }, "team");
  const again = await logIn(served, max);
  using __ = again.peer;
  await again.peer.send(encodeControl("join", { room: fromBase64Url(room) }));
  assertStringIncludes((await again.peer.receive("removed")).reason, "banned from team");
  assertEquals((await ask(olga, "who", { room }))["total"], 1); // Who owns it is spared.
});

Deno.test("Bytes of an invitation are in no list and no audit log", async () => {
  await using served = await serve();
  const olga = await logIn(served, { name: "Olga" });
  using _ = olga.peer;
  const room = await makeRoom(olga, "team");
  const invitation = toBase64Url(await invite(olga, room));
  const told = JSON.stringify([
    await ask(olga, "invitations", { room }),
    await ask(olga, "audit", { room }),
    await operate(served, "log"),
  ]);
  assertEquals(told.includes(invitation), false);
  assertStringIncludes(told, '"act":"invite"');
});
