/**
 * What members ask for, beside saying something.
 *
 * @module
 */

import type { Client } from "../../client/reconnect.ts";
import type { Coverage } from "./coverage.ts";
import type { Act } from "./plan.ts";
import type { Truth } from "./truth.ts";
import type { World } from "./world.ts";

/** Who asks, and what the answers are compared with. */
export interface Asker {
  readonly client: Client;
  readonly name: string;
  readonly world: World;
  readonly truth: Truth;
  readonly coverage: Coverage;
}

/** Asks for something; throws what speaks against it. */
export async function ask(
  { client, name: who, world, truth, coverage }: Asker,
  { command, room: name, whom, ms }: Act,
  id: Uint8Array | undefined,
): Promise<void> {
  switch (command) {
    case "join":
      return void await client.join(name, { open: true });
    case "part":
      return await client.part(id!);
    case "who": {
      const { here, members } = await client.command("who", {}, id);
      const names = members.filter(({ isHere }) => isHere).map(({ name }) => name);
      coverage.answers++;
      return world.check(here === names.length, () => `${here} are said to be ${names}`);
    }
    case "history":
      return await readHistory({ client, name: who, world, truth, coverage }, id!);
    case "role member":
    case "role moderator":
    case "role reader": {
      const role = command.slice(5) as "member" | "moderator" | "reader";
      return void await client.command("role", { user: whom, role }, id);
    }
    case "ban":
      return void await client.command("ban", { who: whom, forMs: Math.ceil(ms) }, id);
    case "unban":
      return void await client.command("unban", { who: whom }, id);
    case "mute":
      return void await client.command("mute", { user: whom, forMs: Math.ceil(ms) }, id);
    case "kick":
    case "unmute":
      return void await client.command(command, { user: whom }, id);
    case "slow":
      return void await client.command("slow", { everyMs: Math.ceil(Math.min(ms, 1_000)) }, id);
    case "slow off":
      return void await client.command("slow", { everyMs: 0 }, id);
    case "announce on":
    case "announce off":
      return void await client.command("announce", { isOn: command === "announce on" }, id);
  }
}

async function readHistory(
  { client, name, world, truth, coverage }: Asker,
  room: Uint8Array,
): Promise<void> {
  const sinceMs = world.ms;
  const entries = await client.history(room, undefined, 20);
  coverage.histories++;
  for (const entry of entries) truth.checkShown(name, room, entry);
  truth.checkServed(room, entries, sinceMs);
}
