/**
 * What a person or a script sees of the rooms: what comes to the one on the screen is shown, elsewhere it is
 * counted.
 *
 * @module
 */

import { equal } from "../../protocol/bytes.ts";
import type { Clock } from "../../protocol/clock.ts";
import { Content } from "../../protocol/entry.ts";
import { entriesTogetherMax } from "../../protocol/limits.ts";
import type { ClientEntry, ClientEvent, ClientRoom, Presence } from "../events.ts";
import { isAuthor, type Line } from "./lines.ts";
import { kindText, prompts } from "./prompt.ts";
import type { Client } from "../reconnect.ts";
import { isMention, isNews, RoomView, RoomViews, type Self } from "./room_views.ts";
import { mark, showArrival, showHappening } from "./show_room.ts";
import { Typists } from "./typists.ts";
import { changedKeyText, happeningText } from "./sealed_text.ts";
import { notice, type Ui } from "./ui.ts";

/** One call for attention is enough for so long. */
const bellMs = 1_000;

/** Entries that are taken up of what is kept of a room, beside those that were not read. */
const loadedMin = 200;

/** MUST show each entry of the room on the screen once; MUST count those of others. */
export class Watch {
  readonly views = new RoomViews();
  /** The room that we are going into, or out of, by our own wish. */
  moving: string | undefined;
  readonly #ui: Ui;
  readonly #clock: Pick<Clock, "timer">;
  readonly #typists: Typists;
  readonly #lost = Promise.withResolvers<void>();
  #client: Client | undefined;
  #isConnected = true;
  /** Whether the server can be asked. */
  #isRunning = false;
  #cancelBell: (() => void) | undefined;

  constructor(ui: Ui, clock: Pick<Clock, "timer">) {
    this.#ui = ui;
    this.#clock = clock;
    this.#typists = new Typists(clock, () => this.drawPrompt());
  }

  /** Resolves when the room is gone that a script talks in. */
  get lost(): Promise<void> {
    return this.#lost.promise;
  }

  get self(): Self {
    const { name, userId } = this.#client!.welcome;
    return { name, userId };
  }

  /**
   * Shows a person what was said last, as far as it is kept; then what was missed can come.
   *
   * @param name the room to begin in; the lobby, or where an invitation leads, when there is none
   */
  begin(client: Client, name: string | undefined, isInvited: boolean): void {
    this.#client = client;
    for (const room of client.rooms) this.#count(this.views.of(room));
    const view = name === undefined
      ? this.#invitedTo(isInvited && client.isKept) ?? this.views.all[0]
      : this.views.named(name);
    if (view) this.enter(view, view !== this.views.all[0]);
  }

  /** The session is served from now on. */
  open(): void {
    this.#isRunning = true;
    if (this.views.here) void this.#learn(this.views.here);
  }

  /** Ends all timers. */
  close(): void {
    this.#typists.clear();
    this.#cancelBell?.();
  }

  /** Talks in a room from now on; a person sees it. */
  enter(view: RoomView, hasHeader = true): void {
    if (this.#ui.hasCommands) this.show(view, hasHeader);
    this.views.here = view;
  }

  /** Takes what a client tells of rooms, and of its connection. */
  take(event: ClientEvent): void {
    switch (event.kind) {
      case "entries":
        return this.#takeEntries(event.room, event.entries);
      case "reset":
        return this.#reset(event);
      case "presence":
        return this.#takePresence(event);
      case "typing":
        return this.#takeTyping(event);
      case "room":
        return this.#takeRoom(event);
      case "removed":
        return this.#removed(event);
      case "keys":
        return this.#takeKeys(event);
      case "changed_key":
        return this.#notice(changedKeyText(event.name));
      case "disconnected":
        return this.#disconnected(event.reason);
      case "reconnected":
        return this.#reconnected();
    }
  }

  #disconnected(reason: string): void {
    this.#isConnected = false;
    this.#typists.clear();
    for (const view of this.views.all) {
      view.missedSeq = Infinity;
      view.isLearnt = view.isMarked = false;
    }
    this.#notice(`Disconnected, reconnecting by itself. ${reason}`);
  }

