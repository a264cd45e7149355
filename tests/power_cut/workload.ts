/**
 * What a store is asked for while its writes are recorded, turn by turn; the same for each seed.
 *
 * @module
 */

import { concat, writeU32 } from "../../protocol/bytes.ts";
import { chainStart, Content, encodeCore, Proof, refOf } from "../../protocol/entry.ts";
import type { Store } from "../../server/store/store.ts";
import { numbered } from "../fixtures/bytes.ts";
import { Random } from "../simulation/random.ts";

/** Asks a store for something, all in one turn of the event loop. */
export type Step = (store: Store) => Promise<unknown>;

const nowMs = Date.UTC(2026, 0, 1);
export const rooms = [1, 2, 3].map((number) => numbered(16, number));
const devices = [10, 20].map((number) => numbered(16, number));

/** So many steps: mostly appends, of which some edit and some erase, with records beside them; trims and drops. */
export function steps(seed: number, count: number): Step[] {
  const random = new Random(seed);
  const some = (max: number) => Math.floor(random.next() * max);
  let number = 0;
  const idOf = (number: number) => {
    const id = new Uint8Array(4);
    writeU32(id, 0, number);
    return concat([id, numbered(12)]);
  };
  const recordOf = () => ({
    kind: "k",
    key: `${some(20)}`,
    value: some(4) === 0 ? null : "v".repeat(some(500)),
  });
  const say = () => {
    number++;
    const isEdit = some(4) === 0;
    const core = encodeCore({
      proof: Proof.unverified,
      content: isEdit ? Content.edit : Content.text,
      messageId: idOf(number),
      ...(isEdit && { target: refOf(devices[some(2)]!, idOf(1 + some(number))) }),
      payload: numbered(some(10) === 0 ? some(20_000) : some(300), number),
    });
    const erases = some(10) === 0 ? 1 + some(100) : undefined;
    const records = some(10) === 0 ? [recordOf()] : undefined;
    return { deviceId: devices[some(2)]!, core, erases, records };
  };
  return Array.from({ length: count }, (_, at): Step => {
    const timeMs = nowMs + at * 10;
    const what = some(40);
    const room = rooms[some(3)]!;
    if (what === 0) return (store) => store.drop(room);
    if (what < 4) return (store) => store.trim(room, timeMs - some(300));
    const appends = rooms.slice(some(3)).map((room) => ({
      room,
      said: Array.from({ length: 1 + some(5) }, say),
    }));
    const records = Array.from({ length: some(3) }, recordOf);
    return (store) =>
      Promise.all([
        ...appends.map(({ room, said }) => store.append(room, said, timeMs)),
        store.put(records),
      ]);
  });
}

/** What can be seen of a store, as text. */
export async function stateOf(store: Pick<Store, "read" | "records">): Promise<string> {
  const logs = await Promise.all(rooms.map(async (room) => {
    const first = await store.read(room, { seq: 0, hash: chainStart(room) }, 1e9);
    const from = first.type === "reset" ? first.cursor : undefined;
    const result = from ? await store.read(room, from, 1e9) : first;
    if (result.type !== "page") return "empty";
    const { firstSeq, timeMs, rows, end } = result.page;
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", rows.slice())).toHex();
    return [from?.seq ?? 0, firstSeq, timeMs, hash, end.seq, end.hash.toHex()].join(" ");
  }));
  const records = (await store.records("k")).map(({ key, value }) => `${key}=${value}`).sort();
  return JSON.stringify({ logs, records });
}
