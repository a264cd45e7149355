import { assertEquals } from "@std/assert";
import { dataFolder, identityFolder } from "../cli/folders.ts";

type Case = readonly [
  os: typeof Deno.build.os,
  flag: string | undefined,
  env: Record<string, string>,
  expected: string | undefined,
];

const IDENTITY: readonly Case[] = [
  ["linux", undefined, { HOME: "/home/alice" }, "/home/alice/.config/broadcast"],
  [
    "linux",
    undefined,
    { HOME: "/home/alice", XDG_CONFIG_HOME: "/etc/alice" },
    "/etc/alice/broadcast",
  ],
  ["linux", undefined, { HOME: "/home/alice", BROADCAST_HOME: "/srv/alice" }, "/srv/alice"],
  ["linux", "./alice", { HOME: "/home/alice", BROADCAST_HOME: "/srv/alice" }, "./alice"],
  [
    "linux",
    undefined,
    { HOME: "/home/alice", BROADCAST_HOME: "" },
    "/home/alice/.config/broadcast",
  ],
  ["linux", undefined, {}, undefined],
  [
    "darwin",
    undefined,
    { HOME: "/Users/alice", XDG_CONFIG_HOME: "/etc/alice" },
    "/Users/alice/Library/Application Support/broadcast",
  ],
  [
    "windows",
    undefined,
    { APPDATA: "C:\\Users\\alice\\AppData\\Roaming", HOME: "C:\\Users\\alice" },
    "C:\\Users\\alice\\AppData\\Roaming\\broadcast",
  ],
  ["windows", undefined, { HOME: "C:\\Users\\alice" }, undefined],
];

for (const [os, flag, env, expected] of IDENTITY) {
  const given = JSON.stringify({ flag, ...env });
  Deno.test(`the identity folder on ${os} with ${given} is ${expected}`, () => {
    assertEquals(identityFolder({ flag, env }, os), expected);
  });
}

Deno.test("the data folder is the flag's, the environment's or ./data", () => {
  assertEquals(dataFolder({ flag: "/a", env: { DATA: "/b" } }), "/a");
  assertEquals(dataFolder({ env: { DATA: "/b" } }), "/b");
  assertEquals(dataFolder({ env: {} }), "./data");
});
