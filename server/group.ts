/**
 * What a server knows of the group of a sealed room: which epoch the log has reached, and which objects
 * are kept for it. It never looks into them.
 *
 * @module
 */

import { equal, mapKey, toBase64Url } from "../protocol/bytes.ts";
import type { ObjectRef } from "../protocol/commit.ts";
import type { Epoch } from "../protocol/entry.ts";
import { ProtocolError } from "../protocol/errors.ts";
import {
  objectChunkBytesMax,
  welcomeMs,
  welcomesBytesMax,
  welcomesMax,
} from "../protocol/limits.ts";
import { eachRecordOf, loadRecord, type RecordOf, toRecord } from "./records.ts";
import type { Store, StoredRecord } from "./store/store.ts";

/** What is kept of a group. */
export type GroupState = RecordOf<"group">;

/** A commit that is about to be kept; what it names is there. */
export interface Commit {
  readonly messageId: Uint8Array;
  /** The epoch that begins with it. */
  readonly begins: Epoch;
  readonly groupInfo: ObjectRef;
  readonly welcomes: readonly { readonly device: Uint8Array; readonly object: ObjectRef }[];
  /** The object that its payload stands for. */
  readonly payload: ObjectRef | undefined;
  /** The bytes of those objects that are not kept yet. */
  readonly bytesOf: (hash: Uint8Array) => Uint8Array | undefined;
}

/**
 * MUST change only where the room's log does: {@link take} once a commit is kept, in its turn. What is
 * kept is read when it is needed first, and nothing of it at the start.
 */
export class Group {
  /** The room, as records name it. */
  readonly #room: string;
  readonly #store: Store;
  #state: GroupState | undefined;
  #loading: Promise<void> | undefined;

  constructor(roomId: Uint8Array, store: Store) {
    this.#room = toBase64Url(roomId);
    this.#store = store;
  }

