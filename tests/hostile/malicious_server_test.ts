import { assert, assertEquals, assertRejects } from "@std/assert";
import { z } from "zod";
import type { ClientEvent } from "../../client/events.ts";
import { Client } from "../../client/reconnect.ts";
import { Refused, type SecureLink } from "../../client/handshake.ts";
import { pinChecker } from "../../client/pins.ts";
import type { CheckedEntry } from "../../client/room_log.ts";
import { logIn, type Session } from "../../client/session.ts";
import { systemClock } from "../../cli/clock.ts";
import { webAead } from "../../crypto/aes_gcm.ts";
import { SealingChannel } from "../../crypto/channel.ts";
import {
  deviceIdOf,
  fingerprint,
  generateIdentity,
  generateSigningKey,
  type Identity,
  label,
} from "../../crypto/identity.ts";
import { respond } from "../../crypto/noise.ts";
import { type Bytes, concat, toBase64Url } from "../../protocol/bytes.ts";
import { commands } from "../../protocol/command.ts";
import {
  chainEntry,
  Content,
  decodeRows,
  encodeCore,
  Proof,
  rowBytes,
  writeRow,
} from "../../protocol/entry.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { frame } from "../../protocol/framer.ts";
import { decodeHello, encodePayload, encodeRefusal, prologue } from "../../protocol/hello.ts";
import { encodeControl, type Message, type Person } from "../../protocol/message.ts";
import { makeServerKeys, shakeHands as answer } from "../../server/door/login.ts";
import {
  anotherRoom,
  author,
  dial,
  Liaison,
  lie,
  type Lies,
  lobby,
  room,
  roomKey,
  said,
} from "./liaison.ts";
import type { Wire } from "./peer.ts";
import { within } from "../fixtures/within.ts";

const evil = "\x1b[2J\x1b]0;owned\x07\u202eevil";

/** What a session made of a server's doings. */
interface Outcome {
  readonly error: unknown;
  readonly entries: readonly CheckedEntry[];
  readonly texts: readonly string[];
  /** What was told beside entries. */
  readonly seen: readonly string[];
}

/** Runs the client's session with a lying server until it breaks off. */
async function meet(
  act: (liaison: Liaison) => Promise<void>,
  use?: (session: Session) => void,
): Promise<Outcome> {
  const seen: string[] = [];
  await using liar = await lie(async (wire, identity) => {
    await act(await Liaison.open(wire, identity));
    await wire.end();
  });
  const entries: CheckedEntry[] = [];
  const secure = await dial(liar.port);
  const login = { name: "Victim", identity: (await generateIdentity()).identity };
  const session: Session = await logIn(secure, login, systemClock, {
    entries: (_room, more) => void entries.push(...more),
    reset: () => {},
    stored: () => {},
    refused: () => {},
    attached: () => use?.(session),
    presence: (_room, { here, gone }) => void seen.push(`${here} came, ${gone} went`),
    typing: (_room, name) => void seen.push(`${name} types`),
    roomChanged: ({ topic }) => void seen.push(`topic ${topic}`),
    removed: (_room, reason) => void seen.push(reason),
  });
  session.join(room, undefined);
  const error = await within(session.run(), "the session to end").catch((cause) => cause);
  const texts = entries.map(({ core }) => new TextDecoder().decode(core.payload));
  return { error, entries, texts, seen };
}

/** Answers who is behind devices, once. */
async function introduce(liaison: Liaison, people: Person[]): Promise<void> {
  const { request } = await liaison.receive("people");
  await liaison.send(encodeControl("peopleAnswer", { request, people }));
}

Deno.test("A client takes what a good server sends", async () => {
  const { identity, person } = await author("Alice");
  const { entries, texts, error } = await meet(async (liaison) => {
    await liaison.sendToRoom(await liaison.batch(await said(identity, "good"), person.deviceId));
    await introduce(liaison, [person]);
    const again = await liaison.batch(await said(identity, "better"), person.deviceId);
    await liaison.sendToRoom(again);
  });
  assertEquals([error, texts], [undefined, ["good", "better"]]);
  assertEquals(entries.map(({ verified }) => verified), ["signed", "signed"]);
});

