import { assertEquals } from "@std/assert";

/**
 * ts-mls 1.6.1, 1.6.2 and 2.0.0-rc.10 let a removed member read on. What 1.6.4 does, and does not do,
 * was gone through line by line for `crypto/group/`, which is put together from its parts: another
 * version, older or newer, comes in only after the same.
 */
const exact: Record<string, string> = {
  "ts-mls": "1.6.4",
  "@noble/post-quantum": "0.5.2",
  "@noble/curves": "2.0.1",
  "@noble/ciphers": "2.1.1",
};

Deno.test("ts-mls and what it stands on are exactly the versions that were gone through", async () => {
  const lock = JSON.parse(await Deno.readTextFile("deno.lock"));
  const packages = Object.keys(lock.npm).map((name) => name.split("_")[0]!);
  for (const [name, version] of Object.entries(exact)) {
    const found = packages.filter((entry) => entry.startsWith(`${name}@`));
    assertEquals(found, [`${name}@${version}`]);
  }
  const { imports } = JSON.parse(await Deno.readTextFile("deno.json"));
  assertEquals(imports["ts-mls"], "npm:ts-mls@1.6.4");
});
