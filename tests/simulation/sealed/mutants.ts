/**
 * Faults put into sealed rooms from outside, each of a kind that is easily made. A simulation that does
 * not find them would not find the like either.
 *
 * @module
 */

import { Orphans } from "../../../client/sealed/orphans.ts";
import { Reading } from "../../../client/sealed/reading.ts";
import { RoomKeys } from "../../../client/sealed/room_keys.ts";
import { SealedRoom } from "../../../client/sealed/sealed_room.ts";
import { Session as ClientSession } from "../../../client/session.ts";
import type { Cursor } from "../../../protocol/message.ts";
import { decodeMessages, encodeControl } from "../../../protocol/message.ts";
import { Comings } from "../../../server/comings.ts";
import { Group as ServerGroup } from "../../../server/group.ts";
import { Room as ServerRoom } from "../../../server/room.ts";
import { Session as ServerSession } from "../../../server/session.ts";
import { ProcessEnded } from "../mortal.ts";
import { replaceMethod, undoAll } from "../wrap.ts";
import type { SealedOptions } from "./simulate.ts";
import { all, busy, couples, goers, often, slowStore } from "./special_plans.ts";

/** A fault, and what it should be found by. */
export interface SealedMutant extends SealedOptions {
  readonly name: string;
  /** What one of the violations that it leads to says. */
  readonly shows: RegExp;
}

export const mutants: readonly SealedMutant[] = [
  {
    name: "a client seals before it has marked the kept keys as used",
    shows: /A key was used twice/,
    wrapProfile: (profile) => ({
      ...profile,
      keepGroup(room, state, cursor, isClean) {
        const kept = profile.groups().find((one) => one.state === state);
        profile.keepGroup(room, state, cursor, kept ? kept.isClean : isClean);
      },
    }),
    plan: often("restart", "crash"),
  },
  {
    name: "a client does not renew its keys after a crash",
    shows: /A key was used twice/,
    sabotage: () =>
      replaceMethod(
        RoomKeys.prototype,
        "restore",
        (restore) =>
          function (this: RoomKeys, kept, group) {
            Object.defineProperty(this, "mustRenew", { get: () => false, set: () => {} });
            restore.call(this, kept, group);
          },
      ),
    plan: often("crash"),
  },
  {
    name: "a client sends a commit before it keeps what it has staged",
    shows: /bad commit/,
    wrapProfile: (profile, world) => ({
      ...profile,
      stage: (room, staged) => {
        if (!staged) return profile.stage(room, staged);
        world.after(500, () => unlessEnded(() => profile.stage(room, staged)));
      },
    }),
    plan: all(busy, often("crash")),
  },
  {
    name: "a client drops what it has staged when it has sent it",
    shows: /bad commit/,
    wrapProfile: (profile, world) => ({
      ...profile,
      stage: (room, staged) => {
        profile.stage(room, staged);
        if (staged) world.after(1, () => unlessEnded(() => profile.stage(room, undefined)));
      },
    }),
    plan: all(busy, often("crash", "cut")),
  },
  {
    name: "a client drops what it has staged before it keeps what comes of it",
    shows: /bad commit/,
    wrapProfile: (profile) => ({
      ...profile,
      take(taken) {
        if (taken.group) profile.stage(taken.room, undefined);
        profile.take(taken);
      },
    }),
    plan: all(busy, often("crash keeping")),
  },
  {
    name: "a server takes a commit that does not follow on the last one",
    shows: /bad commit|does not follow on/,
    sabotage: () => withoutOrder(),
    plan: busy,
  },
  {
    name: "a server takes what was sealed in an epoch that is over",
    shows: /sealed in another epoch/,
    sabotage: () => replaceMethod(ServerGroup.prototype, "isAt", () => () => true),
    plan: busy,
  },
  {
    name: "a reader opens what was sealed in an epoch that is over, and a server takes it",
    shows: /sealed in another epoch/,
    sabotage: () => undoAll([lenientReaders(), lenientServer()]),
    plan: busy,
  },
  {
    name: "the welcome is lost",
    shows: /was not shown|right to it have keys|Nobody lets in/,
    sabotage: () => withoutWelcomes(),
  },
  {
    name: "a client forgets what it said when the server says that it has it",
    shows: /its text is not kept here/,
    sabotage: () => storedLongAgo(),
    plan: all(often("cut"), slowStore),
  },
  {
    name: "a client reads on from where it has read, and not from where its keys are",
    shows: /are in the tree/,
    sabotage: () => withoutResumption(),
    plan: goers,
  },
  {
    name: "a client keeps its keys with a cursor that is too early",
    shows: /bad commit|met/,
    wrapProfile: (profile) => {
      let before: Cursor | undefined;
      return {
        ...profile,
        take(taken) {
          const { group } = taken;
          const cursor = group && before ? before : group?.cursor;
          if (group) before = group.cursor;
          profile.take(group && cursor ? { ...taken, group: { ...group, cursor } } : taken);
        },
      };
    },
    plan: all(busy, often("crash")),
  },
  {
    name: "a client that is sent away reads on with its old keys",
    shows: /./,
    sabotage: () => replaceMethod(RoomKeys.prototype, "leave", () => () => {}),
  },
  {
    name: "what waited when somebody came is sealed in the epoch before it",
    shows: /./,
    sabotage: () => sealsLate(),
    plan: busy,
  },
  {
    name: "who is back in a room of two is spoken to by the keys that they had before they left",
    shows: /who has no keys for it/,
    sabotage: () => replaceMethod(Orphans.prototype, "has", () => () => false),
    plan: couples,
  },
  {
    name: "who speaks to somebody does not wait for what the log says of them",
    shows: /who has no keys for it/,
    sabotage: () => replaceMethod(SealedRoom.prototype, "hasRead", () => () => Promise.resolve()),
    plan: couples,
  },
  {
    name: "who comes and goes is not in the log when the server ends before",
    shows: /./,
    sabotage: () => replaceMethod(Comings.prototype, "resume", () => () => Promise.resolve()),
    plan: all(couples, often("kill", "kill unsynced")),
  },
];