const other = (await generateSigningKey()).key;

/** Batches that do not fit, each behind a good one. */
const badBatches: Record<string, Lies> = {
  "a head that another key signed": { signer: other },
  "a head signed for another room": { room: new Uint8Array(16).fill(8) },
  "a head with another label": { label: label.serverKey },
  "a gap": { gap: 1 },
  "a gap of 2^40": { gap: 2 ** 40 },
  "a chain that begins elsewhere": { before: new Uint8Array(32) },
  "a changed payload": { change: (rows) => rows[rows.length - 1]! ^= 1 },
  "a changed author": { change: (rows) => rows[8]! ^= 1 },
  "a changed time": { change: (rows) => rows[7]! ^= 1 },
  "a changed message id": { change: (rows) => rows[28]! ^= 1 },
};

for (const [name, lies] of Object.entries(badBatches)) {
  Deno.test(`A client does not take ${name}`, async () => {
    const { identity, person } = await author("Alice");
    const { texts, error } = await meet(async (liaison) => {
      await liaison.sendToRoom(await liaison.batch(await said(identity, "good"), person.deviceId));
      await introduce(liaison, [person]);
      const bad = await liaison.batch(await said(identity, "bad"), person.deviceId, lies);
      await liaison.sendToRoom(bad);
    });
    assertEquals(texts, ["good"]);
    assert(error instanceof ProtocolError && error.code === "broken_log", `${error}`);
  });
}

Deno.test("A client does not take a batch twice", async () => {
  const { identity, person } = await author("Alice");
  const { texts, error } = await meet(async (liaison) => {
    const batch = await liaison.batch(await said(identity, "once"), person.deviceId);
    await liaison.sendToRoom(batch, batch);
    await introduce(liaison, [person]);
  });
  assertEquals(texts, ["once"]);
  assert(error instanceof ProtocolError && error.code === "broken_log");
});

/** Entries that the server vouches for, and their author does not. */
const badEntries: Record<string, (alice: Identity, mallory: Identity) => Promise<Bytes>> = {
  "signed by another device": async (_, mallory) => await said(mallory, "I am Alice"),
  "unsigned": (alice) => said(alice, "I am Alice").then((core) => unsigned(core)),
  "signed by nobody": async (alice) => {
    const core = await said(alice, "I am Alice");
    core.fill(0, 20, 84);
    return core;
  },
  "with the signature of another text": async (alice) => {
    const core = await said(alice, "I am Alice!");
    core[core.length - 1] = ".".charCodeAt(0);
    return core;
  },
  "that says who joined": async (alice) => await said(alice, "{}", { content: Content.joined }),
  "of a sealed room": (alice) =>
    said(alice, "I am Alice").then((core) => unsigned(core, Proof.mls)),
};

function unsigned(core: Bytes, proof: Proof = Proof.unverified): Bytes {
  const bytes = concat([core.subarray(0, 20), core.subarray(84)]);
  bytes[1] = proof;
  return bytes;
}

Deno.test("A client shows entries as forged that their author did not sign", async () => {
  const alice = await author("Alice");
  const mallory = await author("Mallory");
  for (const [name, make] of Object.entries(badEntries)) {
    const { entries, error } = await meet(async (liaison) => {
      const core = await make(alice.identity, mallory.identity);
      await liaison.sendToRoom(await liaison.batch(core, alice.person.deviceId));
      await introduce(liaison, [alice.person]);
    });
    assertEquals([error, entries.map(({ verified }) => verified)], [undefined, ["failed"]], name);
  }
});

Deno.test("A client does not believe who is behind a device without its certificate", async () => {
  const alice = await author("Alice");
  const mallory = await author("Mallory");
  const cases: Record<string, Person> = {
    "another device's keys": { ...mallory.person, deviceId: alice.person.deviceId, name: "Eve" },
    "another user's certificate": {
      ...alice.person,
      keys: { ...alice.person.keys!, user: mallory.identity.user.publicKey },
    },
  };
  for (const [name, person] of Object.entries(cases)) {
    const { entries } = await meet(async (liaison) => {
      const core = await said(alice.identity, "hello");
      await liaison.sendToRoom(await liaison.batch(core, alice.person.deviceId));
      await introduce(liaison, [person]);
    });
    assertEquals(entries.map(({ verified, author }) => [verified, author]), [
      ["failed", undefined],
    ], name);
  }
});

