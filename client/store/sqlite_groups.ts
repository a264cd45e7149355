/**
 * What is kept of one name's sealed rooms beside what was said: their keys, the ways into them, and who
 * is behind the names in them.
 *
 * @module
 */

import { hashBytes } from "../../protocol/limits.ts";
import type { Cursor } from "../../protocol/message.ts";
import { fold } from "./kept.ts";
import { bytes, type SqliteFile } from "./sqlite_file.ts";
import { openSecret } from "./sqlite_secrets.ts";
import type {
  KeptGroup,
  KeptInvitation,
  KeptKeyPackage,
  KeptPerson,
  StagedGroup,
} from "./store.ts";
import type { Vault } from "./vault.ts";

/** See {@link Profile}. */
export class SqliteGroups {
  readonly #file: SqliteFile;
  readonly #id: number;
  readonly #vault: Vault;

  /** @param id the profile's row */
  constructor(file: SqliteFile, id: number, vault: Vault) {
    this.#file = file;
    this.#id = id;
    this.#vault = vault;
  }

  groups(): KeptGroup[] {
    return this.#file.all("select * from groups where profile = ? order by rowid", this.#id)
      .map((row) => ({
        room: bytes(row["room"]),
        state: row["state"] === null
          ? undefined
          : openSecret(this.#vault, row, "groups.state", "room"),
        cursor: { seq: Number(row["seq"]), hash: bytes(row["hash"]) },
        isClean: row["is_clean"] === 1,
        ...(row["staged_id"] && {
          staged: {
            messageId: bytes(row["staged_id"]),
            core: openSecret(this.#vault, row, "groups.staged_core", "room"),
            state: openSecret(this.#vault, row, "groups.staged_state", "room"),
            request: openSecret(this.#vault, row, "groups.staged_request", "room"),
          },
        }),
      }));
  }

  keepGroup(room: Uint8Array, state: Uint8Array, { seq, hash }: Cursor, isClean: boolean): void {
    this.#file.run(
      `insert or replace into groups (profile, room, state, seq, hash, is_clean)
        values (?, ?, ?, ?, ?, ?)`,
      ...[this.#id, room, this.#vault.seal(state, "groups.state", room), seq, hash],
      Number(isClean),
    );
  }

  stage(room: Uint8Array, staged: StagedGroup | undefined): void {
    const seal = (what: "core" | "state" | "request") =>
      staged ? this.#vault.seal(staged[what], `groups.staged_${what}`, room) : null;
    this.#file.transact(() => {
      this.#file.run(
        `insert into groups
            (profile, room, seq, hash, is_clean, staged_id, staged_core, staged_state, staged_request)
          values (?, ?, 0, zeroblob(${hashBytes}), 0, ?, ?, ?, ?)
          on conflict do update set staged_id = excluded.staged_id,
            staged_core = excluded.staged_core, staged_state = excluded.staged_state,
            staged_request = excluded.staged_request`,
        ...[this.#id, room, staged?.messageId ?? null],
        ...[seal("core"), seal("state"), seal("request")],
      );
      this.#file.run(
        `delete from groups
          where profile = ? and room = ? and state is null and staged_id is null`,
        ...[this.#id, room],
      );
    });
  }

  dropGroup(room: Uint8Array): void {
    this.#file.run("delete from groups where profile = ? and room = ?", this.#id, room);
  }

  keyPackages(): KeptKeyPackage[] {
    return this.#file
      .all(
        "select ref, saved, place from key_packages where profile = ? order by number",
        this.#id,
      )
      .map((row) => ({
        ref: bytes(row["ref"]),
        saved: openSecret(this.#vault, row, "key_packages.saved", "ref"),
        ...placeOf(row["place"]),
      }));
  }

  keepKeyPackages(packages: readonly KeptKeyPackage[]): void {
    this.#file.transact(() => {
      for (const { ref, saved, place = null } of packages) {
        this.#file.run(
          "insert or replace into key_packages (profile, ref, saved, place) values (?, ?, ?, ?)",
          ...[this.#id, ref, this.#vault.seal(saved, "key_packages.saved", ref), place],
        );
      }
    });
  }

  dropKeyPackages(refs: readonly Uint8Array[]): void {
    this.#file.transact(() => {
      for (const ref of refs) {
        this.#file.run("delete from key_packages where profile = ? and ref = ?", this.#id, ref);
      }
    });
  }

  invitations(): KeptInvitation[] {
    return this.#file.all("select * from invitations where profile = ? order by rowid", this.#id)
      .map((row) => ({
        room: bytes(row["room"]),
        secret: openSecret(this.#vault, row, "invitations.secret", "room", "inviter", "generation"),
        inviter: bytes(row["inviter"]),
        generation: Number(row["generation"]),
      }));
  }

  keepInvitation({ room, secret, inviter, generation }: KeptInvitation): void {
    const sealed = this.#vault.seal(secret, "invitations.secret", room, inviter, generation);
    this.#file.run(
      `insert or replace into invitations (profile, room, secret, inviter, generation)
        values (?, ?, ?, ?, ?)`,
      ...[this.#id, room, sealed, inviter, generation],
    );
  }

  dropInvitation(room: Uint8Array): void {
    this.#file.run("delete from invitations where profile = ? and room = ?", this.#id, room);
  }

  people(): KeptPerson[] {
    return this.#file.all("select * from people where profile = ? order by rowid", this.#id)
      .map((row) => ({
        name: String(row["name"]),
        userKey: bytes(row["user_key"]),
        isVerified: row["is_verified"] === 1,
        ...(row["changed_to"] && { changedTo: bytes(row["changed_to"]) }),
      }));
  }

  keepPerson({ name, userKey, isVerified, changedTo }: KeptPerson): void {
    this.#file.run(
      `insert into people (profile, folded, name, user_key, is_verified, changed_to)
        values (?, ?, ?, ?, ?, ?)
        on conflict do update set name = excluded.name, user_key = excluded.user_key,
          is_verified = excluded.is_verified, changed_to = excluded.changed_to`,
      ...[this.#id, fold(name), name, userKey, Number(isVerified), changedTo ?? null],
    );
  }
}

function placeOf(kept: unknown): Pick<KeptKeyPackage, "place"> {
  return kept === "pool" || kept === "last" ? { place: kept } : {};
}
