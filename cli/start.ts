/**
 * The command `start`: configuration, identity, listener, signals.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { systemClock } from "./clock.ts";
import { fingerprint } from "../crypto/identity.ts";
import { listenAt } from "./destination.ts";
import { EndingRequest } from "./ending.ts";
import { loadEnvFile } from "./env_file.ts";
import { exitCode } from "./exit.ts";
import { readFlags, UsageError } from "./flags.ts";
import { configureLog } from "./log.ts";
import { tidyMemoryAtRest } from "./memory.ts";
import { nativeAead, nativeSigningKey } from "./native_crypto.ts";
import { type Address, formatAddress, formatLink, parseAddress } from "../protocol/address.ts";
import { toBase64Url } from "../protocol/bytes.ts";
import { checkFolder } from "./doctor_checks.ts";
import { isSystemError, reasonOf } from "./reason.ts";
import { type Config, ConfigError, loadConfig, settings, variableOf } from "../server/config.ts";
import { DamagedFileError, type DataFolder, openDataFolder } from "../server/data_folder.ts";
import type { Upkeep } from "../server/operator.ts";
import { Server } from "../server/server.ts";
import { SqliteStore } from "../server/store/sqlite.ts";
import { StoreRefusedError } from "../server/store/sqlite_faults.ts";
import { StoreBrokenError } from "../server/store/store.ts";
import { listenForOperator, SocketInUseError } from "./admin_socket.ts";
import { copyName, exists, removeLeftovers, restoringFolder, storeFile } from "./data_files.ts";
import { acceptLoop } from "./tcp.ts";

const log = getLogger(["broadcast"]);

/** How long a graceful end may take. */
const closeTimeoutMs = 9_000;

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
LOG_LEVEL for --log-level. Flags win over the environment, the environment over .env.

Exit codes: ${exitCode.ok} ended by a signal; ${exitCode.usage} wrong usage, or a folder that cannot be \
used; ${exitCode.network} cannot listen;
${exitCode.fault} a fault of the program's own, or closing took too long.`;
}

/** It cannot listen; the message says why. */
class ListenError extends Error {}

/** Runs a server until a signal ends it; the exit code. */
export async function start(args: string[]): Promise<number> {
  try {
    const config = await readConfig(args);
    await configureLog(config.logLevel, config.logFormat);
    return await serve(config);
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    console.error((error as Error).message);
    return code;
  }
}

async function readConfig(args: string[]): Promise<Config> {
  const flagNames = Object.values(settings).map(({ flag }) => flag);
  const { strings, positional } = readFlags(args, { strings: flagNames, booleans: [] });
  if (positional.length > 0) {
    throw new UsageError(`start takes no "${positional[0]}". A port goes with --port.`);
  }
  const variables = flagNames.map(variableOf);
  const env = Object.fromEntries(variables.map((name) => [name, Deno.env.get(name)]));
  return loadConfig({ flags: strings, env, file: await loadEnvFile() });
}

async function serve(config: Config): Promise<number> {
  const ending = new EndingRequest();
  const fault = Promise.withResolvers<unknown>();
  const listener = listen(config.port);
  const data = await openData(config.data);
  const { identity, invitation, store } = data;
  const link = (invitation: string) => linkOf(config, listener.addr.port, data, invitation);
  void store.broken.then(fault.resolve);
  const server = await Server.open({
    rules: config,
    retentionDays: config.retentionDays,
    clock: systemClock,
    store,
    identity,
    aead: nativeAead,
    invitation,
    say: config.quiet === "on" ? () => {} : (line) => console.log(line),
    onFault: fault.resolve,
    memoryBytes: () => Deno.memoryUsage().rss,
    address: () => formatAddress(linkAddress(config, listener.addr.port)),
    upkeep: { ...upkeepOf(store, config.data), link },
  });
  const stopTidying = tidyMemoryAtRest(systemClock);
  const accepting = acceptLoop(listener, systemClock, (link) => server.accept(link));
  const admin = await listenForOperator(
    config.data,
    systemClock,
    (link) => server.acceptOperator(link),
  );
  console.log(`connect to the server on port :${listener.addr.port}`);
  console.log(`Others join with:  ${program()} connect '${link(toBase64Url(invitation))}'`);
  const reason = await Promise.race([
    ending.received,
    fault.promise.then((cause) => ({ signal: undefined, cause })),
  ]);
  listener.close();
  admin.close();
  stopTidying();
  if (reason.signal === undefined) return failed(reason.cause, config);
  log.info(`${reason.signal}: telling the clients, then closing`);
  Deno.unrefTimer(setTimeout(() => Deno.exit(exitCode.fault), closeTimeoutMs));
  await server.close();
  await accepting;
  await store.close();
  return exitCode.ok;
}

