/** What a server answers falsely, or not at all, in a sealed room; and what it gets to see. */

import { assert, assertEquals } from "@std/assert";
import { toBase64Url } from "../../protocol/bytes.ts";
import { errorCodes } from "../../protocol/errors.ts";
import { messageIdOf } from "../../protocol/entry.ts";
import { objectBytesMax, objectChunkBytesMax } from "../../protocol/limits.ts";
import type { Message } from "../../protocol/message.ts";
import { MemoryStore } from "../../server/store/memory.ts";
import { within } from "../fixtures/within.ts";
import { rules } from "../client/sealed_stories.ts";
import { StoreAround } from "../fixtures/store_around.ts";
import { comeIn, make, told } from "../fixtures/sealed_user.ts";
import { User } from "../fixtures/user.ts";
import { arriving, deceived, say } from "./deceived.ts";
import { makeUp } from "./made_up.ts";
import { serve } from "./served.ts";
import type { Teller } from "./tampering.ts";

/** Does something in the server's place with what is published. */
function instead(
  act: (message: Message & { type: "publish" }, teller: Teller) => void,
): (message: Message, teller: Teller) => boolean {
  return (message, teller) => {
    if (message.type !== "publish") return true;
    act(message, teller);
    return false;
  };
}

deceived(
  "who is told that the keys are old, and they are not, says it with the next",
  async (scene) => {
    const { hands, alice, alices, bob, bobs } = scene;
    let times = 0;
    const { promise: tried, resolve } = Promise.withResolvers<void>();
    const { text } = errorCodes.stale_epoch;
    hands.heard = instead(({ core }, { tell }) => {
      times++;
      tell({ type: "error", code: "stale_epoch", text, messageId: messageIdOf(core) });
      resolve();
    });
    await bob.client.say(bobs.room.id, "hello");
    await within(tried, "Bob to have tried");
    await say(alices, "what do you think?");
    await bob.hears("what do you think?");
    assertEquals([times, bob.client.undelivered], [1, 1]);
    delete hands.heard;
    await alices.sealed.change(() => ({})); // Now there are others.
    await alice.hears("hello");
  },
);

deceived("what the server only says that it has stored stays to be said", async (scene) => {
  const { hands, alices, bob, bobs } = scene;
  const { promise: tried, resolve } = Promise.withResolvers<void>();
  hands.heard = instead(({ room, core }, { tell }) => {
    tell({ type: "stored", room, messageId: messageIdOf(core), seq: bobs.room.cursor!.seq + 1 });
    resolve();
  });
  await bob.client.say(bobs.room.id, "hello");
  await within(tried, "Bob to have said it");
  await say(alices, "what stands there is mine");
  await bob.hears("what stands there is mine");
  assertEquals([bob.client.undelivered, bob.texts("team").length], [1, 1]);
});

deceived("that a message stands where something else was read ends the session", async (scene) => {
  const { hands, alice, alices, bob, bobs } = scene;
  await say(alices, "one");
  await bob.hears("one");
  hands.heard = instead(({ room, core }, { tell }) => {
    tell({ type: "stored", room, messageId: messageIdOf(core), seq: bobs.room.cursor!.seq });
    delete hands.heard;
  });
  await bob.client.say(bobs.room.id, "two");
  await alice.hears("two"); // With the next session it is said again.
  assertEquals(
    bob.events.flatMap((event) => event.kind === "disconnected" ? [event.reason] : []),
    ["The server says that it has what is not in the log."],
  );
});

