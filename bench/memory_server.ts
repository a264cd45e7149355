/**
 * The server with its log in memory, to be compared with the real one: what the store on the disk costs.
 * `memory_server.ts PORT`
 *
 * @module
 */

import { systemClock } from "../cli/clock.ts";
import { nativeAead, nativeSigningKey } from "../cli/native_crypto.ts";
import { acceptLoop } from "../cli/tcp.ts";
import { loadConfig, settings, variableOf } from "../server/config.ts";
import { Server } from "../server/server.ts";
import { MemoryStore } from "../server/store/memory.ts";

const variables = Object.values(settings).map(({ flag }) => variableOf(flag));
const env = Object.fromEntries(variables.map((name) => [name, Deno.env.get(name)]));
const server = await Server.open({
  rules: loadConfig({ flags: {}, env, file: {} }),
  clock: systemClock,
  store: new MemoryStore(32 * 1024 * 1024),
  identity: await nativeSigningKey(new TextEncoder().encode("benchbenchbenchbenchbenchbenchbe")),
  aead: nativeAead,
  invitation: new Uint8Array(16),
  say: () => {},
  onFault(cause) {
    throw cause;
  },
});
const listener = Deno.listen({ hostname: "127.0.0.1", port: Number(Deno.args[0]) });
await acceptLoop(listener, systemClock, (link) => server.accept(link));
