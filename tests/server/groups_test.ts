/** Sealed rooms: commits in the log's order, and the objects that go with them. */

import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { toBase64Url } from "../../protocol/bytes.ts";
import { Content, decodeRows, encodeCore, Proof } from "../../protocol/entry.ts";
import { sha256 } from "../../protocol/hash.ts";
import {
  commitWelcomesMax,
  objectBytesMax,
  objectChunkBytesMax,
  stagedBytesMax,
  stagedBytesMaxInAll,
  welcomeMs,
} from "../../protocol/limits.ts";
import type { PeopledRoom } from "../../server/peopled_room.ts";
import { loadRecord } from "../../server/records.ts";
import { MemoryStore } from "../../server/store/memory.ts";
import { SqliteStore } from "../../server/store/sqlite.ts";
import { type Store, StoreFullError } from "../../server/store/store.ts";
import { numbered } from "../fixtures/bytes.ts";
import { codeOf, Core, operator, refusalOf, type Somebody } from "../fixtures/core.ts";
import {
  commit,
  commitId,
  commitNow,
  type CommitOptions,
  download,
  epochAt,
  groupInfoOf,
  upload,
} from "../fixtures/sealed.ts";
import { StoreAround } from "../fixtures/store_around.ts";

/** As long as an object may be. */
const large = new Uint8Array(objectBytesMax).fill(7);

/** A sealed room of Olga's, and Max in it. */
async function scene(store?: Store) {
  const core = await Core.open(store);
  const [olga, max] = [core.somebody("Olga"), core.somebody("Max")];
  const team = await core.room("team", olga, [[max, "member"]], true);
  await team.flushed();
  return { core, olga, max, team };
}

/** What `group` answers, in short. */
async function reached(core: Core, who: Somebody, room: PeopledRoom) {
  const { generation, epoch, commit, seq } = await core.ask(who, "group", {}, room);
  return [generation, epoch, commit, seq] as unknown[];
}

const idOf = (number: number) => toBase64Url(numbered(16, commitId(number)));

/** How many records of each kind there are that belong to groups. */
async function counts(store: Store) {
  const kinds = ["group", "object", "payload"];
  return await Promise.all(kinds.map(async (kind) => (await store.records(kind)).length));
}

Deno.test("a commit is taken where it follows the last one, and says which epoch the log has reached", async () => {
  const { core, olga, max, team } = await scene();
  using _ = core;
  assertEquals(await core.ask(olga, "group", {}, team), {});
  const first = await commit(core, olga, team, 1);
  assertEquals(await reached(core, max, team), [0, 1, idOf(1), first["seq"]]);
  const second = await commit(core, max, team, 2);
  assertEquals(await reached(core, olga, team), [0, 2, idOf(2), second["seq"]]);
  const deviceId = max.person!.deviceId;
  const entry = await core.store.find(team.id, deviceId, numbered(16, commitId(2)));
  assertEquals([entry?.seq, entry?.core.content], [second["seq"], Content.commit]);
});

Deno.test("the group info of the last commit is there for who is in the room, and no other", async () => {
  const { core, olga, max, team } = await scene();
  using _ = core;
  const eve = core.somebody("Eve");
  const [one, two] = [groupInfoOf(1), groupInfoOf(2)];
  await commit(core, olga, team, 1);
  assertEquals(await download(core, max, team, sha256(one)), one);
  assertEquals(await codeOf(download(core, eve, team, sha256(one))), "forbidden");
  await commit(core, olga, team, 2);
  assertEquals(await codeOf(download(core, max, team, sha256(one))), "no_such_object");
  assertEquals(await download(core, max, team, sha256(two)), two);
  const other = await core.room("other", max, [], true);
  assertEquals(await codeOf(download(core, max, other, sha256(two))), "no_such_object");
  const beyond = { hash: toBase64Url(sha256(two)), at: two.length };
  assertEquals(await codeOf(core.ask(max, "download", beyond, team)), "no_such_object");
  assertEquals(await counts(core.store), [1, 3, 0]);
});

