/**
 * Runs main.ts with the least permissions. deno.json names what every run needs; which folder this one
 * may write, and which address it may use, only its flags, its environment and `.env` say.
 */

import { parseArgs } from "@std/cli/parse-args";
import { load } from "@std/dotenv";
import { socketFile } from "./data_files.ts";
import { destination, dialAt, listenAt, reachable } from "./destination.ts";
import {
  backupFlags,
  connectFlags,
  doctorFlags,
  passphraseFlags,
  readFlags,
  restoreFlags,
} from "./flags.ts";
import { dataFolder, identityFolder } from "./folders.ts";
import { readAdminLine } from "./admin_line.ts";
import { type Address, formatAddress, parseAddress, parseLink } from "../protocol/address.ts";
import { v8Flags } from "./v8_flags.ts";

const VARIABLES = [
  "PORT",
  "DATA",
  "BROADCAST_HOME",
  "BROADCAST_LINK",
  "HOME",
  "XDG_CONFIG_HOME",
  "APPDATA",
];
const SIGNALS: Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK", "SIGHUP"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];
const USAGE_ERROR = 2;

/** A Worker's modules are read under the permissions of who starts it: the store's are here. */
const workerSource = ["protocol", "server/store"];

/** What this run may do beyond its permission set. */
interface Grants {
  readonly read: readonly string[];
  readonly write: readonly string[];
  /** Addresses, and sockets of this machine; or all. */
  readonly net: readonly (Address | Socket)[] | "all";
}

/** The path of a socket in a data folder. */
interface Socket {
  readonly path: string;
}

/** What each command may do. */
const grantsOf: Readonly<
  Record<string, (args: string[], env: Record<string, string>) => Grants>
> = {
  start: startGrants,
  connect: connectGrants,
  passphrase: passphraseGrants,
  admin: adminGrants,
  backup: backupGrants,
  restore: restoreGrants,
  doctor: doctorGrants,
};

const [command = "", ...args] = Deno.args;
const child = new Deno.Command(Deno.execPath(), {
  args: [
    ...["run", "-q", "--no-prompt", "--frozen", `-P=${command}`],
    ...(command === "start" ? [v8Flags] : []),
    ...options(grants(command, args, await environment())),
    ...["main.ts", command, ...args],
  ],
  stdin: "inherit",
  stdout: "inherit",
  stderr: "inherit",
}).spawn();
for (const signal of SIGNALS) Deno.addSignalListener(signal, () => forward(signal));
Deno.exit((await child.status).code);

/** What is not right grants nothing: main.ts says what is wrong with it. */
function grants(command: string, args: string[], env: Record<string, string>): Grants {
  try {
    return grantsOf[command]!(args, env);
  } catch {
    return { read: [], write: [], net: [] };
  }
}

function startGrants(args: string[], env: Record<string, string>): Grants {
  const flags = parseArgs(args, { string: ["port", "data", "_"] });
  const folder = dataFolder({ flag: flags.data, env });
  const net = listenAt(parseAddress(flags.port || env["PORT"] || ":9000"));
  return { read: [...workerSource, folder], write: [folder], net: [net, socketOf(folder)] };
}

function adminGrants(args: string[], env: Record<string, string>): Grants {
  const folder = dataFolder({ flag: readAdminLine(args).data, env });
  const path = socketFile(folder);
  return { read: [path], write: [path], net: [socketOf(folder)] };
}

function backupGrants(args: string[], env: Record<string, string>): Grants {
  const { strings, positional } = readFlags(args, backupFlags);
  const folder = dataFolder({ flag: strings.data, env });
  const paths = [folder, ...positional.slice(0, 1).flatMap((file) => [file, `${file}.new`])];
  return { read: paths, write: paths, net: [socketOf(folder)] };
}

function restoreGrants(args: string[], env: Record<string, string>): Grants {
  const { strings, positional } = readFlags(args, restoreFlags);
  const folder = dataFolder({ flag: strings.data, env });
  return { read: [folder, ...positional.slice(0, 1)], write: [folder], net: [] };
}

function doctorGrants(args: string[], env: Record<string, string>): Grants {
  const { strings } = readFlags(args, doctorFlags);
  const folder = dataFolder({ flag: strings.data, env });
  const address = listenAt(parseAddress(strings.port || env["PORT"] || ":9000"));
  const net = [address, reachable(address), socketOf(folder)];
  return { read: [folder], write: [folder], net };
}

function socketOf(folder: string): Socket {
  const path = socketFile(folder);
  return { path: path.startsWith("/") ? path : `${Deno.cwd()}/${path}` };
}

function connectGrants(args: string[], env: Record<string, string>): Grants {
  const { strings, booleans, positional } = readFlags(args, connectFlags);
  const home = identityFolder({ flag: strings.home, env }, Deno.build.os);
  const folders = pathOf(home);
  const file = strings["link-file"];
  const where = destination({ ask: booleans.has("ask"), file, argument: positional[0], env });
  const files = where.kind === "file" ? [where.path] : [];
  return {
    read: [...folders, ...files, ...pathOf(strings["passphrase-file"])],
    write: folders,
    net: where.kind === "text" ? [dialAt(parseLink(where.text))] : "all",
  };
}

function passphraseGrants(args: string[], env: Record<string, string>): Grants {
  const { strings } = readFlags(args, passphraseFlags);
  const home = pathOf(identityFolder({ flag: strings.home, env }, Deno.build.os));
  const files = [...pathOf(strings["passphrase-file"]), ...pathOf(strings["new-file"])];
  return { read: [...home, ...files], write: home, net: [] };
}

function pathOf(path: string | undefined): string[] {
  return path === undefined ? [] : [path];
}

/** A flag takes the place of the permission set's own list. */
function options({ read, write, net }: Grants): string[] {
  const withComma = [...read, ...write].find((path) => path.includes(","));
  if (withComma !== undefined) {
    console.error(`Cannot use "${withComma}" because of the comma in it. Choose another path.`);
    Deno.exit(USAGE_ERROR);
  }
  return [
    `--allow-read=${[".env", ...read].join(",")}`,
    ...(write.length > 0 ? [`--allow-write=${write.join(",")}`] : []),
    ...netOptions(net),
  ];
}

function netOptions(net: Grants["net"]): string[] {
  if (net === "all") return ["--allow-net"];
  const places = net.flatMap((place) => {
    if (!("path" in place)) return [formatAddress(place)];
    return Deno.build.os === "windows" ? [] : [`unix:${place.path}`];
  });
  return places.length > 0 ? [`--allow-net=${places.join(",")}`] : [];
}

async function environment(): Promise<Record<string, string>> {
  const variables = await load().catch(() => ({} as Record<string, string>)); // main.ts says why.
  for (const name of VARIABLES) {
    const value = Deno.env.get(name);
    if (value) variables[name] = value;
  }
  return variables;
}

function forward(signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It has ended already; its exit code follows.
  }
}
