/**
 * Faults put into the core from outside, each of a kind that has been made before. A simulation that
 * does not find them would not find the like either.
 *
 * @module
 */

import { Outbox } from "../../client/outbox.ts";
import { RoomLog } from "../../client/room_log.ts";
import { Session as ClientSession } from "../../client/session.ts";
import { mapKey } from "../../protocol/bytes.ts";
import { decodeRows, messageIdOf, rowBytes } from "../../protocol/entry.ts";
import { type Cursor, decodeMessages, encodeControl } from "../../protocol/message.ts";
import { Place, Rounds } from "../../server/rounds.ts";
import { Session } from "../../server/session.ts";
import { MemoryStore } from "../../server/store/memory.ts";
import type { Appended, Page, ReadResult, Store, Submission } from "../../server/store/store.ts";
import { type Mark, Segment, Tail } from "../../server/tail.ts";
import { ListStore, type Stored } from "../fixtures/list_store.ts";
import { besideStuck, cutOff, tooFast } from "./plan.ts";
import type { SimulationOptions } from "./simulate.ts";
import { replaceMethod, undoAll } from "./wrap.ts";

/** A fault, and what it should be found by. */
export interface Mutant extends SimulationOptions {
  readonly name: string;
  /** What one of the violations that it leads to says. */
  readonly shows: RegExp;
}

export const mutants: readonly Mutant[] = [
  {
    name: "a store answers before it has stored",
    shows: /before it was stored/,
    wrapStore: (store) => new HastyStore(store),
  },
  {
    name: "a store loses an append now and then, and says nothing",
    shows: /before it was stored|another \d+ than what was stored/,
    wrapStore: (store) => new HastyStore(store, 5),
  },
  {
    name: "a store does not know what it has stored",
    shows: /in the log as/,
    makeStore: () => new ForgetfulStore(),
    plan: cutOff,
  },
  {
    name: "a store says nothing when it has dropped what comes next",
    shows: /left out entries/,
    makeStore: () => new GapStore(),
    plan: cutOff,
  },
  {
    name: "a page of catch-up lacks its last entry",
    shows: /changed entries|left out entries/,
    wrapStore: (store) => new PageStore(store, withoutLastEntry),
    plan: cutOff,
  },
  {
    name: "a page of catch-up begins one entry too late",
    shows: /changed entries|left out entries/,
    wrapStore: (store) => new PageStore(store, withoutFirstEntry),
    plan: cutOff,
  },
  {
    name: "a reader who has caught up is attached one frame too late",
    shows: /left out entries|at rest/,
    sabotage: () => shiftMarks(1),
    plan: cutOff,
  },
  {
    name: "a reader who has caught up is attached one frame too early",
    shows: /left out entries or repeated|is not number/,
    sabotage: () => shiftMarks(-1),
    plan: cutOff,
  },
  {
    name: "a tail drops frames that somebody has yet to get",
    shows: /./,
    sabotage: () => replaceMethod(Tail.prototype, "hasRoomFor", dropAnyway),
    plan: besideStuck,
  },
  {
    name: "a full tail waits for a stuck reader for ever",
    shows: /at rest/,
    sabotage: () => replaceMethod(Rounds.prototype, "laggards", () => () => []),
    plan: besideStuck,
  },
  {
    name: "a tail holds more than it may",
    shows: /A tail holds/,
    sabotage: () => replaceMethod(Tail.prototype, "hasRoomFor", () => () => true),
    plan: besideStuck,
  },
  {
    name: "a reader is given a view that ends inside a frame",
    shows: /./,
    sabotage: () =>
      replaceMethod(Segment.prototype, "view", (view) =>
        function (this: Segment, from, to) {
          return view.call(this, from, to - from > 1000 ? to - 1 : to);
        }),
  },
  {
    name: "a reader's place moves on by less than was written",
    shows: /./,
    sabotage: () =>
      replaceMethod(Place.prototype, "written", (written) =>
        function (this: Place, bytes) {
          written.call(this, bytes > 1000 ? bytes - 1 : bytes);
        }),
  },
  {
    name: "a new key is not announced to somebody",
    shows: /not a valid frame/,
    sabotage: () => dropAttach(2),
    plan: (plan) => ({ ...plan, faults: [], idleMs: 60 * 60 * 1000 - 500 }),
  },
  {
    name: "a server forgets whom it told to slow down",
    shows: /and the log has/,
    sabotage: () =>
      replaceMethod(Session.prototype, "send", (send) =>
        function (this: Session, message) {
          send.call(this, message);
          this.owed = undefined;
        }),
    plan: tooFast,
  },
  {
    name: "a server says that it has stored what it refused",
    shows: /and the log has/,
    sabotage: () => replaceMethod(Session.prototype, "send", lieAboutRefusals),
    plan: tooFast,
  },
  {
    name: "a client settles a message when it is sent",
    shows: /and the log has/,
    sabotage: () => settleWhen("sent"),
    plan: cutOff,
  },
  {
    name: "a client forgets what was under way when the connection ends",
    shows: /and the log has/,
    sabotage: () => settleWhen("cut off"),
    plan: cutOff,
  },
  {
    name: "a client sends what is new before what it has to send again",
    shows: /and the log has/,
    sabotage: () => replaceMethod(Outbox.prototype, "open", sendNewestFirst),
    plan: cutOff,
  },
  {
    name: "a client that reconnects does not show the first batch",
    shows: /was shown \d+ after/,
    sabotage: () => loseFirstBatch(),
    plan: cutOff,
  },
  {
    name: "a client that reconnects reads on from the end",
    shows: /was shown \d+ after/,
    sabotage: () => joinWith(() => undefined),
    plan: cutOff,
  },
  {
    name: "a client that reconnects reads on from where it began",
    shows: /was shown \d+ after/,
    sabotage: () => joinWith((_cursor, first) => first),
    plan: cutOff,
  },
];

