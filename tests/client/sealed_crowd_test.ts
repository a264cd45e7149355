/** Many who join a sealed room at once, with real MLS at a real server. */

import { assertEquals } from "@std/assert";
import { invite } from "../../client/sealed/acts.ts";
import { decodeRoomKey } from "../../client/sealed/room_key.ts";
import { MemoryClientStore } from "../fixtures/memory_client_store.ts";
import { User } from "../fixtures/user.ts";
import { within } from "../fixtures/within.ts";
import { serve } from "../hostile/served.ts";

const joiners = 32;
const rules = {
  publishBurst: 10_000,
  publishPerSecond: 10_000,
  loginBurst: 1000,
  addressConnectionsMax: 1000,
};
/** It takes a few seconds; this is for what hangs. */
const hangMs = 120_000;

for (const isHostThere of [true, false]) {
  const who = isHostThere ? "one member there" : "nobody there";
  Deno.test(`${joiners} clients that join at once with ${who} all get in`, async () => {
    await using server = await serve(rules);
    const host = await User.enter(server, "Host");
    const { room } = await host.client.join("team");
    const sealed = host.client.sealedRoom(room.id)!;
    await sealed.keys.until(() => sealed.keys.group !== undefined);
    const made = await invite(host.client, sealed, {});
    const roomKey = { room: "team", ...decodeRoomKey(made.key) };
    if (!isHostThere) await host.leave();
    const startedMs = performance.now();
    const users = await Promise.all(Array.from({ length: joiners }, async (_, at) => {
      const store = new MemoryClientStore();
      const name = `user${at}`;
      const login = { name, identity: await store.identity(name), invitation: made.invitation };
      return await User.enter(server, name, store, { roomKey, login });
    }));
    const keys = users.map(({ client }) => client.sealedRoom(room.id)!.keys);
    const have = Promise.all(keys.map((each) => each.until(() => each.group !== undefined)));
    await within(have.then(() => {}), "all to have keys", hangMs);
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    const all = joiners + 1;
    const agree = keys.map((each) => each.until(() => each.group?.members.length === all));
    await within(Promise.all(agree).then(() => {}), "all to see each other", hangMs);
    console.log(`${joiners} joined with ${who}: ${seconds} s, ${keys[0]!.group!.epoch} epochs`);
    const codes = new Set(await Promise.all(keys.map(({ group }) => group!.code())));
    assertEquals(codes.size, 1);
    await users[0]!.client.say(room.id, "we are all here");
    for (const user of users) {
      await within(user.hears("we are all here"), "to hear it", hangMs);
    }
    for (const user of users) await user[Symbol.asyncDispose]();
    if (isHostThere) await host[Symbol.asyncDispose]();
  });
}
