/**
 * Looks into the core while it runs: which commits came, and what was refused. It only looks.
 *
 * @module
 */

import { mapKey } from "../../../protocol/bytes.ts";
import { decodeMessages } from "../../../protocol/message.ts";
import { messageIdOf } from "../../../protocol/entry.ts";
import { Group as ServerGroup } from "../../../server/group.ts";
import { Session as ServerSession } from "../../../server/session.ts";
import { Session as ClientSession } from "../../../client/session.ts";
import { replaceMethod, undoAll } from "../wrap.ts";
import type { World } from "../world.ts";
import type { SealedCoverage } from "./coverage.ts";

/** Which group info came with which commit, by the commit's message id. */
export type Infos = Map<string, Uint8Array>;

/** Starts looking; the returned function ends it. */
export function probe(world: World, coverage: SealedCoverage, infos: Infos): () => void {
  return undoAll([
    replaceMethod(
      ServerGroup.prototype,
      "after",
      (after) =>
        function (this: ServerGroup, commit, seq, nowMs) {
          infos.set(mapKey(commit.messageId), commit.groupInfo.hash.slice());
          return after.call(this, commit, seq, nowMs);
        },
    ),
    replaceMethod(
      ServerSession.prototype,
      "send",
      (send) =>
        function (this: ServerSession, message) {
          if (message[4] === errorKind) note(this, message);
          send.call(this, message);
        },
    ),
    replaceMethod(
      ClientSession.prototype,
      "publish",
      (publish) =>
        function (this: ClientSession, room, core) {
          world.note(this.welcome.name, () => `sends ${short(messageIdOf(core))}`);
          publish.call(this, room, core);
        },
    ),
  ]);

  function note(session: ServerSession, message: Uint8Array): void {
    const [error] = decodeMessages(message);
    if (error?.type !== "error") return;
    const { code, messageId } = error;
    if (code === "stale_epoch") coverage.staleMessages++;
    if (code === "stale_commit") coverage.staleCommits++;
    const what = messageId ? short(messageId) : "a request";
    world.note("server", () => `refuses ${what} of ${session.user.name}: ${code}`);
  }
}

function short(messageId: Uint8Array): string {
  return messageId.subarray(8, 12).toHex();
}

const errorKind = 3;
