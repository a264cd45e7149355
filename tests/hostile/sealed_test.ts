/** Sealed rooms over the wire, as a client that is written by hand has them, and what a hostile one tries. */

import { assertEquals } from "@std/assert";
import { type Bytes, concat, equal, fromBase64Url, toBase64Url } from "../../protocol/bytes.ts";
import { type CommandName, commands, isTyped } from "../../protocol/command.ts";
import { decodeRows } from "../../protocol/entry.ts";
import { sha256 } from "../../protocol/hash.ts";
import {
  frameMessagesBytesMax,
  objectChunkBytesMax,
  payloadBytesMax,
} from "../../protocol/limits.ts";
import { encodeControl, encodePublish } from "../../protocol/message.ts";
import { numbered } from "../fixtures/bytes.ts";
import { commitCore, epochAt, sealedCore } from "../fixtures/sealed.ts";
import { type Insider, logIn } from "./peer.ts";
import { serve } from "./served.ts";

/** Asks for something: the value, or the code of the refusal. */
async function ask(
  { peer }: Insider,
  command: string,
  args: unknown,
): Promise<Record<string, unknown> | string> {
  await peer.send(encodeControl("request", { request: 1, command, args }));
  while (true) {
    const message = await peer.message();
    if (!message) throw new Error("The connection ended");
    if (message.type === "answer") return message.value as Record<string, unknown>;
    if (message.type === "error") return message.code;
  }
}

async function upload(who: Insider, room: string, object: Uint8Array): Promise<string> {
  const hash = toBase64Url(sha256(object));
  for (let at = 0; at < object.length; at += objectChunkBytesMax) {
    const data = toBase64Url(object.subarray(at, at + objectChunkBytesMax));
    assertEquals(await ask(who, "upload", { room, hash, bytes: object.length, at, data }), {});
  }
  return hash;
}

async function download(who: Insider, room: string, hash: string): Promise<Bytes> {
  const parts: Uint8Array[] = [];
  for (let [at, bytes] = [0, 1]; at < bytes;) {
    const answer = await ask(who, "download", { room, hash, at });
    if (typeof answer === "string") throw new Error(answer);
    const data = fromBase64Url(answer["data"] as string);
    parts.push(data);
    at += data.length;
    bytes = answer["bytes"] as number;
  }
  return concat(parts);
}

/** What the last entry of a room is made of. */
async function lastCore(who: Insider, room: string): Promise<Uint8Array> {
  const answer = await ask(who, "history", { room, count: 1 }) as Record<string, never>;
  const rows = fromBase64Url(answer["rows"]!);
  return decodeRows(rows, answer["firstSeq"]!, answer["timeMs"]!).at(-1)!.core.bytes;
}

Deno.test("two speak in their room, which the server cannot read, and neither can anybody else", async () => {
  await using served = await serve();
  const [alice, bob, eve] = [
    await logIn(served, { name: "Alice" }),
    await logIn(served, { name: "Bob" }),
    await logIn(served, { name: "Eve" }),
  ];
  const packages = [toBase64Url(numbered(3000))];
  assertEquals(await ask(bob, "keys", { packages, last: toBase64Url(numbered(3000, 1)) }), {
    left: 1,
  });
  const made = await ask(alice, "direct", { user: "Bob" }) as { room: { id: string } };
  const room = made.room.id;
  const id = fromBase64Url(room);
  const device = toBase64Url(bob.welcome.deviceId);
  assertEquals(await ask(alice, "take", { user: "Bob" }), {
    packages: [{ deviceId: device, package: packages[0]! }],
  });

  // As long as one may be: what is named, and what stands in the entry itself.
  const info = numbered(300_000);
  const groupInfo = await upload(alice, room, info);
  const hash = await upload(alice, room, numbered(20_000, 2));
  const mls = numbered(payloadBytesMax - 1);
  const commit = { room, groupInfo, generation: 0, epoch: 1 };
  const core = toBase64Url(commitCore(1, epochAt(0), { mls }));
  assertEquals(await ask(alice, "commit", { ...commit, core, welcomes: [{ device, hash }] }), {
    seq: 1,
  });
  const welcome = await ask(bob, "welcome", { room }) as { hash: string };
  assertEquals(welcome.hash, hash);
  assertEquals(await download(bob, room, hash), numbered(20_000, 2));
  assertEquals(await download(bob, room, groupInfo), info);

  for (const one of [alice, bob]) {
    await one.peer.send(encodeControl("join", { room: id }));
    await one.peer.receive("attach");
  }
  const said = sealedCore(2, epochAt(1), { payload: numbered(payloadBytesMax) });
  for (let times = 0; times < 2; times++) await alice.peer.send(encodePublish(id, said));
  await alice.peer.receive("stored");
  for (const one of [alice, bob]) assertEquals(await lastCore(one, room), said);
  for (const name of ["group", "welcome", "who", "history"]) {
    assertEquals(await ask(eve, name, { room }), "forbidden", name);
  }
  for (const args of [{ hash, at: 0 }, { hash: groupInfo, at: 0 }]) {
    assertEquals(await ask(eve, "download", { room, ...args }), "forbidden");
  }
  await eve.peer.send(encodePublish(id, sealedCore(3, epochAt(1))));
  const refusal = await eve.peer.receive("error");
  assertEquals([refusal.code, equal(refusal.messageId!, numbered(16, 3))], ["forbidden", true]);
  for (const { peer } of [alice, bob, eve]) peer[Symbol.dispose]();
});

