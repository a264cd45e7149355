import { assertEquals } from "@std/assert";
import { webAead } from "../../crypto/aes_gcm.ts";
import { generateSigningKey } from "../../crypto/identity.ts";
import { chainStart, Content, type Draft, encodeCore, Proof, refOf } from "../../protocol/entry.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { decodeMessages } from "../../protocol/message.ts";
import { AwaitedMessages } from "../../server/awaited.ts";
import { Backlog } from "../../server/fanout/backlog.ts";
import { publish } from "../../server/handlers/publish.ts";
import { PublishBudget } from "../../server/publish_budget.ts";
import type { Reader } from "../../server/fanout/reader.ts";
import { type Publication, Room } from "../../server/room.ts";
import { MemoryStore } from "../../server/store/memory.ts";
import type { ReadResult, Store } from "../../server/store/store.ts";
import { FullStore } from "../fixtures/full_store.ts";
import { Core } from "../fixtures/core.ts";
import { FakeClock } from "../fixtures/fake_clock.ts";
import { StoreAround } from "../fixtures/store_around.ts";

const { key: identity } = await generateSigningKey();
const roomId = new Uint8Array(16).fill(1);
const deviceId = new Uint8Array(16).fill(2);
const idOf = (number: number) => new Uint8Array(16).fill(number);

/** A core with this message id. */
function core(number: number, rest: Partial<Draft> = {}): Uint8Array {
  const draft = {
    proof: Proof.signature,
    content: Content.text,
    messageId: idOf(number),
    payload: new Uint8Array([number]),
    ...rest,
  };
  return encodeCore(draft, new Uint8Array(64));
}

function makeRoom(store: Store): Room {
  return new Room(roomId, {
    clock: new FakeClock(),
    store,
    identity,
    aead: webAead,
    newChannelId: () => 1,
    onFault: (cause) => {
      throw cause;
    },
    onFull: () => {},
    backlog: new Backlog(),
  });
}

Deno.test("what has to be examined finds what was published right before it in the log", async () => {
  const store = new MemoryStore(1e6);
  const room = makeRoom(store);
  const refusals: ProtocolError[] = [];
  const examine = async () =>
    await store.find(roomId, deviceId, idOf(3)) ? {} : new ProtocolError("forbidden");
  room.publish({ deviceId, core: core(3) });
  room.publish({ deviceId, core: core(4), examine, onRefused: (error) => refusals.push(error) });
  await room.flushed();
  assertEquals(refusals, []);
  assertEquals((await store.end(roomId)).seq, 2);
  room.close();
});

Deno.test("a full disk refuses what is new, and says of what is in the log already where it is", async () => {
  const store = new FullStore(new MemoryStore(1e6));
  const room = makeRoom(store);
  const told: string[] = [];
  const publication = (number: number): Publication => ({
    deviceId,
    core: core(number),
    onRepeated: (seq) => told.push(`${number} is ${seq}`),
    onRefused: ({ code }) => told.push(`${number} ${code}`),
  });
  room.publish(publication(3));
  await room.flushed();
  store.isFull = true;
  for (const number of [3, 4]) room.publish(publication(number));
  await room.flushed();
  assertEquals(told, ["3 is 1", "4 read_only"]);
  room.close();
});

Deno.test("a reader who is sent out while the store is read for it is sent nothing more", async () => {
  const reading = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  class SlowStore extends StoreAround {
    override async read(...args: Parameters<Store["read"]>): Promise<ReadResult> {
      reading.resolve();
      await answer.promise;
      return await super.read(...args);
    }
  }
  const store = new SlowStore(new MemoryStore(1e6));
  await store.append(roomId, [{ deviceId, core: core(3) }], 1);
  const room = makeRoom(store);
  const sent: Uint8Array[] = [];
  const reader = {
    writer: { idle: () => Promise.resolve() },
    send: (message: Uint8Array) => void sent.push(message),
  } as unknown as Reader;
  room.join(reader, { seq: 0, hash: chainStart(roomId) });
  await reading.promise;
  room.dismiss(reader);
  answer.resolve();
  for (const number of [4, 5, 6]) { // Each is signed, as the page would be.
    room.publish({ deviceId, core: core(number) });
    await room.flushed();
  }
  assertEquals(sent, []);
  room.close();
});

