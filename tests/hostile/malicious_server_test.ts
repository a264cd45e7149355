import { assert, assertEquals, assertRejects } from "@std/assert";
import { Client, type ClientEvent } from "../../client/reconnect.ts";
import { Refused, type SecureLink, shakeHands } from "../../client/handshake.ts";
import { inTime } from "../../client/in_time.ts";
import { pinChecker } from "../../client/pins.ts";
import type { CheckedEntry } from "../../client/room_log.ts";
import { logIn, type Session } from "../../client/session.ts";
import { systemClock } from "../../clock.ts";
import { SealingChannel } from "../../crypto/channel.ts";
import {
  deviceIdOf,
  fingerprint,
  generateIdentity,
  generateSigningKey,
  type Identity,
  label,
  sign,
  type SigningKey,
} from "../../crypto/identity.ts";
import { respond } from "../../crypto/noise.ts";
import { type Bytes, concat, toBase64Url, writeU64 } from "../../protocol/bytes.ts";
import {
  chainEntry,
  Content,
  decodeRows,
  type Draft,
  encodeCore,
  encodeCoreHead,
  Proof,
  rowBytes,
  signedFields,
  writeRow,
} from "../../protocol/entry.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { frame } from "../../protocol/framer.ts";
import { decodeHello, encodePayload, encodeRefusal, prologue } from "../../protocol/hello.ts";
import {
  type Cursor,
  decodeMessages,
  encodeBatch,
  encodeControl,
  type Message,
  type Person,
} from "../../protocol/message.ts";
import { makeServerKeys, type Pair, shakeHands as answer } from "../../server/login.ts";
import { dialTcp } from "../../tcp.ts";
import { Wire } from "./peer.ts";
import { within } from "./served.ts";

const room = new Uint8Array(16).fill(1);
const roomKey = new Uint8Array(32).fill(2);
const channel = 1;
const evil = "\x1b[2J\x1b]0;owned\x07\u202eevil";

/** A server that does what a test tells it to. */
interface Liar extends AsyncDisposable {
  readonly port: number;
  readonly identity: SigningKey;
}

type Act = (wire: Wire, identity: SigningKey) => Promise<void>;

/** Does something with each connection, then waits until the client has gone. */
async function lie(act: Act): Promise<Liar> {
  const { key: identity } = await generateSigningKey();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const acts: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const conn of listener) {
      acts.push((async () => {
        using wire = new Wire(conn);
        await act(wire, identity);
        await wire.rest();
      })());
    }
  })();
  return {
    port: listener.addr.port,
    identity,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      await Promise.all(acts);
    },
  };
}

async function dial(
  port: number,
  check: Parameters<typeof shakeHands>[1] = () => {},
): Promise<SecureLink> {
  const link = await dialTcp({ host: "127.0.0.1", port });
  return await inTime(link, systemClock, shakeHands(link, check));
}

/** What a server in the middle of a session can do. */
class Liaison {
  readonly wire: Wire;
  readonly pair: Pair;
  readonly identity: SigningKey;
  readonly room: SealingChannel;
  /** Where the log is that the client has been told. */
  cursor: Cursor = { seq: 10, hash: new Uint8Array(32).fill(3) };

  constructor(wire: Wire, pair: Pair, identity: SigningKey, room: SealingChannel) {
    this.wire = wire;
    this.pair = pair;
    this.identity = identity;
    this.room = room;
  }

  /** Takes a client in, as a good server does; it reads the room when this resolves. */
  static async open(wire: Wire, identity: SigningKey): Promise<Liaison> {
    const pair = await answer((await wire.frame())!, await makeServerKeys(identity));
    await wire.write(frame(pair.answer));
    const liaison = new Liaison(
      wire,
      pair,
      identity,
      await SealingChannel.create(channel, roomKey),
    );
    const login = await liaison.receive("login");
    await liaison.send(encodeControl("welcome", {
      userId: room,
      deviceId: deviceIdOf(login.deviceKey),
      name: login.name,
      registered: true,
      rooms: [{ id: room, name: "lobby", sealed: false }],
    }));
    await liaison.receive("join");
    await liaison.attach(channel);
    return liaison;
  }