/** What a server may not do at all. */
const breaches: Record<string, (liaison: Liaison) => Promise<void>> = {
  "speaks of a room that was not joined": (liaison) => {
    const { cursor } = liaison;
    return liaison.send(encodeControl("reset", { room: new Uint8Array(16), reason: "", cursor }));
  },
  "writes on a channel that it did not announce": async (liaison) => {
    const sealing = await SealingChannel.create(77, roomKey);
    await liaison.wire.write(frame(...await sealing.seal(new Uint8Array(0))));
  },
  "announces one key after the other": async (liaison) => {
    for (let channel = 2; channel < 20; channel++) await liaison.attach(channel);
  },
  "sends what only clients do": (liaison) => liaison.send(encodeControl("goodbye", {})),
  "sends a control message on the room's channel": (liaison) =>
    liaison.sendToRoom(encodeControl("ping", {})),
  "says on the room's channel that we are out": (liaison) =>
    liaison.sendToRoom(encodeControl("removed", { room, name: "lobby", reason: "" })),
  "says on the room's channel that the room has changed": (liaison) =>
    liaison.sendToRoom(encodeControl("room", { room: lobby })),
  "answers on the room's channel": (liaison) =>
    liaison.sendToRoom(encodeControl("answer", { request: 1, value: {} })),
  "says on one room's channel who is in another": (liaison) =>
    liaison.sendToRoom(
      encodeControl("presence", { room: anotherRoom, here: ["Eve"], gone: [], more: 0 }),
    ),
  "says on one room's channel who is typing in another": (liaison) =>
    liaison.sendToRoom(encodeControl("typing", { room: anotherRoom, name: "Eve" })),
  "says on its own channel who is in a room": (liaison) =>
    liaison.send(encodeControl("presence", { room, here: ["Eve"], gone: [], more: 0 })),
  "sends a kind that is not known": (liaison) => liaison.send(Uint8Array.of(0, 0, 0, 1, 99)),
  "announces a frame of 4 GiB": async ({ wire }) => {
    await wire.write(Uint8Array.of(255, 255, 255, 255));
  },
  "announces a frame of nothing": async ({ wire }) => await wire.write(new Uint8Array(4)),
  "writes frames that are noise": async ({ wire }) => await wire.write(frame(new Uint8Array(100))),
  "sends a frame again": async ({ wire, pair }) => {
    const bytes = frame(...await pair.sealing.seal(encodeControl("pong", {})));
    await wire.write(bytes, bytes);
  },
  "sends an event that it cannot read itself": async (liaison) => {
    const payload = new TextEncoder().encode("[".repeat(10_000));
    const draft = { proof: Proof.unverified, content: 128, messageId: room, payload };
    const { publicKey } = liaison.identity;
    await liaison.sendToRoom(await liaison.batch(encodeCore(draft), deviceIdOf(publicKey)));
  },
  "sends entries without end and does not say whose they are": async (liaison) => {
    const { identity, person } = await author("Alice");
    const core = await said(identity, "x".repeat(60_000));
    for (let count = 0; count < 1500; count++) {
      await liaison.sendToRoom(await liaison.batch(core, person.deviceId));
    }
  },
};

for (const [name, act] of Object.entries(breaches)) {
  Deno.test(`A client breaks off when a server ${name}`, async () => {
    const { error, entries } = await meet(act);
    assert(error instanceof Error, `${error}`);
    assertEquals(entries, []);
  });
}

Deno.test("A client is told who is there and who types, and how its room is", async () => {
  const { seen, error } = await meet(async (liaison) => {
    await liaison.send(encodeControl("room", { room: { ...lobby, topic: "tea" } }));
    await liaison.sendToRoom(
      encodeControl("presence", { room, here: ["Alice"], gone: ["Bob"], more: 0 }),
      encodeControl("typing", { room, name: "Alice" }),
      encodeControl("typing", { room }),
    );
  });
  assertEquals([error, seen], [undefined, ["topic tea", "Alice came, Bob went", "Alice types"]]);
});

