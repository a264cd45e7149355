/**
 * The command `passphrase`: sets, changes and removes what the client's keys are under.
 *
 * @module
 */

import { WrongPassphraseError } from "../client/store/key_file.ts";
import type { SqliteStore } from "../client/store/sqlite.ts";
import { ClientStoreError } from "../client/store/store.ts";
import { readHome } from "./connect_options.ts";
import { openStore, protect, setPassphrase, unlock } from "./connect_store.ts";
import { loadEnvFile } from "./env_file.ts";
import { exitCode } from "./exit.ts";
import { passphraseFlags, readFlags, UsageError } from "./flags.ts";
import { askNewPassphrase, checkNewPassphrase, givenPassphrase } from "./passphrase_source.ts";

/** `passphrase --help`. */
export function passphraseUsage(): string {
  return `Puts your keys, and all that you said and read in sealed rooms, under a passphrase; changes it; or takes
it away. You are asked for it at each connect then. No client of yours may run meanwhile.

Usage: broadcast passphrase [OPTIONS]

  --remove                takes it away
  --home FOLDER           the folder of your keys; else BROADCAST_HOME
  --passphrase-file FILE  reads the present passphrase from a file; else BROADCAST_PASSPHRASE; else
                          you are asked
  --new-file FILE         reads the new one from a file; else you are asked

Exit codes: ${exitCode.ok} done; ${exitCode.usage} wrong usage, or a folder that cannot be used; ${exitCode.authentication} it is not the passphrase.`;
}

/** Sets, changes or removes the passphrase; the exit code. */
export async function passphrase(args: string[]): Promise<number> {
  let store: SqliteStore | undefined;
  try {
    const { strings, booleans, positional } = readFlags(args, passphraseFlags);
    if (positional.length > 0) {
      throw new UsageError("A passphrase is no argument: others could read it. You are asked.");
    }
    const isRemoval = booleans.has("remove");
    if (isRemoval && strings["new-file"] !== undefined) {
      throw new UsageError("Either --remove or --new-file, not both.");
    }
    const file = await loadEnvFile();
    const env = (name: string) => Deno.env.get(name) || file[name] || undefined;
    const home = readHome(strings.home, env);
    store = openStore(home);
    const present = strings["passphrase-file"];
    if (store.isLocked) {
      await unlock(store, home, { ask: false, file: present, env: env("BROADCAST_PASSPHRASE") });
    }
    if (isRemoval) await remove(store, home);
    else await protect(store, home, await readNew(strings["new-file"]));
    return exitCode.ok;
  } catch (error) {
    return explain(error);
  } finally {
    store?.close();
  }
}

async function remove(store: SqliteStore, home: string): Promise<void> {
  if (store.hasPassphrase) await setPassphrase(store, home, undefined);
  console.error(`Your keys are under no passphrase: whoever can read ${home} has them.`);
}

async function readNew(file: string | undefined): Promise<string> {
  const given = await givenPassphrase({ ask: false, file, env: undefined });
  return given === undefined ? askNewPassphrase() : checkNewPassphrase(given);
}

/** What could be the matter, said; anything else is thrown on. */
function explain(error: unknown): number {
  const isWrong = error instanceof WrongPassphraseError;
  if (!isWrong && !(error instanceof UsageError || error instanceof ClientStoreError)) throw error;
  console.error(error.message);
  return isWrong ? exitCode.authentication : exitCode.usage;
}
