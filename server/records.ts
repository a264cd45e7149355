/**
 * What the store keeps beside the logs, by kind: a schema for each, JSON in between.
 *
 * @module
 */

import { z } from "zod";
import { roles } from "../protocol/command.ts";
import { accesses, registrations, roomInfo } from "../protocol/command.ts";
import { base64UrlBytes, id, name } from "../protocol/fields.ts";
import { hashBytes, signatureBytes } from "../protocol/limits.ts";
import { recordsMax, type Store, type StoredRecord } from "./store/store.ts";

const publicKey = base64UrlBytes(32);
const timeMs = z.int().min(0);
const text = roomInfo.shape.topic;
const seq = z.int().min(1);
/** One of two users. */
const party = z.object({ id, name });
/** An object, by its hash, and how long it is. */
const object = z.object({ hash: base64UrlBytes(hashBytes), bytes: z.int().min(1) });

/** Every kind of record; keys are base64url or JSON, as the owner of the kind chooses. */
export const recordSchemas = {
  /** By user id. */
  user: z.object({
    name,
    key: publicKey,
    sinceMs: timeMs,
    lastSeenMs: timeMs,
    isAdmin: z.boolean(),
    /** The one heard from last at the end. */
    devices: z.array(z.object({ id, key: publicKey, certificate: base64UrlBytes(signatureBytes) })),
  }),
  /** By device id: who a client of the original protocol was, for what it said. */
  guest: z.object({ name, user: id, sinceMs: timeMs }),
  /** By room id. */
  room: z.object({
    name,
    topic: text,
    access: z.enum(accesses),
    slowMs: timeMs,
    isAnnounce: z.boolean(),
    sinceMs: timeMs,
    /** Users who may come in though it is for the invited. */
    allowed: z.array(id),
    /** Absent: it is open. */
    sealed: z.boolean().optional(),
    /** The two whom a direct room is for. */
    direct: z.tuple([party, party]).optional(),
  }),
  /** By room id: what a sealed room's log has reached. */
  group: z.object({
    /** The last commit. */
    commit: id,
    seq,
    generation: z.int().min(0),
    epoch: z.int().min(0),
    groupInfo: object,
    /** One for each device, the oldest first. */
    welcomes: z.array(object.extend({ device: id, commit: id, seq, timeMs })),
  }),
  /** By room id and seq of the commit: the object that its payload stands for. */
  payload: object,
  /** Parts of objects: by room id, `payload` where it is one, hash, and the how-manieth part it is. */
  object: z.object({ bytes: z.int().min(1), data: base64UrlBytes() }),
  /** By device id: its key packages, which are those from `first` to before `next`. */
  pool: z.object({ first: z.int().min(0), next: z.int().min(0), hasLast: z.boolean() }),
  /** By device id and number, or `last`. */
  package: z.object({ package: base64UrlBytes() }),
  /** By room id and user id. */
  member: z.object({
    // As texts: there may be very many, and bytes for each would cost more than all the rest.
    room: z.string(),
    user: z.string(),
    role: z.enum(roles),
    sinceMs: timeMs,
    mutedUntilMs: timeMs,
    delivered: z.int().min(0),
    read: z.int().min(0),
    /** They are not in it now, but what they may do there is kept for when they come again. */
    isOut: z.boolean().optional(),
  }),
  /** By room id and user id: that they came or went, as long as the log may not have it. */
  coming: z.object({ core: base64UrlBytes() }),
  /** By room (or nothing, for the whole server) and whom it hits. */
  ban: z.object({
    room: id.optional(),
    who: z.string(),
    /** The fingerprint of the key that owned the name when it was banned. */
    fingerprint: z.string().optional(),
    by: name,
    why: text,
    untilMs: timeMs.optional(),
  }),
  /** By the SHA-256 of the invitation. */
  invitation: z.object({
    room: id,
    by: name,
    /** Who made it; absent: the operator. */
    user: id.optional(),
    /** How many may still use it; absent: any number. */
    uses: z.int().min(0).optional(),
    untilMs: timeMs.optional(),
    /** Into a sealed room: the key by which its members know it. */
    sealedKey: base64UrlBytes(32).optional(),
  }),
  /** Who has come by an invitation: by its key and the user's id. */
  invited: z.object({}),
  /** By `settings`. */
  server: z.object({
    registration: z.enum(registrations).optional(),
  }),
} as const;

/** A kind of record. */
export type RecordKind = keyof typeof recordSchemas;
/** What a record of a kind holds. */
export type RecordOf<Kind extends RecordKind> = z.output<(typeof recordSchemas)[Kind]>;

/** A record as the store keeps it. */
export function toRecord<Kind extends RecordKind>(
  kind: Kind,
  key: string,
  value: RecordOf<Kind> | undefined,
): StoredRecord {
  const schema: z.ZodType = recordSchemas[kind];
  return { kind, key, value: value ? JSON.stringify(z.encode(schema, value)) : null };
}

/** One record, by its key. */
export async function loadRecord<Kind extends RecordKind>(
  store: Store,
  kind: Kind,
  key: string,
): Promise<RecordOf<Kind> | undefined> {
  const schema: z.ZodType = recordSchemas[kind];
  const found = await store.record(kind, key);
  return found && schema.parse(JSON.parse(found.value!)) as RecordOf<Kind>;
}

/** All records of a kind, one after the other, with their keys. */
export function eachRecord<Kind extends RecordKind>(
  store: Store,
  kind: Kind,
): AsyncGenerator<readonly [key: string, record: RecordOf<Kind>]> {
  return recordsFrom(store, kind, "");
}

/** The records of a kind whose keys begin with `of` and a space, with their keys. */
export function eachRecordOf<Kind extends RecordKind>(
  store: Store,
  kind: Kind,
  of: string,
): AsyncGenerator<readonly [key: string, record: RecordOf<Kind>]> {
  return recordsFrom(store, kind, `${of} `);
}

/** @param prefix what their keys begin with */
async function* recordsFrom<Kind extends RecordKind>(
  store: Store,
  kind: Kind,
  prefix: string,
): AsyncGenerator<readonly [key: string, record: RecordOf<Kind>]> {
  const schema: z.ZodType = recordSchemas[kind];
  for (let page = await store.records(kind, prefix); page.length > 0;) {
    for (const { key, value } of page) {
      if (!key.startsWith(prefix)) return;
      yield [key, schema.parse(JSON.parse(value!)) as RecordOf<Kind>];
    }
    page = page.length < recordsMax ? [] : await store.records(kind, page.at(-1)!.key);
  }
}

/** All records of a kind, by key. */
export async function loadRecords<Kind extends RecordKind>(
  store: Store,
  kind: Kind,
): Promise<Map<string, RecordOf<Kind>>> {
  return new Map(await Array.fromAsync(eachRecord(store, kind)));
}
