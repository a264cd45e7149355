import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { chainStart, Content, encodeCore, Proof, refOf } from "../../protocol/entry.ts";
import { SqliteStore } from "../../server/store/sqlite.ts";
import type { OpenOptions } from "../../server/store/sqlite_calls.ts";
import { StoreRefusedError } from "../../server/store/sqlite_faults.ts";
import { migrations, openDatabase } from "../../server/store/sqlite_schema.ts";
import { SqliteTurns } from "../../server/store/sqlite_turns.ts";
import { type Store, StoreBrokenError, StoreFullError } from "../../server/store/store.ts";
import { concat, mapKey, writeU32 } from "../../protocol/bytes.ts";
import { numbered } from "../fixtures/bytes.ts";
import { testStore } from "./store_contract.ts";

testStore("SqliteStore", async () => {
  const folder = await Deno.makeTempDir();
  const store = await SqliteStore.open({ path: `${folder}/store.db` });
  return {
    store,
    async close() {
      await store.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
});

const room = numbered(16, 1);
const device = numbered(16, 10);
const nowMs = Date.UTC(2026, 0, 1);
const start = { seq: 0, hash: chainStart(room) };

function say(number: number, bytes = 20) {
  const id = new Uint8Array(4);
  writeU32(id, 0, number);
  const messageId = concat([id, numbered(12)]);
  const draft = { proof: Proof.unverified, content: 0, messageId, payload: numbered(bytes) };
  return { deviceId: device, core: encodeCore(draft) };
}

/** Edits what has the other number. */
function edit(number: number, edited: number, payload: Uint8Array = numbered(20)) {
  const [{ core }, { core: { buffer } }] = [say(number), say(edited)];
  const draft = { proof: Proof.unverified, content: Content.edit, payload };
  const target = refOf(device, new Uint8Array(buffer, 4, 16));
  return {
    deviceId: device,
    core: encodeCore({ ...draft, messageId: core.subarray(4, 20), target }),
  };
}

/** Runs something with a path to a file in a folder of its own. */
function test(name: string, run: (path: string) => Promise<void>): void {
  Deno.test(`SqliteStore ${name}`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      await run(`${folder}/store.db`);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

/** Opens a store, and closes it behind what is done with it. */
async function withStore(
  options: OpenOptions,
  run: (store: SqliteStore) => Promise<void>,
): Promise<void> {
  const store = await SqliteStore.open(options);
  try {
    await run(store);
  } finally {
    await store.close();
  }
}

async function refusal(path: string): Promise<string> {
  const error = await assertRejects(() => SqliteStore.open({ path }), StoreRefusedError);
  return error.message;
}

/** All that a store holds of the room, and its records. */
async function contents(store: Store) {
  const page = await store.read(room, start, 1e9);
  return { page, end: await store.end(room), records: await store.records("k") };
}

/** Something of each kind. */
async function fill(store: Store): Promise<void> {
  await store.append(room, [say(1), say(2)], nowMs);
  await store.append(room, [say(3), { ...say(4), erases: 1 }], nowMs + 5);
  await store.put([{ kind: "k", key: "a", value: "1" }]);
}

test("has everything when it is opened again", async (path) => {
  let before: unknown;
  await withStore({ path }, async (store) => {
    await fill(store);
    before = await contents(store);
  });
  await withStore({ path }, async (store) => {
    assertEquals<unknown>(await contents(store), before);
    assertEquals((await store.append(room, [say(2), say(5)], nowMs)).seqs, [2, 5]);
    assertEquals((await store.append(room, [say(6)], nowMs)).timeMs, nowMs + 5);
  });
});

test("goes on from its newest entry when all others were trimmed", async (path) => {
  await withStore({ path }, async (store) => {
    await store.append(room, [say(1), say(2)], nowMs);
    assertEquals(await store.trim(room, nowMs + 1), 1);
  });
  await withStore({ path }, async (store) => {
    const { seqs, timeMs } = await store.append(room, [say(3)], 0);
    assertEquals([seqs, timeMs], [[3], nowMs]);
    assertEquals(await store.integrity(), []);
  });
});

test("trims and drops more than it does in one step", async (path) => {
  await withStore({ path }, async (store) => {
    for (let number = 0; number < 70; number++) {
      const said = Array.from({ length: 100 }, (_, at) => say(number * 100 + at));
      await store.append(room, said, nowMs + number);
    }
    const trimming = store.trim(room, nowMs + 60);
    const meanwhile = await store.append(room, [say(10_000)], nowMs + 100);
    assertEquals(meanwhile.seqs, [7001]);
    assertEquals(await trimming, 6000);
    assertEquals((await store.readBack(room, 7002, 5000, 1e9))?.firstSeq, 6001);
    await store.drop(room);
    assertEquals(await store.end(room), start);
    assertEquals((await store.append(room, [say(1)], nowMs)).seqs, [1]);
  });
  await withStore({ path }, async (store) => assertEquals(await store.integrity(), []));
  const db = new DatabaseSync(path);
  assertEquals(db.prepare("SELECT count(*) AS n FROM ids").get()?.n, 1);
  assertEquals(db.prepare("SELECT count(*) AS n FROM rooms").get()?.n, 1);
  db.close();
});

test("keeps no trace of what was erased", async (path) => {
  const secret = new TextEncoder().encode("the moon is a lantern");
  const { core } = say(1, 0);
  await withStore({ path }, async (store) => {
    await store.append(room, [{ deviceId: device, core: concat([core, secret]) }], nowMs);
    await store.append(room, [{ ...say(2), erases: 1 }], nowMs);
  });
  const bytes = new TextDecoder("latin1").decode(await Deno.readFile(path));
  assert(!bytes.includes("lantern"));
});

test("keeps no trace of an edit of what was erased", async (path) => {
  const secret = new TextEncoder().encode("the moon is a lantern");
  await withStore({ path }, async (store) => {
    await store.append(room, [say(1), edit(2, 1, secret)], nowMs);
    await store.append(room, [edit(3, 1, secret)], nowMs);
    await store.append(room, [{ ...say(4), erases: 1 }], nowMs);
    assertEquals(await store.integrity(), []);
  });
  const bytes = new TextDecoder("latin1").decode(await Deno.readFile(path));
  assert(!bytes.includes("lantern"));
});

test("knows edits for as long as it keeps them", async (path) => {
  await withStore({ path }, async (store) => {
    await store.append(room, [say(1), edit(2, 1)], nowMs);
    await store.append(room, [edit(3, 1), edit(4, 1)], nowMs + 10);
    await store.append(room, [{ ...say(5), erases: 3 }], nowMs + 20);
    assertEquals(await store.integrity(), []);
    await store.trim(room, nowMs + 5);
    assertEquals(await store.integrity(), []);
    await store.backup(`${path}.copy`);
    await store.append(numbered(16, 2), [say(1), edit(2, 1)], nowMs);
    await store.drop(room);
  });
  await withStore({ path }, async (store) => assertEquals(await store.integrity(), []));
  await withStore({ path: `${path}.copy` }, async (store) => {
    assertEquals(await store.integrity(), []);
  });
  const [db, copy] = [path, `${path}.copy`].map((path) => new DatabaseSync(path));
  const count = "SELECT count(*) AS n FROM edits";
  assertEquals([db!, copy!].map((db) => db.prepare(count).get()?.n), [1, 2]);
  db!.close();
  copy!.close();
});

test("takes a file of format 1, and erases the edits that come after", async (path) => {
  const db = await openDatabase({ path }, migrations.slice(0, 1));
  assertEquals(db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'edits'").get(), undefined);
  db.close();
  await withStore({ path }, async (store) => {
    await store.append(room, [say(1), edit(2, 1), { ...say(3), erases: 1 }], nowMs);
    assertEquals(await store.integrity(), []);
  });
});

test("lets go of logs of format 2, which name targets otherwise, and keeps a copy", async (path) => {
  const db = await openDatabase({ path }, migrations.slice(0, 2));
  db.exec("INSERT INTO rooms VALUES (1, x'01')");
  db.exec("INSERT INTO blocks VALUES (1, 1, 1, 1, x'01', x'01', x'01')");
  db.exec("INSERT INTO records VALUES ('k', x'61', x'62')");
  db.close();
  await withStore({ path }, async (store) => {
    assertEquals(await store.integrity(), []);
    assertEquals(await store.records("k"), [{ kind: "k", key: "a", value: "b" }]);
  });
  const copy = new DatabaseSync(`${path}.before-format-${migrations.length}`);
  assertEquals(copy.prepare("SELECT count(*) AS n FROM blocks").get()?.n, 1);
  copy.close();
});

test("finds an edit that it would not erase when it checks itself", async (path) => {
  await withStore({ path }, async (store) => {
    await store.append(room, [say(1), edit(2, 1)], nowMs);
  });
  const db = new DatabaseSync(path);
  db.exec("DELETE FROM edits");
  db.close();
  await withStore({ path }, async (store) => {
    const [fault, ...others] = await store.integrity();
    assertStringIncludes(fault!, "entry 2 is not known as an edit");
    assertEquals(others, []);
  });
});

test("lets nobody else read its files", async (path) => {
  if (Deno.build.os === "windows") return;
  await withStore({ path }, async (store) => {
    await fill(store);
    await store.backup(`${path}.copy`);
    for (const name of ["", "-wal", ".lock", ".copy"]) {
      const { mode } = await Deno.stat(path + name);
      assertEquals((mode! & 0o777).toString(8), "600", name);
    }
  });
});

test("is one process's alone", async (path) => {
  await withStore({ path }, async () => {
    const text = await refusal(path);
    assertStringIncludes(text, `Another server uses ${path} (process ${Deno.pid})`);
  });
  await withStore({ path }, (store) => store.end(room).then(() => {}));
});

test("refuses what is no file of its own, and says what to do", async (path) => {
  await Deno.writeFile(path, numbered(9000));
  assertStringIncludes(await refusal(path), "is damaged");
  await Deno.writeFile(path, new Uint8Array());
  const other = new DatabaseSync(path);
  other.exec("CREATE TABLE things (a)");
  other.close();
  assertStringIncludes(await refusal(path), "belongs to another program");
  assertStringIncludes(await refusal(`${path}/none`), "Cannot open");
});

test("refuses a file of a newer version, and leaves it alone", async (path) => {
  await withStore({ path }, fill);
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA user_version = ${migrations.length + 1}`);
  db.close();
  const before = await Deno.readFile(path);
  assertStringIncludes(await refusal(path), "written by a newer version");
  assertEquals(await Deno.readFile(path), before);
});

test("brings an earlier file up to date, and keeps a copy of it", async (path) => {
  await withStore({ path }, fill);
  const more = [...migrations, "ALTER TABLE rooms ADD COLUMN topic TEXT"];
  const db = await openDatabase({ path }, more);
  assertEquals(db.prepare("SELECT topic FROM rooms").get()?.topic, null);
  db.close();
  (await openDatabase({ path }, more)).close();
  await withStore({ path: `${path}.before-format-${more.length}` }, async (store) => {
    assertEquals((await store.end(room)).seq, 4);
  });
});

test("leaves a file as it was when it cannot be brought up to date", async (path) => {
  await withStore({ path }, fill);
  const more = [...migrations, "CREATE TABLE half (a); CREATE TABLE half (a)"];
  await assertRejects(() => openDatabase({ path }, more), StoreRefusedError);
  await withStore({ path }, async (store) => {
    assertEquals((await store.end(room)).seq, 4);
    assertEquals(await store.integrity(), []);
  });
});

test("copies itself while it is used", async (path) => {
  await withStore({ path }, async (store) => {
    await fill(store);
    const before = await contents(store);
    const copying = store.backup(`${path}.copy`);
    const after = store.append(room, [say(9)], nowMs);
    await copying;
    await after;
    await withStore({ path: `${path}.copy` }, async (copy) => {
      assertEquals<unknown>(await contents(copy), before);
      assertEquals(await copy.integrity(), []);
    });
    await assertRejects(() => store.backup(`${path}.none/copy`), Error);
    assertEquals((await store.end(room)).seq, 5);
  });
});

const damages: readonly [what: string, sql: string, said: string][] = [
  [
    "rows that are none",
    "UPDATE blocks SET rows = zeroblob(99) WHERE last_seq = 2",
    "chain breaks",
  ],
  [
    "a changed byte",
    "UPDATE blocks SET rows = CAST(substr(rows, 1, length(rows) - 1) || x'2a' AS BLOB) WHERE last_seq = 2",
    "chain breaks",
  ],
  ["a hash", "UPDATE blocks SET end_hash = zeroblob(32) WHERE last_seq = 2", "chain breaks"],
  ["a missing block", "DELETE FROM blocks WHERE last_seq = 2", "chain|message ids"],
  ["a missing message id", "DELETE FROM ids WHERE seq = 3", "entry 3 is not known"],
  ["one message id too many", "INSERT INTO ids VALUES (1, x'00', x'00', 1)", "5 message ids"],
  ["an edit too many", "INSERT INTO edits VALUES (1, x'00', 1)", "1 edits are known of 0"],
];
for (const [what, sql, said] of damages) {
  test(`finds ${what} when it checks itself`, async (path) => {
    await withStore({ path }, async (store) => {
      await fill(store);
      assertEquals(await store.integrity(), []);
    });
    const db = new DatabaseSync(path);
    db.exec(sql);
    db.close();
    await withStore({ path }, async (store) => {
      const found = await store.integrity();
      assert(found.length > 0 && new RegExp(said).test(found.join("\n")), found.join("\n"));
    });
  });
}

test("says that its file is damaged when it comes across that, and ends", async (path) => {
  await withStore({ path }, async (store) => {
    for (let number = 0; number < 50; number++) {
      await store.append(room, [say(number, 3000)], nowMs);
    }
  });
  const bytes = await Deno.readFile(path);
  await Deno.writeFile(path, bytes.fill(0xff, 8 * 4096));
  await withStore({ path }, async (store) => {
    const { message } = await assertRejects(async () => {
      await store.end(room);
      await store.read(room, start, 1e9);
    }, StoreBrokenError);
    assertStringIncludes(message, `${path} is damaged`);
    assertStringIncludes(message, "backup");
    await assertRejects(() => store.records("k"), StoreBrokenError);
  });
});

test("rejects what does not fit any more, and goes on once there is room", async (path) => {
  const other = numbered(16, 2);
  await withStore({ path, pagesMax: 200 }, async (store) => {
    await store.append(other, [say(1, 60_000), say(2, 60_000)], nowMs);
    let number = 10;
    const full = await assertRejects(async () => {
      while (true) await store.append(room, [say(number++, 20_000)], nowMs);
    }, StoreFullError);
    assertStringIncludes(full.message, "is full");
    const { seq } = await store.end(room);
    assert(seq > 10);
    const records = [{ kind: "k", key: "b", value: "1" }];
    const [append, put, read] = await Promise.allSettled([
      store.append(room, [{ ...say(9999, 60_000), records }], nowMs),
      store.put([{ kind: "k", key: "a", value: "1" }]),
      store.read(room, start, 100),
    ]);
    assertEquals([append.status, put.status, read.status], ["rejected", "rejected", "fulfilled"]);
    assertEquals(await store.records("k"), [], "together or not at all");
    await store.drop(other);
    while ((await store.append(room, [say(1, 10)], nowMs).catch(() => undefined)) === undefined);
    assertEquals((await store.append(room, [say(number, 20_000)], nowMs)).seqs, [seq + 2]);
    assertEquals(await store.integrity(), []);
  });
});

for (const faulty of ["COMMIT", "BEGIN IMMEDIATE"]) {
  test(`does nothing any more once the disk has failed at a ${faulty}`, async (path) => {
    const db = await openDatabase({ path });
    let isFailing = false;
    let commits = 0;
    const failing = new Proxy(db, {
      get(db, name) {
        const value = Reflect.get(db, name);
        if (name !== "exec") return typeof value === "function" ? value.bind(db) : value;
        return (sql: string) => {
          if (sql === faulty) commits++;
          if (sql === faulty && isFailing) throw new Error("disk I/O error");
          db.exec(sql);
        };
      },
    });
    const turns = new SqliteTurns(failing, { path });
    const put = () =>
      turns.perform({
        calls: [
          { type: "put", records: [{ kind: "k", key: "a", value: "1" }] },
          { type: "end", room: mapKey(room) },
        ],
        rows: new Uint8Array(),
      });
    assertEquals((await put()).map(({ type }) => type), ["done", "done"]);
    isFailing = true;
    assertEquals((await put()).map(({ type }) => type), ["broken", "broken"]);
    isFailing = false;
    const outcomes = await put();
    assertEquals(outcomes.map(({ type }) => type), ["broken", "broken"]);
    assert(outcomes[0]!.type === "broken");
    assertStringIncludes(outcomes[0]!.text, "disk I/O error");
    assertStringIncludes(outcomes[0]!.text, "start again");
    assertEquals(commits, 2, "a commit is never tried again");
    turns.close();
  });
}

const root = new URL("../../", import.meta.url).pathname;

/** What runs a program beside a file, with no more permissions than `start` has; the file is its argument. */
async function programBeside(path: string, code: string): Promise<string[]> {
  const folder = path.replace(/[^/]*$/, "");
  await Deno.writeTextFile(
    `${path}.ts`,
    `import { SqliteStore } from "${root}server/store/sqlite.ts";
     const store = await SqliteStore.open({ path: Deno.args[0] });
     ${code}`,
  );
  return [
    ...["run", "-q", "--no-prompt", "--frozen", `--config=${root}deno.json`],
    `--allow-read=${root}protocol,${root}server/store,${folder}`,
    ...[`--allow-write=${folder}`, `${path}.ts`, path],
  ];
}

test("says what an operator does when a write fails, and ends", async (path) => {
  if (Deno.build.os === "windows") return;
  // A limit on the size of files makes writes fail with another error than a full disk does.
  const args = await programBeside(
    path,
    `
    const names = [];
    for (let at = 0; at < 100; at++) {
      const put = store.put([{ kind: "k", key: String(at), value: "x".repeat(100_000) }]);
      await put.catch((error) => names.push(error.name + ": " + error.message));
    }
    await store.records("k").catch((error) => names.push(error.name));
    console.log(JSON.stringify(names));
    await store.close();
    `,
  );
  const limited = `trap "" XFSZ; ulimit -f 4000; exec "$@"`;
  const { stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", limited, "sh", Deno.execPath(), ...args],
  }).output();
  const [first = "", ...others] = JSON.parse(
    new TextDecoder().decode(stdout) || JSON.stringify([new TextDecoder().decode(stderr)]),
  );
  assertStringIncludes(first, "StoreBrokenError: Storing has ended: The disk with");
  assert(others.length > 2 && others.every((text: string) => text.startsWith("StoreBrokenError")));
  await withStore({ path }, async (store) => assertEquals(await store.integrity(), []));
});

test("has all that a process acknowledged that was killed, and not before", async (path) => {
  const args = await programBeside(
    path,
    `
    await store.put([{ kind: "k", key: "a", value: "1" }]);
    console.log("acknowledged");
    `,
  );
  const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  assertStringIncludes(await refusal(path), `(process ${child.pid})`);
  child.kill("SIGKILL");
  await child.status;
  await reader.cancel();
  await withStore({ path }, async (store) => {
    assertEquals(await store.records("k"), [{ kind: "k", key: "a", value: "1" }]);
  });
});

test("rejects what is asked for after it was closed", async (path) => {
  const store = await SqliteStore.open({ path });
  await store.close();
  await assertRejects(() => store.end(room), Error, "closed");
  assertEquals(StoreBrokenError.name, "StoreBrokenError");
});
