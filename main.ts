/**
 * Broadcast: a private, live, ordered room. `start` runs a server, `connect` joins one, and the others are
 * for who runs a server.
 *
 * The only reader of arguments and environment, and the only place that names adapters.
 *
 * @module
 */

import { admin, adminUsage } from "./cli/admin.ts";
import { backup, backupUsage } from "./cli/backup.ts";
import { connect, connectUsage } from "./cli/connect.ts";
import { doctor, doctorUsage } from "./cli/doctor.ts";
import { exitCode } from "./cli/exit.ts";
import { passphrase, passphraseUsage } from "./cli/passphrase.ts";
import { restore, restoreUsage } from "./cli/restore.ts";
import { start, startUsage } from "./cli/start.ts";

const VERSION = "0.1.0";

/** What can be typed behind the program's name. */
const commands: Readonly<
  Record<string, { about: string; usage: () => string; run: (args: string[]) => Promise<number> }>
> = {
  start: { about: "run a server", usage: startUsage, run: start },
  connect: { about: "join a server", usage: connectUsage, run: connect },
  passphrase: {
    about: "put your keys under a passphrase, change it, remove it",
    usage: passphraseUsage,
    run: passphrase,
  },
  admin: {
    about: "ask a server on this machine: users, bans, rooms …",
    usage: adminUsage,
    run: admin,
  },
  backup: { about: "write all that makes a server into one file", usage: backupUsage, run: backup },
  restore: { about: "make a server's folder from such a file", usage: restoreUsage, run: restore },
  doctor: { about: "look whether a server is well", usage: doctorUsage, run: doctor },
};

function usage(): string {
  const rows = Object.entries(commands).map(([name, { about }]) => `  ${name.padEnd(10)} ${about}`);
  return `Broadcast: a private, live, ordered room, in one program.

Usage: broadcast COMMAND [OPTIONS]

${rows.join("\n")}

broadcast COMMAND --help tells more; broadcast --version says which this is.`;
}

async function main(args: string[]): Promise<number> {
  const [name = "", ...rest] = args;
  if (name === "--version" || name === "version") return say(`broadcast ${VERSION}`);
  if (name === "--help" || name === "-h" || name === "help") return say(usage());
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    const problem = name === "" ? "Say which command." : `There is no command "${name}".`;
    console.error(`${problem}\n\n${usage()}`);
    return exitCode.usage;
  }
  if (rest.includes("--help") || rest.includes("-h")) return say(command.usage());
  return await command.run(rest);
}

function say(text: string): number {
  console.log(text);
  return exitCode.ok;
}

/** Says that it is our fault, and where, in one line. */
function fault(error: unknown): number {
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const where = error instanceof Error ? error.stack?.match(/[\w./-]+\.ts:\d+/)?.[0] : undefined;
  console.error(`A fault of Broadcast itself; please report it. ${what} (${where ?? "no place"})`);
  return exitCode.fault;
}

if (import.meta.main) {
  addEventListener("unhandledrejection", (event) => Deno.exit(fault(event.reason)));
  addEventListener("error", (event) => Deno.exit(fault(event.error)));
  Deno.exit(await main(Deno.args).catch(fault));
}
