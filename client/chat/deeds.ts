/**
 * What a person's lines bring about.
 *
 * @module
 */

import { formatTime } from "../../protocol/answer_text.ts";
import { equal } from "../../protocol/bytes.ts";
import { type Args, commands, type Result, type TypedName } from "../../protocol/command.ts";
import { Content } from "../../protocol/entry.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { GroupError } from "../../crypto/group.ts";
import { answerRows } from "./answers.ts";
import type { ClientEntry } from "../events.ts";
import { Refused } from "../handshake.ts";
import { helpOf, helpText } from "./help.ts";
import type { Intent } from "./input.ts";
import { isAuthor, type Line } from "./lines.ts";
import { patiently } from "./patience.ts";
import { admit, inviteSealed, message, tellRoom, verify } from "./sealed_deeds.ts";
import { afterCommand, beforeCommand } from "./sealed_deeds.ts";
import type { RoomView } from "./room_views.ts";
import { Hint, type Scene } from "./scene.ts";
import { showLine } from "./show_room.ts";
import { nearestSlash } from "./slash.ts";

/** How long to wait until what was said last is in its room. */
const deliveryMs = 5_000;

/** What is told who has made a room by going into it. */
export const madeText = "You made this room, and are its owner. /invite makes a link for others.";

/** Found entries that are shown. */
const foundMax = 20;

/** Does what somebody wants; false when that is to leave. */
export async function carryOut(scene: Scene, intent: Intent): Promise<boolean> {
  try {
    await act(scene, intent);
  } catch (error) {
    const isForPeople = error instanceof Hint || error instanceof Refused ||
      error instanceof ProtocolError || error instanceof RangeError || error instanceof GroupError;
    if (!isForPeople) throw error;
    scene.notice(error.message);
  }
  return intent.kind !== "quit";
}

async function act(scene: Scene, intent: Intent): Promise<void> {
  switch (intent.kind) {
    case "nothing":
    case "quit":
      return;
    case "mistake":
    case "too_long":
      return scene.notice(intent.hint);
    case "say":
      return await scene.say(here(scene), intent.text, {});
    case "me":
      return await scene.say(here(scene), intent.text, { content: Content.action });
    case "reply":
      return await reply(scene, intent);
    case "edit":
      return await edit(scene, intent);
    case "delete":
      return await remove(scene, intent);
    case "react":
      return await react(scene, intent);
    case "receipts":
      return await receipts(scene, intent);
    case "history":
      return await history(scene, intent);
    case "search":
      return search(scene, intent.word);
    case "join":
      return await join(scene, intent.name, intent.open);
    case "part":
      return await part(scene, intent.name);
    case "msg":
      return await message(scene, intent.name, intent.text);
    case "room":
      return await tellRoom(scene, here(scene));
    case "verify":
      return await verify(scene, intent);
    case "admit":
      return await admit(scene, here(scene), intent.name);
    case "close":
      return await close(scene, intent.name);
    case "switch":
      return goTo(scene, intent);
    case "topic":
      return await topic(scene, intent.text);
    case "help":
      return help(scene, intent.about);
    case "command":
      return await command(scene, intent.name, intent.args);
  }
}

/** The room that is talked in. */
function here({ views }: Scene): RoomView {
  if (views.here) return views.here;
  throw new Hint("You are in no room now, so nothing was said. /switch ROOM goes to one of yours.");
}

async function reply(
  scene: Scene,
  { seq, text }: { seq: number | undefined; text: string },
): Promise<void> {
  const view = here(scene);
  const line = lineAt(view, seq) ??
    view.lines.newest((line) => isMessage(line) && !isAuthor(line, scene.self.userId));
  if (!line) throw new Hint("There is nothing to answer yet. /history shows what was said before.");
  await scene.say(view, text, { target: line.ref });
}

async function edit(
  scene: Scene,
  { seq, text }: { seq: number | undefined; text: string },
): Promise<void> {
  const view = here(scene);
  const line = await ownLine(scene, view, seq);
  await scene.say(view, text, { content: Content.edit, target: line.ref });
}

