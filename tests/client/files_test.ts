import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { DamagedFileError, FileStore } from "../../client/files.ts";
import type { Identity } from "../../crypto/identity.ts";

async function withHome(act: (home: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await act(`${folder}/home`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function keys({ user, device, certificate }: Identity): string[] {
  return [user.publicKey, device.publicKey, certificate].map((bytes) => bytes.toHex());
}

async function names(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
}

Deno.test("an identity is made once for a name, whatever its case, and kept", () =>
  withHome(async (home) => {
    const made = await new FileStore(home).identity("Alice");
    const kept = await new FileStore(home).identity("alice");
    const other = await new FileStore(home).identity("Bob");
    assertEquals(keys(kept), keys(made));
    assertEquals(keys(other).some((key) => keys(made).includes(key)), false);
    assertEquals(await names(`${home}/identities`), ["alice.json", "bob.json"]);
  }));

Deno.test("several that make the same identity at once all have the same one", () =>
  withHome(async (home) => {
    const all = await Promise.all(
      Array.from({ length: 16 }, () => new FileStore(home).identity("Alice")),
    );
    for (const identity of all) assertEquals(keys(identity), keys(all[0]!));
    assertEquals(await names(`${home}/identities`), ["alice.json"]);
  }));

Deno.test("names and addresses cannot leave the folder", () =>
  withHome(async (home) => {
    const store = new FileStore(home);
    await store.identity("../../Alice");
    await store.savePin("[::1]:9000", "fingerprint");
    await store.savePin("../pin:9000", "fingerprint");
    assertEquals(await names(home), ["identities", "servers"]);
    assertEquals(await names(`${home}/servers`), ["%5B%3A%3A1%5D%3A9000", "..%2Fpin%3A9000"]);
  }));

for (const text of ["", "{", '{"name":"Alice","userSecret":"short","deviceSecret":"short"}']) {
  Deno.test(`an identity file that holds ${text || "nothing"} is told, and left as it is`, () =>
    withHome(async (home) => {
      const path = `${home}/identities/alice.json`;
      await Deno.mkdir(`${home}/identities`, { recursive: true });
      await Deno.writeTextFile(path, text);
      const store = new FileStore(home);
      const { message } = await assertRejects(() => store.identity("Alice"), DamagedFileError);
      assertStringIncludes(message, `${path} is damaged. Put it back from a backup;`);
      assertEquals(await Deno.readTextFile(path), text);
    }));
}

Deno.test("a pin stays what it was first, until it is forgotten", () =>
  withHome(async (home) => {
    const store = new FileStore(home);
    assertEquals(await store.pin("host:1"), undefined);
    assertEquals(await store.savePin("host:1", "first"), true);
    assertEquals(await store.savePin("host:1", "second"), false);
    assertEquals(await store.pin("host:1"), "first");
    await store.forgetPin("host:1");
    await store.forgetPin("host:1");
    assertEquals(await store.pin("host:1"), undefined);
  }));
