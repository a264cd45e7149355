import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { GroupError } from "../../crypto/group/error.ts";
import {
  decodeRules,
  encodeRules,
  type GroupInvitation,
  groupRoles,
  type GroupRules,
  isSameRules,
  rulesEntriesMax,
} from "../../crypto/group/rules.ts";
import { decodeWarrants, encodeWarrants } from "../../crypto/group/warrant.ts";

const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
const byKey = { selector: (value: { key: Uint8Array }) => value.key.toHex(), maxLength: 6 };
const roles = fc.uniqueArray(fc.record({ key, role: fc.constantFrom(...groupRoles) }), byKey)
  .map((list) => list.map(({ key: user, role }) => ({ user, role })));
const invitation: fc.Arbitrary<GroupInvitation> = fc.record({
  key,
  by: key,
  role: fc.constantFrom("member" as const, "reader" as const),
  untilMs: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  uses: fc.integer({ min: 1, max: 0xffffffff }),
}, { requiredKeys: ["key", "by", "role"] });
const invitations = fc.uniqueArray(invitation, byKey);
const rules: fc.Arbitrary<GroupRules> = fc.record({ server: key, roles, invitations });

Deno.test("rules come back from their bytes, and in any order are the same bytes", () => {
  fc.assert(fc.property(rules, (rules) => {
    const bytes = encodeRules(rules);
    assertEquals(encodeRules(decodeRules(bytes)), bytes);
    const turned = {
      server: rules.server,
      roles: rules.roles.toReversed(),
      invitations: rules.invitations.toReversed(),
    };
    assertEquals(isSameRules(rules, turned), true);
    for (let length = 0; length < bytes.length; length++) {
      assertThrows(() => decodeRules(bytes.subarray(0, length)), GroupError);
    }
    assertThrows(() => decodeRules(new Uint8Array([...bytes, 0])), GroupError);
  }));
});

Deno.test("random bytes are no rules, or rules that are written just so", () => {
  const near = fc.tuple(rules, fc.nat(), fc.nat(255)).map(([rules, at, value]) => {
    const bytes = encodeRules(rules);
    return bytes.with(at % bytes.length, value);
  });
  fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }), near), (bytes) => {
    try {
      assertEquals(encodeRules(decodeRules(bytes)), bytes.slice());
    } catch (error) {
      if (!(error instanceof GroupError)) throw error;
    }
  }));
});

Deno.test("rules that cannot be are not written", () => {
  const server = new Uint8Array(32);
  const user = new Uint8Array(32).fill(1);
  const empty: GroupRules = { server, roles: [], invitations: [] };
  const many = Array.from({ length: rulesEntriesMax + 1 }, (_, at) => ({
    user: new Uint8Array(32).fill(at & 255, 0, 1).fill(at >> 8, 1, 2),
    role: "member" as const,
  }));
  const bad: GroupRules[] = [
    { ...empty, server: server.subarray(1) },
    { ...empty, roles: [{ user, role: "owner" }, { user, role: "member" }] },
    { ...empty, roles: many },
    ...[0, -1, 1.5, NaN, 2 ** 32].map((uses) => ({
      ...empty,
      invitations: [{ key: user, by: user, uses }],
    })),
    ...[0, -1, 0.5, Infinity].map((untilMs) => ({
      ...empty,
      invitations: [{ key: user, by: user, untilMs }],
    })),
  ];
  for (const rules of bad) assertThrows(() => encodeRules(rules), GroupError);
  encodeRules({ ...empty, roles: many.slice(1) });
});

Deno.test("warrants come back from their bytes; others are refused", () => {
  const warrants = new Map([[300, new Uint8Array(64).fill(2)], [0, new Uint8Array(64).fill(1)]]);
  const bytes = encodeWarrants(warrants);
  assertEquals(decodeWarrants(bytes), new Map([...warrants].toReversed()));
  assertEquals(decodeWarrants(new Uint8Array(0)).size, 0);
  assertThrows(() => decodeWarrants(bytes.subarray(1)), GroupError);
  const [first, second] = [bytes.subarray(0, 66), bytes.subarray(66)];
  assertThrows(() => decodeWarrants(new Uint8Array([...second, ...first])), GroupError);
  assertThrows(() => decodeWarrants(new Uint8Array([...first, ...first])), GroupError);
  assertThrows(() => encodeWarrants(new Map([[0, new Uint8Array(63)]])), GroupError);
});