Deno.test("A client that was sent out of a room leaves out what still comes of it", async () => {
  const { identity, person } = await author("Alice");
  const { seen, texts, error } = await meet(async (liaison) => {
    await liaison.sendToRoom(await liaison.batch(await said(identity, "before"), person.deviceId));
    await introduce(liaison, [person]);
    await liaison.send(encodeControl("removed", { room, name: "lobby", reason: "kicked" }));
    await liaison.sendToRoom(
      await liaison.batch(await said(identity, "after"), person.deviceId, { gap: 5 }),
      encodeControl("typing", { room, name: "Alice" }),
    );
    await liaison.attach(7);
    await liaison.send(
      encodeControl("reset", { room, reason: "late", cursor: liaison.cursor }),
    );
  });
  assertEquals([error, seen, texts], [undefined, ["kicked"], ["before"]]);
});

/** What a client asks its server, and what that makes of it. */
async function ask<T>(
  act: (session: Session) => Promise<T>,
  answer: (request: Message & { type: "request" }, liaison: Liaison) => Promise<Uint8Array>,
): Promise<unknown> {
  let asked: Promise<unknown> = Promise.resolve();
  await meet(async (liaison) => {
    const message = await liaison.receive("request");
    await liaison.send(await answer(message, liaison));
    const { person } = await author("Alice");
    await liaison.send(encodeControl("peopleAnswer", { request: 2, people: [person] }));
    await liaison.receive("seen");
  }, (session) => {
    asked = act(session).catch((cause) => cause);
    void asked.then(() => session.seen(room, 1, 1));
  });
  return await asked;
}

Deno.test("A client takes only answers that are as its table of commands has them", async () => {
  const answers: Record<string, [value: unknown, isGood: boolean]> = {
    good: [{ members: [], total: 0, here: 0, more: "ignored" }, true],
    "no object": [[], false],
    "a field too few": [{ members: [], total: 0 }, false],
    "a number that is none": [{ members: [], total: -1, here: 0 }, false],
    "more than it may": [{ members: Array(501).fill(0), total: 0, here: 0 }, false],
  };
  for (const [name, [value, isGood]] of Object.entries(answers)) {
    const outcome = await ask(
      (session) => session.command("who", {}, room),
      ({ request, command, args }) => {
        assertEquals([command, args], ["who", { room: toBase64Url(room) }]);
        return Promise.resolve(encodeControl("answer", { request, value }));
      },
    );
    if (isGood) assertEquals(outcome, { members: [], total: 0, here: 0 });
    else assert(outcome instanceof ProtocolError && outcome.code === "bad_message", name);
  }
});

Deno.test("A client is told why a command was refused", async () => {
  const outcome = await ask(
    (session) => session.command("topic", { text: "tea" }, room),
    ({ request }) =>
      Promise.resolve(encodeControl("error", { code: "forbidden", text: evil, request })),
  );
  assert(outcome instanceof Refused && outcome.code === "forbidden");
  assertSafe(outcome.message);
});

Deno.test("A client does not ask for what cannot be", async () => {
  let outcome: unknown;
  await meet((liaison) => liaison.receive("seen").then(() => {}), (session) => {
    void session.command("kick", { user: "x".repeat(200) }, room).catch((cause) => {
      outcome = cause;
      session.seen(room, 1, 1);
    });
  });
  assert(outcome instanceof ProtocolError && outcome.message.includes("(user)"), `${outcome}`);
});

/** Earlier entries that lead to a known one, and such as do not. */
const histories: Record<string, (answer: HistoryAnswer) => HistoryAnswer | object> = {
  "that is good": (answer) => answer,
  "with a changed text": ({ rows, ...answer }) => ({ ...answer, rows: flipped(rows) }),
  "that begins elsewhere": (answer) => ({ ...answer, before: new Uint8Array(32) }),
  "that ends too soon": (answer) => ({ ...answer, firstSeq: answer.firstSeq - 1 }),
  "of another time": (answer) => ({ ...answer, timeMs: 7 }),
  "of nothing": () => ({}),
};

