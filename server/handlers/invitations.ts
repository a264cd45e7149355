import type { Args, Result } from "../../protocol/command.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { noted, optional } from "../moderation/acting.ts";
import { fitting } from "../answer_rows.ts";
import type { AskedInRoom } from "../asked.ts";

/** Makes an invitation; its bytes are told once, here, and kept nowhere. */
export async function invite(
  asked: AskedInRoom,
  { forMs, uses, key: sealedKey }: Args<"invite">,
): Promise<Result<"invite">> {
  const { actor, room, services: { invitations, clock, address } } = asked;
  const untilMs = forMs === undefined ? undefined : clock.now() + forMs;
  const terms = { room: room.id, by: actor.name, user: actor.user?.id, uses, untilMs, sealedKey };
  const { secret, invitation, kept } = invitations.make(terms);
  const act = { act: "invite", value: invitation.id, ...optional("untilMs", untilMs) };
  await noted(asked, act, [kept], room);
  return {
    invitation: secret,
    ...optional("untilMs", untilMs),
    ...optional("address", address?.()),
  };
}

/** Lists the invitations into a room. */
export function invitations(
  { room, services: { invitations } }: AskedInRoom,
): Result<"invitations"> {
  const rows = invitations.of(room.id).map(({ id, by, uses, untilMs }) => ({
    id,
    by,
    ...optional("uses", uses),
    ...optional("untilMs", untilMs),
  }));
  return { invitations: fitting(rows) };
}

/** Ends an invitation. */
export async function revoke(
  asked: AskedInRoom,
  { invitation: id }: Args<"revoke">,
): Promise<Result<"revoke">> {
  const { room, services: { invitations } } = asked;
  const found = invitations.of(room.id).find((one) => one.id === id.toLowerCase());
  if (!found) {
    throw new ProtocolError("no_such_invitation", `There is no invitation ${id} into this room.`);
  }
  await noted(asked, { act: "revoke", value: found.id }, [invitations.end([found])], room);
  return {};
}
