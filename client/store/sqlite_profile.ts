/**
 * What is kept of one name at one server, in the client's SQLite file.
 *
 * @module
 */

import { equal } from "../../protocol/bytes.ts";
import {
  Content,
  type Core,
  decodeCore,
  messageIdOf,
  partsOf,
  refOf,
} from "../../protocol/entry.ts";
import { keptEntriesMax } from "../../protocol/limits.ts";
import type { Cursor } from "../../protocol/message.ts";
import type { ClientEntry } from "../events.ts";
import { eraseCore, fold, isDeletion, mayEdit, payloadText, textOf } from "./kept.ts";
import { readChange, type Verified } from "../room_log.ts";
import { bytes, type Row, type SqliteFile } from "./sqlite_file.ts";
import { SqliteGroups } from "./sqlite_groups.ts";
import { openSecret } from "./sqlite_secrets.ts";
import type { KeptEntry, KeptRoom, OwnMessage, Profile, Search, Taken } from "./store.ts";
import type { Vault } from "./vault.ts";

const entryColumns = "rooms.room as room_id, rooms.is_sealed, entries.*";
/** What an entry is that changes the one it names; reactions to it may be many. */
const changing: readonly number[] = [Content.edit, Content.deletion];
const isChange = `content in (${changing.join()})`;
const entryTables = "entries join rooms on rooms.id = entries.room";

/** How many texts of a sealed room are opened before it is looked whether they are enough. */
const searchedRows = 250;

/** See {@link Profile}. */
export class SqliteProfile extends SqliteGroups implements Profile {
  readonly isKept = true;
  readonly #file: SqliteFile;
  readonly #id: number;
  readonly #vault: Vault;
  readonly #release: () => void;
  readonly #entriesMax: number;

  /**
   * @param id the profile's row
   * @param vault seals what is secret, as the profile's
   * @param release lets another process have the name
   */
  constructor(
    file: SqliteFile,
    id: number,
    vault: Vault,
    release: () => void,
    entriesMax = keptEntriesMax,
  ) {
    super(file, id, vault);
    this.#file = file;
    this.#id = id;
    this.#vault = vault;
    this.#release = release;
    this.#entriesMax = entriesMax;
  }

  rooms(): KeptRoom[] {
    return this.#file.all("select * from rooms where profile = ? order by id", this.#id)
      .map((row) => ({
        id: bytes(row["room"]),
        name: String(row["name"]),
        cursor: { seq: Number(row["seq"]), hash: bytes(row["hash"]) },
        readSeq: Number(row["read_seq"]),
        isGone: row["is_gone"] === 1,
        isSealed: row["is_sealed"] === 1,
      }));
  }

  messages(): OwnMessage[] {
    return this.#file
      .all("select * from messages where profile = ? order by number", this.#id)
      .map((row) => ({
        room: bytes(row["room"]),
        core: openSecret(this.#vault, row, "messages.core", "room", "message_id"),
        ...(row["sealed"] && { sealed: bytes(row["sealed"]) }),
      }));
  }

  say(messages: readonly OwnMessage[]): void {
    this.#file.transact(() => {
      for (const { room, core, sealed = null } of messages) {
        const messageId = messageIdOf(core);
        const secret = this.#vault.seal(core, "messages.core", room, messageId);
        this.#file.run(
          "insert into messages (profile, room, message_id, core, sealed) values (?, ?, ?, ?, ?)",
          ...[this.#id, room, messageId, secret, sealed],
        );
      }
    });
  }

  keepSealed(messageId: Uint8Array, sealed: Uint8Array | undefined): void {
    this.#file.run(
      "update messages set sealed = ? where profile = ? and message_id = ?",
      ...[sealed ?? null, this.#id, messageId],
    );
  }

  settle(messageIds: readonly Uint8Array[]): void {
    this.#file.transact(() => this.#settle(messageIds));
  }

