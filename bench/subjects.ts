/**
 * Everything that can be measured, in the order of the tables.
 *
 * @module
 */

import { messageBytes } from "./message.ts";
import type { Subject } from "./subject.ts";
import { broadcast, broadcastInMemory, broadcastSealed } from "./subjects/broadcast.ts";
import { ircd } from "./subjects/ircd.ts";
import { limit } from "./subjects/limit.ts";
import { mosquitto } from "./subjects/mosquitto.ts";
import { nats } from "./subjects/nats.ts";
import { redis } from "./subjects/redis.ts";

/** The name of our own server: what all others are compared with. */
export const ours = "broadcast";

/** The plain limit, which every table relates to. */
export const plainLimit = "limit";

/** All subjects; `sealedBytes` is what our server sends for one message. */
export function subjects(sealedBytes: number): Subject[] {
  return [
    broadcast,
    broadcastInMemory,
    broadcastSealed,
    limit(plainLimit, messageBytes, "shared"),
    limit("limit-sealed", Math.max(messageBytes, sealedBytes), "shared"),
    limit("awaited", messageBytes, "awaited"),
    nats,
    redis,
    ircd,
    mosquitto,
  ];
}

/** The subject of that name. */
export function findSubject(name: string, sealedBytes: number): Subject | undefined {
  return subjects(sealedBytes).find((subject) => subject.name === name);
}