async function remove(scene: Scene, { seq }: { seq: number | undefined }): Promise<void> {
  const view = here(scene);
  // Moderators may delete what others said; the server decides that.
  const line = lineAt(view, seq) ?? await ownLine(scene, view, undefined);
  if (!isMessage(line)) throw new Hint(`#${line.seq} is nothing that can be deleted.`);
  await scene.say(view, "", { content: Content.deletion, target: line.ref });
}

async function react(
  scene: Scene,
  { seq, text }: { seq: number | undefined; text: string },
): Promise<void> {
  const view = here(scene);
  const hasOurs = (line: Line) => line.reactions.has(scene.self.name);
  if (text === "") await allDelivered(scene);
  const line = lineAt(view, seq) ??
    (text === "" && view.lines.newest(hasOurs) || view.lines.newest(isMessage));
  if (!line) throw new Hint("There is nothing to react to yet.");
  if (text === "" && !hasOurs(line)) throw new Hint(`You have not reacted to #${line.seq}.`);
  await scene.say(view, text, { content: Content.reaction, target: line.ref });
}

/** A message of one's own: this one, or the last, which may still be on its way. */
async function ownLine(scene: Scene, view: RoomView, seq: number | undefined): Promise<Line> {
  const { self } = scene;
  if (seq === undefined) await allDelivered(scene);
  const isOwn = (line: Line) => isMessage(line) && isAuthor(line, self.userId);
  const line = lineAt(view, seq) ?? view.lines.newest(isOwn);
  if (!line) throw new Hint("You have said nothing here yet, as far as this client knows.");
  if (isOwn(line)) return line;
  throw new Hint(
    `#${line.seq} is no message of yours. Your last one is changed without a number; a text that ` +
      "begins with one goes behind its number: /edit #12 3 o'clock",
  );
}

/** @throws {Hint} when something said is not in its room yet, and does not get there soon */
async function allDelivered({ client, clock }: Scene): Promise<void> {
  const late = Promise.withResolvers<boolean>();
  const cancel = clock.timer(client.isConnected ? deliveryMs : 0, () => late.resolve(true));
  const isLate = await Promise.race([client.delivered().then(() => false), late.promise]);
  cancel();
  if (!isLate) return;
  throw new Hint("What you said last is not in the room yet. Try again when it is.");
}

/** @throws {Hint} when there is none of this number */
function lineAt({ lines }: RoomView, seq: number | undefined): Line | undefined {
  if (seq === undefined) return undefined;
  const line = lines.at(seq);
  if (line) return line;
  throw new Hint(`#${seq} is no message that is known here. /history shows the numbers.`);
}

/** Whether it is something that somebody said, and that still stands there. */
function isMessage({ kind, text }: Line): boolean {
  return kind !== "event" && text !== undefined;
}

async function receipts(scene: Scene, { seq }: { seq: number | undefined }): Promise<void> {
  const { client, self } = scene;
  const view = here(scene);
  const line = lineAt(view, seq) ?? await ownLine(scene, view, undefined);
  const { members, total } = await client.command("receipts", {}, view.room.id);
  const others = members.filter(({ name }) => name !== self.name);
  const named = (what: string, isWanted: (member: typeof others[number]) => boolean) => {
    const names = others.filter(isWanted).map(({ name }) => name);
    return names.length > 0 ? ` ${what} ${names.join(", ")}.` : "";
  };
  const states = others.length === 0
    ? " Nobody else is in this room."
    : named("Read by", ({ read }) => read >= line.seq) +
      named("Got, and not yet read, by", ({ read, delivered }) =>
        read < line.seq && delivered >= line.seq) +
      named("Not yet got by", ({ delivered }) =>
        delivered < line.seq);
  const quote = [...line.text ?? "[deleted]"].slice(0, 30).join("");
  const more = total - members.length;
  scene.notice(
    `#${line.seq} "${quote}":${states}${more > 0 ? ` Of ${more} more it is not told.` : ""}`,
  );
}

