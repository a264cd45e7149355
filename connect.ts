/**
 * The command `connect`: where to, as whom, and with which face.
 *
 * @module
 */

import { promptSecret } from "@std/cli/prompt-secret";
import { load } from "@std/dotenv";
import { Chat } from "./client/chat.ts";
import { ClassicSession } from "./client/classic.ts";
import { classicChat, ClassicNameError } from "./client/classic_chat.ts";
import { FileStore } from "./client/files.ts";
import { Refused, type SecureLink, shakeHands } from "./client/handshake.ts";
import { pinChecker, ServerIdentityError } from "./client/pins.ts";
import { plainUi } from "./client/plain.ts";
import { Client } from "./client/reconnect.ts";
import { terminalUi } from "./client/terminal.ts";
import type { Ui } from "./client/ui.ts";
import { systemClock } from "./clock.ts";
import { exitCode } from "./exit.ts";
import { type Flags, readFlags, UsageError } from "./flags.ts";
import { identityFolder } from "./folders.ts";
import { formatAddress, parseAddress, parseLink, type ServerLink } from "./protocol/address.ts";
import { fromBase64Url } from "./protocol/bytes.ts";
import { ProtocolError } from "./protocol/errors.ts";
import { payloadBytesMax } from "./protocol/limits.ts";
import { normalizeName } from "./protocol/name.ts";
import { dialTcp, UnreachableError } from "./tcp.ts";

/** A script waits so long for a server that went away. */
const giveUpMs = 60_000;

const strings = ["name", "home", "link-file"] as const;
const booleans = ["ask", "classic", "follow", "forget", "plain"] as const;

/** What was asked for. */
interface Options {
  readonly link: ServerLink;
  readonly name: string | undefined;
  readonly home: string;
  readonly flags: ReadonlySet<string>;
}

/** `connect --help`. */
export function connectUsage(): string {
  return `Joins a server. On a terminal you type and read; from a pipe each line is sent as it is.

Usage: broadcast connect [ADDRESS | LINK] [OPTIONS]

  ADDRESS            chat.example.org:9000, :9000, [::1]:9000; default this machine, port of PORT
  LINK               'broadcast://host:port#…' as the server printed it, in quotes. It is a secret:
                     BROADCAST_LINK, --link-file and --ask keep it out of the process list
  --name NAME        who you are here; else BROADCAST_NAME; else you are asked
  --ask              asks for the link, and does not show it
  --link-file FILE   reads the link from a file
  --home FOLDER      where your keys and the known servers are kept; else BROADCAST_HOME
  --follow           stays when the input ends, and prints what comes
  --plain            no line editing, no colour
  --forget           forgets which identity this address had, and takes the one it has now
  --classic          speaks the original protocol, which protects nothing

Exit codes: ${exitCode.ok} all is well; ${exitCode.usage} wrong usage; ${exitCode.network} no connection; \
${exitCode.authentication} not let in, or not the right server;
${exitCode.undelivered} something was not delivered; ${exitCode.interrupted} Ctrl-C.`;
}

/** Joins a server until the input ends or the user quits; the exit code. */
export async function connect(args: string[]): Promise<number> {
  let ui: Ui | undefined;
  try {
    const options = await readOptions(args);
    ui = openUi(options);
    return await (options.flags.has("classic") ? chatClassic : chat)(options, ui);
  } catch (error) {
    ui?.close();
    console.error(error instanceof Error ? error.message : String(error));
    return codeOf(error);
  } finally {
    ui?.close();
  }
}

async function readOptions(args: string[]): Promise<Options> {
  const flags = readFlags(args, strings, booleans);
  if (flags.positional.length > 1) {
    throw new UsageError(
      `connect takes one address, not also "${flags.positional[1]}". A name goes with --name.`,
    );
  }
  const file = await load();
  const env = (name: string) => Deno.env.get(name) || file[name] || undefined;
  const home = identityFolder({
    flag: flags.strings["home"],
    env: {
      BROADCAST_HOME: env("BROADCAST_HOME"),
      HOME: env("HOME"),
      XDG_CONFIG_HOME: env("XDG_CONFIG_HOME"),
      APPDATA: env("APPDATA"),
    },
  }, Deno.build.os);
  if (!home) throw new UsageError("There is no home folder here. Give one: --home FOLDER");
  const name = flags.strings["name"] ?? env("BROADCAST_NAME");
  return {
    link: await readLink(flags, env),
    name: name === undefined ? undefined : normalizeName(name),
    home,
    flags: flags.booleans,
  };
}

/** Where to: from the command line, a file, a prompt, the environment, else this machine. */
async function readLink(
  { strings, booleans, positional }: Flags,
  env: (name: string) => string | undefined,
): Promise<ServerLink> {
  const path = strings["link-file"];
  const text = booleans.has("ask")
    ? promptSecret("Paste the link: ") ?? ""
    : path !== undefined
    ? await readLinkFile(path)
    : positional[0] ?? env("BROADCAST_LINK") ??
      "127.0.0.1:" + parseAddress(env("PORT") ?? "9000").port;
  const link = parseLink(text);
  return link.host === "" ? { ...link, host: "127.0.0.1" } : link;
}

