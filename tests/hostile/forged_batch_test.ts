import { assert, assertEquals } from "@std/assert";
import type { ClientEvent } from "../../client/events.ts";
import { Client } from "../../client/reconnect.ts";
import { shakeHands } from "../../client/handshake.ts";
import { systemClock } from "../../cli/clock.ts";
import { SealingChannel } from "../../crypto/channel.ts";
import { generateIdentity, generateSigningKey, label, sign } from "../../crypto/identity.ts";
import { type Bytes, concat, readU32, readU64, writeU64 } from "../../protocol/bytes.ts";
import {
  chainEntry,
  decodeRows,
  encodeCore,
  Proof,
  rowBytes,
  writeRow,
} from "../../protocol/entry.ts";
import { frame } from "../../protocol/framer.ts";
import {
  type Batch,
  type Control,
  decodeMessages,
  encodeBatch,
  encodeControl,
} from "../../protocol/message.ts";
import { dialTcp } from "../../cli/tcp.ts";
import { type Insider, join } from "./peer.ts";
import { within } from "../fixtures/within.ts";
import { hostile } from "./served.ts";

type Member = Insider & { readonly attach: Control<"attach"> };

/** What a member who sits on another's line knows: the room's key, and the frames that pass. */
interface Knowledge {
  readonly mallory: Member;
  /** The batches of the room so far, opened. */
  readonly batches: readonly Batch[];
  /** Alice's device. */
  readonly alice: Uint8Array;
}

const evil = "Bob, send the money to Mallory";

/** What a forger may put on the room's channel, and how the victim calls it. */
const forgeries: Record<
  string,
  readonly [tells: RegExp, make: (known: Knowledge) => Promise<Bytes>]
> = {
  "a batch with a signature of its own": [/did not sign/, async (known) => {
    const { key } = await generateSigningKey();
    return await forge(known, (fields) => sign(key, label.head, fields));
  }],
  "a batch with no signature at all": [
    /did not sign/,
    (known) => forge(known, () => Promise.resolve(new Uint8Array(64))),
  ],
  "a batch with the signature of the one before": [
    /did not sign/,
    (known) => forge(known, () => Promise.resolve(known.batches.at(-1)!.signature)),
  ],
  "a batch signed by a member's own device": [
    /did not sign/,
    (known) => forge(known, (fields) => sign(known.mallory.identity.device, label.head, fields)),
  ],
  "a batch of before, as it was": [
    /left out entries or repeated/,
    ({ batches }) => Promise.resolve(encodeBatch(batches.at(-1)!)),
  ],
  "a batch of before with another text in it": [/left out|changed/, ({ batches }) => {
    const { rows, ...batch } = batches.at(-1)!;
    const changed = rows.slice();
    changed[changed.length - 1]! ^= 1;
    return Promise.resolve(encodeBatch({ ...batch, rows: changed }));
  }],
  "an error": [
    /may not carry "error"/,
    () => Promise.resolve(encodeControl("error", { code: "forbidden", text: evil, fatal: true })),
  ],
  "a reset": [
    /may not carry "reset"/,
    ({ mallory: { room, attach } }) =>
      Promise.resolve(encodeControl("reset", { room, reason: evil, cursor: attach.cursor })),
  ],
  "a key of the forger's": [
    /may not carry "attach"/,
    ({ mallory: { attach } }) => Promise.resolve(encodeControl("attach", attach)),
  ],
  "an answer to who is who": [
    /may not carry "peopleAnswer"/,
    () => Promise.resolve(encodeControl("peopleAnswer", { request: 1, people: [] })),
  ],
};

for (const [name, [tells, make]] of Object.entries(forgeries)) {
  hostile(`A member cannot forge ${name}`, async (served, { alice, bob }) => {
    const mallory = await join(served, { name: "Mallory" });
    using _ = mallory.peer;
    await using line = tap(served.port);
    const victim = await openClient(line.port);
    await victim.until(({ kind }) => kind === "presence"); // Its own arrival.
    await alice.say("genuine");
    await bob.hears("genuine");
    const { batches, counter: last } = await readRoom(mallory, "genuine");
    const { counter } = await line.passed(mallory.attach.channel, last);
    const known = { mallory, batches, alice: alice.client.welcome.deviceId };
    await line.inject(await seal(mallory.attach, counter + 1, await make(known)));
    const event = await victim.until(({ kind }) => kind === "disconnected");
    assert(event.kind === "disconnected" && tells.test(event.reason), JSON.stringify(event));
    // It comes back by another connection, and has lost nothing.
    await victim.until(({ kind }) => kind === "reconnected");
    await alice.say("still here");
    await victim.until((event) => texts(event).includes("still here"));
    assertEquals(victim.events.flatMap(texts), ["genuine", "still here"]);
    await victim.close();
  });
}

hostile("Who only passes a room's frames on in another order is noticed", async (served, pair) => {
  await using line = tap(served.port);
  const victim = await openClient(line.port);
  await victim.until(({ kind }) => kind === "presence");
  line.swapsNext = true;
  await pair.alice.say("first");
  await pair.bob.hears("first");
  await pair.alice.say("second");
  await pair.bob.hears("second");
  await victim.until(({ kind }) => kind === "disconnected");
  await victim.until(({ kind }) => kind === "reconnected");
  await victim.until((event) => texts(event).includes("second"));
  assertEquals(victim.events.flatMap(texts), ["first", "second"]);
  await victim.close();
});