/** Answers from a copy, and stores later; of so many appends it stores all but one. */
class HastyStore implements Store {
  readonly #store: Store;
  readonly #losesOneIn: number;
  readonly #copy = new MemoryStore(1e9);
  #appends = 0;

  constructor(store: Store, losesOneIn = Infinity) {
    this.#store = store;
    this.#losesOneIn = losesOneIn;
  }

  append(roomId: Uint8Array, submissions: readonly Submission[], nowMs: number) {
    const isLost = ++this.#appends % this.#losesOneIn === 0;
    if (!isLost) void this.#store.append(roomId, submissions, nowMs);
    return this.#copy.append(roomId, submissions, nowMs);
  }

  read(roomId: Uint8Array, after: Cursor, bytesMax: number): Promise<ReadResult> {
    return this.#copy.read(roomId, after, bytesMax);
  }

  end(roomId: Uint8Array): Promise<Cursor> {
    return this.#copy.end(roomId);
  }
}

/** Keeps each copy of a message. */
class ForgetfulStore extends ListStore {
  protected override seqOf(): undefined {
    return undefined;
  }
}

/** Has dropped all but the last entries, and gives these to whoever asks for older ones. */
class GapStore extends ListStore {
  override read(roomId: Uint8Array, after: Cursor, bytesMax: number): Promise<ReadResult> {
    const log: readonly Stored[] = this.log(roomId);
    const kept = log.at(-10)?.end;
    return super.read(roomId, kept && after.seq < kept.seq ? kept : after, bytesMax);
  }
}

/** Changes pages. */
class PageStore implements Store {
  readonly #store: Store;
  readonly #change: (page: Page) => Page;

  constructor(store: Store, change: (page: Page) => Page) {
    this.#store = store;
    this.#change = change;
  }

  append(...args: Parameters<Store["append"]>): Promise<Appended> {
    return this.#store.append(...args);
  }

