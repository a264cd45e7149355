import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { WrongPassphraseError } from "../../client/store/key_file.ts";
import { SqliteStore, storeFile } from "../../client/store/sqlite.ts";
import { ClientStoreError, type Profile } from "../../client/store/store.ts";
import { generateIdentity, importSigningKey } from "../../crypto/identity.ts";
import { toBase64Url } from "../../protocol/bytes.ts";
import { Content, encodeCore, Proof } from "../../protocol/entry.ts";
import { DatabaseSync } from "node:sqlite";
import { Process } from "../e2e/process.ts";
import { writeOldStore } from "../fixtures/old_client_store.ts";
import { entry, id } from "./store_contract.ts";

const root = `${import.meta.dirname}/../..`;
const server = id(1, 32);
const room = id(2);
const cursor = (seq: number) => ({ seq, hash: id(seq, 32) });
const random = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes));

/** A client's folder that does not exist yet. */
class Home {
  readonly #folder = Deno.makeTempDirSync();
  readonly path = `${this.#folder}/home`;
  readonly key = `${this.path}/key`;

  /** A store, unlocked where a passphrase is given. */
  async open(passphrase?: string): Promise<SqliteStore> {
    const store = new SqliteStore(this.path);
    if (passphrase === undefined) return store;
    try {
      await store.unlock(passphrase);
      return store;
    } catch (cause) {
      store.close();
      throw cause;
    }
  }

  /** Does something with a store, and closes it. */
  async with<T>(passphrase: string | undefined, act: (store: SqliteStore) => T): Promise<T> {
    const store = await this.open(passphrase);
    try {
      return await act(store);
    } finally {
      store.close();
    }
  }

  /** Which of all files under the folder have these bytes in them, as they are or written out. */
  filesWith(bytes: Uint8Array, folder = this.path): string[] {
    const forms = [latin1(bytes), bytes.toHex(), toBase64Url(bytes), bytes.toBase64()];
    return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
      const path = `${folder}/${name}`;
      if (isDirectory) return this.filesWith(bytes, path);
      const text = latin1(Deno.readFileSync(path));
      return forms.some((form) => text.includes(form)) ? [path.slice(this.path.length + 1)] : [];
    });
  }

  edit(sql: string): void {
    using file = new DatabaseSync(`${this.path}/${storeFile}`);
    file.exec(sql);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** A byte a character. */
const latin1 = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);
const utf8 = (text: string) => new TextEncoder().encode(text);

/** Everything that is secret, of which nothing may be found. */
class Secrets {
  readonly state = random(3000);
  readonly nextState = random(3000);
  readonly staged = {
    messageId: id(9),
    core: random(200),
    state: random(9000),
    request: random(90),
  };
  readonly saved = random(400);
  readonly invitation = random(32);
  readonly said = "a sealed canary sings";
  readonly edited = "another sealed canary sings";
  readonly own = "a canary that is not sent yet";

  get all(): Record<string, Uint8Array> {
    return {
      ...{ state: this.state, nextState: this.nextState, saved: this.saved },
      ...{ core: this.staged.core, request: this.staged.request, stagedState: this.staged.state },
      ...{ invitation: this.invitation, said: utf8(this.said), edited: utf8(this.edited) },
      own: utf8(this.own),
    };
  }

  keep(profile: Profile): void {
    profile.enter(room, "team", cursor(0), true);
    profile.keepGroup(room, this.state, cursor(0), true);
    profile.keepGroup(room, this.nextState, cursor(0), false);
    profile.stage(room, this.staged);
    profile.keepKeyPackages([{ ref: id(5, 32), saved: this.saved }]);
    const inviter = id(6, 32);
    profile.keepInvitation({ room, secret: this.invitation, inviter, generation: 3 });
    const payload = utf8(this.own);
    const core = encodeCore({ proof: Proof.unverified, content: 0, messageId: id(7), payload });
    profile.say([{ room, core }]);
    profile.take({
      room,
      entries: [
        entry({ seq: 1, text: this.said }),
        entry({ seq: 2, text: this.edited, content: Content.edit, target: 1 }),
        entry({ seq: 3, text: this.said }),
      ],
      cursor: cursor(3),
      settled: [],
      isSealed: true,
    });
  }