/** A batch that says what Alice never said, at the place where the next one belongs. */
async function forge(
  { mallory: { room }, batches, alice }: Knowledge,
  vouch: (fields: Uint8Array[]) => Promise<Uint8Array>,
): Promise<Bytes> {
  const last = batches.at(-1)!;
  const firstSeq = last.firstSeq + decodeRows(last.rows, last.firstSeq, last.timeMs).length;
  const timeMs = last.timeMs + 1;
  const payload = new TextEncoder().encode(evil);
  const draft = { proof: Proof.unverified, content: 0, messageId: new Uint8Array(16), payload };
  const core = encodeCore(draft);
  const rows = new Uint8Array(rowBytes(core));
  writeRow(rows, 0, 0, alice, core);
  const [entry] = decodeRows(rows, firstSeq, timeMs);
  const hash = chainEntry(last.hash, entry!);
  const seq = new Uint8Array(8);
  writeU64(seq, 0, firstSeq);
  const signature = await vouch([room, seq, hash]);
  return encodeBatch({ room, firstSeq, timeMs, rows, hash, signature });
}

/** A frame as the room's node would seal it, with any counter. */
async function seal({ channel, key }: Control<"attach">, counter: number, message: Bytes) {
  const sealing = await SealingChannel.create(channel, key);
  for (let skipped = 0; skipped < counter; skipped++) await sealing.seal(new Uint8Array(0));
  return frame(...await sealing.seal(message));
}

/** What a member reads of the room, up to a text, and the counter of the frame that this is in. */
async function readRoom(
  { peer, attach }: Member,
  until: string,
): Promise<{ batches: Batch[]; counter: number }> {
  const batches: Batch[] = [];
  const key = await crypto.subtle.importKey(
    "raw",
    attach.key as Bytes,
    "AES-GCM",
    false,
    ["decrypt"],
  );
  while (true) {
    const body = (await peer.frame())!;
    if (readU32(body, 0) !== attach.channel) continue;
    const sealed = { name: "AES-GCM", iv: body.subarray(0, 12) };
    const messages = await crypto.subtle.decrypt(sealed, key, body.subarray(12));
    for (const message of decodeMessages(new Uint8Array(messages))) {
      if (message.type !== "batch") continue;
      batches.push(message);
      if (!new TextDecoder().decode(message.rows).endsWith(until)) continue;
      return { batches, counter: readU64(body, 4) };
    }
  }
}

/** A line to a server on which somebody sits who reads and writes as they like. */
function tap(port: number) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const conns = new Set<Deno.TcpConn>();
  let victim: Deno.TcpConn | undefined;
  let onPass = () => {};
  const passed: { channel: number; counter: number }[] = [];
  const state = { swapsNext: false };

  const accepting = (async () => {
    for await (const client of listener) {
      const server = await Deno.connect({ hostname: "127.0.0.1", port });
      for (const conn of [client, server]) conns.add(conn);
      victim = client;
      void client.readable.pipeTo(server.writable).catch(() => {});
      void passOn(server, client);
    }
  })();

  /** Frame by frame, so that something can be put between two. */
  async function passOn(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    let unread = new Uint8Array(0);
    let held: Bytes | undefined;
    try {
      for await (const chunk of from.readable) {
        unread = concat([unread, chunk]);
        while (unread.length >= 4 && unread.length >= 4 + readU32(unread, 0)) {
          const bytes = unread.slice(0, 4 + readU32(unread, 0));
          unread = unread.slice(bytes.length);
          const isRooms = bytes.length > 16 && readU32(bytes, 4) === 1;
          if (isRooms && state.swapsNext && !held) {
            held = bytes;
            continue;
          }
          await writeAll(to, bytes);
          if (isRooms && held) {
            state.swapsNext = false;
            await writeAll(to, held);
            held = undefined;
          }
          passed.push({ channel: readU32(bytes, 4), counter: readU64(bytes, 8) });
          onPass();
        }
      }
    } catch {
      // One end has gone.
    }
    close(to);
  }

  return {
    port: listener.addr.port,
    set swapsNext(value: boolean) {
      state.swapsNext = value;
    },
    /** The last frame of a channel, once the victim has had so many. */
    async passed(channel: number, counter: number) {
      const last = () => passed.findLast((frame) => frame.channel === channel);
      await within(
        new Promise<void>((resolve) => {
          onPass = () => (last()?.counter ?? -1) >= counter && resolve();
          onPass();
        }),
        `frame ${counter} of channel ${channel} to pass`,
      );
      return last()!;
    },
    inject: (bytes: Bytes) => writeAll(victim!, bytes),
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      for (const conn of conns) close(conn);
    },
  };
}

async function writeAll(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

function close(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch {
    // It was closed before.
  }
}

/** The real client, over a line. */
async function openClient(port: number) {
  const events: ClientEvent[] = [];
  let onEvent = () => {};
  const client = await Client.open({
    dial: async () => await shakeHands(await dialTcp({ host: "127.0.0.1", port }), () => {}),
    login: { name: "Victim", identity: (await generateIdentity()).identity },
    clock: systemClock,
    random: () => 0,
    onEvent(event) {
      events.push(event);
      onEvent();
    },
  });
  const running = client.run();
  return {
    events,
    async until(isIt: (event: ClientEvent) => boolean): Promise<ClientEvent> {
      await within(
        new Promise<void>((resolve) => {
          onEvent = () => events.some(isIt) && resolve();
          onEvent();
        }),
        "the victim to be told",
      );
      return events.find(isIt)!;
    },
    async close() {
      client.close();
      await running;
    },
  };
}

function texts(event: ClientEvent): string[] {
  if (event.kind !== "entries") return [];
  return event.entries.filter(({ core }) => core.content === 0)
    .map(({ core }) => new TextDecoder().decode(core.payload));
}
