import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Config, ConfigError, loadConfig, settings, variableOf } from "../../server/config.ts";

const nothing = { flags: {}, env: {}, file: {} };

Deno.test("without any setting, the configuration is the defaults, and cannot be changed", () => {
  const config = loadConfig(nothing);
  assertEquals(config.port, { host: "", port: 9000 });
  assertEquals(config.data, "./data");
  assertEquals(config.join, "invite");
  assertEquals(config.classic, "loopback");
  assertEquals(config.logLevel, "info");
  assertEquals(config.publishBurst, 20);
  assert(Object.isFrozen(config));
});

Deno.test("flags win over the environment, the environment over .env, and empty is not set", () => {
  const flags = { join: "open" };
  const env = { JOIN: "invite", CLASSIC: "on" };
  const file = { JOIN: "invite", CLASSIC: "off", QUIET: "on" };
  const pick = ({ join, classic, quiet }: Config) => [join, classic, quiet];
  assertEquals(pick(loadConfig({ flags, env, file })), ["open", "on", "on"]);
  assertEquals(pick(loadConfig({ flags: {}, env, file })), ["invite", "on", "on"]);
  assertEquals(pick(loadConfig({ flags: {}, env: { CLASSIC: "" }, file })), [
    "invite",
    "off",
    "on",
  ]);
  assertEquals(loadConfig({ ...nothing, file: { PORT: "" } }).port.port, 9000);
});

const ports: readonly [text: string, host: string, port: number][] = [
  ["9000", "", 9000],
  [":9000", "", 9000],
  [" :9000 ", "", 9000],
  ["127.0.0.1:9000", "127.0.0.1", 9000],
  ["[::1]:9000", "::1", 9000],
  ["localhost", "localhost", 9000],
  ["0", "", 0],
];

for (const [text, host, port] of ports) {
  Deno.test(`PORT=${text} listens on host "${host}", port ${port}`, () => {
    assertEquals(loadConfig({ ...nothing, env: { PORT: text } }).port, { host, port });
  });
}

const bad: readonly [flag: string, value: string, right: string][] = [
  ["port", "70000", "9000, :9000, 127.0.0.1:9000 or [::1]:9000"],
  ["port", "::1", "9000, :9000, 127.0.0.1:9000 or [::1]:9000"],
  ["join", "everybody", "invite, open or closed"],
  ["classic", "ON", "loopback, on or off"],
  ["link-host", ":9000", "chat.example.org or chat.example.org:9000"],
  ["link-host", "a b", "chat.example.org or chat.example.org:9000"],
  ["log-level", "loud", "debug, info, warning, error or off"],
  ["log-format", "xml", "text or json"],
  ["connections-max", "0", "a whole number from 1 to 1000000"],
  ["connections-max", "1000001", "a whole number from 1 to 1000000"],
  ["publish-burst", "1.5", "a whole number from 1 to 1000000000"],
  ["login-timeout-ms", "10s", "a whole number from 1 to 600000"],
];

for (const [flag, value, right] of bad) {
  Deno.test(`--${flag} ${value} is refused by name, with what would be right`, () => {
    const variable = variableOf(flag);
    const told = ` is "${value}". Right would be ${right}.`;
    const sources = [
      [{ ...nothing, flags: { [flag]: value } }, `--${flag}${told}`],
      [{ ...nothing, env: { [variable]: value } }, `${variable}${told}`],
      [{ ...nothing, file: { [variable]: value } }, `${variable} in .env${told}`],
    ] as const;
    for (const [source, text] of sources) {
      assertEquals(assertThrows(() => loadConfig(source), ConfigError).message, text);
    }
  });
}

Deno.test("each setting's default is a value that it takes", () => {
  for (const { flag, fallback, parse } of Object.values(settings)) {
    assert(parse.safeParse(fallback).success, flag);
  }
});