interface HistoryAnswer {
  readonly firstSeq: number;
  readonly timeMs: number;
  readonly rows: Uint8Array;
  readonly before: Uint8Array;
}

function flipped(bytes: Uint8Array): Uint8Array {
  const changed = bytes.slice();
  changed[changed.length - 1]! ^= 1;
  return changed;
}

Deno.test("A client takes only a history that leads to what it knows", async () => {
  const { identity, person } = await author("Alice");
  const core = await said(identity, "long ago");
  const rows = new Uint8Array(rowBytes(core));
  writeRow(rows, 0, 0, person.deviceId, core);
  const before = new Uint8Array(32).fill(5);
  const good: HistoryAnswer = { firstSeq: 10, timeMs: 1000, rows, before };
  const known = { seq: 11, hash: chainEntry(before, decodeRows(rows, 10, 1000)[0]!) };
  for (const [name, change] of Object.entries(histories)) {
    const value = z.encode(commands.history.result, change(good));
    const outcome = await ask(
      (session) => session.history(room, known, 5),
      async ({ request, args }, liaison) => {
        assertEquals(args, { room: toBase64Url(room), before: 11, count: 5 });
        await liaison.send(encodeControl("answer", { request, value }));
        if (name !== "that is good") return encodeControl("pong", {});
        const { request: people } = await liaison.receive("people");
        return encodeControl("peopleAnswer", { request: people, people: [person] });
      },
    );
    if (name === "that is good") {
      const [entry] = outcome as CheckedEntry[];
      assertEquals([entry?.seq, entry?.verified, entry?.previous], [10, "signed", before], name);
    } else if (name === "of nothing") assertEquals(outcome, []);
    else assert(outcome instanceof ProtocolError && outcome.code === "broken_log", name);
  }
});

Deno.test("A client answers pings that came together with few pongs", async () => {
  let pongs = 0;
  const { error } = await meet(async (liaison) => {
    await liaison.send(...Array.from({ length: 4000 }, () => encodeControl("ping", {})));
    await liaison.receive("pong");
    await liaison.send(encodeControl("stored", { room, messageId: room, seq: 1 }));
    await liaison.wire.end();
    while (await liaison.receive("pong").catch(() => undefined)) pongs++;
  });
  assertEquals(error, undefined);
  assert(pongs < 100, `${pongs} pongs`);
});

Deno.test("A server's texts cannot act on the terminal", async () => {
  const { error } = await meet((liaison) =>
    liaison.send(encodeControl("error", { code: "internal", text: evil, fatal: true }))
  );
  assert(error instanceof Refused);
  assertSafe(error.message);
});

Deno.test("A refusal in the clear cannot act on the terminal, nor end a client that was in", async () => {
  const refusal = frame(encodeRefusal({ code: "version", text: evil }));
  let connections = 0;
  const { promise: back, resolve: comeBack } = Promise.withResolvers<void>();
  await using liar = await lie(async (wire, identity) => {
    connections++;
    if (connections === 2) return await wire.write(refusal);
    await Liaison.open(wire, identity);
    if (connections === 1) await wire.end();
    else comeBack();
  });
  const refused = await lie((wire) => wire.write(refusal));
  const error = await assertRejects(() => dial(refused.port), Refused);
  assertSafe(error.message);
  await refused[Symbol.asyncDispose]();

  const events: ClientEvent[] = [];
  const client = await openClient(() => dial(liar.port), events);
  const running = client.run();
  await within(back, "the client to come back");
  assertEquals(events.map(({ kind }) => kind).filter((kind) => kind !== "entries"), [
    "disconnected",
    "reconnected",
  ]);
  client.close();
  await running;
});

function assertSafe(text: string): void {
  assert(!/[\p{Cc}\p{Cf}]/u.test(text), JSON.stringify(text));
  assert(text.includes("evil"));
}

function openClient(dial: () => Promise<SecureLink>, events: ClientEvent[]): Promise<Client> {
  return generateIdentity().then(({ identity }) =>
    Client.open({
      dial,
      login: { name: "Victim", identity },
      clock: systemClock,
      random: () => 0,
      onEvent: (event) => void events.push(event),
    })
  );
}