/** Somebody in a room as `publish` sees them, with a budget of their own, and what they are told. */
async function speaker(server: Core, perSecond: number, burst: number) {
  const alice = server.somebody("Alice");
  const team = await server.room("team", alice);
  const told: string[] = [];
  const member = {
    ...alice,
    services: server.services,
    rooms: new Set([team]),
    awaited: new AwaitedMessages(),
    published: 0,
    publishes: new PublishBudget(server.clock, perSecond, burst),
    send: (message: Uint8Array) => told.push(decodeMessages(message)[0]!.type),
  } as unknown as Parameters<typeof publish>[0];
  const say = async (core: Uint8Array) => {
    publish(member, { type: "publish", room: team.id, core });
    await team.room.flushed();
  };
  return { alice, team, member, told, say };
}

Deno.test("an edit that is in the log is no refusal when it comes again after its target has gone", async () => {
  using server = await Core.open();
  const { alice, team, told, say } = await speaker(server, 1_000, 1_000);
  const edit = core(4, { content: Content.edit, target: refOf(alice.person!.deviceId, idOf(3)) });
  await say(core(3));
  await server.clock.advance(1_000);
  await say(edit);
  await server.store.trim(team.id, server.clock.now());
  await say(edit);
  assertEquals(told, ["stored"]);
  await say(core(5, { content: Content.edit, target: refOf(alice.person!.deviceId, idOf(3)) }));
  assertEquals(told, ["stored", "error"]);
});

Deno.test("what a full disk refused is not waited for once it has come again", async () => {
  const store = new FullStore(new MemoryStore(1e6));
  using server = await Core.open(store);
  const { team, member, say } = await speaker(server, 1, 1);
  for (const isFull of [true, false]) {
    store.isFull = isFull;
    await say(core(3));
    assertEquals(member.awaited.first(team) !== undefined, isFull);
    await server.clock.advance(1_000);
  }
  assertEquals((await store.end(team.id)).seq, 1);
});

/** Somebody who may say two messages at once, then one a second; `say` tells what was answered. */
async function hurried(server: Core) {
  const { team, member, told, say } = await speaker(server, 1, 2);
  const answered = async (number: number): Promise<string> => {
    told.length = 0;
    await say(core(number));
    return told.join() || "taken";
  };
  return { team, member, say: answered };
}

Deno.test("nobody waits for ever for what its author has from the log, where it is kept no more", async () => {
  using server = await Core.open();
  const { team, member, say } = await hurried(server);
  assertEquals([await say(3), await say(4)], ["taken", "taken"]);
  await server.store.trim(team.id, server.clock.now() + 1);
  // Another session, whose author does not know yet that it was taken.
  Object.assign(member, { awaited: new AwaitedMessages() });
  assertEquals([await say(3), await say(5)], ["error", "error"]);
  await server.clock.advance(5_000);
  assertEquals([await say(5), await say(6)], ["taken", "taken"]);
});

Deno.test("what came behind something that was refused twice is not taken before it", async () => {
  using server = await Core.open();
  const { say } = await hurried(server);
  assertEquals([await say(3), await say(4)], ["taken", "taken"]);
  assertEquals([await say(5), await say(6)], ["error", "error"]);
  assertEquals([await say(5), await say(6)], ["error", "error"], "sent in one go");
  await server.clock.advance(5_000);
  assertEquals([await say(5), await say(6)], ["taken", "taken"]);
});

Deno.test("who is sent out of a room while away is not waited for there", async () => {
  using server = await Core.open();
  const [olga, alice] = [server.somebody("Olga"), server.somebody("Alice")];
  const team = await server.room("team", olga, [[alice, "member"]]);
  team.presence.arrive(alice.person!);
  team.presence.depart(alice.person!, false);
  await server.ask(olga, "kick", { user: "Alice" }, team);
  const { here } = await server.ask(olga, "who", {}, team);
  assertEquals(here, 0 as never);
});

Deno.test("of what was refused, the message that was said first is waited for", async () => {
  const store = new FullStore(new MemoryStore(1e6));
  using server = await Core.open(store);
  const { team, member } = await speaker(server, 1, 1);
  const say = (number: number) =>
    publish(member, { type: "publish", room: team.id, core: core(number) });
  store.isFull = true;
  say(3); // Taken, and refused by the disk a little later than …
  say(4); // … this one, which came too fast.
  await team.room.flushed();
  assertEquals(member.awaited.first(team)?.messageId, idOf(3));
});
