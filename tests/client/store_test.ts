import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { SqliteStore, storeFile } from "../../client/store/sqlite.ts";
import { ClientStoreError } from "../../client/store/store.ts";
import { generateIdentity } from "../../crypto/identity.ts";
import { toBase64Url } from "../../protocol/bytes.ts";
import { Content } from "../../protocol/entry.ts";
import { MemoryClientStore } from "../fixtures/memory_client_store.ts";
import { entry, id, type Place, testClientStore } from "./store_contract.ts";

/** A client's folder that does not exist yet. */
class Home implements Place {
  readonly #folder = Deno.makeTempDirSync();
  readonly path = `${this.#folder}/home`;

  open(entriesMax?: number): SqliteStore {
    return new SqliteStore(this.path, entriesMax);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}

testClientStore("SQLite", () => new Home());
testClientStore("memory", () => {
  const stores = new Map<number | undefined, MemoryClientStore>();
  return {
    open(entriesMax) {
      const store = stores.get(entriesMax) ?? new MemoryClientStore(entriesMax);
      stores.set(entriesMax, store);
      return store;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
});

const server = id(1, 32);
const room = id(2);
const cursor = (seq: number) => ({ seq, hash: id(seq, 32) });

Deno.test("the folder of a store is its owner's only, and so are its files", async () => {
  await using home = new Home();
  const store = home.open();
  const profile = store.profile(server, "Alice");
  profile.enter(room, "team", cursor(0), false);
  const modeOf = (path: string) => Deno.statSync(path).mode! & 0o777;
  assertEquals(modeOf(home.path), 0o700);
  const files = [...Deno.readDirSync(home.path)].filter(({ isFile }) => isFile);
  assert(files.some(({ name }) => name === storeFile));
  assert(files.length > 1, "the log beside it");
  for (const { name } of files) assertEquals(modeOf(`${home.path}/${name}`), 0o600, name);
  assertEquals(modeOf(`${home.path}/locks/1`), 0o600);
  profile.close();
  store.close();
});

Deno.test("what the first version kept is taken over once, and left as it is", async () => {
  await using home = new Home();
  const { identity, userSecret, deviceSecret } = await generateIdentity();
  const secrets = { userSecret: toBase64Url(userSecret), deviceSecret: toBase64Url(deviceSecret) };
  await Deno.mkdir(`${home.path}/identities`, { recursive: true });
  await Deno.mkdir(`${home.path}/servers`);
  const identityFile = `${home.path}/identities/zo%C3%AB.json`;
  const pinFile = `${home.path}/servers/%5B%3A%3A1%5D%3A9000`;
  await Deno.writeTextFile(identityFile, JSON.stringify({ name: "Zoë", ...secrets }));
  await Deno.writeTextFile(pinFile, "first\n");
  const store = home.open();
  assertEquals((await store.identity("ZOË")).device.publicKey, identity.device.publicKey);
  assertEquals(await store.savePin("[::1]:9000", "second"), false);
  assertEquals(await store.pin("[::1]:9000"), "first");
  await Deno.writeTextFile(identityFile, "changed");
  await Deno.writeTextFile(pinFile, "changed");
  assertEquals((await store.identity("Zoë")).user.publicKey, identity.user.publicKey);
  assertEquals(await store.pin("[::1]:9000"), "first");
  await store.forgetPin("[::1]:9000");
  assertEquals(await store.pin("[::1]:9000"), undefined);
  assertEquals(await store.savePin("[::1]:9000", "second"), true);
  store.close();
});

for (const text of ["", "{", '{"name":"Alice","userSecret":"short","deviceSecret":"short"}']) {
  Deno.test(`an identity file that holds ${text || "nothing"} is told, and left as it is`, async () => {
    await using home = new Home();
    const path = `${home.path}/identities/alice.json`;
    await Deno.mkdir(`${home.path}/identities`, { recursive: true });
    await Deno.writeTextFile(path, text);
    const store = home.open();
    const { message } = await assertRejects(() => store.identity("Alice"), ClientStoreError);
    assertStringIncludes(message, `${path} is damaged. Put it back from a backup;`);
    assertEquals(await Deno.readTextFile(path), text);
    store.close();
  });
}

Deno.test("names of any letters and of full length have an identity", async () => {
  await using home = new Home();
  const store = home.open();
  const name = "漢".repeat(32);
  const made = await store.identity(name);
  assertEquals((await store.identity(name)).device.publicKey, made.device.publicKey);
  assertEquals(store.profile(server, name).isKept, true);
  store.close();
});

Deno.test("a file that is no store, or a later version's, is told and left as it is", async () => {
  await using home = new Home();
  await Deno.mkdir(home.path);
  const path = `${home.path}/${storeFile}`;
  await Deno.writeTextFile(path, "not a database ".repeat(100));
  const damaged = assertThrows(() => home.open(), ClientStoreError);
  assertStringIncludes(damaged.message, `Cannot use ${path}: it is damaged. Put it back`);
  assertEquals((await Deno.readTextFile(path)).slice(0, 14), "not a database");
  await Deno.remove(path);

  home.open().close();
  const { DatabaseSync } = await import("node:sqlite");
  const later = new DatabaseSync(path);
  later.exec("pragma user_version = 99");
  later.close();
  const newer = assertThrows(() => home.open(), ClientStoreError);
  assertStringIncludes(newer.message, "was written by a newer version");
});

Deno.test("two stores of one folder see each other's identities and pins, and share no name", async () => {
  await using home = new Home();
  const [one, two] = [home.open(), home.open()];
  const [first, second] = await Promise.all([one.identity("Alice"), two.identity("alice")]);
  assertEquals(first.device.publicKey, second.device.publicKey);
  await one.savePin("host:1", "pin");
  assertEquals(await two.pin("host:1"), "pin");
  const held = one.profile(server, "Alice");
  assertEquals([held.isKept, two.profile(server, "Alice").isKept], [true, false]);
  held.close();
  assertEquals(two.profile(server, "Alice").isKept, true);
  one.close();
  two.close();
});

Deno.test("a change that fails in the middle leaves all as it was", async () => {
  await using home = new Home();
  const store = home.open();
  const profile = store.profile(server, "Alice");
  profile.enter(room, "team", cursor(0), false);
  const bad = { ...entry({ seq: 2 }), verified: undefined } as unknown as ReturnType<typeof entry>;
  assertThrows(() =>
    profile.take({
      room,
      entries: [entry({ seq: 1 }), bad],
      cursor: cursor(2),
      settled: [],
      isSealed: false,
    })
  );
  assertEquals([profile.newest(room, 9), profile.rooms()[0]!.cursor.seq], [[], 0]);
  profile.take({
    room,
    entries: [entry({ seq: 1 })],
    cursor: cursor(1),
    settled: [],
    isSealed: false,
  });
  assertEquals(profile.newest(room, 9).length, 1);
  store.close();
});

Deno.test("what was erased is in none of the store's files", async () => {
  await using home = new Home();
  const store = home.open();
  const profile = store.profile(server, "Alice");
  profile.enter(room, "team", cursor(0), false);
  const take = (seq: number, text: string, content: number, target?: number) =>
    profile.take({
      room,
      entries: [entry({ seq, text, content, ...(target !== undefined && { target }) })],
      cursor: cursor(seq),
      settled: [],
      isSealed: false,
    });
  take(1, "hidden treasure", Content.text);
  take(2, "", Content.deletion, 1);
  profile.close();
  store.close(); // The log beside the file is gone with this.
  for (const { name, isFile } of Deno.readDirSync(home.path)) {
    if (!isFile) continue;
    const text = new TextDecoder("latin1").decode(Deno.readFileSync(`${home.path}/${name}`));
    assert(!text.includes("hidden treasure"), name);
  }
});
