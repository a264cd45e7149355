/** Groups that a server makes up for a sealed room. */

import { assert, assertEquals } from "@std/assert";
import type { ClientRoom } from "../../client/events.ts";
import { happeningText } from "../../client/chat/sealed_text.ts";
import { report } from "../../client/sealed/acts.ts";
import { decodeKnock } from "../../client/sealed/knock.ts";
import { deviceIdOf, generateIdentity } from "../../crypto/identity.ts";
import { fromBase64Url } from "../../protocol/bytes.ts";
import { decodeCore } from "../../protocol/entry.ts";
import { quiet } from "../crypto/room.ts";
import { told } from "../fixtures/sealed_user.ts";
import { arriving, deceived, packageOf, say, unopened } from "./deceived.ts";
import { Impostor, makeUp, sealAs } from "./made_up.ts";
import type { Hands, Teller } from "./tampering.ts";

/** Tells that a room's log is lost, and then of another group. */
function resetting(room: ClientRoom, impostor: Impostor): NonNullable<Hands["heard"]> {
  let isTold = false;
  return (message, teller) => {
    const { id, cursor } = room;
    if (!isTold) teller.tell({ type: "reset", room: id, reason: "lost", cursor: cursor! });
    isTold = true;
    return impostor.hears(message, teller);
  };
}

deceived("who was in a room comes into no other that the server makes up", async (scene) => {
  const { server, hands, alices, bob, bobs } = scene;
  const { room, sealed } = bobs;
  const { identity: ghost } = await generateIdentity();
  const packages = [await packageOf(server, alices.user), await packageOf(server, bob)];
  const impostor = new Impostor(room.id, sealed.keys.group!.own.deviceId);
  await impostor.pretend(await makeUp(ghost, alices.sealed.keys.group!, packages));
  hands.heard = resetting(room, impostor);
  bob.client.typing(room.id);
  await bob.until("Bob to refuse it", () => told(bob, "failed").length > 0);
  assertEquals(told(bob, "failed")[0]!.why, "Nobody whom we know vouches for this group.");
  await bob.client.say(room.id, "are we alone?");
  assertEquals([impostor.commits, sealed.keys.group], [[], undefined]);
  assertEquals(bob.client.undelivered, 1);
});

deceived("who is told to begin again with an old group is told that it is one", async (scene) => {
  const { hands, alices, bob, bobs } = scene;
  const { room, sealed } = bobs;
  const impostor = new Impostor(room.id, sealed.keys.group!.own.deviceId);
  await impostor.pretend(alices.sealed.keys.group!);
  await alices.sealed.change(() => ({})); // As when somebody was taken out.
  await bob.until(
    "Bob to follow",
    () => sealed.keys.group!.epoch === alices.sealed.keys.group!.epoch,
  );
  hands.heard = resetting(room, impostor);
  bob.client.typing(room.id);
  await bob.until("Bob to be told", () => told(bob, "older").length > 0);
  await say(alices, "without whom we took out");
  await bob.hears(unopened);
});

arriving("a made-up group without the inviter is refused", async (scene) => {
  const { alices, impostor, ghost, arrive } = scene;
  await impostor.pretend(await makeUp(ghost, alices.sealed.keys.group!, []));
  const { user, sealed } = await arrive();
  await user.until("Bob to refuse it", () => told(user, "failed").length > 0);
  assertEquals(told(user, "failed")[0]!.why, "Who invited us is not in this group.");
  assertEquals([impostor.commits, sealed.keys.group], [[], undefined]);
});

