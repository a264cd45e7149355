import { assertEquals, assertNotEquals } from "@std/assert";
import { ProtocolError } from "../../protocol/errors.ts";
import { type Credentials, newId, People } from "../../server/people.ts";
import { numbered } from "../fixtures/bytes.ts";

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
  Deno.test(`People: ${what}`, () => {
    const people = new People(10);
    const codes = logins.map(([name, key]) =>
      codeOf(() => people.login(credentials(name, key), anybody))
    );
    assertEquals(codes, logins.map(([, , code]) => code));
  });
}

Deno.test("People knows a user again, and counts the sessions", () => {
  const people = new People(10);
  const first = people.login(credentials("Alice", 1), nobodyKnown(people));
  const second = people.login(credentials("Alice", 1), nobodyNew);
  assertEquals([first.registered, second.registered], [true, false]);
  assertEquals(second.user, first.user);
  assertEquals(first.user.sessions, 2);
  people.logout(first.user);
  people.logout(first.user);
  assertEquals(people.login(credentials("Alice", 1), nobodyNew).user.id, first.user.id);
});

/** Lets somebody new in who is asked about once. */
function nobodyKnown(people: People): () => void {
  return () => assertEquals(people.behind(credentials("Alice", 1).deviceId), undefined);
}

Deno.test("People tells a stranger without an invitation nothing about the names there are", () => {
  const people = new People(10);
  people.login(credentials("Alice", 1), anybody);
  for (const name of ["Alice", "alice", "Bob"]) {
    const code = codeOf(() => people.login(credentials(name, 2), nobodyNew));
    assertEquals(code, "invitation_needed", name);
  }
});

Deno.test("People knows who is behind a device, with the keys that prove it", () => {
  const people = new People(10);
  const { user } = people.login(credentials("Alice", 1), anybody);
  people.login(credentials("Alice", 1, 2), anybody);
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

Deno.test("People gives a device to one user only", () => {
  const people = new People(10);
  people.login(credentials("Alice", 1, 5), anybody);
  assertEquals(codeOf(() => people.login(credentials("Bob", 2, 5), anybody)), "bad_login");
  assertEquals(people.behind(credentials("Alice", 1, 5).deviceId)!.name, "Alice");
});

Deno.test("a refused login leaves nothing behind", () => {
  const people = new People(10);
  codeOf(() => people.login(credentials("Alice", 1), nobodyNew));
  codeOf(() => people.login(credentials("no name", 1), anybody));
  assertEquals(people.behind(credentials("Alice", 1).deviceId), undefined);
  assertEquals(people.login(credentials("Alice", 2), anybody).registered, true);
});

Deno.test("a guest has the name while here, and nobody else then", () => {
  const people = new People(10);
  people.login(credentials("Alice", 1), anybody);
  for (const name of ["Alice", "alice"]) {
    assertEquals(codeOf(() => people.guest(name)), "name_owned");
  }
  const { user, person } = people.guest("Bob");
  assertEquals([person.name, person.keys], ["Bob", undefined]);
  assertEquals(codeOf(() => people.guest("b0b")), "name_owned");
  assertEquals(codeOf(() => people.login(credentials("Bob", 2), anybody)), "name_owned");
  people.logout(user);
  assertEquals(codeOf(() => people.login(credentials("Bob", 2), anybody)), undefined);
  assertEquals(people.behind(person.deviceId)!.name, "Bob", "the log has what was said");
});

Deno.test("two guests by the same name, one after the other, are not the same person", () => {
  const people = new People(10);
  const first = people.guest("Bob");
  people.logout(first.user);
  const second = people.guest("Bob");
  assertNotEquals(first.person.userId, second.person.userId);
  assertNotEquals(first.person.deviceId, second.person.deviceId);
});
