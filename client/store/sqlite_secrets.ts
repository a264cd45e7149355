/**
 * What of the client's file is secret, whose each secret is and where it stands; and how all of them
 * come under another key.
 *
 * @module
 */

import { bytes, type Row, type SqliteFile } from "./sqlite_file.ts";
import type { Part, Vault } from "./vault.ts";

/** A column of secrets. */
interface SecretColumn {
  readonly table: string;
  readonly column: string;
  /** Where it and what it is bound to stand. */
  readonly from: string;
  readonly owner: readonly string[];
  readonly place: readonly string[];
}

const ofProfile = { owner: ["profiles.server", "profiles.name"] } as const;

/** A column of a table whose rows are a profile's. */
function profileColumn(table: string, column: string, ...place: string[]): SecretColumn {
  const from = `${table} join profiles on profiles.id = ${table}.profile`;
  return { table, column, from, ...ofProfile, place: place.map((name) => `${table}.${name}`) };
}

function entryColumn(column: string): SecretColumn {
  return {
    table: "entries",
    column,
    from: `entries join rooms on rooms.id = entries.room and rooms.is_sealed
      join profiles on profiles.id = rooms.profile`,
    ...ofProfile,
    place: ["rooms.room", "entries.seq"],
  };
}

function identityColumn(column: string): SecretColumn {
  return { table: "identities", column, from: "identities", owner: [], place: ["identities.name"] };
}

/** All of them. Each is sealed as `table.column`. */
const secretColumns: readonly SecretColumn[] = [
  identityColumn("user_secret"),
  identityColumn("device_secret"),
  profileColumn("messages", "core", "room", "message_id"),
  profileColumn("groups", "state", "room"),
  profileColumn("groups", "staged_core", "room"),
  profileColumn("groups", "staged_state", "room"),
  profileColumn("groups", "staged_request", "room"),
  profileColumn("key_packages", "saved", "ref"),
  profileColumn("invitations", "secret", "room", "inviter", "generation"),
  entryColumn("core"),
  entryColumn("sealed_text"),
];

/**
 * Opens a row's secret.
 *
 * @param kind `table.column`
 * @param place the columns that it is bound to
 * @throws {ClientStoreError} when it is not what was sealed there
 */
export function openSecret(vault: Vault, row: Row, kind: string, ...place: string[]): Uint8Array {
  const sealed = bytes(row[kind.slice(kind.indexOf(".") + 1)]);
  return vault.open(sealed, kind, ...place.map((column) => row[column] as Part));
}

/** Rows that are read at once. */
const pageRows = 256;

/** Seals what an older version kept in the clear. MUST run in a transaction. */
export function sealClear(file: SqliteFile, vault: Vault): void {
  for (const row of file.all("select * from clear_identities")) {
    const { name } = row;
    const seal = (column: string) =>
      vault.seal(row[column] as Uint8Array, `identities.${column}`, name as string);
    const secrets = [seal("user_secret"), seal("device_secret")];
    file.run("insert into identities values (?, ?, ?)", name!, ...secrets);
  }
  const messages = `select clear_messages.*, server, name from clear_messages
    join profiles on profiles.id = clear_messages.profile order by number`;
  for (const row of file.all(messages)) {
    const [server, name, room, id, core] = ["server", "name", "room", "message_id", "core"]
      .map((column) => row[column]) as [Uint8Array, string, Uint8Array, Uint8Array, Uint8Array];
    file.run(
      "insert into messages (profile, room, message_id, core) values (?, ?, ?, ?)",
      ...[row["profile"]!, room, id, vault.of(server, name).seal(core, "messages.core", room, id)],
    );
  }
  file.run("drop table clear_identities");
  file.run("drop table clear_messages");
}

/** Seals all secrets anew. MUST run in a transaction. */
export function reseal(file: SqliteFile, from: Vault, to: Vault): void {
  for (const secret of secretColumns) resealColumn(file, secret, from, to);
}

function resealColumn(
  file: SqliteFile,
  { table, column, from: tables, owner, place }: SecretColumn,
  from: Vault,
  to: Vault,
): void {
  const parts = [...owner, ...place].map((part, at) => `${part} as part_${at}`);
  const select = `select ${table}.rowid as row_id, ${table}.${column} as secret, ${parts}
    from ${tables} where ${table}.rowid > ? and ${table}.${column} is not null
    order by ${table}.rowid limit ${pageRows}`;
  const update = `update ${table} set ${column} = ? where rowid = ?`;
  const kind = `${table}.${column}`;
  const partsOf = (row: Row, names: readonly string[], first: number) =>
    names.map((_, at) => row[`part_${first + at}`] as Part);
  let last = 0;
  for (let rows: Row[]; (rows = file.all(select, last)).length > 0;) {
    for (const row of rows) {
      const [ownerParts, placeParts] = [partsOf(row, owner, 0), partsOf(row, place, owner.length)];
      const kept = row["secret"] as Uint8Array;
      const secret = from.of(...ownerParts).open(kept, kind, ...placeParts);
      file.run(update, to.of(...ownerParts).seal(secret, kind, ...placeParts), row["row_id"]!);
      last = Number(row["row_id"]);
    }
  }
}
