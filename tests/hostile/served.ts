/**
 * The real server over real TCP, and two ordinary people who chat on it while somebody attacks.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { ClientEvent } from "../../client/events.ts";
import { Client } from "../../client/reconnect.ts";
import type { CheckedEntry, Verified } from "../../client/room_log.ts";
import { shakeHands } from "../../client/handshake.ts";
import { systemClock } from "../../cli/clock.ts";
import type { AeadFactory } from "../../crypto/aes_gcm.ts";
import { generateIdentity, generateSigningKey, type SigningKey } from "../../crypto/identity.ts";
import type { Clock } from "../../protocol/clock.ts";
import { loadConfig } from "../../server/config.ts";
import type { Rules } from "../../server/door/reception.ts";
import { Server } from "../../server/server.ts";
import { MemoryStore } from "../../server/store/memory.ts";
import type { Store } from "../../server/store/store.ts";
import { acceptLoop, dialTcp } from "../../cli/tcp.ts";
import type { Place } from "../fixtures/user.ts";
import { within } from "../fixtures/within.ts";

/** What an operator gets who decides nothing. */
export const defaults = loadConfig({ flags: {}, env: {}, file: {} });

/** A server that somebody is about to attack. */
export interface Served extends Place, AsyncDisposable {
  readonly port: number;
  readonly server: Server;
  /** Its identity key. */
  readonly identity: Uint8Array;
  readonly invitation: Uint8Array;
  /** Connections that have not ended. */
  readonly connections: number;
  /** Resolves when at most so many connections are left. */
  left(connections: number): Promise<void>;
}

/** What a test may want different. */
export interface ServeOptions {
  /** Else one that runs faster than ours, so that these tests do. */
  readonly clock?: Clock;
  /** Where connections seem to come from; else from loopback, as they do. */
  readonly remote?: string;
  /** Who it is; else somebody new. */
  readonly identity?: SigningKey;
  readonly store?: Store;
  readonly aead?: AeadFactory;
}

/** Starts a server on a free port. Disposing it fails when the server had a fault of its own. */
export async function serve(
  rules: Partial<Rules> = {},
  options: ServeOptions = {},
): Promise<Served> {
  const { clock = fastClock(4), remote, aead } = options;
  const { store = new MemoryStore(32 * 1024 * 1024) } = options;
  const identity = options.identity ?? (await generateSigningKey()).key;
  const invitation = crypto.getRandomValues(new Uint8Array(16));
  const faults: unknown[] = [];
  let connections = 0;
  let onLeft = () => {};
  const server = await Server.open({
    rules: { ...defaults, loginTimeoutMs: 60_000, ...rules },
    clock,
    store,
    identity,
    ...(aead && { aead }),
    invitation,
    say(line) {
      connections += line.startsWith("Client connected") ? 1 : -1;
      onLeft();
    },
    onFault: (cause) => faults.push(cause),
  });
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepting = acceptLoop(
    listener,
    systemClock,
    (link) => server.accept(remote === undefined ? link : { ...link, remote }),
  );
  const { port } = listener.addr;
  return {
    dial: () => dialTcp({ host: "127.0.0.1", port }),
    clock: systemClock,
    port,
    server,
    identity: identity.publicKey,
    invitation,
    get connections() {
      return connections;
    },
    async left(most: number) {
      await within(
        new Promise<void>((resolve) => {
          onLeft = () => connections <= most && resolve();
          onLeft();
        }),
        `${connections} connections to become ${most}`,
      );
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      await within(server.close(), "the server to close");
      await accepting;
      assertEquals(faults, [], "the server had a fault of its own");
    },
  };
}

/** Somebody who uses the real client. */
export interface Person extends AsyncDisposable {
  readonly client: Client;
  /** What the client told, in order. */
  readonly events: readonly ClientEvent[];
  say(text: string): Promise<void>;
  /** Resolves when a message with this text has come, its signature checked. */
  hears(text: string): Promise<void>;
  /** Resolves when such a message has come, whoever it is from. */
  sees(text: string | RegExp): Promise<void>;
}

/** Logs in, and is in the lobby. */
export async function enter(
  { port, invitation }: { port: number; invitation?: Uint8Array },
  name: string,
): Promise<Person> {
  const events: ClientEvent[] = [];
  const said: Said[] = [];
  let onEvent = () => {};
  const client = await Client.open({
    dial: async () => await shakeHands(await dialTcp({ host: "127.0.0.1", port }), () => {}),
    login: { name, identity: (await generateIdentity()).identity, invitation },
    clock: systemClock,
    random: Math.random,
    onEvent(event) {
      events.push(event);
      if (event.kind === "entries") said.push(...event.entries.map(toSaid));
      onEvent();
    },
  });
  const waitFor = (what: string, isIt: (said: Said) => boolean) =>
    within(
      new Promise<void>((resolve) => {
        onEvent = () => said.some(isIt) && resolve();
        onEvent();
      }),
      `${name} to hear "${what.slice(0, 40)}"`,
    );
  const running = client.run();
  running.catch(() => {}); // Thrown when it is disposed.
  const { id } = client.rooms[0]!;
  await client.command("who", {}, id); // From here on all that is said is heard.
  return {
    client,
    events,
    say: async (text) => void await client.say(id, text),
    hears: (text) => waitFor(text, (said) => said.verified === "signed" && said.text === text),
    sees: (text) =>
      waitFor(
        `${text}`,
        (said) => typeof text === "string" ? said.text === text : text.test(said.text),
      ),
    async [Symbol.asyncDispose]() {
      client.close();
      await running;
    },
  };
}

/** An entry's text, and whether its signature was checked. */
interface Said {
  readonly text: string;
  readonly verified: Verified;
}

function toSaid({ core, verified }: CheckedEntry): Said {
  return { text: new TextDecoder().decode(core.payload), verified };
}

/** Two people; `chat` resolves when each has heard the other. */
export interface Pair extends AsyncDisposable {
  readonly alice: Person;
  readonly bob: Person;
  chat(): Promise<void>;
}

/** Lets two people in. */
export async function enterPair(served: { port: number }): Promise<Pair> {
  const [alice, bob] = [await enter(served, "Alice"), await enter(served, "Bob")];
  let said = 0;
  return {
    alice,
    bob,
    async chat() {
      const text = `number ${++said}`;
      await alice.say(`Alice's ${text}`);
      await bob.say(`Bob's ${text}`);
      await Promise.all([alice.hears(`Bob's ${text}`), bob.hears(`Alice's ${text}`)]);
    },
    async [Symbol.asyncDispose]() {
      await alice[Symbol.asyncDispose]();
      await bob[Symbol.asyncDispose]();
    },
  };
}

/**
 * A test that attacks a server: afterwards it is up, serves others, and has let go of every
 * connection of the attacker's.
 */
export function hostile(
  name: string,
  attack: (served: Served, pair: Pair) => Promise<void>,
  rules: Partial<Rules> = {},
  options: ServeOptions = {},
): void {
  Deno.test(name, async () => {
    await using served = await serve(rules, options);
    await using pair = await enterPair(served);
    await pair.chat();
    await attack(served, pair);
    await served.left(2);
    await pair.chat();
  });
}

/** A clock that runs so many times as fast. */
export function fastClock(times: number): Clock {
  const startMs = Date.now();
  return {
    now: () => startMs + (Date.now() - startMs) * times,
    timer: (ms, act) => systemClock.timer(ms / times, act),
    turn: systemClock.turn,
  };
}