  /** Reads what is kept. */
  load(): Promise<void> {
    return this.#loading ??= (async () => {
      this.#state = await loadRecord(this.#store, "group", this.#room);
    })();
  }

  /** What the log has reached, once it is loaded; undefined before the first commit. */
  get state(): GroupState | undefined {
    return this.#state;
  }

  /** Whether the log has reached this epoch, and no later one. */
  isAt({ generation, epoch }: Epoch): boolean {
    return this.#state?.epoch === epoch && this.#state.generation === generation;
  }

  /** An object that the group needs just now: how to let others in, a welcome. */
  find(hash: Uint8Array): ObjectRef | undefined {
    return refsOf(this.#state).find((ref) => equal(ref.hash, hash));
  }

  /** What is known after a commit, which will be entry `seq`. */
  after(commit: Commit, seq: number, nowMs: number): GroupState {
    const { messageId, begins: { generation, epoch }, groupInfo } = commit;
    const welcomes = this.#welcomesAfter(commit, seq, nowMs);
    return { commit: messageId.slice(), seq, generation, epoch, groupInfo, welcomes };
  }

  /** What has to be kept, and forgotten, together with a commit that leads to `next`. */
  recordsFor(commit: Commit, next: GroupState): StoredRecord[] {
    const { payload, bytesOf } = commit;
    const kept = new Map(refsOf(next).map((ref) => [mapKey(ref.hash), ref]));
    const gone = refsOf(this.#state).filter(({ hash }) => !kept.has(mapKey(hash)));
    const chunks = (ref: ObjectRef, prefix: string) => {
      const bytes = bytesOf(ref.hash);
      return bytes ? chunksOf(prefix, ref.hash, bytes) : [];
    };
    return [
      toRecord("group", this.#room, next),
      ...gone.flatMap((ref) => withoutChunks(this.#room, ref)),
      ...kept.values().flatMap((ref) => chunks(ref, this.#room)),
      ...(payload
        ? [
          toRecord("payload", `${this.#room} ${next.seq}`, payload),
          ...chunks(payload, payloadsOf(this.#room)),
        ]
        : []),
    ];
  }

  /** A commit has been kept. */
  take(next: GroupState): void {
    this.#state = next;
  }

  /** The welcome of a device, by one commit or by whichever was the last. */
  welcomeOf(
    device: Uint8Array,
    commit: Uint8Array | undefined,
    nowMs: number,
  ): GroupState["welcomes"][number] | undefined {
    return this.#state?.welcomes.findLast((welcome) =>
      equal(welcome.device, device) && (!commit || equal(welcome.commit, commit)) &&
      welcome.timeMs + welcomeMs >= nowMs
    );
  }

  /**
   * A part of an object, from `at` to the next border.
   *
   * @throws {ProtocolError} no_such_object
   */
  async read(hash: Uint8Array, at: number): Promise<{ bytes: number; data: Uint8Array }> {
    const prefix = this.find(hash) ? this.#room : payloadsOf(this.#room);
    const index = Math.floor(at / objectChunkBytesMax);
    const chunk = await loadRecord(this.#store, "object", chunkKey(prefix, hash, index));
    if (!chunk || at >= chunk.bytes) throw new ProtocolError("no_such_object");
    return { bytes: chunk.bytes, data: chunk.data.subarray(at % objectChunkBytesMax) };
  }

  /** Forgets the objects of commits that the log no longer has. */
  async trim(roomId: Uint8Array): Promise<void> {
    for await (const [key, ref] of eachRecordOf(this.#store, "payload", this.#room)) {
      const seq = Number(key.split(" ")[1]);
      if (await this.#store.readBack(roomId, seq + 1, 1, 1)) continue;
      await this.#store.put([toRecord("payload", key, undefined), ...this.#withoutPayload(ref)]);
    }
  }

  /** What is to be forgotten when the room is. */
  async recordsGone(): Promise<StoredRecord[]> {
    await this.load();
    const payloads = await Array.fromAsync(eachRecordOf(this.#store, "payload", this.#room));
    return [
      toRecord("group", this.#room, undefined),
      ...refsOf(this.#state).flatMap((ref) => withoutChunks(this.#room, ref)),
      ...payloads.flatMap(([key, ref]) => [
        toRecord("payload", key, undefined),
        ...this.#withoutPayload(ref),
      ]),
    ];
  }

  #withoutPayload(ref: ObjectRef): StoredRecord[] {
    return withoutChunks(payloadsOf(this.#room), ref);
  }

  /**
   * The newest welcomes, the oldest first: as many as there may be, none that is too old. A device that
   * was away may need several, to read what was said between them.
   */
  #welcomesAfter({ messageId, welcomes }: Commit, seq: number, nowMs: number) {
    const commit = messageId.slice();
    const added = welcomes.map(({ device, object }) => (
      { ...object, device, commit, seq, timeMs: nowMs }
    ));
    const objects = new Set<string>();
    let bytes = 0;
    const kept = [...this.#state?.welcomes ?? [], ...added].reverse().filter((welcome, at) => {
      if (!objects.has(mapKey(welcome.hash))) bytes += welcome.bytes;
      objects.add(mapKey(welcome.hash));
      return at < welcomesMax && bytes <= welcomesBytesMax && welcome.timeMs + welcomeMs >= nowMs;
    });
    return kept.reverse();
  }
}

/** The objects that a group needs. Those of commits' payloads stand by themselves: they go with entries. */
function refsOf(state: GroupState | undefined): readonly ObjectRef[] {
  return state ? [state.groupInfo, ...state.welcomes] : [];
}

function payloadsOf(room: string): string {
  return `${room} payload`;
}

function chunkKey(prefix: string, hash: Uint8Array, index: number): string {
  return `${prefix} ${toBase64Url(hash)} ${index}`;
}

/** An object as records: of one length, so that a part is found without reading the others. */
function chunksOf(prefix: string, hash: Uint8Array, bytes: Uint8Array): StoredRecord[] {
  return Array.from({ length: chunkCount(bytes.length) }, (_, index) => {
    const at = index * objectChunkBytesMax;
    const data = bytes.subarray(at, at + objectChunkBytesMax);
    return toRecord("object", chunkKey(prefix, hash, index), { bytes: bytes.length, data });
  });
}

function withoutChunks(prefix: string, { hash, bytes }: ObjectRef): StoredRecord[] {
  return Array.from(
    { length: chunkCount(bytes) },
    (_, index) => toRecord("object", chunkKey(prefix, hash, index), undefined),
  );
}

function chunkCount(bytes: number): number {
  return Math.ceil(bytes / objectChunkBytesMax);
}
