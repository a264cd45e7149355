import { assertEquals } from "@std/assert";
import { Content, decodeRows, encodeCore, Proof, refOf } from "../../protocol/entry.ts";
import { publish } from "../../server/handlers/publish.ts";
import type { PeopledRoom } from "../../server/peopled_room.ts";
import { PublishBudget } from "../../server/publish_budget.ts";
import { numbered } from "../fixtures/bytes.ts";
import { Core } from "../fixtures/core.ts";
import { type Session, session } from "../fixtures/session.ts";

/** What somebody said by a number. */
function saidBy({ person }: Session, id: number): Uint8Array {
  return refOf(person.deviceId, numbered(16, id));
}

/** Says something; what the room's log has of it afterwards, and what the session was told. */
async function say(
  member: Session,
  room: PeopledRoom,
  id: number,
  { content = Content.text, text = "hello", target }: {
    content?: number;
    text?: string;
    target?: Uint8Array;
  } = {},
): Promise<string> {
  const core = encodeCore({
    proof: Proof.signature,
    content,
    messageId: numbered(16, id),
    ...(target && { target }),
    payload: new TextEncoder().encode(text),
  }, new Uint8Array(64));
  const { store } = member.services;
  const before = (await store.end(room.id)).seq;
  publish(member, { type: "publish", room: room.id, core });
  await room.flushed();
  const isKept = (await store.end(room.id)).seq > before;
  return isKept ? "kept" : member.told.at(-1) ?? "nothing";
}

/** A room of Olga's in which Max is a member, as he is in the lobby. */
async function scene() {
  const core = await Core.open();
  const olga = core.somebody("Olga");
  const max = core.somebody("Max", undefined, 7);
  const team = await core.room("team", olga, [[max, "member"]]);
  const { lobby } = core.services.hub;
  const publishes = new PublishBudget(core.clock, 1, 100);
  const rooms = [lobby, team];
  return {
    core,
    olga: session(core, olga, rooms),
    max: session(core, max, rooms, publishes),
    phone: session(core, core.somebody("Max", undefined, 7), rooms, publishes),
    team,
    lobby,
    ask: (command: string, args: Record<string, unknown>) => core.ask(olga, command, args, team),
  };
}

/** What keeps Max from writing in the room. */
const silences: readonly [command: string, args: Record<string, unknown>, told: string][] = [
  ["role", { user: "Max", role: "reader" }, "forbidden"],
  ["mute", { user: "Max" }, "forbidden"],
  ["announce", { isOn: true }, "forbidden"],
  ["slow", { everyMs: 60_000 }, "slow_down"],
];

for (const [command, args, told] of silences) {
  Deno.test(`who may not write writes nothing by the id of something said before: ${command}`, async () => {
    const { core, max, phone, team, lobby, ask } = await scene();
    using _ = core;
    assertEquals(await say(max, team, 1), "kept");
    assertEquals(await say(max, lobby, 2), "kept");
    const edit = { content: Content.edit, target: saidBy(max, 99) };
    assertEquals(await say(max, team, 3, edit), "forbidden");
    await ask(command, args);
    if (command === "slow") assertEquals(await say(max, team, 4), "kept");
    assertEquals(await say(max, team, 2, { text: "in another room" }), told);
    assertEquals(await say(phone, team, 1, { text: "by another device" }), told);
    assertEquals(await say(max, team, 3, { text: "refused before" }), told);
    assertEquals(await say(max, team, 1), "stored", "It is in the log, as its author is told.");
  });
}

Deno.test("what was deleted is not brought back by an edit", async () => {
  const { core, olga, max, team } = await scene();
  using _ = core;
  assertEquals(await say(max, team, 1, { text: "spam" }), "kept");
  assertEquals(
    await say(olga, team, 2, { content: Content.deletion, target: saidBy(max, 1), text: "" }),
    "kept",
  );
  assertEquals(
    await say(max, team, 3, { content: Content.edit, target: saidBy(max, 1), text: "spam" }),
    "forbidden",
  );
});

