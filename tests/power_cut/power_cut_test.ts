import { assert, assertEquals } from "@std/assert";
import { cutPower, type PowerCutOptions } from "./power_cut.ts";
import { canTrace, parse } from "./trace.ts";

const ignore = !await canTrace();
const because = ignore ? " (ignored: strace is not here, or may not be used)" : "";

async function cut(options: PowerCutOptions) {
  const folder = await Deno.makeTempDir();
  try {
    return await cutPower(folder, options);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test({
  name: `the SQLite store has all that it acknowledged after 1000 power cuts${because}`,
  ignore,
  async fn() {
    const { faults, syncs, unacknowledged } = await cut({ seed: 1, cuts: 1000 });
    assertEquals(faults, []);
    assert(syncs > 100 && unacknowledged > 0, "the cuts fall where it is hard");
  },
});

Deno.test({
  name: `a store that does not wait for its disk is found out by power cuts${because}`,
  ignore,
  async fn() {
    const { faults } = await cut({ seed: 1, cuts: 40, isSynced: false });
    assert(faults.length > 20, `${faults.length} of 40`);
  },
});

Deno.test("what strace saw is read back, calls that were interrupted too", () => {
  const log = String.raw`
10  write(1<\x70\x69\x70\x65>, "\x6f\x6b", 2) = 2
10  pwrite64(7<\x2f\x61\x2f\x64\x62>, "\x01\x02", 2, 512 <unfinished ...>
11  write(5<\x2f\x65\x6c\x73\x65>, "\x09", 1) = 1
10  <... pwrite64 resumed>) = 2
11  fdatasync(8<\x2f\x61\x2f\x64\x62\x2d\x77\x61\x6c>) = 0
11  ftruncate(7<\x2f\x61\x2f\x64\x62>, 0) = 0
11  unlink("\x2f\x61\x2f\x64\x62\x2d\x77\x61\x6c") = 0
11  unlink("\x2f\x61\x2f\x64\x62\x2d\x77\x61\x6c") = -1 ENOENT (No such file or directory)
11  fsync(9<\x2f\x61>) = 0
11  pwrite64(7<\x2f\x61\x2f\x64\x62>, "\x03", 1, 0 <unfinished ...>
11  <... pwrite64 resumed>)                   = ?
11  fsync(7<\x2f\x61\x2f\x64\x62>) = ?
`;
  assertEquals(parse(log, "/a/db"), [
    { type: "said", text: "ok" },
    { type: "write", path: "/a/db", at: 512, data: Uint8Array.of(1, 2) },
    { type: "sync", path: "/a/db-wal" },
    { type: "truncate", path: "/a/db", size: 0 },
    { type: "remove", path: "/a/db-wal" },
    { type: "sync", path: "/a" },
    { type: "write", path: "/a/db", at: 0, data: Uint8Array.of(3) },
  ]);
});
