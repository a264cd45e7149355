import { encodeControl } from "../../protocol/message.ts";
import type { Member } from "../member.ts";

/** Answers a ping. */
export function answerPing(member: Member): void {
  member.send(encodeControl("pong", {}));
}

/** The user leaves: shown at once, not after the grace time. */
export function goodbye(member: Member): void {
  member.isLeaving = true;
  member.end();
}
