/**
 * Faults put into the core from outside, each of a kind that has been made before. A simulation that
 * does not find them would not find the like either.
 *
 * @module
 */

import { Outbox } from "../../client/outbox.ts";
import type { OwnMessage } from "../../client/store/store.ts";
import { RoomLog } from "../../client/room_log.ts";
import { Session as ClientSession } from "../../client/session.ts";
import { mapKey } from "../../protocol/bytes.ts";
import { messageIdOf } from "../../protocol/entry.ts";
import { type Cursor, decodeMessages, encodeControl } from "../../protocol/message.ts";
import { AwaitedMessages } from "../../server/awaited.ts";
import { Hub } from "../../server/hub.ts";
import { Room } from "../../server/room.ts";
import { Place, Rounds } from "../../server/fanout/rounds.ts";
import { Session } from "../../server/session.ts";
import { type Mark, Segment, Tail } from "../../server/fanout/tail.ts";
import { ProcessEnded } from "./mortal.ts";
import {
  AmnesicStore,
  BlankStore,
  ForgetfulStore,
  GapStore,
  HoardingStore,
  PageStore,
  withoutFirstEntry,
  withoutLastEntry,
} from "./mutant_stores.ts";
import { besideStuck, cutOff, diskFull, mutes, often, removals, tooFast } from "./special_plans.ts";
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
    name: "a store answers before it has synced",
    shows: /before it was stored/,
    makeDiskFaults: () => ({ answers: "when asked" }),
  },
  {
    name: "a store answers before it begins to store",
    shows: /before it was stored/,
    makeDiskFaults: () => ({ answers: "before it begins" }),
  },
  {
    name: "a store loses a write now and then, and says nothing",
    shows: /before it was stored|A store left out/,
    makeDiskFaults: () => ({ losesOneIn: 5 }),
  },
  {
    name: "a store does not know what it has stored",
    shows: /in the log as/,
    makeStore: () => new ForgetfulStore(),
    plan: cutOff,
  },
  {
    name: "a store does not know what it had stored before a restart",
    shows: /in the log as/,
    makeStore: () => new AmnesicStore(),
    makeDiskFaults: () => ({ onRestart: (store) => (store as AmnesicStore).forget() }),
    plan: often("kill unsynced"),
  },
  {
    name: "a server takes the end of a log from its memory, which a restart has emptied",
    shows: /left out entries or repeated/,
    makeWrapStore: () => (store) => new BlankStore(store),
    plan: often("kill"),
  },
  {
    name: "a store says nothing when it has dropped what comes next",
    shows: /left out entries/,
    makeStore: () => new GapStore(),
    plan: cutOff,
  },
  {
    name: "a server does not tell a reader that it goes on elsewhere",
    shows: /left out entries or repeated/,
    sabotage: () => withoutResets(),
    plan: often("restore"),
  },
  {
    name: "a full disk loses the order",
    shows: /and the log has/,
    sabotage: () => forgetAwaited("read_only"),
    plan: diskFull,
  },
  {
    name: "an erased payload is still served",
    shows: /though it has been erased/,
    makeWrapStore: () => (store) => new HoardingStore(store),
    plan: cutOff,
  },
  {
    name: "somebody who is sent out of a room reads on",
    shows: /reads on after being removed/,
    sabotage: () =>
      replaceMethod(Room.prototype, "dismiss", (dismiss) =>
        function (this: Room, reader) {
          dismiss.call(this, reader);
          this.join(reader, undefined);
        }),
    plan: removals,
  },
  {
    name: "the key does not change when somebody is sent out",
    shows: /A key is used that one knows who was removed/,
    sabotage: () =>
      replaceMethod(Room.prototype, "dismiss", () =>
        function (this: Room, reader) {
          this.leave(reader);
        }),
    plan: removals,
  },
  {
    name: "somebody who is muted is heard",
    shows: /though muted/,
    sabotage: () => letAllWrite(),
    plan: mutes,
  },
  {
    name: "a client shows entries before it keeps them",
    shows: /was shown \d+, and has kept|was shown \d+ after/,
    wrapProfile: (profile, world) => ({
      ...profile,
      take: (taken) => world.after(1, () => unlessEnded(() => profile.take(taken))),
    }),
    plan: often("crash keeping"),
  },
  {
    name: "a client sends what is said before it keeps it",
    shows: /and the log has/,
    wrapProfile: (profile, world) => ({
      ...profile,
      say: (messages) => world.after(50, () => unlessEnded(() => profile.say(messages))),
    }),
    plan: often("crash keeping"),
  },
  {
    name: "a client keeps where it stands before the entries up to there",
    shows: /with a hole/,
    wrapProfile: (profile) => ({
      ...profile,
      take(taken) {
        profile.take({ ...taken, entries: [] });
        profile.takeEarlier(taken.room, taken.entries);
      },
    }),
    plan: often("crash keeping"),
  },
  {
    name: "a client forgets what it kept of what it said",
    shows: /and the log has/,
    wrapProfile: (profile) => ({ ...profile, messages: () => [] }),
    plan: often("crash"),
  },
  {
    name: "a page of catch-up lacks its last entry",
    shows: /changed entries|left out entries/,
    makeWrapStore: () => (store) => new PageStore(store, withoutLastEntry),
    plan: cutOff,
  },
  {
    name: "a page of catch-up begins one entry too late",
    shows: /changed entries|left out entries/,
    makeWrapStore: () => (store) => new PageStore(store, withoutFirstEntry),
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
    sabotage: () => dropNewKeys(),
    plan: removals,
  },
  {
    name: "a server forgets whom it told to slow down",
    shows: /and the log has/,
    sabotage: () => forgetAwaited("slow_down"),
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

/** Who reads a room already is not told of its next key. */
function dropNewKeys(): () => void {
  const known = new WeakMap<Session, Set<string>>();
  return replaceMethod(Session.prototype, "send", (send) =>
    function (this: Session, message) {
      const [attach] = decodeMessages(message);
      if (attach?.type === "removed") known.get(this)?.delete(mapKey(attach.room));
      if (attach?.type === "attach") {
        const rooms = known.get(this) ?? new Set();
        known.set(this, rooms);
        if (rooms.has(mapKey(attach.room))) return;
        rooms.add(mapKey(attach.room));
      }
      send.call(this, message);
    });
}

/** Whom it told that something was not taken for now, a server forgets at once. */
function forgetAwaited(code: string): () => void {
  return replaceMethod(Session.prototype, "send", (send) =>
    function (this: Session, message) {
      send.call(this, message);
      const [error] = decodeMessages(message);
      if (error?.type === "error" && error.code === code) {
        Object.assign(this, { awaited: new AwaitedMessages() });
      }
    });
}

/** Readers are not told that a room goes on elsewhere. */
function withoutResets(): () => void {
  return replaceMethod(Session.prototype, "send", (send) =>
    function (this: Session, message) {
      if (decodeMessages(message)[0]?.type !== "reset") send.call(this, message);
    });
}

/** Nobody counts as muted. */
function letAllWrite(): () => void {
  return replaceMethod(
    Hub.prototype,
    "membership",
    (membership) =>
      function (this: Hub, room, user) {
        const found = membership.call(this, room, user);
        return found && Object.create(found, { mutedUntilMs: { value: 0, writable: true } });
      },
  );
}

/** Does something that a process may end over, later than the process thinks. */
function unlessEnded(act: () => void): void {
  try {
    act();
  } catch (cause) {
    if (!(cause instanceof ProcessEnded)) throw cause;
  }
}

function lieAboutRefusals(send: Session["send"]): Session["send"] {
  return function (this: Session, bytes) {
    const [message] = decodeMessages(bytes);
    if (message?.type !== "error" || !message.messageId) return send.call(this, bytes);
    Object.assign(this, { awaited: new AwaitedMessages() });
    const { messageId } = message;
    send.call(
      this,
      encodeControl("stored", { room: this.services.hub.lobby.id, messageId, seq: 1 }),
    );
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
        open.call(this, (message) => {
          send(message);
          const id = messageIdOf(message.core);
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
    const first: OwnMessage[] = [];
    open.call(this, (message) => first.push(message));
    for (const message of first.toReversed()) send(message);
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
