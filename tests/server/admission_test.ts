import { assertEquals } from "@std/assert";
import { ProtocolError } from "../../protocol/errors.ts";
import {
  addressGroup,
  Admission,
  type Candidate,
  isLoopback,
} from "../../server/door/admission.ts";
import { FakeClock } from "../fixtures/fake_clock.ts";

const limits = { connectionsMax: 100, handshakesMax: 100, addressConnectionsMax: 100 };
const elsewhere = "203.0.113.5:1000";

/** What became of a connection: how to go on with it, or the code that it was refused with. */
interface Knock extends Partial<Candidate> {
  readonly code: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly leave?: () => void;
}

/** Lets connections in one by one, and knows who was evicted. */
class Door {
  readonly clock = new FakeClock();
  readonly evicted: string[] = [];
  readonly #admission: Admission;

  constructor(some: Partial<typeof limits>) {
    this.#admission = new Admission({ ...limits, ...some }, this.clock);
  }

  knock(name: string, remote = elsewhere): Knock {
    const leave = this.#admission.count();
    try {
      const candidate = this.#admission.enter(remote, () => this.evicted.push(name));
      return { code: undefined, leave, ...candidate };
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      leave();
      return { code: error.code, retryAfterMs: error.retryAfterMs };
    }
  }

  get connections(): number {
    return this.#admission.connections;
  }
}

Deno.test("so many connections are let in, and again as many as have left", () => {
  const door = new Door({ connectionsMax: 2 });
  const [one, two] = [door.knock("one"), door.knock("two")];
  assertEquals([one.code, two.code, door.knock("three").code], [
    undefined,
    undefined,
    "server_full",
  ]);
  assertEquals(door.connections, 2);
  one.leave?.();
  assertEquals([door.knock("four").code, door.knock("five").code], [undefined, "server_full"]);
});

Deno.test("so many connections of one address may be logging in, those of this machine aside", () => {
  const door = new Door({ addressConnectionsMax: 2 });
  const codes = (remote: string) =>
    [1, 2, 3].map((port) => door.knock("", `${remote}:${port}`).code);
  const refused = [undefined, undefined, "too_many_connections"];
  assertEquals(codes("203.0.113.5"), refused);
  assertEquals(codes("203.0.113.6"), refused, "another address");
  assertEquals(codes("[2001:db8:1:2:3::1]"), refused);
  assertEquals(codes("[2001:db8:1:2:ffff::9]")[0], "too_many_connections", "the same /64");
  assertEquals(codes("[2001:db8:1:3::1]"), refused, "another /64");
  assertEquals(codes("127.0.0.1"), [undefined, undefined, undefined]);
  assertEquals(codes("[::1]"), [undefined, undefined, undefined]);
});

Deno.test("who has logged in no longer counts for the address", () => {
  const door = new Door({ addressConnectionsMax: 1 });
  const one = door.knock("one");
  assertEquals(door.knock("two").code, "too_many_connections");
  one.passed?.();
  one.passed?.(); // Twice is once.
  const three = door.knock("three");
  assertEquals([three.code, door.knock("four").code], [undefined, "too_many_connections"]);
});

Deno.test("when too many log in at once, the first of those who said nothing goes", () => {
  const door = new Door({ handshakesMax: 2 });
  const one = door.knock("one");
  one.spoke?.();
  door.knock("two");
  assertEquals([door.knock("three").code, door.evicted], [undefined, ["two"]]);
  assertEquals([door.knock("four").code, door.evicted], [undefined, ["two", "three"]]);
});

Deno.test("who has said something keeps the place for a second while others want it", async () => {
  const door = new Door({ handshakesMax: 2 });
  for (const name of ["one", "two"]) door.knock(name).spoke?.();
  assertEquals(door.knock("three"), { code: "server_full", retryAfterMs: 1000 });
  await door.clock.advance(999);
  assertEquals(door.knock("four").code, "server_full");
  await door.clock.advance(1);
  assertEquals([door.knock("five").code, door.evicted], [undefined, ["one"]]);
});

Deno.test("who was evicted is evicted once, and counts for the address until it has gone", () => {
  const door = new Door({ handshakesMax: 1, addressConnectionsMax: 2 });
  const one = door.knock("one");
  door.knock("two");
  assertEquals(door.knock("three").code, "too_many_connections");
  assertEquals(door.evicted, ["one"]);
  one.passed?.();
  assertEquals([door.knock("four").code, door.evicted], [undefined, ["one", "two"]]);
});

const addresses: readonly [remote: string, group: string, isHere: boolean][] = [
  ["127.0.0.1:9000", "127.0.0.1", true],
  ["127.99.3.4:1", "127.99.3.4", true],
  ["128.0.0.1:1", "128.0.0.1", false],
  ["[::1]:9000", "0:0:0:0::/64", true],
  ["[::ffff:127.0.0.1]:9000", "127.0.0.1", true],
  ["[::ffff:203.0.113.5]:9000", "203.0.113.5", false],
  ["203.0.113.5:65535", "203.0.113.5", false],
  ["[2001:db8:1:2:3:4:5:6]:9000", "2001:db8:1:2::/64", false],
  ["[2001:db8:1:2::]:9000", "2001:db8:1:2::/64", false],
  ["[2001:db8::5]:9000", "2001:db8:0:0::/64", false],
  ["[fe80::1%eth0]:9000", "fe80:0:0:0::/64", false],
  ["127.0.0.1.example.org:1", "127.0.0.1.example.org", false],
];

for (const [remote, group, isHere] of addresses) {
  Deno.test(`the address ${remote} counts as ${group}, ${isHere ? "here" : "elsewhere"}`, () => {
    assertEquals([addressGroup(remote), isLoopback(remote)], [group, isHere]);
  });
}
