/**
 * The audit log: who did what to whom, how, why, when and where. It is kept as every log is, chained and
 * append-only: one of the whole server, and for each room one of its own, so that a quiet room's acts
 * are found however much happens elsewhere.
 *
 * @module
 */

import { concat } from "../../protocol/bytes.ts";
import type { Clock } from "../../protocol/clock.ts";
import { type Change, change } from "../../protocol/command.ts";
import { Content, decodeRows, encodeCore, Proof } from "../../protocol/entry.ts";
import { id, name } from "../../protocol/fields.ts";
import { sha256 } from "../../protocol/hash.ts";
import { idBytes, pageBytesMax } from "../../protocol/limits.ts";
import { z } from "zod";
import type { PeopledRoom } from "../peopled_room.ts";
import { newId } from "../people.ts";
import type { Store } from "../store/store.ts";

/** What an entry's payload is, as JSON. */
const payloadSchema = change.extend({
  room: z.object({ id, name }).optional(),
  /** The user behind the name, which may get another one: absent for the operator. */
  user: id.optional(),
});

/** Something that was done. */
export interface Act extends Change {
  readonly timeMs: number;
  /** The room's name; absent for what is about the whole server. */
  readonly room?: string;
}

/** MUST append in the turn in which it is told, so that act and change are kept together or not at all. */
export class Audit {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #serverId: Uint8Array;
  /** The log of the whole server. */
  readonly id: Uint8Array;

  /** @param serverId the device id of the server's identity, which signs for the entries */
  constructor(store: Store, clock: Clock, serverId: Uint8Array) {
    this.#store = store;
    this.#clock = clock;
    this.#serverId = serverId;
    this.id = auditId(serverId, new Uint8Array());
  }

  /** Notes an act; resolves when that is kept. */
  async record(
    act: Change,
    user: Uint8Array | undefined,
    room: Pick<PeopledRoom, "id" | "name"> | undefined,
  ): Promise<void> {
    const payload = toPayload({
      ...act,
      ...(user && { user }),
      ...(room && { room: { id: room.id, name: room.name } }),
    });
    const draft = {
      proof: Proof.unverified,
      content: Content.changed,
      messageId: newId(),
      payload,
    };
    const submissions = [{ deviceId: this.#serverId, core: encodeCore(draft) }];
    const logs = room ? [this.id, this.idOf(room.id)] : [this.id];
    await Promise.all(
      logs.map((log) => this.#store.append(log, submissions, this.#clock.now())),
    );
  }

  /** The newest acts, the oldest of them first: of a room, or of the whole server. */
  async newest(count: number, room?: Uint8Array): Promise<Act[]> {
    const log = room ? this.idOf(room) : this.id;
    const acts: Act[] = [];
    let before = (await this.#store.end(log)).seq + 1;
    while (acts.length < count) {
      const page = await this.#store.readBack(log, before, count - acts.length, pageBytesMax);
      if (!page) break;
      const entries = decodeRows(page.rows, page.firstSeq, page.timeMs);
      acts.unshift(...entries.map(({ core, timeMs }) => toAct(core.payload, timeMs)));
      before = page.firstSeq;
    }
    return acts;
  }

  /** A room is no more, and its log of acts goes with it; the server's has them still. */
  drop(room: Uint8Array): Promise<void> {
    return this.#store.drop(this.idOf(room));
  }

  /** The log of one room. */
  idOf(room: Uint8Array): Uint8Array {
    return auditId(this.#serverId, room);
  }
}

/** The same for as long as the server's identity is; no room's id, which are random. */
function auditId(serverId: Uint8Array, room: Uint8Array): Uint8Array {
  const label = new TextEncoder().encode("broadcast/2 audit");
  return sha256(concat([label, serverId, room])).slice(0, idBytes);
}

function toPayload(value: z.output<typeof payloadSchema>): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(z.encode(payloadSchema, value)));
}

function toAct(payload: Uint8Array, timeMs: number): Act {
  const parsed = payloadSchema.parse(JSON.parse(new TextDecoder().decode(payload)));
  const { room, user: _, ...act } = parsed;
  return { ...act, timeMs, ...(room && { room: room.name }) };
}
