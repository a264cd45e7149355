/**
 * What a person's lines bring about in sealed rooms, beyond what the server does.
 *
 * @module
 */

import { GroupError } from "../../crypto/group.ts";
import type { Args, CommandName, Role } from "../../protocol/command.ts";
import {
  direct,
  giveRole,
  invite,
  report,
  revoke,
  safetyNumberWith,
  takeOut,
} from "../sealed/acts.ts";
import type { SealedRoom } from "../sealed/sealed_room.ts";
import { answerRows, type LinkOf } from "./answers.ts";
import { kindText } from "./prompt.ts";
import type { RoomView } from "./room_views.ts";
import { Hint, type Scene } from "./scene.ts";
import { unconfirmedText } from "./sealed_text.ts";

/** Goes into the room of two, and says something there. */
export async function message(scene: Scene, name: string, text: string | undefined): Promise<void> {
  const { client, views } = scene;
  const { room } = await direct(client, name);
  const view = views.of(room);
  if (views.here !== view) scene.show(view);
  if (text !== undefined) await scene.say(view, text, {});
}

/** What the room is, and whose keys it has. */
export async function tellRoom({ client, notice }: Scene, { name, room }: RoomView): Promise<void> {
  const { info } = room;
  notice(`${name} is ${kindText(info)}.${info.direct ? "" : ` You are ${info.role} here.`}`);
  const sealed = client.sealedRoom(room.id);
  if (!sealed) return;
  const keys = await report(client, sealed);
  if (!keys) return notice("You do not have this room's keys yet.");
  const byName = keys.members.toSorted((a, b) => a.name < b.name ? -1 : 1);
  const members = byName.map(({ name, role, isVerified }) => {
    const isPlain = role === "member" || info.direct; // In a room of two neither rules.
    const about = [...(isPlain ? [] : [role]), ...(isVerified ? ["verified"] : [])];
    return about.length > 0 ? `${name} (${about.join(", ")})` : name;
  });
  const have = members.length === 1 ? "One has" : `${members.length} have`;
  notice(`${have} its keys: ${members.join(", ")}. /verify WHO compares.`);
  if (keys.waiting.length > 0) {
    notice(`Waiting to be let in: ${keys.waiting.join(", ")}. /admit WHO lets somebody in.`);
  }
  notice(`Keys ${keys.generation}.${keys.epoch}; all members see the same code: ${keys.code}`);
  if (!keys.isConfirmed) notice(unconfirmedText);
}

/** Sixty digits to compare, and what came of it. */
export function verify(
  { client, self, notice }: Scene,
  { name, isSame }: { name: string; isSame: boolean },
): void {
  if (name.toLowerCase() === self.name.toLowerCase()) throw new Hint("That is you.");
  const digits = safetyNumberWith(client, name);
  if (digits === undefined) {
    throw new Hint(`You have not met ${name} in a sealed room yet. /msg ${name} opens one.`);
  }
  if (isSame) {
    client.acceptKey(name);
    return notice(
      `${
        client.people.named(name)!.name
      } is verified: another key would be told, and nothing sent.`,
    );
  }
  const isChanged = client.people.named(name)?.changedTo !== undefined;
  for (
    const row of [
      ...(isChanged
        ? [`${name} has another key than before: these digits are of the new one.`]
        : []),
      `Compare these digits with ${name}, by phone or face to face, not here:`,
      ...inRows(digits),
      `Are they the same? /verify ${name} ok remembers that.`,
    ]
  ) notice(row);
}

/** Twelve groups of five digits in three rows. */
function inRows(digits: string): string[] {
  const groups = digits.match(/\d{5}/g) ?? [];
  return [0, 4, 8].map((from) => `  ${groups.slice(from, from + 4).join(" ")}`);
}

/** Lets in who asks for it. */
export async function admit(
  { client, notice }: Scene,
  { room, name: roomName }: RoomView,
  name: string | undefined,
): Promise<void> {
  const sealed = client.sealedRoom(room.id);
  if (!sealed) throw new Hint(`${roomName} is open: whoever may come in reads it.`);
  const waiting = sealed.knocks.all.map((knocker) => knocker.name);
  const list = waiting.length > 0 ? `Waiting: ${waiting.join(", ")}.` : "Nobody is waiting.";
  if (name === undefined) return notice(list);
  if (!await sealed.admit(name)) throw new Hint(`${name} is not waiting. ${list}`);
  notice(`${name} has the keys now.`);
}

/** A link into a sealed room holds a key that the server does not get. */
export async function inviteSealed(
  scene: Scene,
  view: RoomView,
  sealed: SealedRoom,
  args: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { client, ui, notice } = scene;
  const typed = args as Args<"invite">;
  const made = await invite(client, sealed, typed);
  const linkOf: LinkOf = (invitation, address) =>
    scene.linkOf(invitation, address, { name: view.name, key: made.key });
  for (const row of answerRows("invite", made, { args: typed, room: view.name, linkOf })) {
    if (typeof row === "string") notice(row);
    else ui.show(row);
  }
}

/** Who is sent out loses the keys first: then it does not depend on the server. */
export async function beforeCommand(
  { client, notice }: Scene,
  sealed: SealedRoom,
  name: CommandName,
  args: Readonly<Record<string, unknown>>,
): Promise<void> {
  const who = name === "kick" ? args["user"] : name === "ban" ? args["who"] : undefined;
  if (typeof who !== "string") return;
  try {
    const ended = await takeOut(client, sealed, who.replace(/^@/, ""));
    if (!ended || ended.length === 0) return;
    notice(`Links that ${who} came by or made let nobody in any more. /invite makes another.`);
  } catch (cause) {
    // Whoever may not do it is told so by the server, in its words.
    if (!(cause instanceof GroupError && cause.reason === "policy")) throw cause;
  }
}

/** What the server has changed, the group has to. */
export async function afterCommand(
  { client }: Scene,
  sealed: SealedRoom,
  name: CommandName,
  args: Readonly<Record<string, unknown>>,
): Promise<void> {
  if (name === "role") {
    await giveRole(client, sealed, String(args["user"]).replace(/^@/, ""), args["role"] as Role);
  }
  if (name === "revoke") await revoke(sealed, String(args["invitation"]));
}
