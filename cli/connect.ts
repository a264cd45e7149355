/**
 * The command `connect`: which conversation, with which face, and with which exit code it ends.
 *
 * @module
 */

import { ClassicEndError } from "../client/classic.ts";
import { RoomError } from "../client/chat/chat.ts";
import { ClassicNameError } from "../client/classic_chat.ts";
import { ServerIdentityError } from "../client/pins.ts";
import { plainUi } from "../client/chat/plain.ts";
import { WrongPassphraseError } from "../client/store/key_file.ts";
import { type ClientStore, ClientStoreError } from "../client/store/store.ts";
import { terminalUi } from "../client/chat/terminal.ts";
import { notice, type Ui } from "../client/chat/ui.ts";
import { chat, isRefusal, nameProblems } from "./connect_chat.ts";
import { classicConversation } from "./connect_classic.ts";
import { giveUpSeconds, readConnectOptions } from "./connect_options.ts";
import { openUnlocked } from "./connect_store.ts";
import { EndedError, EndingRequest } from "./ending.ts";
import { exitCode } from "./exit.ts";
import { UsageError } from "./flags.ts";
import { payloadBytesMax } from "../protocol/limits.ts";
import { isSystemError, reasonOf } from "./reason.ts";
import { UnreachableError } from "./tcp.ts";

/** `connect --help`. */
export function connectUsage(): string {
  return `Joins a server. On a terminal you type and read; from a pipe each line is sent as it is.

Usage: broadcast connect [ADDRESS | LINK] [OPTIONS]

  ADDRESS            chat.example.org:9000, :9000, [::1]:9000; default this machine, port of PORT
  LINK               'broadcast://host:port#…' as the server printed it, in quotes. It is a secret:
                     BROADCAST_LINK, --link-file and --ask keep it out of the process list
  --name NAME        who you are here; else BROADCAST_NAME; else you are asked
  --room ROOM        goes into a room, or makes it; with --follow only this one is printed
  --open             where it is made, makes it a room that the server can read
  --ask              asks for the link, and does not show it
  --link-file FILE   reads the link from a file
  --home FOLDER      where your keys, the known servers and what was said are kept; else
                     BROADCAST_HOME
  --passphrase       puts your keys under a passphrase, which you are asked for from then on. Scripts
                     give it by BROADCAST_PASSPHRASE or --passphrase-file FILE
  --follow           stays when the input ends, and prints what comes
  --give-up SECONDS  how long to try to get back to a server that went away, and to wait for the
                     keys of a sealed room; default ${giveUpSeconds} from a pipe, else for ever
  --plain            no line editing, no colour
  --forget           forgets which identity this address had, and takes the one it has now
  --classic          speaks the original protocol, which protects nothing

Messages go to standard output, all else to standard error.

Exit codes: ${exitCode.ok} all is well; ${exitCode.usage} wrong usage, or a file that cannot be used;
${exitCode.network} no connection; ${exitCode.authentication} not let in, not the right server, or the wrong passphrase; \
${exitCode.undelivered} something was not delivered;
${exitCode.interrupted} Ctrl-C (128 and the number of the signal); ${exitCode.fault} a fault of the program's own.`;
}

/** Joins a server until the input ends or the user quits; the exit code. */
export async function connect(args: string[]): Promise<number> {
  let ui: Ui | undefined;
  let store: ClientStore | undefined;
  try {
    const options = await readConnectOptions(args);
    const isClassic = options.flags.has("classic");
    // Whoever is asked can still end it by Ctrl-C: nothing listens to signals yet.
    store = isClassic ? undefined : await openUnlocked(options.home, options.passphrase);
    const ending = new EndingRequest();
    let longLines = 0;
    ui = openUi(options.isPlain, ending, () => longLines++);
    const code = store
      ? await chat(options, ui, ending, store)
      : await classicConversation(options, ui, ending);
    return code === exitCode.ok && longLines > 0 ? exitCode.undelivered : code;
  } catch (error) {
    if (error instanceof EndedError) return error.code;
    const problem = problemOf(error);
    if (!problem) throw error;
    ui?.close();
    console.error(problem.text);
    return problem.code;
  } finally {
    ui?.close();
    store?.close();
  }
}

function openUi(isPlain: boolean, ending: EndingRequest, onLongLine: () => void): Ui {
  if (!isPlain) return terminalUi({ onInterrupt: () => ending.request("SIGINT") });
  const ui = plainUi({
    hasCommands: Deno.stdin.isTerminal(),
    lineBytesMax: payloadBytesMax,
    onLongLine(bytes) {
      onLongLine();
      notice(ui, `Not sent: a line of ${bytes} bytes. A message may have ${payloadBytesMax}.`);
    },
  });
  return ui;
}

const loginProblems = [
  ...nameProblems,
  "bad_login",
  "invitation_needed",
  "registration_closed",
  "banned",
];

/** What to say of an error, and the exit code; undefined for a fault of the program's own. */
function problemOf(error: unknown): { text: string; code: number } | undefined {
  const isUsage = error instanceof UsageError || error instanceof RangeError ||
    error instanceof ClientStoreError;
  if (isUsage) return { text: error.message, code: exitCode.usage };
  const isNotLetIn = error instanceof ServerIdentityError || error instanceof ClassicNameError ||
    error instanceof RoomError || error instanceof WrongPassphraseError;
  if (isNotLetIn) {
    return { text: error.message, code: exitCode.authentication };
  }
  if (error instanceof UnreachableError || error instanceof ClassicEndError) {
    return { text: error.message, code: exitCode.network };
  }
  if (isRefusal(error)) {
    const isLogin = loginProblems.includes(error.code);
    return { text: error.message, code: isLogin ? exitCode.authentication : exitCode.network };
  }
  if (isSystemError(error)) {
    return { text: `The connection broke: ${reasonOf(error)}`, code: exitCode.network };
  }
  return undefined;
}