  enter(room: Uint8Array, name: string, { seq, hash }: Cursor, isSealed: boolean): void {
    this.#file.transact(() => {
      this.#file.run(
        `insert into rooms (profile, room, name, seq, hash, read_seq, is_gone)
          values (?, ?, ?, ?, ?, ?, 0)
          on conflict do update set name = excluded.name, seq = excluded.seq, hash = excluded.hash,
            is_gone = 0`,
        ...[this.#id, room, name, seq, hash, seq],
      );
      if (isSealed) this.#seal(room);
    });
  }

  take({ room, entries, cursor, settled, isSealed, group }: Taken): void {
    this.#file.transact(() => {
      if (isSealed) this.#seal(room);
      const id = this.#stand(room, cursor);
      this.#insert(id, entries);
      this.#settle(settled);
      if (group) this.keepGroup(room, group.state, group.cursor, group.isClean);
      const oldest = cursor.seq - this.#entriesMax;
      this.#file.run("delete from entries where room = ? and seq <= ?", id, oldest);
    });
  }

  takeEarlier(room: Uint8Array, entries: readonly ClientEntry[]): void {
    this.#file.transact(() => {
      const row = this.#room(room);
      if (!row) return;
      const oldest = Number(row["seq"]) - this.#entriesMax;
      const [id, kept] = [Number(row["id"]), entries.filter(({ seq }) => seq > oldest)];
      this.#insert(id, kept);
      // What came after them may erase and edit them.
      for (const { deviceId, core } of kept) {
        this.#reconsider(id, refOf(deviceId, core.messageId));
      }
    });
  }

  reset(room: Uint8Array, cursor: Cursor): number {
    return this.#file.transact(() => {
      const id = this.#stand(room, cursor);
      const { seq } = cursor;
      this.#file.run("update rooms set read_seq = min(read_seq, ?) where id = ?", seq, id);
      const dropped = this.#file.run("delete from entries where room = ? and seq > ?", id, seq);
      const edited = this.#file.all(
        `select ${entryColumns} from ${entryTables} where entries.room = ? and edited_by > ?`,
        ...[id, seq],
      );
      for (const row of edited) this.#setText(id, this.#toEntry(row));
      return dropped;
    });
  }

  read(room: Uint8Array, seq: number): void {
    this.#file.run(
      "update rooms set read_seq = ? where profile = ? and room = ?",
      ...[seq, this.#id, room],
    );
  }

  leave(room: Uint8Array, messageIds: readonly Uint8Array[]): void {
    this.#file.transact(() => {
      this.#file.run(
        "update rooms set is_gone = 1 where profile = ? and room = ?",
        ...[this.#id, room],
      );
      this.#settle(messageIds);
    });
  }

  newest(room: Uint8Array, count: number): KeptEntry[] {
    return this.#file.all(
      `select ${entryColumns} from ${entryTables}
        where profile = ? and rooms.room = ? order by entries.seq desc limit ?`,
      ...[this.#id, room, count],
    ).map(this.#toEntry).reverse();
  }

  hashBefore(room: Uint8Array, seq: number): Uint8Array | undefined {
    const row = this.#file.get(
      `select previous from ${entryTables} where profile = ? and rooms.room = ? and entries.seq = ?`,
      ...[this.#id, room, seq],
    );
    return row && bytes(row["previous"]);
  }

  search({ word, room, limit }: Search): KeptEntry[] {
    // instr takes every character as it is; like would not.
    const found = this.#file.all(
      `select ${entryColumns} from ${entryTables}
        where profile = ? and not is_gone and (? is null or rooms.room = ?)
          and instr(folded, ?) > 0
        order by time_ms desc, entries.seq desc limit ?`,
      ...[this.#id, room ?? null, room ?? null, fold(word), limit],
    ).map(this.#toEntry);
    const sealed = this.rooms()
      .filter(({ id, isGone, isSealed }) => isSealed && !isGone && (!room || equal(id, room)))
      .flatMap(({ id }) => this.#searchSealed(id, fold(word), limit));
    return [...found, ...sealed]
      .sort((a, b) => b.timeMs - a.timeMs || b.seq - a.seq)
      .slice(0, limit);
  }

  /** The newest of a sealed room: SQLite cannot look into them. */
  #searchSealed(room: Uint8Array, folded: string, limit: number): KeptEntry[] {
    const found: KeptEntry[] = [];
    for (let before = Number.MAX_SAFE_INTEGER; found.length < limit;) {
      const rows = this.#file.all(
        `select rooms.room as room_id, entries.room, entries.seq, sealed_text from ${entryTables}
          where profile = ? and rooms.room = ? and entries.seq < ? and sealed_text is not null
          order by entries.seq desc limit ${searchedRows}`,
        ...[this.#id, room, before],
      );
      if (rows.length === 0) break;
      const hits = rows.filter((row) => fold(this.#textOf(row)!).includes(folded));
      for (const row of hits) {
        found.push(...this.#all(Number(row["room"]), "entries.seq = ?", Number(row["seq"])));
      }
      before = Number(rows.at(-1)!["seq"]);
    }
    return found.slice(0, limit);
  }

  oldestMs(): number | undefined {
    // Time never goes back within a room, so its first entry is its oldest.
    const row = this.#file.get(
      `select min(time_ms) as ms from (
        select (select time_ms from entries where entries.room = rooms.id order by seq limit 1) time_ms
          from rooms where profile = ? and not is_gone)`,
      this.#id,
    );
    return typeof row?.["ms"] === "number" ? row["ms"] : undefined;
  }

  close(): void {
    this.#release();
  }

  #room(room: Uint8Array): Row | undefined {
    return this.#file.get(
      "select id, seq from rooms where profile = ? and room = ?",
      ...[this.#id, room],
    );
  }

  /** From here on a room is a sealed one. What of it was kept in the clear, if anything, goes. */
  #seal(room: Uint8Array): void {
    const row = this.#file.get(
      `update rooms set is_sealed = 1 where profile = ? and room = ? and not is_sealed
        returning id`,
      ...[this.#id, room],
    );
    if (row) this.#file.run("delete from entries where room = ?", Number(row["id"]));
  }

  /** Moves a room's cursor; the room's row. */
  #stand(room: Uint8Array, { seq, hash }: Cursor): number {
    const row = this.#file.get(
      "update rooms set seq = ?, hash = ? where profile = ? and room = ? returning id",
      ...[seq, hash, this.#id, room],
    );
    if (!row) throw new Error("Cannot keep entries because their room has not been entered");
    return Number(row["id"]);
  }

  #settle(messageIds: readonly Uint8Array[]): void {
    for (const id of messageIds) {
      this.#file.run("delete from messages where profile = ? and message_id = ?", this.#id, id);
    }
  }

  /** Keeps entries; they may erase and edit what came before them. */
  #insert(room: number, entries: readonly ClientEntry[]): void {
    const sealedRoom = this.#sealedRoom(room);
    for (const entry of entries) this.#insertOne(room, sealedRoom, entry);
    for (const { core: { content, target } } of entries) {
      if (target && changing.includes(content)) this.#reconsider(room, target);
    }
  }

  #insertOne(room: number, sealedRoom: Uint8Array | undefined, entry: ClientEntry): void {
    const { seq, timeMs, deviceId, core, isErased, previous, author, verified, isOwn } = entry;
    this.#file.run(
      `insert or ignore into entries (room, seq, time_ms, device_id, message_id, content, target,
          core, is_erased, previous, user_id, author, verified, is_own, text, folded, sealed_text)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[room, seq, timeMs, deviceId, core.messageId, core.content, core.target ?? null],
      ...[this.#coreToKeep(sealedRoom, seq, core), Number(isErased), previous],
      ...[author?.userId ?? null, author?.name ?? null, verified, Number(isOwn)],
      ...this.#textToKeep(sealedRoom, seq, textOf(entry)),
    );
  }

  /** A room's id if it is sealed: what is said in it is then kept sealed with our key. */
  #sealedRoom(room: number): Uint8Array | undefined {
    const row = this.#file.get("select room from rooms where id = ? and is_sealed", room);
    return row && bytes(row["room"]);
  }

  #coreToKeep(sealedRoom: Uint8Array | undefined, seq: number, core: Core): Uint8Array {
    return sealedRoom ? this.#vault.seal(core.bytes, "entries.core", sealedRoom, seq) : core.bytes;
  }

  /** What an entry says: as it is shown, as it is looked for, or both sealed. */
  #textToKeep(
    sealedRoom: Uint8Array | undefined,
    seq: number,
    text: string | undefined,
  ): [text: string | null, folded: string | null, sealed: Uint8Array | null] {
    if (text === undefined) return [null, null, null];
    if (!sealedRoom) return [text, fold(text), null];
    const secret = new TextEncoder().encode(text);
    return [null, null, this.#vault.seal(secret, "entries.sealed_text", sealedRoom, seq)];
  }

  /** What an entry's row says. */
  #textOf(row: Row): string | undefined {
    if (row["sealed_text"] === null) return row["text"] === null ? undefined : String(row["text"]);
    return new TextDecoder().decode(
      openSecret(this.#vault, row, "entries.sealed_text", "room_id", "seq"),
    );
  }

  readonly #toEntry = (row: Row): KeptEntry => {
    const core = row["is_sealed"] === 1
      ? openSecret(this.#vault, row, "entries.core", "room_id", "seq")
      : bytes(row["core"]);
    return toEntry(row, decodeCore(core), this.#textOf(row));
  };

  /** Erases and edits an entry by what is kept that names it. */
  #reconsider(room: number, ref: Uint8Array): void {
    const naming = this.#all(room, `target = ? and ${isChange} order by +entries.seq`, ref);
    if (naming.length === 0) return;
    const { deviceId, messageId } = partsOf(ref);
    const found = this.#all(room, "message_id = ? order by +entries.seq", messageId);
    const target = found.find((entry) => equal(entry.deviceId, deviceId));
    if (!target) return;
    if (naming.some((entry) => isDeletion(entry) && entry.seq > target.seq)) {
      this.#erase(room, target);
      for (const entry of naming) if (entry.core.content === Content.edit) this.#erase(room, entry);
    }
    const original = target.core.content === Content.edit && target.core.target;
    if (original) this.#reconsider(room, original); // An edit was deleted.
    this.#setText(room, this.#all(room, "entries.seq = ?", target.seq)[0]!);
  }

  #erase(room: number, { seq, core, isErased }: KeptEntry): void {
    if (isErased) return;
    this.#file.run(
      `update entries set core = ?, is_erased = 1, text = null, folded = null, sealed_text = null
        where room = ? and seq = ?`,
      ...[this.#coreToKeep(this.#sealedRoom(room), seq, eraseCore(core)), room, seq],
    );
  }

  /** What an entry says now. */
  #setText(room: number, entry: KeptEntry): void {
    const edit = this.#all(
      room,
      `target = ? and ${isChange} order by +entries.seq desc`,
      refOf(entry.deviceId, entry.core.messageId),
    )
      .find((edit) => mayEdit(edit, entry));
    const text = edit ? payloadText(edit.core) : textOf(entry);
    this.#file.run(
      `update entries set text = ?, folded = ?, sealed_text = ?, edited_by = ?
        where room = ? and seq = ?`,
      ...this.#textToKeep(this.#sealedRoom(room), entry.seq, text),
      ...[edit?.seq ?? null, room, entry.seq],
    );
  }

  /** The `+` in an order keeps SQLite from reading the whole room in that order. */
  #all(room: number, where: string, value: Uint8Array | number): KeptEntry[] {
    return this.#file.all(
      `select ${entryColumns} from ${entryTables} where entries.room = ? and ${where}`,
      ...[room, value],
    ).map(this.#toEntry);
  }
}

function toEntry(row: Row, core: Core, text: string | undefined): KeptEntry {
  const deviceId = bytes(row["device_id"]);
  const isErased = row["is_erased"] === 1;
  const verified = row["verified"] as Verified;
  const isOfRoom = core.content === Content.changed && verified === "signed" && !isErased;
  return {
    room: bytes(row["room_id"]),
    seq: Number(row["seq"]),
    timeMs: Number(row["time_ms"]),
    deviceId,
    core,
    isErased,
    previous: bytes(row["previous"]),
    author: row["user_id"] === null
      ? undefined
      : { deviceId, userId: bytes(row["user_id"]), name: String(row["author"]) },
    verified,
    ...(isOfRoom && { change: readChange(core.payload) }),
    isOwn: row["is_own"] === 1,
    text,
    isEdited: row["edited_by"] !== null,
  };
}
