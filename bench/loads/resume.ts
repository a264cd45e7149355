/**
 * Somebody was away while much was said: how fast they get it. Everything is opened and checked, the
 * authors' signatures aside: to check one takes longer than all the rest.
 *
 * @module
 */

import { Authors, RoomLog } from "../../client/room_log.ts";
import { generateIdentity, importVerifier } from "../../crypto/identity.ts";
import { chainStart } from "../../protocol/entry.ts";
import { UnframeStream } from "../../protocol/framer.ts";
import { frameBytesMax } from "../../protocol/limits.ts";
import { decodeMessages } from "../../protocol/message.ts";
import { Audience } from "../audience.ts";
import type { Job, Outcome } from "../job.ts";
import { Numbers } from "../message.ts";
import { cpuTime } from "../process.ts";
import type { Wire } from "../subject.ts";
import { logIn } from "../subjects/broadcast.ts";
import { cpuShares } from "../window.ts";

const missed = 100_000;
const batchMessages = 250;

export async function measureResume(job: Job, wire: Wire): Promise<Outcome> {
  await sayMuch(job, wire);
  const who = { name: "away", identity: (await generateIdentity()).identity };
  const lobby = (await logIn(job.port, 0)).room;
  const cursor = { seq: 0, hash: chainStart(lobby) };
  const session = await logIn(job.port, 0, who, cursor);
  const server = await importVerifier(session.server);
  const nobody = new Authors(() => Promise.resolve([]));
  const log = new RoomLog(lobby, server!, session.server, nobody, cursor);
  const frames = framesOf(session.conn, session.rest);

  const cpuBefore = await cpuTime(job.pid, Deno.pid);
  const before = performance.now();
  let count = 0;
  for await (const bodies of frames) {
    for (const body of bodies) {
      for (const message of decodeMessages(await session.opening.open(body))) {
        if (message.type === "batch") count += (await log.accept(message)).length;
      }
    }
    if (count >= missed) break;
  }
  const seconds = (performance.now() - before) / 1000;
  const cpu = cpuShares(cpuBefore, await cpuTime(job.pid, Deno.pid), seconds);
  return { figures: { resumedPerSecond: count / seconds, ...cpu }, faults: [] };
}

async function sayMuch(job: Job, wire: Wire): Promise<void> {
  const audience = await Audience.gather(job, wire);
  let delivered = 0;
  audience.follow(() => delivered++);
  const [publisher] = await audience.publishers(job, wire);
  await publisher!.prepare?.(missed);
  const numbers = new Numbers(0, 1);
  for (let said = 0; said < missed; said += batchMessages) {
    await publisher!.publish(numbers.take(batchMessages));
  }
  await audience.quiet();
}

function framesOf(conn: Deno.Conn, rest: Uint8Array<ArrayBuffer>) {
  const unframe = new UnframeStream(() => frameBytesMax);
  const writer = unframe.writable.getWriter();
  void (async () => {
    await writer.write(rest);
    for await (const chunk of conn.readable) await writer.write(chunk);
  })().catch(() => {});
  return unframe.readable;
}