  /** All of it is what was kept. */
  check(profile: Profile): void {
    assertEquals(profile.groups(), [
      { room, state: this.nextState, cursor: cursor(0), isClean: false, staged: this.staged },
    ]);
    assertEquals(profile.keyPackages().map(({ saved }) => saved), [this.saved]);
    assertEquals(profile.invitations().map(({ secret }) => secret), [this.invitation]);
    assertEquals(profile.messages().map(({ core }) => latin1(core.subarray(20))), [this.own]);
    const texts = [this.edited, undefined, this.said];
    assertEquals(profile.newest(room, 9).map(({ text }) => text), texts);
    assertEquals(profile.search({ word: "ANOTHER", limit: 9 }).map(({ seq }) => seq), [1]);
    profile.close();
  }
}

/** The secrets of an identity, which only its file knows: taken over from the first version's. */
async function oldIdentity(home: Home, name: string): Promise<Uint8Array[]> {
  const { userSecret, deviceSecret } = await generateIdentity();
  await Deno.mkdir(`${home.path}/identities`, { recursive: true });
  const secrets = { userSecret: toBase64Url(userSecret), deviceSecret: toBase64Url(deviceSecret) };
  const text = JSON.stringify({ name, ...secrets });
  await Deno.writeTextFile(`${home.path}/identities/${name.toLowerCase()}.json`, text);
  return [userSecret, deviceSecret];
}

Deno.test("without a passphrase, no secret is in the store's file or beside it", async () => {
  await using home = new Home();
  const identity = await oldIdentity(home, "Alice");
  const secrets = new Secrets();
  const store = await home.open();
  assertEquals([store.hasPassphrase, store.isLocked], [false, false]);
  await store.identity("Alice");
  secrets.keep(store.profile(server, "Alice"));
  const look = () => {
    for (const [what, secret] of Object.entries(secrets.all)) {
      assertEquals(home.filesWith(secret), [], what);
    }
    for (const secret of identity) {
      assertEquals(
        home.filesWith(secret),
        ["identities/alice.json"],
        "what the first version left",
      );
    }
  };
  look();
  store.close();
  look();
  assertEquals(Deno.statSync(home.key).mode! & 0o777, 0o600);
  await home.with(undefined, (again) => secrets.check(again.profile(server, "Alice")));
});

Deno.test("with a passphrase, no secret and no passphrase is in any file of the folder", async () => {
  await using home = new Home();
  const passphrase = "correct horse battery";
  const identity = await oldIdentity(home, "Alice");
  const secrets = new Secrets();
  await home.with(undefined, (store) => secrets.keep(store.profile(server, "Alice")));
  const open = new TextDecoder().decode(Deno.readFileSync(home.key));
  const firstKey = utf8(JSON.parse(open).key);
  const store = await home.open();
  await store.setPassphrase(passphrase);
  const { user } = await store.identity("Alice");
  const look = () => {
    const all = { ...secrets.all, passphrase: utf8(passphrase), firstKey };
    for (const [what, secret] of [...Object.entries(all), ...Object.entries(identity)]) {
      assertEquals(home.filesWith(secret), [], what);
    }
  };
  look();
  secrets.check(store.profile(server, "alice"));
  store.close();
  look();
  assertEquals(Deno.statSync(home.key).mode! & 0o777, 0o600);

  const again = await home.open();
  assertEquals([again.hasPassphrase, again.isLocked], [true, true]);
  await again.savePin("host:1", "pin");
  assertEquals(await again.pin("host:1"), "pin");
  await assertRejects(() => again.identity("Alice"), Error, "under a passphrase");
  assertThrows(() => again.profile(server, "Alice"), Error, "under a passphrase");
  await assertRejects(() => again.unlock("correct horse batterz"), WrongPassphraseError);
  assertEquals(again.isLocked, true);
  await again.unlock(passphrase);
  assertEquals((await again.identity("Alice")).user.publicKey, user.publicKey);
  secrets.check(again.profile(server, "Alice"));
  again.close();
});

Deno.test("under a passphrase, what the first version kept is taken over, and removed", async () => {
  await using home = new Home();
  await home.with(undefined, (store) => store.setPassphrase("the first"));
  const secrets = [...await oldIdentity(home, "Zoe"), ...await oldIdentity(home, "Alice")];
  await Deno.writeTextFile(`${home.path}/identities/damaged.json`, "{");
  for (const secret of secrets) assertEquals(home.filesWith(secret).length, 1);
  await home.with("the first", async (store) => {
    for (const secret of secrets) assertEquals(home.filesWith(secret), []);
    const { publicKey } = await importSigningKey(secrets[0]!.slice());
    assertEquals((await store.identity("zoe")).user.publicKey, publicKey);
  });
  const left = [...Deno.readDirSync(`${home.path}/identities`)].map(({ name }) => name);
  assertEquals(left, ["damaged.json"]);
});

