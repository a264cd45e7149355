/**
 * A client whose process dies at every step that its store takes, before it and after it; what is left
 * is what the store had. The server is real, and so is the client.
 */

import { assert, assertEquals } from "@std/assert";
import type { ClientEvent } from "../../client/events.ts";
import { shakeHands } from "../../client/handshake.ts";
import { Client } from "../../client/reconnect.ts";
import { ClientStoreError, type Profile } from "../../client/store/store.ts";
import { systemClock } from "../../cli/clock.ts";
import { dialTcp } from "../../cli/tcp.ts";
import { Content } from "../../protocol/entry.ts";
import { MemoryClientStore } from "../fixtures/memory_client_store.ts";
import { within } from "../fixtures/within.ts";
import { serve } from "../hostile/served.ts";

/** The steps after which something is on the disk. */
const steps = ["say", "settle", "enter", "take", "reset", "read", "leave"] as const;

/** Dies at the step of this number: before it is done, or after. */
function mortal(profile: Profile, stepsLeft: number, isDone: boolean): Profile {
  let left = stepsLeft;
  const dying = { ...profile };
  for (const step of steps) {
    const act = profile[step] as (...args: unknown[]) => unknown;
    Object.assign(dying, {
      [step](...args: unknown[]) {
        if (left < 0) throw new ClientStoreError("the process has died");
        if (left-- > 0) return act(...args);
        if (isDone) act(...args);
        throw new ClientStoreError("the process has died");
      },
    });
  }
  return dying;
}

/** What clients of one name were told, one after the other. */
class Lives {
  readonly store = new MemoryClientStore();
  readonly shown: string[] = [];
  readonly #port: number;
  readonly #name: string;
  #onShown = () => {};

  constructor(port: number, name: string) {
    this.#port = port;
    this.#name = name;
  }

  /** @param change what the process's store is */
  async open(change: (profile: Profile) => Profile = (profile) => profile): Promise<Client> {
    this.store.abandon();
    return await Client.open({
      dial: async () =>
        await shakeHands(await dialTcp({ host: "127.0.0.1", port: this.#port }), () => {}),
      login: { name: this.#name, identity: await this.store.identity(this.#name) },
      clock: systemClock,
      random: () => 0,
      keep: (server) => change(this.store.profile(server, this.#name)),
      onEvent: (event) => this.#take(event),
    });
  }

  /** Resolves when such a text was shown. */
  async until(text: string): Promise<void> {
    await within(
      new Promise<void>((resolve) => {
        this.#onShown = () => this.shown.includes(text) && resolve();
        this.#onShown();
      }),
      `${this.#name} to be shown ${text}`,
    );
  }

  #take(event: ClientEvent): void {
    if (event.kind !== "entries") return;
    for (const { core } of event.entries) {
      if (core.content === Content.text) this.shown.push(new TextDecoder().decode(core.payload));
    }
    this.#onShown();
  }
}

const rules = { publishBurst: 10_000, publishPerSecond: 10_000 };

for (const isDone of [false, true]) {
  Deno.test(`a client that dies ${isDone ? "after" : "before"} any step loses nothing, and does nothing twice`, async () => {
    await using server = await serve(rules);
    const witness = new Lives(server.port, "witness");
    const watching = await witness.open();
    const running = watching.run();
    await watching.command("who", {}, watching.rooms[0]!.id);
    let deaths = 0;
    for (let step = 0; step < 14; step++) {
      const victim = new Lives(server.port, `victim${step}`);
      const kept: string[] = [];
      const client = await victim.open((profile) => mortal(profile, step, isDone)).catch(() => {
        deaths++;
        return undefined;
      });
      if (client) {
        const ended = client.run().then(() => undefined, (cause) => cause);
        const { id } = client.rooms[0]!;
        for (let at = 0; at < 6; at++) {
          const text = `${step}/${at}`;
          await client.say(id, text).then(() => kept.push(text), () => {});
          await watching.say(watching.rooms[0]!.id, `to ${text}`);
          if (at % 2) client.seen(id);
        }
        void client.delivered().then(() => client.close());
        if (await within(ended, "the client to end") instanceof ClientStoreError) deaths++;
      }
      const again = await victim.open();
      const runningAgain = again.run();
      await again.delivered();
      const end = `end ${step}`;
      await again.say(again.rooms[0]!.id, end);
      await Promise.all([victim.until(end), witness.until(end)]);
      const seqs = again.newest(again.rooms[0]!.id, 10_000).map(({ seq }) => seq);
      assertEquals(seqs, seqs.map((_, at) => seqs[0]! + at), `step ${step}: kept with gaps`);
      again.close();
      await runningAgain;

      const said = witness.shown.filter((text) => text.startsWith(`${step}/`));
      assertEquals(said, [...new Set(said)].sort(), `step ${step}: said twice, or out of order`);
      assertEquals(kept.filter((text) => !said.includes(text)), [], `step ${step}: lost`);
      const shown = victim.shown;
      assertEquals(shown.length, new Set(shown).size, `step ${step}: shown twice`);
      const places = shown.map((text) => witness.shown.indexOf(text));
      assertEquals(places, places.toSorted((a, b) => a - b), `step ${step}: out of order`);
    }
    assert(deaths >= 8, `${deaths} deaths`);
    watching.close();
    await running;
  });
}
