/** What a client makes of a server's word: resets, refusals that pass, rooms that it is in no more. */

import { assert, assertEquals } from "@std/assert";
import type { ClientEvent } from "../../client/events.ts";
import { Client } from "../../client/reconnect.ts";
import { systemClock } from "../../cli/clock.ts";
import { messageIdOf } from "../../protocol/entry.ts";
import { type Cursor, encodeControl } from "../../protocol/message.ts";
import { MemoryClientStore } from "../fixtures/memory_client_store.ts";
import { author, dial, Liaison, lie, lobby, room, said } from "../hostile/liaison.ts";
import { within } from "../fixtures/within.ts";

/** A client, what it told, and the first event of a kind. */
async function enter(port: number, store = new MemoryClientStore()) {
  const events: ClientEvent[] = [];
  let onEvent = () => {};
  const client = await Client.open({
    dial: () => dial(port),
    login: { name: "Victim", identity: await store.identity("Victim") },
    clock: systemClock,
    random: () => 0,
    keep: (server) => store.profile(server, "Victim"),
    onEvent(event) {
      events.push(event);
      onEvent();
    },
  });
  const running = client.run();
  /** Resolves when that holds; it is looked at whenever the client tells something. */
  const told = (holds: () => boolean, what: string) =>
    within(
      new Promise<void>((resolve) => {
        onEvent = () => holds() && resolve();
        onEvent();
      }),
      what,
    );
  return {
    client,
    store,
    events,
    told,
    async until<Kind extends ClientEvent["kind"]>(kind: Kind) {
      const found = () => events.find((event) => event.kind === kind);
      await told(() => found() !== undefined, `the client to tell of ${kind}`);
      return found() as ClientEvent & { kind: Kind };
    },
    async close() {
      client.close();
      await running;
    },
  };
}

Deno.test("a restored backup is told: what was beyond it is dropped, and reading goes on behind it", async () => {
  const { identity, person } = await author("Alice");
  let backup: Cursor = { seq: 0, hash: new Uint8Array(32) };
  await using liar = await lie(async (wire, key) => {
    const liaison = await Liaison.open(wire, key);
    const say = async (text: string) =>
      await liaison.sendToRoom(await liaison.batch(await said(identity, text), person.deviceId));
    await say("kept");
    const { request } = await liaison.receive("people");
    await liaison.send(encodeControl("peopleAnswer", { request, people: [person] }));
    backup = liaison.cursor;
    for (const text of ["lost", "lost too"]) await say(text);
    await liaison.send(encodeControl("ping", {}));
    await liaison.receive("pong");
    await liaison.send(
      encodeControl("reset", { room, reason: "The server was restored.", cursor: backup }),
    );
    liaison.cursor = backup;
    await say("new");
    await wire.rest();
  });
  const { client, until, told, events, close } = await enter(liar.port);
  const reset = await until("reset");
  assertEquals([reset.reason, reset.room.info.name], ["The server was restored.", "lobby"]);
  await told(() => client.newest(room, 9).some(({ text }) => text === "new"), "the new entry");
  assertEquals(client.newest(room, 9).map(({ seq, text }) => [seq, text]), [
    [backup.seq, "kept"],
    [backup.seq + 1, "new"],
  ]);
  assertEquals(client.rooms[0]!.cursor!.seq, backup.seq + 1);
  assert(events.some(({ kind }) => kind === "entries"));
  await close();
});

for (const code of ["slow_down", "read_only", "busy"] as const) {
  Deno.test(`a message refused with ${code} comes again by itself, and those behind it after it`, async () => {
    const order: string[] = [];
    const refused = Promise.withResolvers<void>();
    await using liar = await lie(async (wire, key) => {
      const liaison = await Liaison.open(wire, key);
      const next = async () => {
        const { core } = await liaison.receive("publish");
        order.push(new TextDecoder().decode(core.subarray(-3)));
        return messageIdOf(core);
      };
      const refusal = { code, text: "wait", messageId: await next(), retryAfterMs: 50 };
      await liaison.send(encodeControl("error", refusal), encodeControl("ping", {}));
      await liaison.receive("pong");
      refused.resolve();
      for (const seq of [101, 102]) {
        await liaison.send(encodeControl("stored", { room, messageId: await next(), seq }));
      }
      await wire.rest();
    });
    const { client, events, close } = await enter(liar.port);
    await client.say(room, "one");
    await within(refused.promise, "the refusal");
    await client.say(room, "two");
    await within(client.delivered(), "both to be stored");
    assertEquals(order, ["one", "one", "two"]);
    const delayed = events.filter(({ kind }) => kind === "delayed");
    assertEquals(delayed.length, code === "slow_down" ? 0 : 1);
    await close();
  });
}

Deno.test("a room that is gone from the list is dropped; what waited for it is undelivered", async () => {
  const team = { ...lobby, id: new Uint8Array(16).fill(77), name: "team" };
  let connections = 0;
  await using liar = await lie(async (wire, key) => {
    const rooms = ++connections === 1 ? [lobby, team] : [lobby];
    const liaison = await Liaison.open(wire, key, rooms);
    if (connections > 1) return void await wire.rest();
    const cursor = { seq: 3, hash: new Uint8Array(32) };
    const attach = { room: team.id, channel: 9, key: new Uint8Array(32), counter: 0, cursor };
    await liaison.send(encodeControl("attach", attach));
    await liaison.receive("publish");
    await wire.end();
  });
  const store = new MemoryClientStore();
  const first = await enter(liar.port, store);
  const { client, until } = first;
  const messageId = await client.say(team.id, "never heard");
  const undelivered = await until("undelivered");
  const removed = await until("removed");
  assertEquals([undelivered.room, undelivered.messageId], [team.id, messageId]);
  assertEquals([removed.name, client.rooms.map(({ info }) => info.name)], ["team", ["lobby"]]);
  assertEquals(client.undelivered, 0);
  await first.close();

  const again = await enter(liar.port, store);
  await again.client.delivered();
  assertEquals(again.events.filter(({ kind }) => kind === "removed"), []);
  await again.close();
});

Deno.test("a room that ends while something is on the way to it does not end the client", async () => {
  let connections = 0;
  await using liar = await lie(async (wire, key) => {
    const liaison = await Liaison.open(wire, key);
    if (++connections > 1) return void await wire.rest();
    const text = "There is no such room here.";
    await liaison.send(encodeControl("error", { code: "no_such_room", text, fatal: true }));
    await wire.end();
  });
  const { until, close } = await enter(liar.port);
  await until("disconnected");
  await until("reconnected");
  await close();
});
