import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { ProtocolError } from "../../protocol/errors.ts";
import { type Credentials, newId, People } from "../../server/people.ts";
import { MemoryStore } from "../../server/store/memory.ts";
import { StoreFullError } from "../../server/store/store.ts";
import { numbered } from "../fixtures/bytes.ts";
import { StoreAround } from "../fixtures/store_around.ts";

/** What somebody shows: the key, and a device for each `device`. */
function credentials(name: string, key: number, device = key): Credentials {
  return {
    name,
    userKey: numbered(32, key),
    deviceId: numbered(16, 100 + device),
    deviceKey: numbered(32, 100 + device),
    certificate: numbered(64, key),
  };
}

const open = () => People.open(new MemoryStore(1e6), 10);

const anybody = () => {};
const nobodyNew = () => {
  throw new ProtocolError("invitation_needed");
};

/** The code that something is refused with; undefined where it is not. */
function codeOf(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
}

/** Logins one after the other into the same people, and what each is refused with. */
const stories: readonly [
  what: string,
  logins: readonly [name: string, key: number, code: string | undefined][],
][] = [
  ["the first key to take a name owns it", [
    ["Alice", 1, undefined],
    ["Alice", 2, "name_owned"],
    ["Alice", 1, undefined],
  ]],
  ["a name is one name however it is written", [
    ["Ａlice", 1, undefined],
    ["Alice", 2, "name_owned"],
    [" Alice ", 1, undefined],
  ]],
  ["a name may not look like one that is known", [
    ["Alice", 1, undefined],
    ["alice", 2, "name_lookalike"],
    ["A1ice", 2, "name_lookalike"],
    ["Аlice", 2, "name_lookalike"], // The first letter is Cyrillic.
    ["Alicé", 2, "name_lookalike"],
    ["Alicia", 2, undefined],
  ]],
  ["an owner too writes the name as it was", [
    ["Alice", 1, undefined],
    ["ALICE", 1, "name_lookalike"],
  ]],
  ["a name has letters and digits, not too many", [
    ["", 1, "bad_name"],
    ["two words", 1, "bad_name"],
    ["-dash", 1, "bad_name"],
    ["[Bob]:", 1, "bad_name"],
    ["a\u202eb", 1, "bad_name"],
    ["x".repeat(33), 1, "bad_name"],
    ["x".repeat(32), 1, undefined],
    ["Zoë.2-b_c", 2, undefined],
    ["小明", 3, undefined],
  ]],
];

for (const [what, logins] of stories) {
  Deno.test(`People: ${what}`, async () => {
    const people = await open();
    const codes = logins.map(([name, key]) =>
      codeOf(() => people.login(credentials(name, key), anybody, 0))
    );
    assertEquals(codes, logins.map(([, , code]) => code));
  });
}

Deno.test("People knows a user again, and counts the sessions", async () => {
  const people = await open();
  const first = people.login(credentials("Alice", 1), nobodyKnown(people), 0);
  const second = people.login(credentials("Alice", 1), nobodyNew, 0);
  assertEquals([first.registered, second.registered], [true, false]);
  assertEquals(second.user, first.user);
  assertEquals(first.user.sessions, 2);
  people.logout(first.user, 0);
  people.logout(first.user, 0);
  assertEquals(people.login(credentials("Alice", 1), nobodyNew, 0).user.id, first.user.id);
});

/** Lets somebody new in who is asked about once. */
function nobodyKnown(people: People): () => void {
  return () => assertEquals(people.behind(credentials("Alice", 1).deviceId), undefined);
}

Deno.test("People tells a stranger without an invitation nothing about the names there are", async () => {
  const people = await open();
  people.login(credentials("Alice", 1), anybody, 0);
  for (const name of ["Alice", "alice", "Bob"]) {
    const code = codeOf(() => people.login(credentials(name, 2), nobodyNew, 0));
    assertEquals(code, "invitation_needed", name);
  }
});

Deno.test("People knows who is behind a device, with the keys that prove it", async () => {
  const people = await open();
  const { user } = people.login(credentials("Alice", 1), anybody, 0);
  people.login(credentials("Alice", 1, 2), anybody, 0);
  for (const device of [1, 2]) {
    const { deviceId, userKey, deviceKey, certificate } = credentials("Alice", 1, device);
    assertEquals(people.behind(deviceId), {
      deviceId,
      userId: user.id,
      name: "Alice",
      keys: { user: userKey, device: deviceKey, certificate },
    });
  }
  assertEquals(people.behind(newId()), undefined);
});

Deno.test("People gives a device to one user only", async () => {
  const people = await open();
  people.login(credentials("Alice", 1, 5), anybody, 0);
  assertEquals(codeOf(() => people.login(credentials("Bob", 2, 5), anybody, 0)), "bad_login");
  assertEquals(people.behind(credentials("Alice", 1, 5).deviceId)!.name, "Alice");
});