/** What lets others in who have this invitation. */
function linkOf(
  config: Config,
  port: number,
  { identity }: DataFolder,
  invitation: string,
): string {
  return formatLink({
    ...linkAddress(config, port),
    fingerprint: fingerprint(identity.publicKey),
    invitation,
  });
}

/** Says why the server cannot go on. */
function failed(cause: unknown, { logLevel }: Config): number {
  const text = cause instanceof StoreBrokenError ? cause.message : "the server cannot go on";
  log.fatal(text, cause instanceof StoreBrokenError ? {} : { cause });
  if (logLevel === "off") console.error(text);
  return exitCode.fault;
}

/** What an operator may have done to the store of a running server. */
function upkeepOf(store: SqliteStore, folder: string): Omit<Upkeep, "link"> {
  return {
    async backup() {
      const name = copyName();
      await store.backup(`${folder}/${name}`);
      return name;
    },
    integrity: () => store.integrity().catch((cause: Error) => [cause.message]),
  };
}

/** What is typed to run this. */
function program(): string {
  return Deno.build.standalone ? "broadcast" : "deno task";
}

/** @throws {ListenError} with what to do */
function listen(address: Address): Deno.TcpListener {
  const { host, port } = listenAt(address);
  try {
    return Deno.listen({ hostname: host, port });
  } catch (cause) {
    throw new ListenError(listenProblem(cause, address), { cause });
  }
}

function listenProblem(cause: unknown, { host, port }: Address): string {
  if (cause instanceof Deno.errors.AddrInUse) {
    const other = port === 65535 ? port - 1 : port + 1;
    return `Port ${port} is taken. Stop what listens there, or choose another: --port :${other}`;
  }
  if (cause instanceof Deno.errors.AddrNotAvailable) {
    return `${host} is not an address of this machine. Listen on all of them: --port :${port}`;
  }
  if (cause instanceof Deno.errors.PermissionDenied && port < 1024) {
    return `Ports below 1024 are for the system's administrator. Try --port :9000`;
  }
  return `Cannot listen on ${formatAddress({ host, port })}: ${reasonOf(cause)}`;
}

/** @throws {UsageError} and others that say what to do */
async function openData(folder: string): Promise<DataFolder & { store: SqliteStore }> {
  try {
    if (await exists(restoringFolder(folder))) {
      throw new UsageError(
        `A restore into ${folder} was not done to its end. Do it again: ` +
          `${program()} restore FILE --data ${folder}`,
      );
    }
    const data = await openDataFolder(folder, nativeSigningKey);
    const store = await SqliteStore.open({ path: storeFile(folder) });
    await removeLeftovers(folder); // The store's lock says that nobody else is at work here.
    const { what, todo } = await checkFolder(folder);
    if (todo !== undefined) log.warn(`${what}: ${todo}`);
    return { ...data, store };
  } catch (cause) {
    if (!isSystemError(cause)) throw cause;
    const why = `Cannot use the folder ${folder}: ${reasonOf(cause)}`;
    throw new UsageError(`${why} Choose another: --data FOLDER`, { cause });
  }
}

/** The exit code; undefined for a fault of the program's own. */
function codeOf(error: unknown): number | undefined {
  const isUsage = error instanceof ConfigError || error instanceof UsageError ||
    error instanceof DamagedFileError || error instanceof StoreRefusedError ||
    error instanceof SocketInUseError;
  if (isUsage) return exitCode.usage;
  return error instanceof ListenError ? exitCode.network : undefined;
}

/** Where others find this server, as far as it can know. */
function linkAddress({ linkHost, port: { host } }: Config, port: number): Address {
  if (linkHost !== "") return parseAddress(linkHost, port);
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
