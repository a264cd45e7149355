/**
 * The command `admin`: what an operator asks of a server that runs on this machine.
 *
 * @module
 */

import { type AdminLine, readAdminLine } from "./admin_line.ts";
import { AdminClient, NoServerError, RefusedError } from "./admin_client.ts";
import { formatCommands } from "./admin_output.ts";
import { exitCode } from "./exit.ts";
import { UsageError } from "./flags.ts";
import { folderOf } from "./env_file.ts";
import { formatResult } from "../protocol/answer_text.ts";
import { commands } from "../protocol/command.ts";
import { findCommand, parseWords, usageOf } from "../protocol/command_line.ts";
import { visible } from "../protocol/visible.ts";

/** `admin --help`. */
export function adminUsage(): string {
  return `Asks a server that runs on this machine, over the socket in its data folder.

Usage: broadcast admin [OPTIONS] COMMAND [WORDS]

  --room NAME    the room that the command is about
  --data FOLDER  the server's folder; DATA, else ./data
  --json         print the answer as JSON
  --             what follows are words, whatever they look like

${formatCommands().join("\n")}

Times are written 30s, 5m, 1h, 2d, 1w, or as 1h30m; a text at the end may have spaces.
Exit codes: ${exitCode.ok} done; ${exitCode.usage} wrong usage; ${exitCode.network} no server runs \
there; ${exitCode.undelivered} the server refused.`;
}

/** Asks; the exit code. */
export async function admin(args: string[]): Promise<number> {
  try {
    return await run(readAdminLine(args));
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    console.error(visible((error as Error).message));
    return code;
  }
}

async function run({ data, room, isJson, words: [typed, ...words] }: AdminLine): Promise<number> {
  if (typed === undefined || typed === "help") {
    console.log(adminUsage());
    return exitCode.ok;
  }
  const found = findCommand(typed);
  if ("mistake" in found) throw new UsageError(`${found.mistake} "admin help" lists all.`);
  const { name } = found;
  const parsed = parseWords(name, words);
  if (parsed.type === "mistake") throw new UsageError(parsed.text);
  const { inRoom } = commands[name];
  if (inRoom && room === undefined) {
    throw new UsageError(`Say which room: ${usageOf(name)} --room NAME`);
  }
  if (!inRoom && room !== undefined) throw new UsageError(`"${name}" is not about a room.`);
  const value = await ask(await folderOf(data), { command: name, room, args: parsed.args });
  console.log(isJson ? JSON.stringify(value, null, 2) : formatResult(name, value).join("\n"));
  return exitCode.ok;
}

async function ask(folder: string, request: Parameters<AdminClient["ask"]>[0]): Promise<unknown> {
  using client = await AdminClient.open(folder);
  if (!client) {
    throw new NoServerError(
      `No server runs on the folder ${folder}. Start it, or say where it is: --data FOLDER`,
    );
  }
  return await client.ask(request);
}

function codeOf(error: unknown): number | undefined {
  if (error instanceof UsageError) return exitCode.usage;
  if (error instanceof NoServerError) return exitCode.network;
  return error instanceof RefusedError ? exitCode.undelivered : undefined;
}
