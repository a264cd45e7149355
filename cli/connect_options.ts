/**
 * What `connect` was asked for, by its arguments, the environment and `.env`.
 *
 * @module
 */

import { promptSecret } from "@std/cli/prompt-secret";
import { destination, dialAt } from "./destination.ts";
import { loadEnvFile } from "./env_file.ts";
import { connectFlags, readFlags, UsageError } from "./flags.ts";
import { identityFolder } from "./folders.ts";
import type { PassphraseSource } from "./passphrase_source.ts";
import { parseLink, type ServerLink } from "../protocol/address.ts";
import { roomName } from "../protocol/command.ts";
import { errorCodes } from "../protocol/errors.ts";
import { normalizeName } from "../protocol/name.ts";
import { reasonOf } from "./reason.ts";

/** A script waits so long for a server that went away, and for the keys of a sealed room. */
export const giveUpSeconds = 60;

/** What was asked for. */
export interface ConnectOptions {
  readonly link: ServerLink;
  readonly name: string | undefined;
  /** Where to begin; the lobby where none is given. */
  readonly room: string | undefined;
  /** The folder of keys and known servers. */
  readonly home: string;
  /** How long to try to get back to a server that went away, and to wait for keys; undefined for ever. */
  readonly giveUpMs: number | undefined;
  readonly isPlain: boolean;
  /** Where the passphrase of the keys comes from. */
  readonly passphrase: PassphraseSource;
  readonly flags: ConnectFlags["booleans"];
}

type ConnectFlags = ReturnType<typeof readFlags<ConnectString, ConnectBoolean>>;
type ConnectString = (typeof connectFlags.strings)[number];
type ConnectBoolean = (typeof connectFlags.booleans)[number];

/** A variable's value, empty ones left out. */
type Env = (name: string) => string | undefined;

/**
 * Reads the arguments, and asks for the link where that is wished.
 *
 * @throws {UsageError | RangeError} with what would be right
 */
export async function readConnectOptions(args: readonly string[]): Promise<ConnectOptions> {
  const flags = readFlags(args, connectFlags);
  if (flags.positional.length > 1) {
    throw new UsageError("connect takes one address. A name goes with --name.");
  }
  const file = await loadEnvFile();
  const env = (name: string) => Deno.env.get(name) || file[name] || undefined;
  const name = flags.strings.name ?? env("BROADCAST_NAME");
  const isClassic = flags.booleans.has("classic"); // There, anything is a name.
  return {
    home: readHome(flags.strings.home, env),
    giveUpMs: readGiveUp(flags),
    room: readRoom(flags),
    name: name === undefined || isClassic ? name : toName(name),
    isPlain: flags.booleans.has("plain") || Boolean(env("NO_COLOR")) || env("TERM") === "dumb" ||
      !Deno.stdin.isTerminal() || !Deno.stdout.isTerminal(),
    passphrase: {
      ask: flags.booleans.has("passphrase"),
      file: flags.strings["passphrase-file"],
      env: env("BROADCAST_PASSPHRASE"),
    },
    flags: flags.booleans,
    link: await readLink(flags, env, file),
  };
}

/**
 * A name in its one form.
 *
 * @throws {UsageError} when it is none
 */
export function toName(text: string): string {
  try {
    return normalizeName(text);
  } catch (cause) {
    const rule = cause instanceof Error ? cause.message : "";
    throw new UsageError(`"${text}" cannot be a name. ${rule}`, { cause });
  }
}

/**
 * The client's folder.
 *
 * @throws {UsageError} when nothing says where it is
 */
export function readHome(flag: string | undefined, env: Env): string {
  const variables = ["BROADCAST_HOME", "HOME", "XDG_CONFIG_HOME", "APPDATA"];
  const home = identityFolder({
    flag,
    env: Object.fromEntries(variables.map((variable) => [variable, env(variable)])),
  }, Deno.build.os);
  if (!home) throw new UsageError("There is no home folder here. Give one: --home FOLDER");
  return home;
}

function readRoom({ strings, booleans }: ConnectFlags): string | undefined {
  const { room } = strings;
  if (room === undefined) return undefined;
  if (booleans.has("classic")) throw new UsageError("An original server has no rooms: no --room.");
  const name = room.replace(/^#/, "").normalize("NFKC").toLowerCase();
  if (roomName.safeParse(name).success) return name;
  throw new UsageError(`--room is "${room}". ${errorCodes.bad_room_name.text}`);
}

function readGiveUp({ strings, booleans }: ConnectFlags): number | undefined {
  const given = strings["give-up"];
  const waits = Deno.stdin.isTerminal() || booleans.has("follow");
  if (given === undefined) return waits ? undefined : giveUpSeconds * 1000;
  if (!/^\d{1,6}$/.test(given)) {
    throw new UsageError(`--give-up is "${given}". Right would be a whole number of seconds.`);
  }
  return Number(given) * 1000;
}

/** Where to: from the command line, a file, a prompt, the environment, else this machine. */
async function readLink(
  { strings, booleans, positional }: ConnectFlags,
  env: Env,
  file: Readonly<Record<string, string>>,
): Promise<ServerLink> {
  const where = destination({
    ask: booleans.has("ask"),
    file: strings["link-file"],
    argument: positional[0],
    env: { BROADCAST_LINK: env("BROADCAST_LINK"), PORT: env("PORT") },
  });
  const text = where.kind === "ask"
    ? askLink()
    : where.kind === "file"
    ? await readLinkFile(where.path)
    : where.text;
  if (text === file["BROADCAST_LINK"]) refuseCutLink(text);
  const link = parseLink(text);
  return { ...link, ...dialAt(link) };
}

function askLink(): string {
  if (!Deno.stdin.isTerminal()) {
    throw new UsageError("--ask needs a terminal. Without one: BROADCAST_LINK, or --link-file.");
  }
  Deno.stdin.setRaw(true); // Before the prompt invites to paste: nothing is to be echoed.
  const text = promptSecret("Paste the link: ");
  if (!text) throw new UsageError("No link was given.");
  return text;
}

async function readLinkFile(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    throw new UsageError(`Cannot read the link from ${path}: ${reasonOf(cause)}`, { cause });
  }
}

/** Without quotes, `#` begins a comment in `.env`: fingerprint and invitation would be lost unseen. */
function refuseCutLink(text: string): void {
  if (!text.includes("://") || text.includes("#")) return;
  throw new UsageError(
    `BROADCAST_LINK in .env has nothing behind a '#'. Put the link in quotes: ` +
      `BROADCAST_LINK="broadcast://…#…", or give an address without broadcast://.`,
  );
}