Deno.test("a refused login leaves nothing behind", async () => {
  const people = await open();
  codeOf(() => people.login(credentials("Alice", 1), nobodyNew, 0));
  codeOf(() => people.login(credentials("no name", 1), anybody, 0));
  assertEquals(people.behind(credentials("Alice", 1).deviceId), undefined);
  assertEquals(people.login(credentials("Alice", 2), anybody, 0).registered, true);
});

Deno.test("a guest has the name while here, and nobody else then", async () => {
  const people = await open();
  people.login(credentials("Alice", 1), anybody, 0);
  for (const name of ["Alice", "alice"]) {
    assertEquals(codeOf(() => people.guest(name, 0)), "name_owned");
  }
  const { user, person } = people.guest("Bob", 0);
  assertEquals([person.name, person.keys], ["Bob", undefined]);
  assertEquals(codeOf(() => people.guest("b0b", 0)), "name_owned");
  assertEquals(codeOf(() => people.login(credentials("Bob", 2), anybody, 0)), "name_owned");
  people.logout(user, 0);
  assertEquals(codeOf(() => people.login(credentials("Bob", 2), anybody, 0)), undefined);
  assertEquals(people.behind(person.deviceId)!.name, "Bob", "the log has what was said");
});

Deno.test("two guests by the same name, one after the other, are not the same person", async () => {
  const people = await open();
  const first = people.guest("Bob", 0);
  people.logout(first.user, 0);
  const second = people.guest("Bob", 0);
  assertNotEquals(first.person.userId, second.person.userId);
  assertNotEquals(first.person.deviceId, second.person.deviceId);
});

Deno.test("People are kept: names, keys, devices, admins", async () => {
  const store = new MemoryStore(1e6);
  const people = await People.open(store, 10);
  const { user, saved } = people.login(credentials("Alice", 1), anybody, 5);
  await saved;
  await people.setAdmin(user, true);
  people.logout(user, 9);
  await people.login(credentials("Bob", 2), anybody, 6).saved;

  const again = await People.open(store, 10);
  const back = again.login(credentials("Alice", 1), nobodyNew, 20);
  assertEquals([back.registered, back.user.isAdmin, back.user.lastSeenMs], [false, true, 9]);
  assertEquals(back.user.id, user.id);
  assertEquals(codeOf(() => again.login(credentials("Bob", 3), anybody, 20)), "name_owned");
  const { deviceId } = credentials("Alice", 1);
  assertEquals(again.behind(deviceId), people.behind(deviceId));

  await again.forget(back.user);
  const later = await People.open(store, 10);
  assertEquals(later.behind(deviceId), undefined);
  assertEquals(codeOf(() => later.login(credentials("Alice", 4), anybody, 30)), undefined);
});

Deno.test("who makes room for a new name is forgotten for good", async () => {
  const store = new MemoryStore(1e6);
  const people = await People.open(store, 2);
  for (const [at, name] of ["Ann", "Bea", "Cid"].entries()) {
    const { user, saved } = people.login(credentials(name, at + 1), anybody, at);
    await saved;
    people.logout(user, at);
  }
  const names = [...(await People.open(store, 2)).all()].map(({ name }) => name);
  assertEquals(names, ["Ann", "Cid"]);
});

Deno.test("who logs in again before the name is kept waits for that too", async () => {
  const full = Promise.withResolvers<void>();
  class FullStore extends StoreAround {
    override put(): Promise<void> {
      return full.promise;
    }
  }
  const people = await People.open(new FullStore(new MemoryStore(1e6)), 10);
  const first = people.login(credentials("Alice", 1), () => {}, 0);
  const second = people.login(credentials("Alice", 1), () => {}, 0);
  assertEquals([first.registered, first.isPending], [true, true]);
  assertEquals([second.registered, second.isPending], [false, true]);
  full.reject(new StoreFullError("full"));
  for (const { saved } of [first, second]) await assertRejects(() => saved!, StoreFullError);
  const third = people.login(credentials("Alice", 1), () => {}, 0);
  assertEquals([third.registered, third.isPending, third.saved], [false, false, undefined]);
});

Deno.test("what a guest said is by them after a restart too, and the name is free", async () => {
  const store = new MemoryStore(1e6);
  const people = await People.open(store, 10);
  const { user, person } = people.guest("Carol", 3);
  people.logout(user, 4);
  const again = await People.open(store, 10);
  assertEquals(again.behind(person.deviceId)?.name, "Carol");
  assertEquals(codeOf(() => again.guest("Carol", 5)), undefined);
});
