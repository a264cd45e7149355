import { assertEquals, assertThrows } from "@std/assert";
import {
  type Address,
  formatAddress,
  formatLink,
  parseAddress,
  parseLink,
} from "../../protocol/address.ts";

const addresses: readonly [text: string, host: string, port: number][] = [
  ["9000", "", 9000],
  [":9000", "", 9000],
  ["0", "", 0],
  ["127.0.0.1:9000", "127.0.0.1", 9000],
  ["[::1]:9001", "::1", 9001],
  ["[0:0:0:0:0:0:0:1]", "::1", 9000],
  ["[::]:1", "::", 1],
  ["chat.example.org", "chat.example.org", 9000],
  ["Chat.Example.ORG:65535", "chat.example.org", 65535],
  ["bücher.example:1", "xn--bcher-kva.example", 1],
  ["cafe:9001", "cafe", 9001],
  ["my_host-2", "my_host-2", 9000],
  ["  localhost:9000\n", "localhost", 9000],
];

for (const [text, host, port] of addresses) {
  Deno.test(`parseAddress reads ${JSON.stringify(text)} as "${host}", port ${port}`, () => {
    assertEquals(parseAddress(text), { host, port });
  });
}

const wrong = [
  "",
  " ",
  ":",
  "::1",
  "[::1",
  "[]:9000",
  "[::g]:9000",
  "[fe80::1%eth0]:9000",
  "localhost:",
  "localhost:65536",
  "localhost:-1",
  "localhost:9000:1",
  "999999",
  "256.1.1.1",
  "127.1",
  "0x7f.0.0.1",
  "two words",
  "a,b",
  "user@host",
  "host/path",
  "http://host:9000",
  "host?x",
];

for (const text of wrong) {
  Deno.test(`parseAddress refuses ${JSON.stringify(text)}, with what would be right`, () => {
    assertThrows(() => parseAddress(text), RangeError, "Right would be 9000, :9000, 127.0.0.1:");
  });
}

Deno.test("an address without a port takes the one given", () => {
  assertEquals(parseAddress("host", 1234), { host: "host", port: 1234 });
  assertEquals(parseAddress("host:1", 1234), { host: "host", port: 1 });
});

const fingerprint = "f".repeat(43);
const invitation = "i".repeat(22);

const links: readonly [text: string, rest: { fingerprint?: string; invitation?: string }][] = [
  ["broadcast://host:9000", {}],
  ["broadcast://host:9000/", {}],
  ["broadcast://host:9000#", {}],
  ["host:9000", {}],
  [`broadcast://host:9000#${fingerprint}`, { fingerprint }],
  [`host:9000#${fingerprint}.${invitation}`, { fingerprint, invitation }],
  [` broadcast://host#${fingerprint}.${invitation}\n`, { fingerprint, invitation }],
];

for (const [text, rest] of links) {
  Deno.test(`parseLink reads ${JSON.stringify(text)}`, () => {
    assertEquals(parseLink(text), { host: "host", port: 9000, ...rest });
  });
}

const secret = "s3cr3t";
const damaged = [
  `#${secret}`,
  `#${fingerprint}x`,
  `#${fingerprint.slice(1)}`,
  `#${fingerprint}.${secret}`,
  `#${fingerprint}.${invitation}.${secret}`,
  `#${fingerprint}.${"i".repeat(25)}`,
  `#${fingerprint}.${invitation}#${secret}`,
  `#${fingerprint} ${secret}`,
  `#.${invitation}`,
];

for (const behind of damaged) {
  Deno.test(`parseLink refuses what is damaged, and does not repeat it: ${behind}`, () => {
    const error = assertThrows(() => parseLink(`broadcast://host:9000${behind}`), RangeError);
    assertEquals(
      error.message.startsWith("The link to host:9000 is damaged behind the '#'."),
      true,
    );
    assertEquals(error.message.includes(secret), false);
  });
}

Deno.test("an address that is none is told without the secret behind it", () => {
  const { message } = assertThrows(() => parseLink(`broadcast://a b#${secret}`), RangeError);
  assertEquals(message.includes(secret), false);
});

const places: readonly Address[] = [
  { host: "host", port: 1 },
  { host: "::1", port: 9000 },
  { host: "127.0.0.1", port: 65535 },
];

for (const place of places) {
  Deno.test(`what is formatted is read back: ${formatAddress(place)}`, () => {
    assertEquals(parseAddress(formatAddress(place)), place);
    const whole = { ...place, fingerprint, invitation };
    assertEquals(parseLink(formatLink(whole)), whole);
    assertEquals(parseLink(formatLink(place)), place);
  });
}