Deno.test("A client does not shake hands with who cannot prove the identity", async () => {
  const { key: stolen } = await generateSigningKey();
  await using liar = await lie(async (wire, identity) => {
    // The public half of an identity, and a signature by another.
    const keys = await makeServerKeys(identity, webAead);
    const claimed = { ...keys, identity: { ...identity, publicKey: stolen.publicKey } };
    await wire.write(frame((await answer((await wire.frame())!, claimed)).answer));
  });
  const error = await assertRejects(() => dial(liar.port), ProtocolError);
  assert(error.message.includes("cannot prove"), error.message);
});

Deno.test("A client that was in is told when another server has taken the place", async () => {
  const { key: first } = await generateSigningKey();
  let connections = 0;
  await using liar = await lie(async (wire, identity) => {
    await Liaison.open(wire, ++connections === 1 ? first : identity).catch(() => {});
    if (connections === 1) await wire.end();
  });
  const pins = new Map<string, string>();
  const check = pinChecker(
    { host: "127.0.0.1", port: liar.port },
    {
      pin: (server: string) => Promise.resolve(pins.get(server)),
      savePin: (server: string, pin: string) => Promise.resolve(void pins.set(server, pin)),
    } as unknown as Parameters<typeof pinChecker>[1],
    () => {},
  );
  const events: ClientEvent[] = [];
  const { promise: told, resolve } = Promise.withResolvers<string>();
  const client = await Client.open({
    dial: () => dial(liar.port, check),
    login: { name: "Victim", identity: (await generateIdentity()).identity },
    clock: systemClock,
    random: () => 0,
    onEvent(event) {
      events.push(event);
      if (event.kind === "disconnected" && event.reason.includes("identity")) resolve(event.reason);
    },
  });
  const running = client.run().catch((cause) => resolve(String(cause)));
  assert((await within(told, "the client to be told")).includes("another identity"));
  client.close();
  await running;
  assertEquals([...pins.values()], [fingerprint(first.publicKey)]);
});

const strangeHellos: Record<string, (wire: Wire) => Promise<void>> = {
  "noise": (wire) => wire.write(crypto.getRandomValues(new Uint8Array(4096))),
  "a length of 4 GiB": (wire) => wire.write(Uint8Array.of(255, 255, 255, 255)),
  "a web page": (wire) => wire.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n")),
  "a frame of zeros": (wire) => wire.write(frame(new Uint8Array(200))),
  "half a frame, then the end": async (wire) => {
    await wire.write(frame(new Uint8Array(200)).subarray(0, 100));
    await wire.end();
  },
  "a refusal that is no JSON": (wire) =>
    wire.write(frame(concat([new TextEncoder().encode("BCS!"), new Uint8Array(50)]))),
  "endless prompts": async (wire) => {
    await wire.write(new TextEncoder().encode("Enter your username:".repeat(10_000)));
  },
};

for (const [name, act] of Object.entries(strangeHellos)) {
  Deno.test(`A client that is answered with ${name} says so in plain words`, async () => {
    await using liar = await lie(async (wire) => {
      await wire.frame();
      await act(wire);
    });
    const error = await assertRejects(
      () => within(dial(liar.port), "the client to break off"),
      ProtocolError,
    );
    assert(error.message.length > 20);
  });
}

Deno.test("A server's hello with fields that are no keys is refused in plain words", async () => {
  for (const field of ["identity", "signature"] as const) {
    for (const value of ["A", "AA", "A".repeat(128)]) {
      await using liar = await lie(async (wire, identity) => {
        const keys = await makeServerKeys(identity, webAead);
        const hello = encodePayload({
          version: 2,
          identity: toBase64Url(identity.publicKey),
          signature: toBase64Url(keys.signature),
          limits: { frameBytesMax: 1024, payloadBytesMax: 1 },
          [field]: value,
        });
        const noise = decodeHello((await wire.frame())!);
        const { message } = await respond(prologue(noise.length), keys.noise, noise, () => hello);
        await wire.write(frame(message));
      });
      await assertRejects(() => dial(liar.port), ProtocolError);
    }
  }
});
