/**
 * The file `.env`, where settings can stand.
 *
 * @module
 */

import { load } from "@std/dotenv";
import { meant, UsageError } from "./flags.ts";
import { dataFolder } from "./folders.ts";
import { reasonOf } from "./reason.ts";
import { settings, variableOf } from "../server/config.ts";

/** What a client takes from the environment. */
export const clientVariables = {
  BROADCAST_NAME: "who you are; without it you are asked",
  BROADCAST_LINK:
    "where to connect: an address, or the link that the server printed, in quotes because of its #",
  BROADCAST_HOME: "the folder of your keys and of the servers you know",
  BROADCAST_PASSPHRASE:
    "the passphrase of your keys, for scripts; whoever reads this file has it, so better --passphrase-file",
} as const;

/**
 * The variables in `.env`; none without the file. Names that are not ours are left alone, unless they
 * look like a slip of the pen.
 *
 * @throws {UsageError} when it cannot be read, or holds such a slip
 */
export async function loadEnvFile(): Promise<Record<string, string>> {
  const file = await load().catch((cause) => {
    throw new UsageError(`Cannot read .env: ${reasonOf(cause)}`, { cause });
  });
  const known = [
    ...Object.values(settings).map(({ flag }) => variableOf(flag)),
    ...Object.keys(clientVariables),
  ];
  for (const name of Object.keys(file)) {
    const hint = known.includes(name) ? "" : meant(name, known, "");
    if (hint) throw new UsageError(`.env has ${name}, which is not a setting.${hint}`);
  }
  return file;
}

/**
 * The server's folder, as `start` finds it: by its flag, the environment, `.env`.
 *
 * @throws {UsageError} as {@link loadEnvFile}
 */
export async function folderOf(flag: string | undefined): Promise<string> {
  const file = await loadEnvFile();
  return dataFolder({ flag, env: { DATA: Deno.env.get("DATA") || file["DATA"] } });
}