Deno.test("a passphrase is changed and taken away; what counted before opens nothing then", async () => {
  await using home = new Home();
  const secrets = new Secrets();
  await home.with(undefined, (store) => secrets.keep(store.profile(server, "Alice")));
  const keys = [Deno.readTextFileSync(home.key)];
  await home.with(undefined, (store) => store.setPassphrase("the first"));
  keys.push(Deno.readTextFileSync(home.key));
  await home.with("the first", (store) => store.setPassphrase("the second"));
  await assertRejects(() => home.open("the first"), WrongPassphraseError);
  await home.with("the second", (store) => secrets.check(store.profile(server, "Alice")));
  await home.with("the second", (store) => store.setPassphrase(undefined));
  await home.with(undefined, (store) => secrets.check(store.profile(server, "Alice")));
  const last = Deno.readTextFileSync(home.key);
  for (const key of keys) {
    Deno.writeTextFileSync(home.key, key);
    const { message } = await assertRejects(() => home.open(), ClientStoreError);
    assertStringIncludes(message, `${home.key} is another store's`);
  }
  Deno.writeTextFileSync(home.key, last);
  await home.with(undefined, (store) => secrets.check(store.profile(server, "Alice")));
});

Deno.test("a key that is damaged or missing is told, and nothing is made in its place", async () => {
  await using home = new Home();
  await home.with(undefined, (store) => store.identity("Alice"));
  const text = Deno.readTextFileSync(home.key);
  Deno.writeTextFileSync(home.key, text.slice(0, 20));
  const damaged = await assertRejects(() => home.open(), ClientStoreError);
  assertStringIncludes(damaged.message, `${home.key} is damaged: without it`);
  Deno.removeSync(home.key);
  const missing = await assertRejects(() => home.open(), ClientStoreError);
  assertStringIncludes(missing.message, `${home.key} is missing: without the right one`);
  assertThrows(() => Deno.statSync(home.key), Deno.errors.NotFound);
  Deno.writeTextFileSync(home.key, text);
  await home.with(undefined, (store) => store.identity("Alice"));
});

Deno.test("a store that is new takes the key that is there, which may be another's too", async () => {
  await using home = new Home();
  await home.with(undefined, (store) => store.setPassphrase("the first"));
  const key = Deno.readTextFileSync(home.key);
  const old = await Deno.readFile(`${home.path}/${storeFile}`);
  await Deno.remove(`${home.path}/${storeFile}`);
  await assertRejects(() => home.open("another"), WrongPassphraseError);
  const made = await home.with("the first", (store) => store.identity("Alice"));
  await home.with("the first", async (store) => {
    assertEquals((await store.identity("Alice")).user.publicKey, made.user.publicKey);
  });
  assertEquals(Deno.readTextFileSync(home.key), key);
  await Deno.writeFile(`${home.path}/${storeFile}`, old);
  await home.with("the first", (store) => store.identity("Alice"));
});

Deno.test("secrets that were put in another's place in the file open nothing", async () => {
  await using home = new Home();
  await home.with(undefined, async (store) => {
    await store.identity("Alice");
    await store.identity("Bob");
    for (const [name, byte] of [["Alice", 1], ["Bob", 2]] as const) {
      const profile = store.profile(server, name);
      profile.keepGroup(room, id(byte, 100), cursor(1), true);
      profile.enter(room, "team", cursor(0), true);
      const entries = [entry({ seq: 1 }), entry({ seq: 2 })];
      profile.take({ room, entries, cursor: cursor(2), settled: [], isSealed: true });
      profile.close();
    }
  });
  home.edit(`update identities set user_secret =
    (select user_secret from identities other where other.name <> identities.name)`);
  home.edit("update groups set state = (select state from groups other where profile = 2)");
  home.edit(`update entries set core =
    (select core from entries other where other.room = entries.room and other.seq <> entries.seq)`);
  await home.with(undefined, async (store) => {
    await assertRejects(() => store.identity("Alice"), ClientStoreError, "identities.user_secret");
    const alice = store.profile(server, "Alice");
    assertThrows(() => alice.groups(), ClientStoreError, "groups.state");
    assertThrows(() => alice.newest(room, 9), ClientStoreError, "entries.core");
    assertEquals(store.profile(server, "Bob").groups()[0]!.state, id(2, 100));
  });
});