  async read(...args: Parameters<Store["read"]>): Promise<ReadResult> {
    const result = await this.#store.read(...args);
    return result.type === "page" ? { ...result, page: this.#change(result.page) } : result;
  }

  end(roomId: Uint8Array): Promise<Cursor> {
    return this.#store.end(roomId);
  }
}

function withoutLastEntry(page: Page): Page {
  const last = decodeRows(page.rows, page.firstSeq, page.timeMs).at(-1)!;
  return { ...page, rows: page.rows.subarray(0, -rowBytes(last.core.bytes)) };
}

function withoutFirstEntry(page: Page): Page {
  const [first] = decodeRows(page.rows, page.firstSeq, page.timeMs);
  const rows = page.rows.subarray(rowBytes(first!.core.bytes));
  return { ...page, rows, firstSeq: page.firstSeq + 1 };
}

/** Where a reader stands is found so many frames off. */
function shiftMarks(frames: number): () => void {
  return replaceMethod(
    Tail.prototype,
    "markBelow",
    (markBelow) =>
      function (this: Tail, seq): Mark | undefined {
        const mark = markBelow.call(this, seq);
        const other = mark && markBelow.call(this, frames > 0 ? seq + 1 : mark.seq - 1);
        return mark && other ? { ...other, seq: mark.seq, hash: mark.hash } : mark;
      },
  );
}

function dropAnyway(hasRoomFor: Tail["hasRoomFor"]): Tail["hasRoomFor"] {
  return function (this: Tail, bytes) {
    const [oldest] = [this.segmentAt(-1)];
    const readers = oldest?.readers ?? 0;
    if (oldest) oldest.readers = 0;
    const hasRoom = hasRoomFor.call(this, bytes);
    if (oldest) oldest.readers = readers;
    return hasRoom;
  };
}

/** The so-manieth attach of each session is not sent. */
function dropAttach(number: number): () => void {
  const sent = new WeakMap<Session, number>();
  return replaceMethod(Session.prototype, "send", (send) =>
    function (this: Session, message) {
      if (decodeMessages(message)[0]?.type === "attach") {
        sent.set(this, (sent.get(this) ?? 0) + 1);
        if (sent.get(this) === number) return;
      }
      send.call(this, message);
    });
}

function lieAboutRefusals(send: Session["send"]): Session["send"] {
  return function (this: Session, bytes) {
    const [message] = decodeMessages(bytes);
    if (message?.type !== "error" || !message.messageId) return send.call(this, bytes);
    this.owed = undefined;
    const { messageId } = message;
    send.call(this, encodeControl("stored", { room: this.hub.lobby.id, messageId, seq: 1 }));
  };
}

/** Messages count as settled when they are sent, or when the connection ends. */
function settleWhen(when: "sent" | "cut off"): () => void {
  const underWay = new WeakMap<Outbox, Map<string, Uint8Array>>();
  return undoAll([
    replaceMethod(Outbox.prototype, "open", (open) =>
      function (this: Outbox, send) {
        const sent = new Map<string, Uint8Array>();
        underWay.set(this, sent);
        open.call(this, (core) => {
          send(core);
          const id = messageIdOf(core);
          sent.set(mapKey(id), id);
          if (when === "sent") queueMicrotask(() => this.settle(id));
        });
      }),
    replaceMethod(Outbox.prototype, "close", (close) =>
      function (this: Outbox) {
        close.call(this);
        if (when === "cut off") {
          for (const id of underWay.get(this)?.values() ?? []) this.settle(id);
        }
      }),
  ]);
}

/** What is to be sent at the beginning of a session is sent in the wrong order. */
function sendNewestFirst(open: Outbox["open"]): Outbox["open"] {
  return function (this: Outbox, send) {
    const first: Uint8Array[] = [];
    open.call(this, (core) => first.push(core));
    for (const core of first.toReversed()) send(core);
    open.call(this, send);
  };
}

/** The first entries after a reconnect are checked, and not handed on. */
function loseFirstBatch(): () => void {
  const fresh = new WeakSet<RoomLog>();
  return replaceMethod(
    RoomLog.prototype,
    "accept",
    (accept) =>
      async function (this: RoomLog, batch) {
        const entries = await accept.call(this, batch);
        if (fresh.has(this)) return entries;
        fresh.add(this);
        return [];
      },
  );
}

/** A session joins with another cursor than it is told: made of that, and of the first of all. */
function joinWith(
  change: (cursor: Cursor, first: Cursor) => Cursor | undefined,
): () => void {
  const firsts = new Map<string, Cursor>();
  return replaceMethod(
    ClientSession.prototype,
    "join",
    (join) =>
      function (this: ClientSession, room, cursor) {
        const user = mapKey(this.welcome.deviceId);
        if (cursor && !firsts.has(user)) firsts.set(user, cursor);
        join.call(this, room, cursor && change(cursor, firsts.get(user)!));
      },
  );
}