arriving("a welcome to a made-up group without the inviter is refused", async (scene) => {
  const { alices, hands, impostor, ghost, arrive } = scene;
  const group = await makeUp(ghost, alices.sealed.keys.group!, []);
  await impostor.pretend(group);
  const { hears } = impostor;
  hands.heard = (message, teller) => {
    if (message.type === "request" && message.command === "knock") {
      const { core } = message.args as { core: string };
      const { keyPackage } = decodeKnock(decodeCore(fromBase64Url(core)).payload);
      void impostor.welcome(ghost, group, keyPackage).then((row) =>
        teller.append(alices.room.id, row)
      );
    }
    return hears(message, teller);
  };
  const { user, sealed } = await arrive();
  await user.until("Bob to refuse it", () => told(user, "failed").length > 0);
  assertEquals(told(user, "failed")[0]!.why, "Who invited us is not in this group.");
  assert(impostor.asked.includes("welcome"));
  assertEquals(sealed.keys.group, undefined);
});

arriving(
  "a made-up group with the inviter in it is not confirmed, and Bob is told",
  async (scene) => {
    const { server, alices, hands, impostor, ghost, arrive } = scene;
    const group = await makeUp(ghost, alices.sealed.keys.group!, [
      await packageOf(server, alices.user),
    ]);
    await impostor.pretend(group);
    let say: Teller["append"] | undefined;
    hands.heard = (message, teller) => {
      say = teller.append;
      return impostor.hears(message, teller);
    };
    const { user, room, sealed } = await arrive();
    await user.until("Bob to have keys", () => told(user, "in").length > 0);
    const [happening] = told(user, "in");
    assertEquals(happening, { what: "in", isNew: false, isConfirmed: false });
    assert(happeningText(happening!, { isDirect: false })!.includes("compare the code"));

    await group.accept(impostor.commits[0]!, quiet);
    const deviceId = deviceIdOf(ghost.device.publicKey);
    const at = sealed.keys.trail.end!;
    say!(room.id, await sealAs(deviceId, { group, at, text: "It is me, Alice" }));
    await user.hears("It is me, Alice");
    assertEquals(told(user, "confirmed"), []);
    const { isConfirmed, code } = (await report(user.client, sealed))!;
    assertEquals(isConfirmed, false);
    assert(code !== await alices.sealed.keys.group!.code());
  },
);

arriving(
  "an old group is not confirmed, and nobody who is there now is heard in it",
  async (scene) => {
    const { alices, impostor, arrive } = scene;
    await impostor.pretend(alices.sealed.keys.group!);
    await alices.sealed.change(() => ({})); // As when somebody was taken out.
    const { user, sealed } = await arrive();
    await user.until("Bob to have keys", () => told(user, "in").length > 0);
    assertEquals(told(user, "in").map(({ isConfirmed }) => isConfirmed), [false]);
    await say(alices, "without whom we took out");
    await user.hears(unopened);
    assertEquals(told(user, "confirmed"), []);
    assert(await sealed.keys.group!.code() !== await alices.sealed.keys.group!.code());
  },
);

arriving("who comes in by themselves is confirmed by what the inviter says", async (scene) => {
  const { alices, hands, arrive } = scene;
  hands.heard = (message, { tell }) => {
    if (message.type !== "request" || message.command !== "knock") return true;
    tell({ type: "answer", request: message.request, value: {} }); // Alice hears nothing of it.
    return false;
  };
  const { user, sealed } = await arrive();
  await user.until("Bob to have keys", () => sealed.keys.group !== undefined);
  assertEquals(told(user, "in"), [{ what: "in", isNew: false, isConfirmed: false }]);
  await say(alices, "welcome, Bob");
  await user.hears("welcome, Bob");
  assertEquals(told(user, "confirmed"), [{ what: "confirmed", by: "Alice" }]);
  assertEquals((await report(user.client, sealed))!.isConfirmed, true);
});

arriving("whom the inviter lets in is confirmed at once", async ({ arrive, alices, alice }) => {
  const { user, sealed } = await arrive(0.5);
  await user.until("Bob to have keys", () => sealed.keys.group !== undefined);
  assertEquals(told(user, "in"), [{ what: "in", isNew: false, isConfirmed: true }]);
  const codes = [alices.sealed, sealed].map(({ keys }) => keys.group!.code());
  assertEquals(await codes[0], await codes[1]);
  assertEquals(told(alice, "changed").map(({ added }) => added), []); // It was her own doing.
});