/** A commit that comes third, and why it is not taken. */
const refused: readonly [what: string, options: CommitOptions, code: string][] = [
  ["names none before it", { after: undefined }, "stale_commit"],
  ["names an earlier one", { after: 1 }, "stale_commit"],
  ["names one that never was", { after: 9 }, "stale_commit"],
  ["skips an epoch", { begins: epochAt(4) }, "bad_message"],
  ["stays in its epoch", { begins: epochAt(2) }, "bad_message"],
  ["was made in another epoch", { made: epochAt(1), begins: epochAt(2) }, "bad_message"],
  ["skips a generation", { begins: epochAt(0, 2) }, "bad_message"],
  ["brings no group info", { groupInfo: numbered(32) }, "no_such_object"],
  ["relies on an old group info", { groupInfo: sha256(groupInfoOf(1)).slice() }, "no_such_object"],
  [
    "brings no welcome",
    { welcomes: [{ device: numbered(16), hash: numbered(32) }] },
    "no_such_object",
  ],
  [
    "brings no object for its payload",
    { payload: { object: { hash: numbered(32), bytes: 9 } } },
    "no_such_object",
  ],
];

for (const [what, options, code] of refused) {
  Deno.test(`a commit is refused that ${what}, and nothing of it is kept`, async () => {
    const { core, olga, team } = await scene();
    using _ = core;
    await commit(core, olga, team, 1);
    await commit(core, olga, team, 2);
    const before = [await core.store.end(team.id), await counts(core.store)];
    assertEquals(await codeOf(commit(core, olga, team, 3, options)), code);
    assertEquals([await core.store.end(team.id), await counts(core.store)], before);
    assertEquals(await reached(core, olga, team).then(([, epoch]) => epoch), 2);
    await commit(core, olga, team, 3);
  });
}

Deno.test("a commit may rely on the group info that is kept, and begin the next generation", async () => {
  const { core, olga, team } = await scene();
  using _ = core;
  await commit(core, olga, team, 1);
  await commit(core, olga, team, 2, { groupInfo: sha256(groupInfoOf(1)).slice() });
  await commit(core, olga, team, 3, { made: epochAt(0, 1), begins: epochAt(0, 1) });
  assertEquals((await reached(core, olga, team)).slice(0, 2), [1, 0]);
  assertEquals(await download(core, olga, team, sha256(groupInfoOf(3))), groupInfoOf(3));
});

Deno.test("of two commits in one moment one wins, and the other makes another one", async () => {
  const { core, olga, max, team } = await scene();
  using _ = core;
  await commit(core, olga, team, 1);
  const infos = await Promise.all([
    upload(core, olga, team, groupInfoOf(2)),
    upload(core, max, team, groupInfoOf(3)),
  ]);
  const made = epochAt(1);
  const results = await Promise.all([
    codeOf(commitNow(core, olga, team, 2, { after: 1, made, groupInfo: infos[0] })),
    codeOf(commitNow(core, max, team, 3, { after: 1, made, groupInfo: infos[1] })),
  ]);
  assertEquals(results, [undefined, "stale_commit"]);
  assertEquals((await reached(core, max, team)).slice(0, 3), [0, 2, idOf(2)]);
  // What was uploaded for the one that came too late serves the next.
  await commitNow(core, max, team, 4, { after: 2, made: epochAt(2), groupInfo: infos[1] });
  assertEquals(await download(core, olga, team, infos[1]), groupInfoOf(3));
});