/** Does something that a process may end over, later than the process thinks. */
function unlessEnded(act: () => void): void {
  try {
    act();
  } catch (cause) {
    if (!(cause instanceof ProcessEnded)) throw cause;
  }
}

/** Whichever commit one names as the one before it, the server takes it. */
function withoutOrder(): () => void {
  const state = Object.getOwnPropertyDescriptor(ServerGroup.prototype, "state")!;
  let examining = 0;
  Object.defineProperty(ServerGroup.prototype, "state", {
    configurable: true,
    get(this: ServerGroup) {
      const found = state.get!.call(this);
      return found && examining > 0
        ? Object.create(found, { commit: { value: undefined } })
        : found;
    },
  });
  return undoAll([
    () => Object.defineProperty(ServerGroup.prototype, "state", state),
    lenientServer(),
    replaceMethod(
      ServerRoom.prototype,
      "publish",
      (publish) =>
        function (this: ServerRoom, publication) {
          const { examine, isAlone } = publication;
          if (!examine || !isAlone) return publish.call(this, publication);
          publish.call(this, {
            ...publication,
            examine: (seq) => {
              examining++;
              return examine(seq).finally(() => examining--);
            },
          });
        },
    ),
    replaceMethod(
      ClientSession.prototype,
      "command",
      (command) =>
        function (this: ClientSession, name, args, room) {
          const { after: _, ...others } = args as { after?: Uint8Array };
          return (command as AnyCommand).call(this, name, name === "commit" ? others : args, room);
        } as typeof command,
    ),
  ]);
}

type AnyCommand = (name: string, args: unknown, room?: Uint8Array) => Promise<never>;

function lenientServer(): () => void {
  return replaceMethod(ServerGroup.prototype, "isAt", () => () => true);
}

/** Entries count as of the epoch that the reader is in, and open with whatever keys they need. */
function lenientReaders(): () => void {
  let current: RoomKeys | undefined;
  return undoAll([
    replaceMethod(
      RoomKeys.prototype,
      "inTurn",
      (inTurn) =>
        function <T>(this: RoomKeys, act: () => Promise<T>) {
          return inTurn.call(this, () => {
            current = this;
            return act();
          }) as Promise<T>;
        },
    ),
    replaceMethod(Reading.prototype, "read", (read) =>
      function (this: Reading, entries) {
        return read.call(
          this,
          entries.map((entry) => {
            if (entry.core.content === 5 || !entry.core.epoch) return entry;
            const core = {
              ...entry.core,
              get epoch() {
                const { generation = 0, epoch = 0 } = current?.group ?? {};
                return { generation, epoch };
              },
            };
            return { ...entry, core };
          }),
        );
      }),
  ]);
}

/** A server that says it has no welcome for anybody. */
function withoutWelcomes(): () => void {
  return replaceMethod(ServerGroup.prototype, "welcomeOf", () => () => undefined);
}

/** What the server has already it had, it says, long ago. */
function storedLongAgo(): () => void {
  return replaceMethod(
    ServerSession.prototype,
    "send",
    (send) =>
      function (this: ServerSession, message) {
        const [stored] = decodeMessages(message);
        if (stored?.type !== "stored") return send.call(this, message);
        const { room, messageId } = stored;
        send.call(this, encodeControl("stored", { room, messageId, seq: 1 }));
      },
  );
}

function withoutResumption(): () => void {
  const { prototype } = SealedRoom;
  const resumeAt = Object.getOwnPropertyDescriptor(prototype, "resumeAt")!;
  Object.defineProperty(prototype, "resumeAt", { configurable: true, get: () => undefined });
  return () => Object.defineProperty(prototype, "resumeAt", resumeAt);
}

/** A message that has been sealed waits before it goes out, and the server takes it all the same. */
function sealsLate(): () => void {
  return undoAll([
    lenientServer(),
    replaceMethod(
      ClientSession.prototype,
      "publish",
      (publish) =>
        function (this: ClientSession, room, core) {
          queueMicrotask(() => publish.call(this, room, core));
        },
    ),
  ]);
}