/** Nothing brings a room back: it is asked for by name. */
async function close(scene: Scene, name: string | undefined): Promise<void> {
  const { room: { info } } = here(scene);
  if (name?.toLowerCase() !== info.name.toLowerCase()) {
    throw new Hint(
      `This would end ${info.name} for everybody, and erase its log. Should it: /close ${info.name}`,
    );
  }
  await command(scene, "close", {});
}

async function history(
  scene: Scene,
  { count, before }: { count: number; before: number | undefined },
): Promise<void> {
  const { client, ui } = scene;
  const view = here(scene);
  const entries = client.isConnected
    ? await entriesBefore(scene, view, before, count)
    : client.newest(view.room.id, count);
  if (!client.isConnected) scene.notice("Not connected: this is what is kept here.");
  view.lines.trim();
  for (const entry of entries) view.lines.absorb(entry);
  const lines = entries.flatMap(({ seq }) => view.lines.at(seq) ?? []);
  let day = "";
  for (const line of lines) {
    const [date = ""] = formatTime(line.timeMs).split(" ");
    if (date !== day) scene.notice(`${date}, times in UTC`);
    day = date;
    ui.show(showLine(view, line, { isNumbered: true, isTimed: true }));
  }
  const [first] = entries;
  if (!first) scene.notice("Nothing that was said before is kept.");
  else if (ownLines(entries) < count || first.seq === 1) scene.notice("That is all that is kept.");
  else scene.notice(`/history ${count} ${first.seq} shows what was said before that.`);
}

/** How many of these are shown on a line of their own, not with what they change. */
function ownLines(entries: readonly ClientEntry[]): number {
  return entries.filter(isOwnLine).length;
}

function isOwnLine({ core: { content } }: ClientEntry): boolean {
  return content !== Content.edit && content !== Content.deletion && content !== Content.reaction;
}

/** So many entries are asked for at least: there may be many reactions before the next message. */
const askedMin = 20;

/** The server answers by the page: as many as it takes for so many lines. */
async function entriesBefore(
  scene: Scene,
  { room: { id } }: RoomView,
  before: number | undefined,
  count: number,
): Promise<ClientEntry[]> {
  const entries: ClientEntry[] = [];
  for (let left = count; left > 0; left = count - ownLines(entries)) {
    const from = entries[0]?.seq ?? before;
    if (from !== undefined && from <= 1) break;
    const asked = Math.max(left, askedMin);
    const page = await wait(scene, () => scene.client.history(id, from, asked));
    if (page.length === 0) break;
    entries.unshift(...page);
  }
  let surplus = ownLines(entries) - count;
  while (surplus > 0) if (isOwnLine(entries.shift()!)) surplus--;
  return entries;
}

function search({ client, ui, views, notice }: Scene, word: string): void {
  const found = client.search({ word, limit: foundMax }).reverse();
  for (const entry of found) {
    const view = views.all.find(({ room }) => equal(room.id, entry.room));
    if (!view) continue;
    const happening = view.lines.absorb(entry);
    if (happening?.kind !== "line") continue;
    const shown = showLine(view, happening.line, { isNumbered: true });
    const where = `${view.name}, ${formatTime(entry.timeMs)}`;
    ui.show(shown.kind === "message" ? { ...shown, notes: [...shown.notes ?? [], where] } : shown);
  }
  const oldestMs = client.oldestMs();
  const reach = !client.isKept
    ? "This process keeps nothing, so nothing can be found by it."
    : oldestMs === undefined
    ? "Nothing is kept here yet."
    : `What is kept here reaches back to ${formatTime(oldestMs)}.`;
  const many = found.length === foundMax
    ? `The last ${foundMax} are shown.`
    : `${found.length} found.`;
  notice(`${many} ${reach}`);
}

async function join(scene: Scene, name: string, open: boolean): Promise<void> {
  const { client, views } = scene;
  const own = views.named(name);
  if (own) return scene.show(own);
  const { room, isNew } = await wait(scene, () => client.join(name, open ? { open } : {}));
  scene.knownRooms.add(room.info.name);
  scene.show(views.of(room));
  scene.notice(
    isNew
      ? madeText
      : room.info.sealed
      ? "What was said before you came in cannot be read."
      : "/history shows what was said before.",
  );
}

