/** What stands in a room after edits, deletions and reactions, in whatever order they become known. */

import { assertEquals } from "@std/assert";
import type { ClientEntry, ClientRoom } from "../../client/events.ts";
import { Lines } from "../../client/chat/lines.ts";
import { render } from "../../client/chat/render.ts";
import { isMention, isNews, RoomView, RoomViews } from "../../client/chat/room_views.ts";
import { showArrival, showHappening, showLine } from "../../client/chat/show_room.ts";
import { Content, decodeCore, encodeCore, Proof, refOf } from "../../protocol/entry.ts";

const alice = { deviceId: id(10), userId: id(11), name: "Alice" };
const bob = { deviceId: id(20), userId: id(21), name: "Bob" };

function id(number: number): Uint8Array {
  return new Uint8Array(16).fill(number);
}

interface Told extends Partial<Omit<ClientEntry, "core">> {
  readonly content?: number;
  readonly text?: string;
  readonly target?: number;
  /** Somebody who gave this entry the message id of another. */
  readonly copies?: number;
}

/** An entry by Alice; its message id is its seq. */
function entry(seq: number, told: Told = {}): ClientEntry {
  const {
    content = Content.text,
    text = `text ${seq}`,
    target,
    copies = seq,
    author = alice,
    ...rest
  } = told;
  const core = decodeCore(encodeCore({
    proof: Proof.unverified,
    content,
    messageId: id(copies),
    ...(target !== undefined && { target: refOf(alice.deviceId, id(target)) }),
    payload: new TextEncoder().encode(text),
  }));
  return {
    ...{ seq, timeMs: seq, core, author, deviceId: author.deviceId, isErased: false },
    ...{ verified: "signed", isOwn: false, previous: id(0), ...rest },
  };
}

const edit = (seq: number, target: number, text: string, told: Told = {}) =>
  entry(seq, { content: Content.edit, target, text, ...told });
const deletion = (seq: number, target: number, told: Told = {}) =>
  entry(seq, { content: Content.deletion, target, text: "", ...told });
const reaction = (seq: number, target: number, text: string, told: Told = {}) =>
  entry(seq, { content: Content.reaction, target, text, author: bob, ...told });

function viewOf(readSeq = 0): RoomView {
  return new RoomView({ readSeq, info: { name: "team" } } as ClientRoom);
}

function rowsOf(entries: readonly ClientEntry[]): string[] {
  const view = viewOf();
  for (const each of entries) view.lines.absorb(each);
  return view.lines.all().map((line) => render(showLine(view, line)));
}

const cases: readonly [what: string, entries: readonly ClientEntry[], rows: readonly string[]][] = [
  ["messages", [entry(1), entry(2, { author: bob })], ["[Alice]: text 1", "[Bob]: text 2"]],
  ["an edit", [entry(1), edit(2, 1, "new")], ["[Alice]: new (edited)"]],
  ["the last edit", [entry(1), edit(3, 1, "b"), edit(2, 1, "a")], ["[Alice]: b (edited)"]],
  ["somebody else's edit", [entry(1), edit(2, 1, "new", { author: bob })], ["[Alice]: text 1"]],
  [
    "an edit that nothing vouches for",
    [entry(1), edit(2, 1, "new", { verified: "failed" })],
    ["[Alice]: text 1"],
  ],
  ["an edit of what comes later", [edit(1, 2, "new"), entry(2)], ["[Alice]: text 2"]],
  ["an edit known before its target", [edit(2, 1, "new"), entry(1)], ["[Alice]: new (edited)"]],
  ["a deletion", [entry(1), edit(2, 1, "new"), deletion(3, 1)], ["[Alice]: [deleted]"]],
  ["a deletion known before its target", [deletion(2, 1), entry(1)], ["[Alice]: [deleted]"]],
  [
    "a deletion of what somebody has copied the message id of",
    [
      entry(1, { author: bob, copies: 2 }),
      entry(2),
      deletion(3, 2),
      entry(4, { author: bob, copies: 2 }),
    ],
    ["[Bob]: text 1", "[Alice]: [deleted]", "[Bob]: text 4"],
  ],
  ["an edit after a deletion", [entry(1), deletion(2, 1), edit(3, 1, "x")], ["[Alice]: [deleted]"]],
  ["what was erased", [entry(1, { isErased: true })], ["[Alice]: [deleted]"]],
  ["a reaction", [entry(1), reaction(2, 1, "👍")], ["[Alice]: text 1 (👍 Bob)"]],
  ["another reaction", [entry(1), reaction(2, 1, "👍"), reaction(3, 1, "🎉")], [
    "[Alice]: text 1 (🎉 Bob)",
  ]],
  [
    "a reaction taken back",
    [entry(1), reaction(2, 1, "👍"), reaction(3, 1, "")],
    ["[Alice]: text 1"],
  ],
  [
    "a reaction that would act on a terminal",
    [entry(1), reaction(2, 1, "\x1b[2J\n")],
    ["[Alice]: text 1 (\\x1b[2J\\x0a Bob)"],
  ],
  ["an answer", [entry(1), entry(2, { target: 1, author: bob })], [
    "[Alice]: text 1",
    "[Bob]: text 2 (to #1 Alice: text 1)",
  ]],
  [
    "an answer to a long message",
    [entry(1, { text: "x\n".repeat(500) }), entry(2, { target: 1 })].slice(1),
    ["[Alice]: text 2 (to an earlier message)"],
  ],
  ["who comes and goes", [
    entry(1, { content: Content.joined, author: bob, text: "{}" }),
    entry(2, { content: Content.left, author: bob, text: "{}" }),
  ], ["-- Bob came into the room", "-- Bob is no longer in the room"]],
  ["a change", [
    entry(1, {
      content: Content.changed,
      change: { by: "Alice", act: "topic", value: "a\x1bb" },
    }),
  ], ["-- Alice set the topic: a\\x1bb"]],
  ["an event that somebody made up", [
    entry(1, { content: Content.joined, verified: "failed" }),
  ], []],
  ["what later versions say", [entry(1, { content: 77 }), entry(2, { content: 200 })], []],
  ["an entry that comes twice", [entry(1), entry(1)], ["[Alice]: text 1"]],
];