Deno.test("of thirty-two who commit at once, over and over, each gets one in", async () => {
  const core = await Core.open();
  using _ = core;
  const everybody = Array.from({ length: 32 }, (_, at) => core.somebody(`m${at}`));
  const [owner, ...others] = everybody as [Somebody, ...Somebody[]];
  const team = await core.room("team", owner, others.map((one) => [one, "member"]), true);
  await commit(core, owner, team, 1);
  let last = 1;
  let refusals = 0;
  await Promise.all(everybody.map(async (one, at) => {
    for (let isIn = false; !isIn; refusals += isIn ? 0 : 1) {
      const { commit: id, epoch } = await core.ask(one, "group", {}, team);
      const groupInfo = await upload(core, one, team, numbered(10, at));
      const after = (id as unknown) === idOf(last) ? last : -100;
      const number = 2 + at;
      const made = epochAt(epoch as unknown as number);
      const code = await codeOf(commitNow(core, one, team, number, { after, made, groupInfo }));
      isIn = code === undefined;
      if (isIn) last = number;
      else assertEquals(code, "stale_commit");
    }
  }));
  assertEquals((await reached(core, owner, team))[1], 33);
  assert(refusals > 0);
});

Deno.test("a commit that comes again is answered with its seq, and changes nothing", async () => {
  const { core, olga, max, team } = await scene();
  using _ = core;
  const first = await commit(core, olga, team, 1);
  const again = () => commitNow(core, olga, team, 1, { groupInfo: numbered(32) });
  assertEquals(await again(), first);
  await commit(core, max, team, 2);
  const before = [await core.store.end(team.id), await reached(core, max, team)];
  assertEquals(await again(), first);
  assertEquals([await core.store.end(team.id), await reached(core, max, team)], before);
  // By another device it is another message, which came too late.
  const byMax = commitNow(core, max, team, 1, { groupInfo: numbered(32) });
  assertEquals(await codeOf(byMax), "stale_commit");
});

Deno.test("who has been sent out or muted by the turn of a commit has it refused", async () => {
  const { core, olga, max, team } = await scene();
  using _ = core;
  await commit(core, olga, team, 1);
  const groupInfo = await upload(core, max, team, groupInfoOf(2));
  const [code] = await Promise.all([
    codeOf(commitNow(core, max, team, 2, { groupInfo })),
    core.ask(olga, "mute", { user: "Max" }, team),
  ]);
  assertEquals(code, "forbidden");
  assertEquals(await codeOf(commitNow(core, max, team, 2, { groupInfo })), "forbidden");
  await core.ask(olga, "unmute", { user: "Max" }, team);
  const [other] = await Promise.all([
    codeOf(commitNow(core, max, team, 2, { groupInfo })),
    core.ask(olga, "kick", { user: "Max" }, team),
  ]);
  assertEquals(other, "forbidden");
  assertEquals((await reached(core, olga, team))[1], 1);
});

Deno.test("a reader may commit, and so may who has to be quiet while only moderators speak", async () => {
  const { core, olga, max, team } = await scene();
  using _ = core;
  await core.ask(olga, "role", { user: "Max", role: "reader" }, team);
  await core.ask(olga, "announce", { isOn: true }, team);
  await commit(core, max, team, 1);
});

const messageId = numbered(16, commitId(1));
const [epoch, payload] = [epochAt(0), numbered(40).with(0, 0)];
const signature = new Uint8Array(64);

/** What is no commit. */
const noCommits: readonly [what: string, core: Uint8Array][] = [
  ["bytes of no core", numbered(10)],
  [
    "a text",
    encodeCore(
      { proof: Proof.signature, content: Content.text, messageId, epoch, payload },
      signature,
    ),
  ],
  [
    "a commit that is sealed",
    encodeCore({ proof: Proof.mls, content: Content.commit, messageId, epoch, payload }),
  ],
  [
    "a commit without an epoch",
    encodeCore({ proof: Proof.signature, content: Content.commit, messageId, payload }, signature),
  ],
  [
    "a commit of no known form",
    encodeCore({
      proof: Proof.signature,
      content: Content.commit,
      messageId,
      epoch,
      payload: numbered(40, 9),
    }, signature),
  ],
];

