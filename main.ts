/**
 * Broadcast: a private, live, ordered room. `start` runs a server, `connect` joins one.
 *
 * The only reader of arguments and environment, and the only place that names adapters.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { connect, connectUsage } from "./connect.ts";
import { exitCode } from "./exit.ts";
import { start, startUsage } from "./start.ts";

const VERSION = "0.1.0";

/** What can be typed behind the program's name. */
const commands: Readonly<
  Record<string, { about: string; usage: () => string; run: (args: string[]) => Promise<number> }>
> = {
  start: { about: "run a server", usage: startUsage, run: start },
  connect: { about: "join a server", usage: connectUsage, run: connect },
};

function usage(): string {
  const rows = Object.entries(commands).map(([name, { about }]) => `  ${name.padEnd(9)} ${about}`);
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
  if (parseArgs(rest, { boolean: ["help"], alias: { help: "h" } }).help) {
    return say(command.usage());
  }
  return await command.run(rest);
}

function say(text: string): number {
  console.log(text);
  return exitCode.ok;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
