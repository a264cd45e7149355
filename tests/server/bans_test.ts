import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { fingerprint } from "../../crypto/identity.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { roomBansMax } from "../../protocol/limits.ts";
import {
  addressOf,
  coversLoopback,
  formatRange,
  isIn,
  isTooWide,
  parseRange,
} from "../../server/moderation/address_range.ts";
import {
  Bans,
  banText,
  formatTarget,
  type Newcomer,
  parseTarget,
  type Scope,
} from "../../server/moderation/bans.ts";
import { MemoryStore } from "../../server/store/memory.ts";
import { StoreFullError } from "../../server/store/store.ts";
import { numbered } from "../fixtures/bytes.ts";
import { codeOf, Core, operator, refusalOf } from "../fixtures/core.ts";
import { FakeClock } from "../fixtures/fake_clock.ts";
import { StoreAround } from "../fixtures/store_around.ts";

const forms: readonly [text: string, form: string | undefined][] = [
  ["192.0.2.1", "192.0.2.1"],
  ["192.0.2.77/24", "192.0.2.0/24"],
  ["192.0.2.1/32", "192.0.2.1"],
  ["0.0.0.0/0", "0.0.0.0/0"],
  ["255.255.255.255/31", "255.255.255.254/31"],
  ["2001:DB8::1", "2001:db8::1"],
  ["2001:db8:0:0:1:0:0:1/64", "2001:db8::/64"],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["2001:db8:0:1:0:0:0:0/64", "2001:db8:0:1::/64"],
  ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
  ["::", "::"],
  ["::1", "::1"],
  ["1::", "1::"],
  ["::/0", "::/0"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::ffff:c000:201", "192.0.2.1"],
  ["::ffff:192.0.2.0/120", "192.0.2.0/24"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ["10:20:30:40:50:60:0:0", "10:20:30:40:50:60::"],
  ["::ffff:192.0.2.0/90", undefined],
  ["192.0.2.0/33", undefined],
  ["192.0.2.0/-1", undefined],
  ["192.0.2.0/", undefined],
  ["192.0.2.0/1e1", undefined],
  ["192.0.2.0/24/8", undefined],
  ["192.0.2", undefined],
  ["192.0.2.256", undefined],
  ["192.0.2.01", undefined],
  ["１９２.0.2.1", undefined],
  ["1:2:3:4:5:6:7", undefined],
  ["1:2:3:4:5:6:7:8:9", undefined],
  ["1:2:3:4:5:6:7::8", undefined],
  ["1::2::3", undefined],
  [":::", undefined],
  ["1:", undefined],
  [":1", undefined],
  ["12345::", undefined],
  ["192.0.2.1::", undefined],
  ["fe80::1%eth0", undefined],
  ["::/129", undefined],
  ["alice", undefined],
  ["", undefined],
];

for (const [text, form] of forms) {
  Deno.test(`the range "${text}" is ${form ?? "none"}`, () => {
    const range = parseRange(text);
    assertEquals(range && formatRange(range), form);
    if (range) assertEquals(parseRange(formatRange(range)), range);
  });
}

const insides: readonly [remote: string, range: string, isInside: boolean][] = [
  ["192.0.2.1:5", "192.0.2.0/24", true],
  ["192.0.3.1:5", "192.0.2.0/24", false],
  ["[::ffff:192.0.2.1]:5", "192.0.2.0/24", true],
  ["::ffff:192.0.2.1", "192.0.2.0/24", true],
  ["[::ffff:c000:201]:5", "192.0.2.1", true],
  ["[2001:db8::7]:5", "2001:db8::/32", true],
  ["[2001:db9::7]:5", "2001:db8::/32", false],
  ["[fe80::1%eth0]:5", "fe80::/10", true],
  ["192.0.2.1:5", "::/0", false],
  ["[::1]:5", "0.0.0.0/0", false],
  ["[2001:db8::7]:5", "2001:db8::7", true],
];

for (const [remote, range, isInside] of insides) {
  Deno.test(`${remote} is ${isInside ? "" : "not "}in ${range}`, () => {
    assertEquals(isIn(addressOf(remote)!, parseRange(range)!), isInside);
  });
}

Deno.test("what has no address is in no range", () => {
  for (const remote of ["", "memory", "server", "unix:x"]) {
    assertEquals(addressOf(remote), undefined, remote);
  }
});

Deno.test("ranges that hit whom nobody means are told apart", () => {
  const widths: readonly [string, boolean][] = [
    ["0.0.0.0/0", true],
    ["10.0.0.0/7", true],
    ["10.0.0.0/8", false],
    ["::/0", true],
    ["::/31", true],
    ["2001:db8::/32", false],
    ["::ffff:0:0/96", true],
    ["::ffff:10.0.0.0/104", false],
  ];
  for (const [text, expected] of widths) assertEquals(isTooWide(parseRange(text)!), expected, text);
  const own: readonly [string, boolean][] = [
    ["127.0.0.1", true],
    ["127.5.0.0/16", true],
    ["0.0.0.0/1", true],
    ["128.0.0.0/1", false],
    ["::1", true],
    ["::/64", true],
    ["::2", false],
  ];
  for (const [text, expected] of own) {
    assertEquals(coversLoopback(parseRange(text)!), expected, text);
  }
});

const key = numbered(32, 1);
const print = fingerprint(key);

Deno.test("a target is a key, an address or a name, and a name that looks like one has an @", () => {
  const keyOf = (name: string) => name === "Alice" ? { name, key } : undefined;
  const read = (text: string) => parseTarget(text, keyOf);
  assertEquals(read(`key:${print}`), { kind: "key", fingerprint: print });
  assertEquals(read("192.0.2.1").kind, "range");
  assertEquals(read("@192.0.2.1"), {
    kind: "name",
    name: "192.0.2.1",
    fingerprint: undefined,
  });
  assertEquals(read("@Alice"), { kind: "name", name: "Alice", fingerprint: print });
  for (const text of [`key:${print}`, "192.0.2.0/24", "@192.0.2.1", "Alice"]) {
    assertEquals(formatTarget(read(text)), text);
  }
  for (
    const text of ["key:", "key:abc", `key:${print}A`, "192.0.2.0/99", "a b", "2001:db8", "@@x"]
  ) {
    assertThrows(() => read(text), ProtocolError, undefined, text);
  }
});

/** Bans of one scope, and who is kept out by them. */
const stories: readonly [what: string, banned: string, tried: readonly [Newcomer, boolean][]][] = [
  ["a name is banned with its key", "Alice", [
    [{ name: "Alice", key }, true],
    [{ name: "Alice" }, true],
    [{ name: "A1ice", key: numbered(32, 2) }, true],
    [{ name: "Bob", key }, true],
    [{ name: "Bob", key: numbered(32, 2) }, false],
    [{}, false],
  ]],
  ["a key is banned under whatever name", `key:${print}`, [
    [{ name: "Whoever", key }, true],
    [{ name: "Alice", key: numbered(32, 2) }, false],
    [{ name: "Alice" }, false],
  ]],
  ["a range is banned, mapped into IPv6 too", "192.0.2.0/24", [
    [{ name: "Alice", key, remote: "192.0.2.9:1" }, true],
    [{ remote: "[::ffff:192.0.2.9]:1" }, true],
    [{ remote: "192.0.3.9:1" }, false],
    [{ name: "192.0.2.0" }, false],
  ]],
];

for (const [what, banned, tried] of stories) {
  Deno.test(`Bans: ${what}, until it is lifted`, async () => {
    const bans = await Bans.open(new MemoryStore(1e6), new FakeClock());
    const target = parseTarget(banned, (name) => ({ name, key }));
    await bans.add(undefined, { target, by: "Olga", why: "", untilMs: undefined });
    for (const [newcomer, isOut] of tried) {
      assertEquals(bans.find(undefined, newcomer) !== undefined, isOut, JSON.stringify(newcomer));
      assertEquals(bans.find(numbered(16), newcomer), undefined, "Of another scope.");
    }
    await bans.lift(undefined, bans.naming(undefined, target));
    for (const [newcomer] of tried) assertEquals(bans.find(undefined, newcomer), undefined);
    assertEquals(bans.list(undefined), []);
  });
}

Deno.test("Bans: they end, survive a restart until then, and the longest counts", async () => {
  const clock = new FakeClock();
  const store = new MemoryStore(1e6);
  const bans = await Bans.open(store, clock);
  const room = numbered(16, 3);
  const range = (text: string) => parseTarget(text, () => undefined);
  const add = (text: string, forMs?: number) =>
    bans.add(room, {
      target: range(text),
      by: "Olga",
      why: "spam",
      untilMs: forMs === undefined ? undefined : clock.now() + forMs,
    });
  await add("192.0.2.0/24", 1000);
  await add("192.0.2.1", 2000);
  await add("198.51.100.1");
  const isOut = (bans: Bans, remote: string) => bans.find(room, { remote }) !== undefined;
  assertEquals(bans.find(room, { remote: "192.0.2.1:1" })?.untilMs, clock.now() + 2000);
  await clock.advance(1000);
  const again = await Bans.open(store, clock);
  for (const one of [bans, again]) {
    assertEquals(isOut(one, "192.0.2.2:1"), false);
    assertEquals(isOut(one, "192.0.2.1:1"), true);
    assertEquals(one.list(room).map(({ target }) => formatTarget(target)).sort(), [
      "192.0.2.1",
      "198.51.100.1",
    ]);
  }
  await clock.advance(1000);
  assertEquals(isOut(bans, "192.0.2.1:1"), false);
  await add("203.0.113.1"); // What has ended goes from the store with the next ban.
  assertEquals((await store.records("ban")).length, 2);
});

Deno.test("Bans: a room has a number of them, and one of them again is no new one", async () => {
  const bans = await Bans.open(new MemoryStore(1e7), new FakeClock());
  const room = numbered(16, 3);
  const add = (at: number, scope: Scope) => {
    const target = parseTarget(`10.0.${at >> 8}.${at & 255}`, () => undefined);
    return bans.add(scope, { target, by: "Olga", why: "", untilMs: undefined });
  };
  for (let at = 0; at < roomBansMax; at++) await add(at, room);
  assertEquals(await codeOf(add(roomBansMax, room)), "too_many");
  assertEquals(await codeOf(add(1, room)), undefined);
  for (let at = 0; at < 2 * roomBansMax; at++) await add(at, undefined);
});

Deno.test("Bans: what cannot be kept does not count", async () => {
  class Full extends StoreAround {
    isFull = false;
    override put(...args: Parameters<StoreAround["put"]>): Promise<void> {
      return this.isFull ? Promise.reject(new StoreFullError("full")) : super.put(...args);
    }
  }
  const store = new Full(new MemoryStore(1e6));
  const bans = await Bans.open(store, new FakeClock());
  const target = parseTarget("192.0.2.1", () => undefined);
  const ban = { target, by: "Olga", why: "", untilMs: undefined };
  store.isFull = true;
  await bans.add(undefined, ban).catch(() => {});
  assertEquals(bans.find(undefined, { remote: "192.0.2.1:1" }), undefined);
  store.isFull = false;
  await bans.add(undefined, ban);
  store.isFull = true;
  await bans.lift(undefined, [ban]).catch(() => {});
  assertEquals(bans.find(undefined, { remote: "192.0.2.1:1" }), ban);
});

Deno.test("who is banned is told until when and why, however long the reason", () => {
  const untilMs = Date.UTC(2026, 0, 1, 12, 30);
  assertEquals(
    banText({ untilMs, why: "spam" }, "from team"),
    "You are banned from team until 2026-01-01 12:30:00Z: spam",
  );
  assertEquals(banText({ untilMs: undefined, why: "" }, "from team"), "You are banned from team.");
  assertEquals(banText({ untilMs, why: "x".repeat(2000) }, "").length, 1024);
});

Deno.test("ban: who is hit is out at once, and comes in no more until it ends", async () => {
  using core = await Core.open();
  const olga = core.somebody("Olga");
  const mallory = core.somebody("Mallory");
  const twin = core.somebody("Twin", undefined, 1); // Of Mallory's key.
  const room = await core.room("team", olga, [[mallory, "member"], [twin, "member"]]);
  await core.ask(olga, "ban", { who: "ma1lory", forMs: 60_000, why: "spam" }, room);
  assertEquals(room.members.size, 1);
  const refusal = await refusalOf(core.ask(mallory, "join", { name: "team" }));
  assertEquals(refusal?.code, "banned");
  assertStringIncludes(refusal!.message, "until 2026-01-01 00:01:00Z: spam");
  assertEquals(await codeOf(core.ask(twin, "join", { name: "team" })), "banned");
  const listed = await core.ask(olga, "bans", {}, room);
  assertEquals(listed, {
    bans: [{ who: "Mallory", by: "Olga", why: "spam", untilMs: core.clock.now() + 60_000 }],
  } as never);
  await core.clock.advance(60_000);
  assertEquals(await codeOf(core.ask(mallory, "join", { name: "team" })), undefined);
});

Deno.test("ban: a range hits who is connected from there, and spares who may ban", async () => {
  using core = await Core.open();
  const olga = core.somebody("Olga", "198.51.100.1:1");
  const mod = core.somebody("Mod", "192.0.2.2:1");
  const mallory = core.somebody("Mallory", "[::ffff:192.0.2.3]:1");
  const away = core.somebody("Away", "192.0.2.4:1");
  for (const one of [olga, mod, mallory]) core.connect(one);
  const room = await core.room("team", olga, [
    [mod, "moderator"],
    [mallory, "member"],
    [away, "member"],
  ]);
  await core.ask(olga, "ban", { who: "192.0.2.0/24" }, room);
  const names = [...room.members.values()].map(({ userId }) =>
    core.services.people.withId(userId)!.name
  );
  assertEquals(names, ["Olga", "Mod", "Away"]);
  assertEquals(await codeOf(core.ask(mallory, "join", { name: "team" })), "banned");
  const acts = await core.ask(olga, "audit", {}, room);
  assertStringIncludes(JSON.stringify(acts), "192.0.2.0/24");
});

Deno.test("ban and exclude: ranges too wide, one's own and the server's are the operator's", async () => {
  using core = await Core.open();
  const admin = core.somebody("Admin", "198.51.100.1:1");
  admin.user.isAdmin = true;
  const room = await core.room("team", admin);
  for (const who of ["0.0.0.0/0", "::/0", "10.0.0.0/7", "198.51.100.0/24", "127.0.0.0/8", "::1"]) {
    assertEquals(await codeOf(core.ask(admin, "ban", { who }, room)), "forbidden", who);
    assertEquals(await codeOf(core.ask(admin, "exclude", { who })), "forbidden", who);
  }
  assertEquals(await codeOf(core.ask(operator, "exclude", { who: "0.0.0.0/0" })), undefined);
});

Deno.test("exclude: who is hit by name, key or address is disconnected with end and reason", async () => {
  using core = await Core.open();
  const admin = core.somebody("Admin", "198.51.100.1:1");
  admin.user.isAdmin = true;
  const mallory = core.somebody("Mallory", "192.0.2.3:1", 77);
  const twin = core.connect(core.somebody("Twin", "192.0.2.4:1", 77));
  const one = core.connect(mallory);
  const other = core.connect(core.somebody("Other", "203.0.113.5:1"));
  await core.ask(admin, "exclude", { who: "Mallory", why: "spam" });
  assertEquals(one.told, ["banned: You are banned from this server: spam"]);
  assertEquals(twin.told.length, 1);
  assertEquals(other.told, []);
  await core.ask(admin, "exclude", { who: "203.0.113.0/24" });
  assertEquals(other.told.length, 1);
  const listed = await core.ask(admin, "excluded", { like: "mal" });
  assertEquals((listed["bans"] as unknown as { who: string }[]).map(({ who }) => who), ["Mallory"]);
  await core.ask(admin, "readmit", { who: "Twin" }); // One key, one ban.
  assertEquals(await codeOf(core.ask(admin, "readmit", { who: "Mallory" })), "no_such_user");
});

Deno.test("a list of bans fits into one answer, however long the reasons", async () => {
  using core = await Core.open();
  for (let at = 0; at < 400; at++) {
    await core.ask(operator, "exclude", { who: `10.0.0.${at % 256}`, why: "ä".repeat(1024) });
  }
  const listed = await core.ask(operator, "excluded", {});
  const bytes = new TextEncoder().encode(JSON.stringify(listed)).length;
  assertEquals(bytes > 100_000 && bytes < 132_000, true);
});

Deno.test("durations that are none, or too long, are refused before anything happens", async () => {
  using core = await Core.open();
  core.somebody("Mallory");
  for (const forMs of [0, -1, 1.5, Number.MAX_SAFE_INTEGER, 1e300, "1h", null]) {
    const asked = core.ask(operator, "exclude", { who: "Mallory", forMs });
    assertEquals(await codeOf(asked), "bad_message", `${forMs}`);
  }
  assertEquals(core.services.bans.list(undefined), []);
});
