import { assertEquals, assertRejects } from "@std/assert";
import { MemoryStore } from "../../server/store/memory.ts";
import { type StoredRecord, StoreFullError } from "../../server/store/store.ts";
import { Core, refusalOf, type Somebody } from "../fixtures/core.ts";
import { StoreAround } from "../fixtures/store_around.ts";

/** A store whose disk is full at times. */
class FillingStore extends StoreAround {
  isFull = false;

  override put(records: readonly StoredRecord[]): Promise<void> {
    return this.isFull ? Promise.reject(new StoreFullError("full")) : super.put(records);
  }
}

/** What is asked for while the disk is full, and what somebody asks for when there is room again. */
const asked: readonly [
  command: string,
  args: Record<string, unknown>,
  look: (core: Core, max: Somebody) => unknown,
][] = [
  ["kick", { user: "Max" }, rolesOf],
  ["role", { user: "Max", role: "reader" }, rolesOf],
  ["mute", { user: "Max" }, (core, max) => {
    const { hub } = core.services;
    return hub.membership(hub.named("team")!, max.user)?.mutedUntilMs;
  }],
  ["topic", { text: "tea" }, ({ services: { hub } }) => hub.named("team")!.topic],
  ["slow", { everyMs: 5000 }, ({ services: { hub } }) => hub.named("team")!.slowMs],
  ["close", {}, ({ services: { hub } }) => hub.named("team")?.name],
  ["admin", { user: "Max", isOn: true }, (core) => core.services.people.find("Max")?.isAdmin],
  ["forget", { user: "Max" }, (core) => core.services.people.find("Max")?.name],
];

function rolesOf({ services: { hub } }: Core, max: Somebody): unknown {
  return hub.membership(hub.named("team")!, max.user)?.role ?? "none";
}

for (const [command, args, look] of asked) {
  Deno.test(`what the server goes by is what it goes by after a restart: ${command} on a full disk`, async () => {
    const store = new FillingStore(new MemoryStore(1e7));
    using core = await Core.open(store);
    const [olga, max] = [core.somebody("Olga"), core.somebody("Max")];
    olga.user.isAdmin = true;
    const room = await core.room("team", olga, [[max, "member"]]);
    await core.services.people.setAdmin(max.user, false);
    store.isFull = true;
    const inRoom = !["admin", "forget"].includes(command);
    await assertRejects(() => core.ask(olga, command, args, inRoom ? room : undefined));
    store.isFull = false;
    await core.services.hub.create("other", olga.user);
    await core.services.people.setAdmin(olga.user, true);
    using again = await Core.open(store);
    assertEquals(look(again, max), look(core, max));
  });
}

/** What is done already, as far as memory goes, when it is asked for again. */
const repeated: readonly [
  command: string,
  args: Record<string, unknown>,
  look: (core: Core, max: Somebody) => unknown,
][] = [
  ["role", { user: "Max", role: "reader" }, rolesOf],
  ["admin", { user: "Max", isOn: true }, (core) => core.services.people.find("Max")?.isAdmin],
  ["allow", { user: "Max" }, ({ services: { hub } }) => hub.named("team")!.allowed.size],
];

for (const [command, args, look] of repeated) {
  Deno.test(`what is asked for again after a full disk refused it is done only when it is kept: ${command}`, async () => {
    const store = new FillingStore(new MemoryStore(1e7));
    using core = await Core.open(store);
    const [olga, max] = [core.somebody("Olga"), core.somebody("Max")];
    olga.user.isAdmin = true;
    const room = await core.room("team", olga, [[max, "member"]]);
    await core.services.people.setAdmin(max.user, false);
    const ask = () => core.ask(olga, command, args, command === "admin" ? undefined : room);
    store.isFull = true;
    await assertRejects(ask, StoreFullError);
    await assertRejects(ask, StoreFullError, undefined, "again");
    store.isFull = false;
    await ask();
    using again = await Core.open(store);
    assertEquals(look(again, max), look(core, max));
    await room.flushed();
    const { seq } = await store.end(room.id);
    await ask();
    await room.flushed();
    assertEquals((await store.end(room.id)).seq, seq, "Nothing is to be told of it.");
  });
}

/** Who is put into a room while the disk is full, and what they then ask for. */
for (const [what, name] of [["a new room", "new"], ["a room", "team"]] as const) {
  Deno.test(`nobody is in ${what} whom a full disk could not keep there`, async () => {
    const store = new FillingStore(new MemoryStore(1e7));
    using core = await Core.open(store);
    const [olga, max] = [core.somebody("Olga"), core.somebody("Max")];
    await core.room("team", olga);
    store.isFull = true;
    await assertRejects(() => core.ask(max, "join", { name }), StoreFullError);
    await assertRejects(() => core.ask(max, "join", { name }), StoreFullError, undefined, "again");
    store.isFull = false;
    assertEquals(await refusalOf(core.ask(max, "join", { name })), undefined);
    using again = await Core.open(store);
    const { hub } = again.services;
    assertEquals(hub.membership(hub.named(name)!, max.user)?.role, rolesIn(core, name, max));
  });
}

function rolesIn({ services: { hub } }: Core, name: string, { user }: Somebody): unknown {
  return hub.membership(hub.named(name)!, user)!.role;
}