Deno.test("who says something by another's message id shields nothing", async () => {
  const { core, olga, max, team } = await scene();
  using _ = core;
  const erased = async () => {
    const { seq } = await core.store.end(team.id);
    const { rows, firstSeq } = (await core.store.readBack(team.id, seq + 1, 9, 10_000))!;
    return decodeRows(rows, firstSeq, 0).filter(({ isErased }) => isErased)
      .map(({ deviceId }) => deviceId);
  };
  assertEquals(await say(olga, team, 1, { text: "a decoy" }), "kept");
  assertEquals(await say(max, team, 1, { text: "spam" }), "kept");
  assertEquals(
    await say(olga, team, 2, { content: Content.deletion, target: saidBy(max, 1), text: "" }),
    "kept",
  );
  assertEquals(await erased(), [max.person.deviceId]);
});

Deno.test("nobody deletes what the server says of a room", async () => {
  const { core, olga, team, ask } = await scene();
  using _ = core;
  await ask("mute", { user: "Max" });
  await team.flushed();
  const { seq } = await core.store.end(team.id);
  const { rows } = (await core.store.readBack(team.id, seq + 1, 1, 1000))!;
  const [event] = decodeRows(rows, seq, 0);
  const target = refOf(event!.deviceId, event!.core.messageId);
  const deletion = { content: Content.deletion, target, text: "" };
  assertEquals(await say(olga, team, 1, deletion), "forbidden");
});

Deno.test("who has to wait in a slow room waits no less after leaving and coming again", async () => {
  const { core, max, team, ask } = await scene();
  using _ = core;
  await ask("slow", { everyMs: 60_000 });
  assertEquals(await say(max, team, 1), "kept");
  await core.services.hub.dismiss(team, max.user, undefined);
  await core.services.hub.admit(team, max.user, max.person);
  await team.flushed();
  max.rooms.add(team);
  assertEquals(await say(max, team, 2), "slow_down");
});

Deno.test("a clock that was set back lets nobody wait for the time until then", async () => {
  const { core, max, team, ask } = await scene();
  using _ = core;
  await ask("slow", { everyMs: 1000 });
  await team.flushed();
  core.services.hub.membership(team, max.user)!.saidMs = core.clock.now() + 24 * 3600_000;
  assertEquals(await say(max, team, 1), "kept");
  assertEquals(await say(max, team, 2), "slow_down");
});

/** Somebody in a room who may say one thing a second, and says things without waiting. */
async function hasty() {
  const { core, team, olga } = await scene();
  const budget = new PublishBudget(core.clock, 1, 1);
  const max = session(core, core.somebody("Max", undefined, 7), [team], budget);
  const send = (id: number) => {
    const payload = new Uint8Array(1);
    const draft = { proof: Proof.signature, content: Content.text, messageId: numbered(16, id) };
    const message = encodeCore({ ...draft, payload }, new Uint8Array(64));
    publish(max, { type: "publish", room: team.id, core: message });
  };
  return { core, team, olga, max, send };
}

Deno.test("what is held up by something that is in the log already keeps its place", async () => {
  const { core, team, max, send } = await hasty();
  using _ = core;
  assertEquals(await say(max, team, 1), "kept");
  send(1); // As if its acknowledgement had been lost: too fast, and it is looked up.
  send(2);
  assertEquals(max.told.at(-1), "slow_down");
  await team.flushed();
  core.clock.advance(10_000);
  assertEquals(await say(max, team, 3), "slow_down", "The second is waited for.");
  assertEquals(await say(max, team, 2), "kept");
});

Deno.test("what was taken and is no longer kept comes again before what is waited for", async () => {
  const { core, team, olga, max, send } = await hasty();
  using _ = core;
  assertEquals(await say(max, team, 1), "kept");
  send(2);
  assertEquals(max.told.at(-1), "slow_down");
  assertEquals(await say(olga, team, 9), "kept"); // The last entry always stays.
  await core.services.hub.trim(core.clock.now() + 1);
  send(1);
  await team.flushed();
  core.clock.advance(10_000);
  assertEquals(await say(max, team, 2), "slow_down", "The first is waited for.");
  assertEquals(await say(max, team, 1), "kept");
  core.clock.advance(10_000);
  assertEquals(await say(max, team, 2), "kept");
});
