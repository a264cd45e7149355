import { fingerprint } from "../../crypto/identity.ts";
import type { Args, Result } from "../../protocol/command.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { type Control, encodeControl } from "../../protocol/message.ts";
import type { Asked } from "../asked.ts";
import type { Member } from "../member.ts";

/** Answers who is behind some devices. */
export function people(member: Member, { request, devices }: Control<"people">): void {
  const found = devices.flatMap((id) => member.services.people.behind(id) ?? []);
  member.send(encodeControl("peopleAnswer", { request, people: found }));
}

/** Who somebody is, and whether they are here. */
export function whois({ services }: Asked, { user: given }: Args<"whois">): Result<"whois"> {
  const { name, isAdmin, sessions, lastSeenMs, away, key } = services.people.named(given);
  return {
    name,
    isAdmin,
    isHere: sessions > 0,
    ...(away !== undefined && { away }),
    ...(sessions === 0 && { lastSeenMs }),
    ...(key && { fingerprint: fingerprint(key) }),
  };
}

/** Notes that somebody is away, or back. */
export function away({ actor }: Asked, { text }: Args<"away">): Result<"away"> {
  if (!actor.user) throw new ProtocolError("forbidden", "Only a user can be away.");
  actor.user.away = text;
  return {};
}