Deno.test("what an older version kept in the clear is sealed at the first start, without a trace", async () => {
  await using home = new Home();
  const names = Array.from({ length: 400 }, (_, at) => `name${at}`);
  const identities = Object.fromEntries(
    names.map((name) => [name, [random(32), random(32)] as [Uint8Array, Uint8Array]]),
  );
  const texts = Array.from({ length: 200 }, (_, at) => `an old canary sings, ${at}`);
  Deno.mkdirSync(home.path);
  writeOldStore(`${home.path}/${storeFile}`, { identities, server, room, texts });
  const secrets = [...Object.values(identities).flat(), ...texts.map(utf8)];
  assert(secrets.every((secret) => home.filesWith(secret).length === 1));
  const store = await home.open();
  const look = () => {
    const found = secrets.filter((secret) => home.filesWith(secret).length > 0);
    assertEquals(found.length, 0);
  };
  look();
  await Promise.all(
    names.slice(0, 3).map(async (name) => {
      const { user } = await store.identity(name);
      const { publicKey } = await importSigningKey(identities[name]![0].slice());
      assertEquals(user.publicKey, publicKey);
    }),
  );
  const kept = store.profile(server, "Alice").messages();
  assertEquals(kept.map(({ core }) => latin1(core.subarray(20))), texts);
  store.close();
  look();
});

Deno.test("while another process uses the folder the passphrase stays, and both go on", async () => {
  await using home = new Home();
  const [one, two] = [await home.open(), await home.open()];
  const { message } = await assertRejects(() => one.setPassphrase("the first"), ClientStoreError);
  assertStringIncludes(message, `Another process uses ${home.path}. End it before`);
  const made = await one.identity("Alice");
  assertEquals((await two.identity("Alice")).user.publicKey, made.user.publicKey);
  two.close();
  await one.setPassphrase("the first");
  one.close();
  await home.with("the first", (store) => store.identity("Alice"));
});

/** Changes of a passphrase; an empty one is none. */
const changes: readonly (readonly [from: string, to: string])[] = [
  ["", "the first"],
  ["the first", "the second"],
  ["the second", ""],
];

for (const [from, to] of changes) {
  Deno.test(`killed at any step from "${from}" to "${to}", the one or the other holds, and all is there`, async () => {
    await using home = new Home();
    const secrets = new Secrets();
    const user = await home.with(undefined, async (store) => {
      const { user } = await store.identity("Alice");
      await store.setPassphrase(from || undefined);
      secrets.keep(store.profile(server, "Alice"));
      return user.publicKey;
    });
    await Promise.all([1, 2, 3, 4].map(async (step) => {
      await using copy = new Home();
      copyFolder(home.path, copy.path);
      await dieChanging(copy, from, to, step);
      const [holds, other] = step === 1 ? [from, to] : [to, from];
      const left = await copy.open();
      assertEquals(left.hasPassphrase, holds !== "", `step ${step}`);
      if (holds && other) {
        await assertRejects(() => left.unlock(other), WrongPassphraseError, "", `step ${step}`);
      }
      if (holds) await left.unlock(holds);
      assertEquals((await left.identity("Alice")).user.publicKey, user);
      secrets.check(left.profile(server, "Alice"));
      assertThrows(() => Deno.statSync(`${copy.key}.new`), Deno.errors.NotFound);
      left.close();
    }));
  });
}

/** A process that is killed when it has taken this step of changing a passphrase. */
async function dieChanging(home: Home, from: string, to: string, step: number): Promise<void> {
  const args = [
    ...["run", "-q", "--no-prompt", "--frozen", "--config", `${root}/deno.json`, "-P=test"],
    ...[`${root}/tests/client/passphrase_victim.ts`, home.path, from, to, String(step)],
  ];
  await using victim = new Process(Deno.execPath(), args, { cwd: root, env: {} });
  await victim.until("here");
  victim.kill("SIGKILL");
  await victim.code;
}

function copyFolder(from: string, to: string): void {
  Deno.mkdirSync(to);
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copyFolder(`${from}/${name}`, `${to}/${name}`);
    else Deno.copyFileSync(`${from}/${name}`, `${to}/${name}`);
  }
}