/** What is given in the place of an object that a client asks for. */
const objects: Record<string, (bytes: number, at: number, data: Uint8Array) => object> = {
  "other bytes": (bytes, _, data) => ({ bytes, data: toBase64Url(data.map((byte) => byte ^ 1)) }),
  "less than there is": (bytes, at, data) =>
    at === 0 ? { bytes: data.length - 1, data: toBase64Url(data.slice(1)) } : { bytes, data: "" },
  "an object that never ends": (_, at) => ({
    bytes: at + 2 * objectChunkBytesMax,
    data: toBase64Url(new Uint8Array(objectChunkBytesMax)),
  }),
  "crumbs": (bytes, at, data) => ({ bytes: bytes + at, data: toBase64Url(data.subarray(0, 1)) }),
  "nothing": (bytes) => ({ bytes, data: "" }),
  "too much": () => ({
    bytes: objectBytesMax + 1,
    data: toBase64Url(new Uint8Array(objectChunkBytesMax)),
  }),
};

for (const [name, give] of Object.entries(objects)) {
  arriving(
    `who is given ${name} in the place of a group says so, and comes in nowhere`,
    async (scene) => {
      const { alices, hands, impostor, ghost, arrive } = scene;
      await impostor.pretend(await makeUp(ghost, alices.sealed.keys.group!, []));
      const { hears } = impostor;
      let times = 0;
      hands.heard = (message, teller) => {
        if (message.type !== "request" || message.command !== "download") {
          return hears(message, teller);
        }
        times++;
        const { at } = message.args as { at: number };
        const value = give(100_000, at, new Uint8Array(objectChunkBytesMax));
        teller.tell({ type: "answer", request: message.request, value });
        return false;
      };
      const { user, sealed } = await arrive();
      await user.until("Bob to be told", () => told(user, "failed").length > 0);
      assert(told(user, "failed")[0]!.why.startsWith("The server"));
      assertEquals(sealed.keys.group, undefined);
      assert(times < 4, `${times}`);
    },
  );
}

arriving("who is kept from their welcome comes in by themselves", async (scene) => {
  const { alice, hands, arrive } = scene;
  hands.heard = (message, { tell }) => {
    if (message.type !== "request" || message.command !== "welcome") return true;
    tell({ type: "answer", request: message.request, value: {} });
    return false;
  };
  const { user, room, sealed } = await arrive(2);
  await user.until("Bob to have keys", () => sealed.keys.group !== undefined);
  await user.client.say(room.id, "at last");
  await alice.hears("at last");
});

arriving("who is answered nothing is told that they wait", async (scene) => {
  const { hands, arrive } = scene;
  hands.heard = ({ type, ...message }) => !(type === "request" && "command" in message);
  const { user } = await arrive(40);
  await user.until("Bob to be told", () => told(user, "slow").length > 0);
});

/** A store that remembers everything that it was ever given. */
class Watched extends StoreAround {
  readonly seen: string[] = [];
  /** Of each message how long it was. */
  readonly lengths: number[] = [];

  override append(...args: Parameters<StoreAround["append"]>): ReturnType<StoreAround["append"]> {
    for (const { core } of args[1]) {
      this.seen.push(new TextDecoder("latin1").decode(core));
      if (core[2] === 0) this.lengths.push(core.length);
    }
    return super.append(...args);
  }

  override put(...args: Parameters<StoreAround["put"]>): ReturnType<StoreAround["put"]> {
    this.seen.push(JSON.stringify(args));
    return super.put(...args);
  }
}

Deno.test("a server sees of what is said only in which of a few buckets its length is", async () => {
  const store = new Watched(new MemoryStore(32 * 1024 * 1024));
  await using server = await serve(rules, { store });
  await using alice = await User.enter(server, "Alice");
  const alices = { user: alice, ...await make(alice) };
  await using bob = (await comeIn(server, "Bob", alice, alices.sealed)).user;
  const canary = "canary-4711";
  for (const text of [canary, `${canary}!`, `${canary}, and then some`, canary.repeat(100)]) {
    await say(alices, text);
    await bob.hears(text);
  }
  const all = store.seen.join("\n");
  assert(all.length > 10_000);
  for (const form of [canary, btoa(canary).replace(/=+$/, ""), btoa(canary).slice(0, 8)]) {
    assert(!all.includes(form), form);
  }
  assertEquals(new Set(store.lengths).size, 2);
});