  #reconnected(): void {
    this.#isConnected = true;
    if (this.views.here) void this.#learn(this.views.here);
    this.#notice("Connected again.");
  }

  #takeEntries(room: ClientRoom, entries: readonly ClientEntry[]): void {
    const isHere = this.views.isHere(room);
    if (!this.#ui.hasCommands) {
      if (isHere) { for (const entry of entries) this.#showPlainly(entry); }
      return;
    }
    const view = this.#load(this.views.of(room));
    for (const entry of entries) this.#takeEntry(view, entry, isHere);
    view.lines.trim();
    if (isHere) this.#client?.seen(room.id);
    if (entries.some((entry) => isMention(entry, this.self))) this.#ring();
  }

  #takeEntry(view: RoomView, entry: ClientEntry, isHere: boolean): void {
    const { author, core: { content } } = entry;
    if (author) view.meet(author.name);
    if (author && content >= Content.joined) view.justMoved.add(author.name);
    if (author) this.#typists.end(author.name);
    const happening = view.lines.absorb(entry);
    const news = isNews(entry, this.self);
    const isForUs = isMention(entry, this.self);
    if (!isHere) {
      if (!this.#ui.takesLines) this.#tellNews(view, news, isForUs);
      if (news) view.unread++;
      if (isForUs) view.isMentioned = true;
      return;
    }
    if (entry.seq <= view.missedSeq && !view.isMarked && news) {
      view.isMarked = true;
      this.#ui.show(mark);
    }
    if (!happening || this.#isEcho(entry)) return;
    const shown = showHappening(view, happening);
    if (!shown) return;
    this.#ui.show(shown.kind === "message" && isForUs ? { ...shown, isMention: true } : shown);
  }

  /** Where no prompt says it, a line does: that there is something new, and that it means us. */
  #tellNews(view: RoomView, news: boolean, isForUs: boolean): void {
    const { name, unread, isMentioned } = view;
    if (isForUs && !isMentioned) {
      this.#notice(`Somebody means you in ${name}: /switch ${name}`);
    } else if (news && unread === 0) {
      this.#notice(`There is something new in ${name}: /switch ${name}`);
    }
  }

  /** A script is shown what is said as it is; what it may have to know beyond, as a notice. */
  #showPlainly(entry: ClientEntry): void {
    const { core: { content }, author, verified, timeMs, isErased } = entry;
    if (this.#isEcho(entry) || isErased) return;
    if (content === Content.text || content === Content.action) {
      return this.#ui.show({
        kind: "message",
        name: author?.name ?? "unknown",
        text: new TextDecoder().decode(entry.core.payload),
        action: content === Content.action,
        verified,
        time: timeMs,
      });
    }
    const view = new RoomView(this.views.here!.room); // It remembers no lines.
    const happening = view.lines.absorb(entry);
    const shown = happening && showHappening(view, happening);
    if (shown) this.#ui.show(shown);
  }

  /** What we did ourselves is known here; but on a terminal our words appear in their place. */
  #isEcho({ core: { content }, isOwn, author }: ClientEntry): boolean {
    if (content < Content.joined) return isOwn && !this.#ui.takesLines && content <= Content.action;
    return author !== undefined && equal(author.userId, this.self.userId);
  }

  #reset({ room, reason }: ClientEvent & { kind: "reset" }): void {
    const view = this.views.of(room);
    view.lines.cut(room.cursor?.seq ?? 0);
    const isHere = this.views.isHere(room);
    if (!isHere && !this.#ui.hasCommands) return;
    this.#notice(`Something may be missing ${isHere ? "here" : `in ${view.name}`}. ${reason}`);
  }

  #takePresence({ room, here, gone }: Presence & { readonly room: ClientRoom }): void {
    const view = this.views.of(room);
    const isHere = this.views.isHere(room);
    for (const name of [...here, ...gone]) view.meet(name);
    if (isHere) { for (const name of gone) this.#typists.end(name); }
    const news = (names: readonly string[]) =>
      names.filter((name) => !view.justMoved.delete(name) && isHere && name !== this.self.name);
    for (const name of news(here)) this.#ui.show({ kind: "joined", name });
    for (const name of news(gone)) this.#ui.show({ kind: "left", name });
  }

  #takeTyping({ room, name }: ClientEvent & { kind: "typing" }): void {
    if (this.views.isHere(room) && name !== this.self.name) this.#typists.note(name);
  }

  #takeRoom({ room, isNew }: ClientEvent & { kind: "room" }): void {
    const view = this.views.of(room);
    const isMoving = view.name.toLowerCase() === this.moving?.toLowerCase();
    if (!isNew || isMoving || !this.#ui.hasCommands) return;
    this.#notice(`You are in ${view.name} too now. /switch ${view.name} shows it.`);
  }

  #takeKeys({ room, happening }: ClientEvent & { kind: "keys" }): void {
    const text = happeningText(happening, { isDirect: room.info.direct });
    if (text !== undefined) this.#notice(`${this.views.of(room).name}: ${text}`);
  }

  #removed({ room, name, reason }: ClientEvent & { kind: "removed" }): void {
    const wasHere = this.views.remove(room);
    const isOwnWish = this.moving === name;
    this.#notice(`You are no longer in ${name}. ${reason}`);
    if (!wasHere) return;
    this.#typists.clear();
    if (!this.#ui.hasCommands) return this.#lost.resolve();
    // Who did not wish to leave may be about to say something that is not for another room.
    if (isOwnWish) this.show(this.views.all[0]!);
    else this.#notice("What you type goes nowhere until you choose: /switch lobby, say.");
  }

  // What is on the screen.

  /** Puts a room on the screen. Where no prompt says which one that is, a notice always does. */
  show(view: RoomView, hasHeader = true): void {
    this.views.here = view;
    this.#typists.clear();
    this.#load(view);
    const { name, isKnown, room: { info, id, cursor } } = view;
    if (!cursor) view.missedSeq = 0; // Nothing can be missed of what one has never been in.
    if (this.#isRunning) void this.#learn(view);
    const isUnprompted = !this.#ui.takesLines;
    const kind = isKnown && !isUnprompted ? "" : ` (${kindText(info)})`;
    const topic = info.topic === "" ? "" : ` Topic: ${info.topic}`;
    if (hasHeader || isUnprompted) this.#notice(`You are in ${name}${kind}.${topic}`);
    view.isKnown = true;
    const arrival = showArrival(view, (line) => this.#isOthers(line));
    for (const row of arrival.rows) this.#ui.show(row);
    view.isMarked = arrival.isMarked;
    view.clear();
    if (view.draft !== "") this.#ui.write(view.draft);
    view.draft = "";
    this.#client?.seen(id);
    this.drawPrompt();
  }

  /** Asks where a room ended when we connected (what comes up to there was missed), and who is in it. */
  async #learn(view: RoomView): Promise<void> {
    if (view.isLearnt || !this.#ui.hasCommands) return;
    view.isLearnt = true;
    const { id } = view.room;
    try {
      const end = await this.#client!.command("history", { count: 1 }, id);
      view.missedSeq = Math.min(view.missedSeq, end.firstSeq ?? 0);
      const { members } = await this.#client!.command("who", {}, id);
      for (const { name } of members) view.meet(name);
    } catch {
      view.isLearnt = false; // It is asked again when the connection is back.
    }
  }

  #isOthers(line: Line): boolean {
    return line.kind !== "event" && !isAuthor(line, this.self.userId);
  }

  /** Takes up what is kept of a room. */
  #load(view: RoomView): RoomView {
    if (view.isLoaded) return view;
    view.isLoaded = true;
    const { id, cursor, readSeq } = view.room;
    const unread = (cursor?.seq ?? 0) - readSeq;
    const count = Math.min(unread + loadedMin, entriesTogetherMax);
    for (const entry of this.#client?.newest(id, count) ?? []) {
      view.lines.absorb(entry);
      if (entry.author) view.meet(entry.author.name);
    }
    return view;
  }

  /** Counts what an earlier process took and nobody has read. */
  #count(view: RoomView): void {
    const { id, firstUnreadSeq, cursor } = view.room;
    if (!this.#ui.hasCommands || firstUnreadSeq === undefined || !cursor) return;
    const count = Math.min(cursor.seq - firstUnreadSeq + 1, entriesTogetherMax);
    const unread = this.#client!.newest(id, count).filter(({ seq }) => seq >= firstUnreadSeq);
    view.unread = unread.filter((entry) => isNews(entry, this.self)).length;
    view.isMentioned = unread.some((entry) => isMention(entry, this.self));
  }

  /** The room that an invitation has just let us into. */
  #invitedTo(isInvited: boolean): RoomView | undefined {
    const [, ...others] = this.views.all;
    const unknown = others.filter(({ room }) => room.cursor === undefined);
    const isWanted = isInvited && this.#ui.hasCommands;
    return isWanted && unknown.length === 1 ? unknown[0] : undefined;
  }

  /** Says where one is. */
  drawPrompt(): void {
    const { here, unread } = this.views;
    this.#ui.prompt(...prompts({
      room: here?.room.info,
      isConnected: this.#isConnected,
      unread,
      typists: this.#typists.names,
    }));
  }

  #ring(): void {
    if (this.#cancelBell) return;
    this.#ui.bell();
    this.#cancelBell = this.#clock.timer(bellMs, () => this.#cancelBell = undefined);
  }

  #notice(text: string): void {
    notice(this.#ui, text);
  }
}
