/**
 * Puts the sealed room that is measured into a server's store before it starts, and in it the user who
 * publishes: a hundred sessions of one user that all joined at once would be too fast.
 * `seed_sealed.ts FOLDER`
 *
 * @module
 */

import { deviceIdOf } from "../crypto/identity.ts";
import { storeFile } from "../cli/data_files.ts";
import { toBase64Url } from "../protocol/bytes.ts";
import { toRecord } from "../server/records.ts";
import { SqliteStore } from "../server/store/sqlite.ts";
import { sealedRoomId, sealedRoomRecords } from "./sealed_room.ts";
import { publisherIdentity } from "./subjects/broadcast_signed.ts";

const store = await SqliteStore.open({ path: storeFile(Deno.args[0]!) });
const { user: { publicKey: key }, device, certificate } = await publisherIdentity();
const user = toBase64Url(new Uint8Array(16).fill(8));
const room = toBase64Url(sealedRoomId);
const devices = [{ id: deviceIdOf(device.publicKey), key: device.publicKey, certificate }];
const times = { sinceMs: 1, lastSeenMs: 1 };
const marks = { sinceMs: 1, mutedUntilMs: 0, delivered: 0, read: 0 };
await store.put([
  ...sealedRoomRecords(),
  toRecord("user", user, { name: "publisher", key, ...times, isAdmin: false, devices }),
  toRecord("member", `${room} ${user}`, { room, user, role: "owner", ...marks }),
]);
await store.close();
