import { assert, assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../protocol/errors.ts";
import { type Credentials, newId, People } from "../../server/people.ts";
import { MemoryStore } from "../../server/store/memory.ts";

function credentials(name: string, userKey = newKey(), deviceId = newId()): Credentials {
  return { name, userKey, deviceId, deviceKey: newKey(), certificate: new Uint8Array(64) };
}

function newKey(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(32));
}

function free(): void {}

Deno.test("People remembers the newest devices of a user, not all that ever were", async () => {
  const people = await People.open(new MemoryStore(1e6), 10);
  const first = credentials("Alice");
  const devices = [
    first,
    ...Array.from({ length: 100 }, () => credentials("Alice", first.userKey)),
  ];
  for (const device of devices) people.logout(people.login(device, free, 0).user, 0);
  const known = devices.filter(({ deviceId }) => people.behind(deviceId));
  assert(known.length <= 32, `${known.length} devices`);
  assertEquals(known.at(-1), devices.at(-1));
});

Deno.test("People forgets guests who left, the first to leave first", async () => {
  const people = await People.open(new MemoryStore(1e6), 10);
  const stays = people.guest("Stays", 0);
  const guests = Array.from({ length: 5000 }, (_, at) => {
    const guest = people.guest(`guest${at}`, 0);
    people.logout(guest.user, 0);
    return guest;
  });
  const known = guests.filter(({ person }) => people.behind(person.deviceId));
  assert(known.length <= 1000, `${known.length} guests`);
  assertEquals(known.at(-1), guests.at(-1));
  assert(people.behind(stays.person.deviceId));
});

Deno.test("A flood of new names pushes out its own, not those who came before", async () => {
  const people = await People.open(new MemoryStore(1e6), 100);
  const alice = credentials("Alice");
  people.logout(people.login(alice, free, 0).user, 0);
  for (let at = 0; at < 1000; at++) {
    people.logout(people.login(credentials(`n${at}`), free, 0).user, 0);
  }
  const error = assertThrows(() => people.login(credentials("Alice"), free, 0), ProtocolError);
  assertEquals((error as ProtocolError).code, "name_owned");
  assertEquals(people.login(alice, free, 0).registered, false);
});

Deno.test("People has no room for a new name when all who have one are here", async () => {
  const people = await People.open(new MemoryStore(1e6), 2);
  for (const name of ["Alice", "Bob"]) people.login(credentials(name), free, 0);
  const error = assertThrows(() => people.login(credentials("Carol"), free, 0), ProtocolError);
  assertEquals((error as ProtocolError).code, "server_full");
});