  attach(channel: number): Promise<void> {
    const { cursor } = this;
    return this.send(encodeControl("attach", { room, channel, key: roomKey, counter: 0, cursor }));
  }

  async send(...messages: Uint8Array[]): Promise<void> {
    await this.wire.write(frame(...await this.pair.sealing.seal(concat(messages))));
  }

  async sendToRoom(...messages: Uint8Array[]): Promise<void> {
    await this.wire.write(frame(...await this.room.seal(concat(messages))));
  }

  async receive<Type extends Message["type"]>(type: Type): Promise<Message & { type: Type }> {
    while (true) {
      const body = await this.wire.frame();
      if (!body) throw new Error(`The client left before ${type}`);
      const messages = decodeMessages(await this.pair.opening.open(body));
      const found = messages.find((message) => message.type === type);
      if (found) return found as Message & { type: Type };
    }
  }

  /** A good batch of one entry behind the cursor, which moves on; unless it is made a bad one. */
  async batch(core: Uint8Array, deviceId: Uint8Array, lies: Lies = {}): Promise<Bytes> {
    const { cursor, identity } = this;
    const rows = new Uint8Array(rowBytes(core));
    writeRow(rows, 0, 0, deviceId, core);
    const firstSeq = cursor.seq + 1 + (lies.gap ?? 0);
    const [entry] = decodeRows(rows, firstSeq, 1000);
    const hash = chainEntry(lies.before ?? cursor.hash, entry!);
    const seq = new Uint8Array(8);
    writeU64(seq, 0, firstSeq);
    const head = await sign(lies.signer ?? identity, lies.label ?? label.head, [
      lies.room ?? room,
      seq,
      hash,
    ]);
    lies.change?.(rows);
    this.cursor = { seq: firstSeq, hash };
    return encodeBatch({ room, firstSeq, timeMs: 1000, rows, hash, signature: head });
  }
}

interface Lies {
  gap?: number;
  before?: Uint8Array;
  signer?: SigningKey;
  label?: (typeof label)[keyof typeof label];
  room?: Uint8Array;
  change?: (rows: Uint8Array) => void;
}

/** Somebody whose messages the server passes on. */
async function author(name: string): Promise<{ identity: Identity; person: Person }> {
  const { identity } = await generateIdentity();
  const { user, device, certificate } = identity;
  const keys = { user: user.publicKey, device: device.publicKey, certificate };
  const deviceId = deviceIdOf(device.publicKey);
  return { identity, person: { deviceId, userId: new Uint8Array(16).fill(9), name, keys } };
}

async function said(by: Identity, text: string, draft: Partial<Draft> = {}): Promise<Bytes> {
  const payload = new TextEncoder().encode(text);
  const messageId = crypto.getRandomValues(new Uint8Array(16));
  const whole = { proof: Proof.signature, content: 0, messageId, payload, ...draft };
  const fields = signedFields(
    room,
    deviceIdOf(by.device.publicKey),
    encodeCoreHead(whole),
    payload,
  );
  return encodeCore(whole, await sign(by.device, label.entry, fields));
}

/** What a session made of a server's doings. */
interface Outcome {
  readonly error: unknown;
  readonly entries: readonly CheckedEntry[];
  readonly texts: readonly string[];
}

/** Runs the client's session with a lying server until it breaks off. */
async function meet(act: (liaison: Liaison) => Promise<void>): Promise<Outcome> {
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
    attached: () => {},
  });
  session.join(room, undefined);
  const error = await within(session.run(), "the session to end").catch((cause) => cause);
  const texts = entries.map(({ core }) => new TextDecoder().decode(core.payload));
  return { error, entries, texts };
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
    const keys = await makeServerKeys(identity);
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
        const keys = await makeServerKeys(identity);
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