async function part({ client, views }: Scene, name: string | undefined): Promise<void> {
  const view = name === undefined ? views.here : views.named(name);
  if (view) return await client.part(view.room.id);
  const rooms = views.all.map(({ name }) => name).join(", ");
  throw new Hint(
    `You are in no room${name === undefined ? " now" : ` ${name}`}. Yours are ${rooms}.`,
  );
}

/** Whatever becomes of it, what was being typed stays with the room that it is for. */
function goTo(scene: Scene, { to, draft = "" }: Extract<Intent, { kind: "switch" }>): void {
  const { views, ui } = scene;
  const { here } = views;
  if (here) here.draft = draft;
  try {
    goToRoom(scene, to);
  } finally {
    if (!here || here === views.here) ui.write(draft);
    if (here && here === views.here) here.draft = "";
  }
}

function goToRoom(scene: Scene, to: string | number | undefined): void {
  const { views } = scene;
  const rooms = views.all.map(({ name }, at) => `${at + 1} ${name}`).join(", ");
  const view = to === undefined
    ? views.nextUnread()
    : typeof to === "number"
    ? views.all[to - 1]
    : views.named(to) ?? views.all[Number(to) - 1];
  if (view && view === views.here) return scene.notice(`You are in ${view.name}.`);
  if (view) return scene.show(view);
  if (to === undefined) throw new Hint(`Nothing is new in other rooms. Yours are ${rooms}.`);
  const how = typeof to === "number" ? "" : ` /join ${to} goes into it, or makes it.`;
  throw new Hint(`You are in no room ${to}. Yours are ${rooms}.${how}`);
}

async function topic(scene: Scene, text: string | undefined): Promise<void> {
  const view = here(scene);
  const { topic, sealed } = view.room.info;
  if (text !== undefined) {
    await command(scene, "topic", { text });
    if (sealed) scene.notice("The server can read a topic, in a sealed room too.");
    return;
  }
  scene.notice(
    topic === "" ? `${view.name} has no topic. /topic TEXT sets one.` : `${view.name}: ${topic}`,
  );
}

function help({ client, views, notice }: Scene, about: string | undefined): void {
  const { isAdmin } = client.welcome;
  const rows = about === undefined || about === "all"
    ? helpText({ role: views.here?.room.info.role, isAdmin }, about === "all")
    : helpOf(about);
  if (rows) return rows.flatMap((row) => row.split("\n")).forEach((row) => notice(row));
  const near = nearestSlash(about!.toLowerCase());
  notice(`There is no command ${about}. ${near ? `Did you mean /${near}?` : "/help lists all."}`);
}

/** Lets the server do something, and shows what it answers. */
async function command<Name extends TypedName>(
  scene: Scene,
  name: Name,
  args: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { client, ui, views } = scene;
  const view = commands[name].inRoom ? here(scene) : views.here;
  const typed = args as Args<Name>;
  const sealed = commands[name].inRoom && view ? client.sealedRoom(view.room.id) : undefined;
  if (sealed && name === "invite") return await inviteSealed(scene, view!, sealed, args);
  if (sealed) await beforeCommand(scene, sealed, name, args);
  const result = await wait(scene, () => client.command(name, typed, view?.room.id));
  if (sealed) await afterCommand(scene, sealed, name, args);
  remember(scene, name, result);
  const { linkOf } = scene;
  for (const row of answerRows(name, result, { args: typed, room: view?.name ?? "", linkOf })) {
    if (typeof row === "string") scene.notice(row);
    else ui.show(row);
  }
}

/** What is heard of rooms and people, Tab completes. */
function remember({ knownRooms, views }: Scene, name: TypedName, result: unknown): void {
  if (name === "rooms") {
    for (const { name } of (result as Result<"rooms">).rooms) knownRooms.add(name);
  } else if (name === "who") {
    for (const { name } of (result as Result<"who">).members) views.here?.meet(name);
  }
}

function wait<T>({ clock, notice }: Scene, act: () => Promise<T>): Promise<T> {
  return patiently(clock, notice, act);
}
