/**
 * The command `start`: configuration, identity, listener, signals.
 *
 * @module
 */

import { load } from "@std/dotenv";
import { acceptLoop } from "./tcp.ts";
import { systemClock } from "./clock.ts";
import { fingerprint } from "./crypto/identity.ts";
import { exitCode } from "./exit.ts";
import { meant, readFlags, UsageError } from "./flags.ts";
import { configureLog } from "./log.ts";
import { formatLink, parseAddress } from "./protocol/address.ts";
import { toBase64Url } from "./protocol/bytes.ts";
import { type Config, ConfigError, loadConfig, settings, variableOf } from "./server/config.ts";
import { openDataFolder } from "./server/data_folder.ts";
import { Server } from "./server/server.ts";
import { MemoryStore } from "./server/store/memory.ts";
import { getLogger } from "@logtape/logtape";

const log = getLogger(["broadcast"]);

/** How long a graceful end may take. */
const closeTimeoutMs = 9_000;
/** A terminal's Ctrl-C can arrive twice: by the task runner, and by the terminal itself. */
const sameSignalMs = 500;

/** `start --help`. */
export function startUsage(): string {
  const rows = Object.values(settings).map(({ flag, about, right, fallback }) =>
    `  --${flag.padEnd(24)} ${about}\n${" ".repeat(29)}${right}` +
    (fallback ? `; default ${fallback}` : "")
  );
  return `Runs a server, and prints the link that lets others in.

Usage: broadcast start [OPTIONS]

${rows.join("\n")}

Every option can also stand in the environment or in a file .env, as PORT for --port and
LOG_LEVEL for --log-level. Flags win over the environment, the environment over .env.`;
}

/** Runs a server until a signal ends it; the exit code. */
export async function start(args: string[]): Promise<number> {
  let config: Config;
  try {
    config = await readConfig(args);
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof UsageError)) throw error;
    console.error(error.message);
    return exitCode.usage;
  }
  await configureLog(config.logLevel, config.logFormat);
  return await serve(config);
}

async function readConfig(args: string[]): Promise<Config> {
  const flagNames = Object.values(settings).map(({ flag }) => flag);
  const { strings, positional } = readFlags(args, flagNames, []);
  if (positional.length > 0) {
    throw new UsageError(`start takes no "${positional[0]}". A port goes with --port.`);
  }
  const variables = flagNames.map(variableOf);
  const env = Object.fromEntries(variables.map((name) => [name, Deno.env.get(name) || undefined]));
  const file = await load();
  for (const name of Object.keys(file)) {
    const hint = variables.includes(name) ? "" : meant(name, variables, "");
    if (hint) throw new ConfigError(`.env has ${name}, which is not a setting.${hint}`);
  }
  return loadConfig({ flags: strings, env, file });
}

async function serve(config: Config): Promise<number> {
  const fault = Promise.withResolvers<unknown>();
  const { identity, invitation } = await openDataFolder(config.data);
  const listener = listen(config);
  if (!listener) return exitCode.network;
  const server = await Server.open({
    rules: config,
    clock: systemClock,
    store: new MemoryStore(config.historyBytes),
    identity,
    invitation,
    say: config.quiet === "on" ? () => {} : (line) => console.log(line),
    onFault: fault.resolve,
  });
  const { port } = listener.addr;
  const link = formatLink({
    ...linkAddress(config, port),
    fingerprint: fingerprint(identity.publicKey),
    invitation: toBase64Url(invitation),
  });
  console.log(`connect to the server on port :${port}`);
  console.log(`Others join with:  broadcast connect '${link}'`);
  const accepting = acceptLoop(listener, systemClock, (link) => server.accept(link));
  const reason = await Promise.race([signal(), fault.promise.then((cause) => ({ cause }))]);
  listener.close();
  if (typeof reason === "object") {
    log.fatal("the server cannot go on: {cause}", reason);
    return exitCode.fault;
  }
  log.info("{reason}: telling the clients, then closing", { reason });
  await server.close();
  await accepting;
  return exitCode.ok;
}

/** The listener, or undefined after saying why there is none. */
function listen({ port: { host, port } }: Config): Deno.TcpListener | undefined {
  const hostname = host || "0.0.0.0";
  try {
    return Deno.listen({ hostname, port });
  } catch (cause) {
    const where = `${host}:${port}`;
    if (cause instanceof Deno.errors.AddrInUse) {
      console.error(
        `Port ${port} is taken. Stop what listens there, or choose another: --port :9001`,
      );
    } else if (cause instanceof Deno.errors.AddrNotAvailable) {
      console.error(
        `${host} is not an address of this machine. Listen on all of them: --port :${port}`,
      );
    } else if (cause instanceof Deno.errors.PermissionDenied && port < 1024) {
      console.error(`Ports below 1024 are for the system's administrator. Try --port :9000`);
    } else {
      console.error(`Cannot listen on ${where}: ${cause instanceof Error ? cause.message : cause}`);
    }
    return undefined;
  }
}

/** Where others find this server, as far as it can know. */
function linkAddress({ linkHost, port: { host } }: Config, port: number) {
  if (linkHost !== "") {
    const hasPort = /:\d+$/.test(linkHost) && !/^[\da-f:]*$/i.test(linkHost);
    return hasPort ? parseAddress(linkHost) : { host: parseAddress(linkHost).host, port };
  }
  const isEverywhere = ["", "0.0.0.0", "::"].includes(host);
  return { host: isEverywhere ? ownAddress() : host, port };
}

/** An address of this machine that others can reach, else loopback. */
function ownAddress(): string {
  const addresses = Deno.networkInterfaces().filter(({ address }) =>
    !/^(127\.|::1$|fe80:|169\.254\.)/.test(address)
  );
  const found = addresses.find(({ family }) => family === "IPv4") ?? addresses[0];
  return found?.address ?? "127.0.0.1";
}

/** Resolves at the first signal to end; the process ends at the second, or when closing takes long. */
function signal(): Promise<string> {
  return new Promise((resolve) => {
    let firstMs = 0;
    const onSignal = (name: string) => () => {
      if (firstMs === 0) {
        firstMs = Date.now();
        Deno.unrefTimer(setTimeout(() => Deno.exit(exitCode.fault), closeTimeoutMs));
        resolve(name);
      } else if (Date.now() - firstMs > sameSignalMs) {
        Deno.exit(exitCode.fault);
      }
    };
    const names: Deno.Signal[] = Deno.build.os === "windows"
      ? ["SIGINT", "SIGBREAK"]
      : ["SIGINT", "SIGTERM", "SIGHUP"];
    for (const name of names) Deno.addSignalListener(name, onSignal(name));
  });
}
