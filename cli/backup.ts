/**
 * The command `backup`: all that makes a server, in one file.
 *
 * @module
 */

import { AdminClient, NoServerError, RefusedError } from "./admin_client.ts";
import { folderOf } from "./env_file.ts";
import { formatBytes } from "../protocol/answer_text.ts";
import { copyName, exists, storeFile } from "./data_files.ts";
import { exitCode } from "./exit.ts";
import { backupFlags, readFlags, UsageError } from "./flags.ts";
import { isSystemError, reasonOf } from "./reason.ts";
import { DamagedFileError, readSecretTexts } from "../server/data_folder.ts";
import { addSecrets, copyStore } from "../server/store/backup_file.ts";
import { StoreRefusedError } from "../server/store/sqlite_faults.ts";
import { takeLock } from "../server/store/sqlite_lock.ts";

/** `backup --help`. */
export function backupUsage(): string {
  return `Writes all that makes a server into one file: its rooms, users and messages, its identity and its
invitation. The server may run meanwhile; it stores nothing new while the copy is made.

Usage: broadcast backup [OPTIONS] FILE

  --data FOLDER  the server's folder; DATA, else ./data
  --force        replace FILE when it is there

The file is for its owner only, and is as secret as the folder: who has it can be this server.

Exit codes: ${exitCode.ok} done; ${exitCode.fault} it could not be written; ${exitCode.usage} wrong \
usage, or a folder that cannot be used.`;
}

/** Backs up; the exit code. */
export async function backup(args: string[]): Promise<number> {
  try {
    const { strings, booleans, positional: [file, ...more] } = readFlags(args, backupFlags);
    if (file === undefined) throw new UsageError("Say which file: broadcast backup FILE");
    if (more.length > 0) throw new UsageError(`One file is enough: what is "${more[0]}"?`);
    const folder = await folderOf(strings.data);
    await mustBeFree(file, booleans.has("force"));
    const bytes = await writeBackup(folder, file);
    const size = formatBytes(bytes);
    console.log(`Backed up ${folder} to ${file} (${size}). Keep it as secret as the folder.`);
    return exitCode.ok;
  } catch (error) {
    return explain(error);
  }
}

/** What could be the matter, said; anything else is thrown on. */
function explain(error: unknown): number {
  const isUsage = error instanceof UsageError || error instanceof StoreRefusedError ||
    error instanceof DamagedFileError;
  if (isUsage || error instanceof RefusedError || error instanceof NoServerError) {
    console.error((error as Error).message);
    return isUsage ? exitCode.usage : exitCode.fault;
  }
  if (!isSystemError(error)) throw error;
  console.error(`Cannot back up because of this: ${reasonOf(error)}`);
  return exitCode.fault;
}

async function mustBeFree(file: string, isForced: boolean): Promise<void> {
  const found = await Deno.stat(file).catch((cause) => {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw cause;
  });
  if (found?.isDirectory) throw new UsageError(`${file} is a folder. Say which file in it.`);
  if (found && !isForced) throw new UsageError(`${file} is there already. --force replaces it.`);
}

/** How many bytes the backup has. */
async function writeBackup(folder: string, file: string): Promise<number> {
  if (!await exists(storeFile(folder))) {
    throw new UsageError(`There is no server's data in ${folder}. Say where: --data FOLDER`);
  }
  const secrets = await readSecretTexts(folder);
  const copy = await copyOf(folder);
  try {
    await addSecrets(copy, secrets);
    return await moveTo(copy, file);
  } finally {
    await removeAll(copy);
  }
}

/** A copy of the store, in the folder: by the running server, else by ourselves. */
async function copyOf(folder: string): Promise<string> {
  using client = await AdminClient.open(folder);
  if (client) {
    const { file } = await client.ask({ command: "backup" }) as { file: string };
    // A name and no path: nothing else in or outside of the folder is to be touched.
    if (!/^[\w-]+\.sqlite$/.test(file)) {
      throw new NoServerError("The server's answer is not valid.");
    }
    return `${folder}/${file}`;
  }
  using _lock = takeLock(storeFile(folder));
  const copy = `${folder}/${copyName()}`;
  await copyStore(storeFile(folder), copy);
  return copy;
}

/** Puts the copy where it is wanted, whole or not at all; that may be another disk. */
async function moveTo(copy: string, file: string): Promise<number> {
  const unfinished = `${file}.new`;
  await Deno.remove(unfinished).catch(() => {});
  try {
    using from = await Deno.open(copy);
    const to = await Deno.open(unfinished, { write: true, createNew: true, mode: 0o600 });
    await from.readable.pipeTo(to.writable, { preventClose: true });
    await to.sync();
    const { size } = await to.stat();
    to.close();
    await Deno.rename(unfinished, file);
    return size;
  } catch (error) {
    await Deno.remove(unfinished).catch(() => {});
    throw error;
  }
}

async function removeAll(copy: string): Promise<void> {
  for (const suffix of ["", "-wal", "-shm", ".new"]) {
    await Deno.remove(`${copy}${suffix}`).catch(() => {});
  }
}