for (const [what, bytes] of noCommits) {
  Deno.test(`${what} is not taken for a commit`, async () => {
    const { core, olga, team } = await scene();
    using _ = core;
    const groupInfo = toBase64Url(await upload(core, olga, team, numbered(9)));
    const args = {
      core: toBase64Url(bytes),
      groupInfo,
      generation: 0,
      epoch: 1,
      welcomes: [],
    };
    assertEquals(await codeOf(core.ask(olga, "commit", args, team)), "bad_message");
    const many = Array.from({ length: commitWelcomesMax + 1 }, () => ({
      device: toBase64Url(numbered(16)),
      hash: groupInfo,
    }));
    const tooMany = core.ask(olga, "commit", { ...args, welcomes: many }, team);
    assertEquals(await codeOf(tooMany), "bad_message");
  });
}

Deno.test("an open room has no group", async () => {
  const core = await Core.open();
  using _ = core;
  const olga = core.somebody("Olga");
  const room = await core.room("open", olga);
  assertEquals(await core.ask(olga, "group", {}, room), {});
  assertEquals(await core.ask(olga, "welcome", {}, room), {});
  const ofUpload = await refusalOf(upload(core, olga, room, numbered(9)));
  assertEquals(ofUpload?.message, "This room is open: it has no group.");
  const ofCommit = commitNow(core, olga, room, 1, { groupInfo: numbered(32) });
  assertEquals(await codeOf(ofCommit), "forbidden");
  assertEquals(await codeOf(download(core, olga, room, numbered(32))), "no_such_object");
});

Deno.test("a commit's payload may be an object, which is kept for as long as the commit", async () => {
  const { core, olga, max, team } = await scene();
  using _ = core;
  const object = large;
  const hash = await upload(core, olga, team, object);
  const ofPayload = { payload: { object: { hash, bytes: object.length } } };
  const wrong = { payload: { object: { hash, bytes: object.length - 1 } } };
  assertEquals(await codeOf(commit(core, olga, team, 1, wrong)), "bad_message");
  await commit(core, olga, team, 1, ofPayload);
  await commit(core, olga, team, 2);
  assertEquals(sha256(await download(core, max, team, hash)), hash);
  await core.services.hub.trim(core.clock.now());
  assertEquals(sha256(await download(core, max, team, hash)), hash);
  await core.services.hub.trim(core.clock.now() + 1);
  assertEquals(await codeOf(download(core, max, team, hash)), "no_such_object");
  assertEquals(await counts(core.store), [1, 3, 0]);
  assertEquals((await reached(core, max, team))[1], 2, "The group goes on without it.");
});

Deno.test("a device is welcomed by each commit that took it in, the newest first, for thirty days", async () => {
  const { core, olga, max, team } = await scene();
  using _ = core;
  const [one, two] = [numbered(60_000, 1), numbered(10, 2)];
  const device = max.person!.deviceId;
  const another = numbered(16, 7);
  const shared = await upload(core, olga, team, one);
  const welcomes = [{ device, hash: shared }, { device: another, hash: shared }];
  const { seq } = await commit(core, olga, team, 1, { welcomes });
  const told = await core.ask(max, "welcome", { commit: idOf(1) }, team) as unknown;
  assertEquals(told, { hash: toBase64Url(shared), bytes: one.length, commit: idOf(1), seq });
  assertEquals(await core.ask(max, "welcome", { commit: idOf(2) }, team), {});
  assertEquals(await core.ask(olga, "welcome", {}, team), {});
  assertEquals(await download(core, max, team, shared), one);
  const newer = await upload(core, olga, team, two);
  await commit(core, olga, team, 2, { welcomes: [{ device, hash: newer }] });
  assertEquals((await core.ask(max, "welcome", {}, team))["commit"] as unknown, idOf(2));
  assertEquals(await core.ask(max, "welcome", { commit: idOf(1) }, team) as unknown, told);
  assertEquals(await download(core, max, team, shared), one, "Another device needs it still.");
  await core.clock.advance(welcomeMs + 1);
  assertEquals(await core.ask(max, "welcome", {}, team), {});
  await commit(core, olga, team, 3);
  for (const hash of [shared, newer]) {
    assertEquals(await codeOf(download(core, max, team, hash)), "no_such_object");
  }
});

