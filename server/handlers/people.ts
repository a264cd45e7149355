import { whoNamesMax } from "../../protocol/limits.ts";
import { type Control, encodeControl } from "../../protocol/message.ts";
import type { Member } from "../member.ts";

/** Answers who is behind some devices. */
export function people(member: Member, { request, devices }: Control<"people">): void {
  const found = devices.flatMap((id) => member.people.behind(id) ?? []);
  member.send(encodeControl("peopleAnswer", { request, people: found }));
}

/** Answers who is in a room now. */
export function who(member: Member, { request, room }: Control<"who">): void {
  const { present } = member.hub.room(room);
  const names = [...present.values().map(({ person }) => person.name).take(whoNamesMax)].sort();
  member.send(encodeControl("whoAnswer", { request, names, total: present.size }));
}