Deno.test("what was brought goes with its session", async () => {
  await using served = await serve();
  const alice = await logIn(served, { name: "Alice" });
  const { room } = await ask(alice, "join", { name: "team" }) as { room: { id: string } };
  const groupInfo = await upload(alice, room.id, numbered(1000));
  alice.peer[Symbol.dispose]();
  await served.left(0);
  const again = await logIn(served, { name: "Alice", identity: alice.identity });
  const core = toBase64Url(commitCore(1, epochAt(0)));
  const commit = { room: room.id, core, groupInfo, generation: 0, epoch: 1, welcomes: [] };
  assertEquals(await ask(again, "commit", commit), "no_such_object");
  await upload(again, room.id, numbered(1000));
  assertEquals(typeof await ask(again, "commit", commit), "object");
  again.peer[Symbol.dispose]();
});

/** What stands in the place of each argument, one after the other. */
const nonsense: readonly unknown[] = [
  undefined,
  null,
  -1,
  1.5,
  2 ** 53,
  "",
  "é",
  "A".repeat(43),
  "A".repeat(200_000),
  [],
  [null],
  {},
  { hash: "A".repeat(43) },
  Array.from({ length: 300 }, () => ({ device: "A".repeat(22), hash: "A".repeat(43) })),
];

Deno.test("whatever is asked for about groups, the session goes on", async () => {
  await using served = await serve({ framesPerSecond: 1e6, bytesPerSecond: 1e9 });
  const alice = await logIn(served, { name: "Alice" });
  const { room: { id: room } } = await ask(alice, "join", { name: "team" }) as {
    room: { id: string };
  };
  const proper: Record<string, unknown> = {
    room,
    after: toBase64Url(numbered(16)),
    core: toBase64Url(commitCore(1, epochAt(0))),
    groupInfo: toBase64Url(numbered(32)),
    hash: toBase64Url(numbered(32)),
    generation: 0,
    epoch: 1,
    welcomes: [],
    commit: toBase64Url(numbered(16)),
    bytes: 3,
    at: 0,
    data: toBase64Url(numbered(3)),
    packages: [],
    last: toBase64Url(numbered(3)),
    user: "Alice",
  };
  const names = (Object.keys(commands) as CommandName[]).filter((name) => !isTyped(name));
  for (const name of names) {
    const { args, inRoom } = commands[name];
    const keys = [...Object.keys(args), ...(inRoom ? ["room"] : [])];
    for (const key of keys) {
      for (const value of nonsense) {
        const asked = Object.fromEntries(
          keys.map((each) => [each, each === key ? value : proper[each]]),
        );
        const message = encodeControl("request", { request: 1, command: name, args: asked });
        if (message.length > frameMessagesBytesMax) continue;
        await ask(alice, name, asked);
      }
    }
  }
  assertEquals((await ask(alice, "group", { room })) as unknown, {});
  alice.peer[Symbol.dispose]();
});