Deno.test("a room keeps the newest welcomes, so many and so long", async () => {
  const { core, olga, team } = await scene();
  using _ = core;
  const welcomed = async () =>
    (await loadRecord(core.store, "group", toBase64Url(team.id)))!.welcomes.length;
  for (let at = 1; at < 3; at++) {
    const hash = await upload(core, olga, team, numbered(10, at));
    const welcomes = Array.from({ length: 200 }, (_, device) => ({
      device: numbered(16).with(14, at).with(15, device),
      hash,
    }));
    await commit(core, olga, team, at, { welcomes });
  }
  assertEquals(await welcomed(), 256);
  for (let at = 3; at < 23; at++) {
    const hash = await upload(core, olga, team, large.with(0, at));
    const welcomes = [{ device: numbered(16).with(14, at), hash }];
    await commit(core, olga, team, at, { welcomes, groupInfo: hash });
  }
  assertEquals(await welcomed(), 16, "Each of a mebibyte.");
});

/** Parts of an object of ten bytes, and what comes of the last of them. */
const object = numbered(10);
const uploads: readonly [
  what: string,
  parts: readonly (readonly [at: number, data: Uint8Array, bytes?: number])[],
  code: string | undefined,
][] = [
  ["in one part", [[0, object]], undefined],
  ["in parts", [[0, object.subarray(0, 4)], [4, object.subarray(4)]], undefined],
  ["begun again", [[0, object.subarray(0, 4)], [0, object]], undefined],
  ["begun again when it was whole", [[0, object], [0, object]], undefined],
  ["with a gap", [[0, object.subarray(0, 4)], [5, object.subarray(5)]], "bad_message"],
  [
    "with a part twice",
    [[0, object.subarray(0, 4)], [4, object.subarray(4, 6)], [4, object.subarray(4)]],
    "bad_message",
  ],
  ["without its beginning", [[4, object.subarray(4)]], "bad_message"],
  ["beyond its end", [[0, numbered(11)]], "bad_message"],
  ["beyond its end in a second part", [[0, object], [10, object]], "bad_message"],
  ["with an empty part", [[0, new Uint8Array()]], "bad_message"],
  [
    "of another length in between",
    [[0, object.subarray(0, 4)], [4, object.subarray(4), 11]],
    "bad_message",
  ],
  ["that has another hash", [[0, numbered(10, 1)]], "bad_message"],
  ["too long", [[0, object, objectBytesMax + 1]], "bad_message"],
  ["of no length", [[0, object, 0]], "bad_message"],
  ["in a part too long", [[0, numbered(objectChunkBytesMax + 1), 60_000]], "bad_message"],
];

for (const [what, parts, code] of uploads) {
  Deno.test(`an object that comes ${what} is ${code ? "refused" : "taken"}`, async () => {
    const { core, olga, team } = await scene();
    using _ = core;
    const hash = toBase64Url(sha256(object));
    const codes: (string | undefined)[] = [];
    for (const [at, data, bytes = object.length] of parts) {
      const part = { hash, bytes, at, data: toBase64Url(data) };
      codes.push(await codeOf(core.ask(olga, "upload", part, team)));
    }
    assertEquals(codes.at(-1), code);
    const { uploads } = olga.session;
    if (!code) assertEquals(uploads.whole(team.id, sha256(object)), object);
    uploads.clear();
    assertEquals(core.services.staging.bytes, 0);
  });
}