async function readLinkFile(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    throw new UsageError(`Cannot read the link from ${path}: ${message(cause)}`, { cause });
  }
}

function openUi({ flags }: Options): Ui {
  const isPlain = flags.has("plain") || !Deno.stdin.isTerminal() || !Deno.stdout.isTerminal() ||
    Deno.env.get("NO_COLOR") || Deno.env.get("TERM") === "dumb";
  if (isPlain) return plainUi(Deno.stdin.isTerminal());
  const ui = terminalUi({
    color: true,
    onInterrupt() {
      ui.close();
      Deno.exit(exitCode.interrupted);
    },
  });
  return ui;
}

/** A conversation over our protocol. */
async function chat(options: Options, ui: Ui): Promise<number> {
  const store = new FileStore(options.home);
  if (options.flags.has("forget")) await store.forgetPin(formatAddress(options.link));
  const checkServer = pinChecker(options.link, store, (fingerprint) => {
    if (!options.link.fingerprint) notice(ui, `-- New server. Its fingerprint is ${fingerprint}`);
  });
  const dial = async () => await shakeHands(await dialTcp(options.link), checkServer);
  const secure = await dial();
  notice(ui, "Connected to the server");
  const conversation = new Chat(ui, { payloadBytesMax, follow: options.flags.has("follow") });
  const open = async (name: string, first?: SecureLink) =>
    await Client.open({
      dial,
      login: { name, identity: await store.identity(name), invitation: invitationOf(options.link) },
      clock: systemClock,
      random: Math.random,
      onEvent: conversation.onEvent,
      ...(!ui.hasCommands && !options.flags.has("follow") && { giveUpMs }),
    }, first);
  const client = await (options.name ? open(options.name, secure) : askName(ui, open, secure));
  ui.enter("lobby (open)> ");
  const running = client.run();
  try {
    const outcome = await Promise.race([conversation.run(client), running]);
    await running;
    return outcome?.undelivered ? exitCode.undelivered : exitCode.ok;
  } catch (error) {
    if (client.undelivered === 0) throw error;
    notice(ui, `-- ${client.undelivered} not delivered. ${message(error)}`);
    return exitCode.undelivered;
  }
}

/** Asks for a name until the server takes one. Who thinks for long finds the connection made anew. */
async function askName(
  ui: Ui,
  open: (name: string, first?: SecureLink) => Promise<Client>,
  first: SecureLink,
): Promise<Client> {
  for (let secure: SecureLink | undefined = first;; secure = undefined) {
    const answer = await ui.ask("Enter your username:");
    if (answer === undefined) throw new UsageError("There is no name. Give one: --name NAME");
    try {
      const name = normalizeName(answer);
      return await open(name, secure).catch((cause) => {
        if (!secure || cause instanceof Refused && cause.code !== "login_timeout") throw cause;
        return open(name);
      });
    } catch (error) {
      if (!isNameProblem(error) || !ui.hasCommands) throw error;
      notice(ui, error.message);
    }
  }
}

/** A conversation with an original server, which protects nothing. */
async function chatClassic(options: Options, ui: Ui): Promise<number> {
  const { link } = options;
  if (link.fingerprint || await new FileStore(options.home).pin(formatAddress(link))) {
    throw new ServerIdentityError(
      `${
        formatAddress(link)
      } is known as a server with an identity; --classic would give that up. ` +
        `If it really is an original server now, connect once with --forget and without --classic.`,
    );
  }
  notice(
    ui,
    "-- The original protocol protects nothing: whoever is on the way reads and changes it.",
  );
  const tcp = await dialTcp(link);
  notice(ui, "Connected to the server");
  const name = options.name ?? await ui.ask("Enter your username:");
  if (name === undefined) throw new UsageError("There is no name. Give one: --name NAME");
  const session = await ClassicSession.join(tcp, name, { clock: systemClock });
  ui.enter("lobby (original)> ");
  await classicChat(session, ui);
  return exitCode.ok;
}

function invitationOf({ invitation }: ServerLink): Uint8Array | undefined {
  return invitation === undefined ? undefined : fromBase64Url(invitation);
}

function notice(ui: Ui, text: string): void {
  ui.show({ kind: "notice", text });
}

const nameProblems = ["bad_name", "name_owned", "name_lookalike"];
const loginProblems = [...nameProblems, "bad_login", "invitation_needed"];

function isNameProblem(error: unknown): error is Refused | ProtocolError {
  return isRefusal(error) && nameProblems.includes(error.code);
}

function isRefusal(error: unknown): error is Refused | ProtocolError {
  return error instanceof Refused || error instanceof ProtocolError;
}

function codeOf(error: unknown): number {
  if (error instanceof UsageError || error instanceof RangeError) return exitCode.usage;
  if (error instanceof ServerIdentityError || error instanceof ClassicNameError) {
    return exitCode.authentication;
  }
  if (error instanceof UnreachableError) return exitCode.network;
  if (!isRefusal(error)) return exitCode.fault;
  return loginProblems.includes(error.code) ? exitCode.authentication : exitCode.network;
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