for (const [what, entries, rows] of cases) {
  Deno.test(`a room's lines show ${what}`, () => assertEquals(rowsOf(entries), rows));
}

Deno.test("what is done to a line on the screen is a row of its own that names it", () => {
  const view = viewOf();
  const rows = [
    entry(1),
    edit(2, 1, "new"),
    edit(3, 1, "forged", { author: bob }),
    reaction(4, 1, "👍"),
    reaction(5, 1, ""),
    deletion(6, 1, { author: bob }),
    deletion(7, 99),
  ].map((each) => {
    const happening = view.lines.absorb(each);
    const shown = happening && showHappening(view, happening);
    return shown && render(shown);
  });
  assertEquals(rows, [
    "[Alice]: text 1",
    "-- Alice edited #1: new",
    undefined,
    "-- Bob reacted to #1 of Alice (new) with 👍",
    "-- Bob took the reaction to #1 of Alice back",
    "-- Bob deleted #1 of Alice",
    "-- Alice deleted an earlier message",
  ]);
});

Deno.test("a mark stands before the first thing that others said, and what was done to what was read follows it", () => {
  const view = viewOf(2);
  const entries = [
    ...[entry(1), entry(2), entry(3, { isOwn: true }), entry(4, { author: bob })],
    edit(5, 1, "new"),
  ];
  for (const each of entries) view.lines.absorb(each);
  const { rows, isMarked } = showArrival(view, ({ name }) => name === "Bob");
  assertEquals(isMarked, true);
  assertEquals(rows.map((row) => render(row)), [
    "[Alice]: new (edited)",
    "[Alice]: text 2",
    "[Alice]: text 3",
    "---- new ----",
    "[Bob]: text 4",
    "-- Alice edited #1: new",
  ]);
  const read = viewOf(5);
  for (const each of entries) read.lines.absorb(each);
  assertEquals(showArrival(read, () => true).isMarked, false);
});

Deno.test("memory for lines is bounded, and the newest stay", () => {
  const lines = new Lines();
  for (let seq = 1; seq <= 5_000; seq++) {
    lines.absorb(entry(seq));
    lines.trim();
  }
  const all = lines.all();
  assertEquals([all.length <= 2_000, all.at(-1)?.seq], [true, 5_000]);
  lines.cut(4_990);
  assertEquals(lines.all().at(-1)?.seq, 4_990);
});

Deno.test("news is what others said, and a mention is news that has our name", () => {
  const self = { name: "Bob", userId: bob.userId };
  const told: readonly [entry: ClientEntry, isNews: boolean, isMention: boolean][] = [
    [entry(1, { text: "hi bob" }), true, true],
    [entry(1, { text: "hi bobby" }), true, false],
    [entry(1, { text: "hi bob", content: Content.action }), true, true],
    [entry(1, { text: "hi bob", verified: "failed" }), true, false],
    [entry(1, { text: "I am Bob", author: bob }), false, false],
    [entry(1, { text: "hi bob", isErased: true }), false, false],
    [edit(2, 1, "hi bob"), false, false],
    [entry(1, { text: "hi bob", content: Content.changed }), false, false],
  ];
  for (const [each, news, mention] of told) {
    assertEquals([isNews(each, self), isMention(each, self)], [news, mention]);
  }
});

Deno.test("the next room with something new is one that means us, else the next in order", () => {
  const views = new RoomViews();
  const room = (number: number) =>
    views.of({ id: id(number), info: { name: `room${number}` } } as ClientRoom);
  const [first, second, third] = [room(1), room(2), room(3)];
  views.here = second;
  assertEquals(views.nextUnread(), undefined);
  second.unread = 5;
  assertEquals(views.nextUnread(), undefined);
  first.unread = 1;
  assertEquals(views.nextUnread(), first);
  third.unread = 1;
  assertEquals(views.nextUnread(), third);
  first.isMentioned = true;
  assertEquals(views.nextUnread(), first);
  assertEquals(views.unread.map(({ name }) => name), ["room1", "room3"]);
  assertEquals([views.remove(id(2)), views.here], [true, undefined]);
  assertEquals([views.named("ROOM1"), views.named("room2")], [first, undefined]);
});

Deno.test("of two rooms of one name the newer is meant: the other one was forgotten, and came back", () => {
  const views = new RoomViews();
  const room = (at: number) => ({ id: id(at), info: { name: "@Bob" } }) as ClientRoom;
  views.of(room(1));
  const again = views.of(room(2));
  assertEquals(views.named("@bob"), again);
});