Deno.test("what a session has brought is its own, of one room, and the oldest goes first", async () => {
  const { core, olga, max, team } = await scene();
  using _ = core;
  const other = await core.room("other", olga, [], true);
  const [elsewhere, byMax] = [
    await upload(core, olga, other, numbered(10, 1)),
    await upload(core, max, team, numbered(10, 2)),
  ];
  for (const groupInfo of [elsewhere, byMax]) {
    assertEquals(await codeOf(commit(core, olga, team, 1, { groupInfo })), "no_such_object");
  }
  const hashes: Uint8Array[] = [];
  for (let at = 0; at < 5; at++) {
    hashes.push(await upload(core, olga, team, large.with(0, at)));
  }
  const { uploads } = olga.session;
  assertEquals(hashes.map((hash) => uploads.whole(team.id, hash) !== undefined), [
    false,
    true,
    true,
    true,
    true,
  ]);
  assertEquals(core.services.staging.bytes, stagedBytesMax + 10);
  await commit(core, olga, team, 1, { groupInfo: hashes[4]! });
  assertEquals(uploads.whole(team.id, hashes[4]!), undefined, "It is kept now.");
  core.services.staging.bytes += stagedBytesMaxInAll - 4 * objectBytesMax;
  const full = await refusalOf(upload(core, max, team, large));
  assertEquals([full?.code, full?.retryAfterMs], ["busy", 2000]);
});

Deno.test("a closed room takes all with it that its group had", async () => {
  const { core, olga, max, team } = await scene();
  using _ = core;
  const hash = await upload(core, olga, team, numbered(60_000));
  await commit(core, olga, team, 1, { payload: { object: { hash, bytes: 60_000 } } });
  const device = max.person!.deviceId;
  await commit(core, olga, team, 2, {
    welcomes: [{ device, hash: await upload(core, olga, team, numbered(9)) }],
  });
  const other = await core.room("other", olga, [], true);
  await commit(core, olga, other, 1);
  assertEquals(await counts(core.store), [2, 9, 1]);
  await core.ask(olga, "close", {}, team);
  assertEquals(await counts(core.store), [1, 3, 0]);
});

Deno.test("a restart keeps rooms sealed, with their groups, objects and welcomes", async () => {
  const path = `${await Deno.makeTempDir()}/store.db`;
  const open = async () => await SqliteStore.open({ path });
  const store = await open();
  const before = await scene(store);
  const { core, olga, max, team } = before;
  const object = numbered(200_000);
  const hash = await upload(core, olga, team, object);
  const device = max.person!.deviceId;
  const ofCommit = {
    payload: { object: { hash, bytes: object.length } },
    welcomes: [{ device, hash }],
  };
  await commit(core, olga, team, 1, ofCommit);
  await core.room("open", olga);
  core[Symbol.dispose]();
  await store.close();

  const again = await open();
  const after = await Core.open(again);
  const { hub, people } = after.services;
  const session = olga.session;
  const [one, two] = [olga, max].map(({ name }) => {
    const user = people.named(name);
    const person = people.lastDeviceOf(user)!;
    return { name, user, person, remote: "", session };
  }) as [Somebody, Somebody];
  const room = hub.room(team.id);
  assertEquals([room.isSealed, room.access], [true, "invited"]);
  assertEquals([hub.named("open")!.isSealed, hub.lobby.isSealed], [false, false]);
  assertEquals((await reached(after, one, room)).slice(0, 3), [0, 1, idOf(1)]);
  assertEquals(await download(after, two, room, hash), object);
  assertEquals((await after.ask(two, "welcome", {}, room))["hash"] as unknown, toBase64Url(hash));
  const info = sha256(groupInfoOf(1));
  assertEquals(await download(after, two, room, info), groupInfoOf(1));
  after[Symbol.dispose]();
  await again.close();
  await Deno.remove(path.replace(/\/store.db$/, ""), { recursive: true });
});

/** A disk that notes what was asked for, turn by turn, and may be full. */
class Disk extends StoreAround {
  readonly turns: ((store: Store) => Promise<unknown>)[][] = [];
  isFull = false;
  #isOpen = false;

  override append(...args: Parameters<Store["append"]>): ReturnType<Store["append"]> {
    const copies = args[1].map(({ deviceId, core, erases, records }) => (
      { deviceId, core: core.slice(), erases, records }
    ));
    return this.#write((store) => store.append(args[0], copies, args[2]));
  }

