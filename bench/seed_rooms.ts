/**
 * Puts users, rooms and members into a server's store before it starts. `seed_rooms.ts FOLDER`
 *
 * @module
 */

import { deviceIdOf } from "../crypto/identity.ts";
import { storeFile } from "../cli/data_files.ts";
import { toBase64Url } from "../protocol/bytes.ts";
import { toRecord } from "../server/records.ts";
import { SqliteStore } from "../server/store/sqlite.ts";
import { identityOf, idOf, membersOf, roomCount, userCount } from "./rooms.ts";

const store = await SqliteStore.open({ path: storeFile(Deno.args[0]!) });
const users = Array.from({ length: userCount }, async (_, user) => {
  const { user: { publicKey: key }, device, certificate } = await identityOf(user);
  const devices = [{ id: deviceIdOf(device.publicKey), key: device.publicKey, certificate }];
  return toRecord("user", toBase64Url(idOf("user", user)), {
    name: `member-${user}`,
    key,
    sinceMs: user,
    lastSeenMs: user,
    isAdmin: false,
    devices,
  });
});
await store.put(await Promise.all(users));
const kept = { topic: "", access: "anyone", slowMs: 0, isAnnounce: false, allowed: [] } as const;
for (let room = 0; room < roomCount; room++) {
  const id = idOf("room", room);
  const members = membersOf(room).map((user) =>
    toRecord("member", `${toBase64Url(id)} ${toBase64Url(idOf("user", user))}`, {
      room: toBase64Url(id),
      user: toBase64Url(idOf("user", user)),
      role: "member",
      sinceMs: 1,
      mutedUntilMs: 0,
      delivered: 0,
      read: 0,
    })
  );
  void store.put([
    toRecord("room", toBase64Url(id), { ...kept, name: `room-${room}`, sinceMs: 1, allowed: [] }),
    ...members,
  ]);
}
await store.close();
