/**
 * Many rooms with few members each: what they cost in memory, and how much can be said in them.
 *
 * @module
 */

import { label, sign } from "../../crypto/identity.ts";
import { concat, readU32 } from "../../protocol/bytes.ts";
import { encodeCore, encodeCoreHead, Proof, signedFields } from "../../protocol/entry.ts";
import { frame } from "../../protocol/framer.ts";
import { encodeControl, encodePublish } from "../../protocol/message.ts";
import { newMessage } from "../message.ts";
import type { Job, Outcome } from "../job.ts";
import { pause } from "../pause.ts";
import { cpuTime, residentBytes } from "../process.ts";
import { identityOf, membersEach, membersOf, roomCount, userCount } from "../rooms.ts";
import { readLoop, writeAll } from "../socket.ts";
import { logIn, type Session } from "../subjects/broadcast.ts";
import { cpuShares } from "../window.ts";

const restMs = 3000;

export async function measureRooms(job: Job): Promise<Outcome> {
  await pause(restMs);
  const empty = await residentBytes(job.pid);
  const sessions: Session[] = [];
  for (let user = 0; user < userCount; user++) {
    const identity = await identityOf(user);
    sessions.push(await logIn(job.port, user, { name: `member-${user}`, identity }));
  }
  let frames = 0;
  for (const session of sessions) count(session, () => frames++);
  await pause(restMs);
  const idle = await residentBytes(job.pid);

  for (const { conn, sealing, rooms } of sessions) {
    const joins = concat(rooms.map((room) => encodeControl("join", { room })));
    await writeAll(conn, frame(...await sealing.seal(joins)));
  }
  await pause(2 * restMs); // Presence is told, garbage collected.
  const joined = await residentBytes(job.pid);

  const ready = await Promise.all(sessions.map(makeReady));
  frames = 0;
  const cpuBefore = await cpuTime(job.pid, Deno.pid);
  const before = performance.now();
  for (const [at, session] of sessions.entries()) {
    await writeAll(session.conn, frame(...await session.sealing.seal(ready[at]!)));
  }
  const wanted = roomCount * membersEach;
  while (frames < wanted && performance.now() - before < 60_000) await pause(5);
  const seconds = (performance.now() - before) / 1000;
  const cpu = cpuShares(cpuBefore, await cpuTime(job.pid, Deno.pid), seconds);
  return {
    figures: {
      emptyMb: empty / 1e6,
      idleMb: idle / 1e6,
      roomsMb: (joined - idle) / 1e6,
      deliveriesPerSecond: frames / seconds,
      ...cpu,
    },
    faults: frames < wanted ? [`${frames} of ${wanted} deliveries`] : [],
  };
}

/** One publish in each room whose first member a session is: each delivery is a frame of its own. */
async function makeReady({ rooms, deviceId }: Session, user: number): Promise<Uint8Array> {
  const { device } = await identityOf(user);
  const own = rooms.filter((room) => membersOf(readU32(room, 0))[0] === user);
  return concat(
    await Promise.all(own.map(async (room, number) => {
      const messageId = crypto.getRandomValues(new Uint8Array(16));
      const payload = newMessage(number);
      const draft = { proof: Proof.signature, content: 0, messageId, payload };
      const fields = signedFields(room, deviceId, encodeCoreHead(draft), payload);
      return encodePublish(room, encodeCore(draft, await sign(device, label.entry, fields)));
    })),
  );
}

function count(session: Session, delivered: () => void): void {
  const scanner = session.scanner(delivered);
  scanner.push(session.rest);
  const buffer = new Uint8Array(4096);
  const reading = { into: () => buffer, got: (n: number) => scanner.push(buffer.subarray(0, n)) };
  readLoop(session.conn, reading, () => {});
}