  override put(...args: Parameters<Store["put"]>): ReturnType<Store["put"]> {
    return this.#write((store) => store.put(...args));
  }

  /** Answers when the turn has ended. */
  async #write<T>(work: (store: Store) => Promise<T>): Promise<T> {
    if (this.isFull) {
      await new Promise((resolve) => setImmediate(resolve));
      throw new StoreFullError("full");
    }
    if (!this.#isOpen) {
      this.#isOpen = true;
      this.turns.push([]);
      setImmediate(() => this.#isOpen = false);
    }
    this.turns.at(-1)!.push(work);
    const answer = work(this.inner);
    await new Promise((resolve) => setImmediate(resolve));
    return await answer;
  }
}

Deno.test("a crash at any point leaves a commit with its objects and its epoch, or nothing of it", async () => {
  const disk = new Disk(new MemoryStore(1e7));
  const { core, olga, max, team } = await scene(disk);
  using _ = core;
  for (let at = 1; at < 4; at++) {
    const hash = await upload(core, olga, team, numbered(60_000, at));
    const welcomes = [{
      device: max.person!.deviceId,
      hash: await upload(core, olga, team, numbered(9, at)),
    }];
    const payload = { object: { hash, bytes: 60_000 } };
    await Promise.all([
      commit(core, olga, team, at, { payload, welcomes }),
      core.ask(olga, "topic", { text: `topic ${at}` }, team),
    ]);
  }
  const seen = new Set<number>();
  for (let kept = 0; kept <= disk.turns.length; kept++) {
    const store = new MemoryStore(1e7);
    for (const turn of disk.turns.slice(0, kept)) for (const work of turn) await work(store);
    const group = await loadRecord(store, "group", toBase64Url(team.id));
    const { seq } = await store.end(team.id);
    const page = await store.readBack(team.id, seq + 1, 1000, 1e9);
    const commits = page
      ? decodeRows(page.rows, page.firstSeq, page.timeMs).filter(({ core }) =>
        core.content === Content.commit
      )
      : [];
    const last = commits.at(-1);
    assertEquals([group?.seq, group?.commit], [last?.seq, last?.core.messageId]);
    assertEquals(group?.epoch ?? 0, commits.length);
    // For each commit two parts of its payload, and its welcome; the group info of the last one.
    assertEquals((await store.records("object")).length, commits.length && 3 * commits.length + 3);
    assertEquals((await store.records("payload")).length, commits.length);
    seen.add(commits.length);
  }
  assertEquals([...seen], [0, 1, 2, 3]);
});

Deno.test("a full disk refuses a commit whole; it is taken once there is room", async () => {
  const disk = new Disk(new MemoryStore(1e7));
  const { core, olga, max, team } = await scene(disk);
  using _ = core;
  await commit(core, olga, team, 1);
  disk.isFull = true;
  const refusal = await refusalOf(commit(core, olga, team, 2));
  assertEquals([refusal?.code, refusal?.retryAfterMs], ["read_only", 2000]);
  assertEquals((await reached(core, max, team)).slice(0, 3), [0, 1, idOf(1)]);
  assertEquals(await download(core, max, team, sha256(groupInfoOf(1))), groupInfoOf(1));
  disk.isFull = false;
  await commit(core, olga, team, 2);
  assertEquals((await reached(core, max, team)).slice(0, 3), [0, 2, idOf(2)]);
  assertEquals(core.faults, []);
});

Deno.test("the operator may look at a group, and not change it", async () => {
  const { core, olga, team } = await scene();
  using _ = core;
  await commit(core, olga, team, 1);
  const { epoch } = await core.ask(operator, "group", {}, team);
  assertEquals(epoch as unknown, 1);
  const rooms = await core.ask(operator, "rooms", {}) as unknown as {
    rooms: { name: string; sealed: boolean }[];
  };
  assertEquals(rooms.rooms.map(({ name, sealed }) => [name, sealed]), [["lobby", false], [
    "team",
    true,
  ]]);
});
