import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { pinChecker, ServerIdentityError } from "../../client/pins.ts";
import { type ClientStore, forgetful } from "../../client/store/store.ts";
import { fingerprint } from "../../crypto/identity.ts";

const address = { host: "chat.example.org", port: 9000 };
const key = (of: number) => new Uint8Array(32).fill(of);

/** Pins in memory, and what was told of new servers. */
function makeStore(pins: Map<string, string> = new Map()) {
  const told: string[] = [];
  const store: ClientStore = {
    identity: () => Promise.reject(new Error("not asked for")),
    pin: (server) => Promise.resolve(pins.get(server)),
    savePin(server, value) {
      const isNew = !pins.has(server);
      if (isNew) pins.set(server, value);
      return Promise.resolve(isNew);
    },
    forgetPin: (server) => Promise.resolve(void pins.delete(server)),
    profile: () => forgetful,
    close: () => {},
  };
  return { store, pins, told, onNew: (value: string) => void told.push(value) };
}

Deno.test("a server met for the first time is remembered, told once, and then expected", async () => {
  const { store, pins, told, onNew } = makeStore();
  const check = pinChecker(address, store, onNew);
  await check(key(1));
  await check(key(1));
  assertEquals(told, [fingerprint(key(1))]);
  assertEquals([...pins], [["chat.example.org:9000", fingerprint(key(1))]]);
});

Deno.test("another identity than the remembered one is refused, with both and what to do", async () => {
  const { store, pins, onNew } = makeStore();
  const check = pinChecker(address, store, onNew);
  await check(key(1));
  const { message } = await assertRejects(() => check(key(2)), ServerIdentityError);
  for (const text of [fingerprint(key(1)), fingerprint(key(2)), "--forget", "operator"]) {
    assertStringIncludes(message, text);
  }
  assertEquals(pins.get("chat.example.org:9000"), fingerprint(key(1)));
});

Deno.test("the identity that a link names is the only right one, and remembers nothing else", async () => {
  const { store, pins, onNew } = makeStore();
  const check = pinChecker({ ...address, fingerprint: fingerprint(key(1)) }, store, onNew);
  const { message } = await assertRejects(() => check(key(2)), ServerIdentityError);
  assertStringIncludes(message, "not the one that the link names");
  assertEquals(pins.size, 0);
  await check(key(1));
  assertEquals(pins.size, 1);
});

Deno.test("a link does not overrule what is remembered", async () => {
  const { store, onNew } = makeStore(new Map([["chat.example.org:9000", fingerprint(key(1))]]));
  const check = pinChecker({ ...address, fingerprint: fingerprint(key(2)) }, store, onNew);
  await assertRejects(() => check(key(2)), ServerIdentityError, "another identity");
});

Deno.test("of two processes that meet a server at once, the second checks the first one's word", async () => {
  const { store, pins, told, onNew } = makeStore();
  const late: ClientStore = {
    ...store,
    savePin(server) {
      pins.set(server, fingerprint(key(1)));
      return Promise.resolve(false);
    },
  };
  await pinChecker(address, late, onNew)(key(1));
  assertEquals(told, []);
  pins.clear();
  await assertRejects(() => pinChecker(address, late, onNew)(key(2)), ServerIdentityError);
  assert(pins.size === 1);
});
