/**
 * The command `restore`: a server's folder from a backup.
 *
 * @module
 */

import { folderOf } from "./env_file.ts";
import { exists, restoringFolder, storeFile } from "./data_files.ts";
import { exitCode } from "./exit.ts";
import { readFlags, restoreFlags, UsageError } from "./flags.ts";
import { isSystemError, reasonOf } from "./reason.ts";
import { DamagedFileError, readDataFolder, writeSecretTexts } from "../server/data_folder.ts";
import { faultsOf, takeSecrets } from "../server/store/backup_file.ts";
import { StoreRefusedError } from "../server/store/sqlite_faults.ts";
import { takeLock } from "../server/store/sqlite_lock.ts";

/** `restore --help`. */
export function restoreUsage(): string {
  return `Makes a server's folder from a backup. The server must not run. What the folder held before is kept
in it, under replaced- and the time.

Usage: broadcast restore [OPTIONS] FILE

  --data FOLDER  the server's folder; DATA, else ./data

The backup is checked whole before anything is touched. Clients that have seen messages which the
backup does not hold are told so, and go on from there.

Exit codes: ${exitCode.ok} done; ${exitCode.fault} it could not be written; ${exitCode.usage} wrong \
usage, a server that runs, or a file that is no whole backup.`;
}

/** What a server's folder is made of. */
const contents = ["identity", "invitation", "broadcast.sqlite", "broadcast.sqlite-wal"];

/** Restores; the exit code. */
export async function restore(args: string[]): Promise<number> {
  try {
    const { strings, positional: [file, ...more] } = readFlags(args, restoreFlags);
    if (file === undefined) throw new UsageError("Say which file: broadcast restore FILE");
    if (more.length > 0) throw new UsageError(`One file is enough: what is "${more[0]}"?`);
    await restoreInto(await folderOf(strings.data), file);
    return exitCode.ok;
  } catch (error) {
    return explain(error);
  }
}

function explain(error: unknown): number {
  if (error instanceof UsageError || error instanceof StoreRefusedError) {
    console.error(error.message);
    return exitCode.usage;
  }
  if (!isSystemError(error)) throw error;
  console.error(`Cannot restore because of this: ${reasonOf(error)}`);
  return exitCode.fault;
}

async function restoreInto(folder: string, file: string): Promise<void> {
  if (!await exists(file)) throw new UsageError(`There is no file ${file}.`);
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  using _lock = takeLock(storeFile(folder));
  const prepared = `${folder}/restoring.new`;
  await removeIfThere(prepared);
  try {
    await prepare(prepared, file);
  } catch (error) {
    await removeIfThere(prepared);
    throw error;
  }
  // From here on `start` refuses the folder until all is in its place. Such a folder can be left from a
  // restore that was interrupted: it must not be away for a moment.
  await Deno.mkdir(restoringFolder(folder), { recursive: true, mode: 0o700 });
  for (const name of contents) await removeIfThere(`${restoringFolder(folder)}/${name}`);
  for (const name of contents) await moveIfThere(prepared, restoringFolder(folder), name);
  await removeIfThere(prepared);
  const kept = await putAside(folder);
  for (const name of contents) await moveIfThere(restoringFolder(folder), folder, name);
  await syncFolder(folder);
  await Deno.remove(restoringFolder(folder), { recursive: true });
  console.log(`Restored ${folder} from ${file}.`);
  if (kept) console.log(`What was there before is in ${kept}: remove it when all is well.`);
}

/**
 * The new content, complete and checked, in a folder of its own.
 *
 * @throws {UsageError} when the file is no whole backup
 */
async function prepare(folder: string, file: string): Promise<void> {
  await Deno.mkdir(folder, { mode: 0o700 });
  const store = storeFile(folder);
  await copyPrivate(file, store);
  try {
    const secrets = await takeSecrets(store);
    if (!secrets) throw new UsageError(`${file} is no backup: \`broadcast backup\` makes one.`);
    const [fault] = await faultsOf(store);
    if (fault !== undefined) throw new UsageError(`${file} is damaged: ${fault}`);
    await writeSecretTexts(folder, secrets);
    await readDataFolder(folder);
  } catch (error) {
    throw isOfFile(error)
      ? new UsageError(`Cannot restore from ${file}: ${wordsOf(error).replaceAll(store, file)}`)
      : error;
  }
}

/** Whether the backup is what is wrong. */
function isOfFile(error: unknown): error is Error {
  return error instanceof StoreRefusedError || error instanceof DamagedFileError ||
    error instanceof Error && "code" in error && error.code === "ERR_SQLITE_ERROR";
}

/** SQLite's own words where there are such: ours are about a store in use. */
function wordsOf(error: Error): string {
  return error.cause instanceof Error ? `${error.cause.message}.` : error.message;
}

async function copyPrivate(from: string, to: string): Promise<void> {
  using source = await Deno.open(from);
  using target = await Deno.open(to, { write: true, createNew: true, mode: 0o600 });
  await source.readable.pipeTo(target.writable, { preventClose: true });
  await target.sync();
}

/** Moves what the folder holds into one of its own; its path, if there was something. */
async function putAside(folder: string): Promise<string | undefined> {
  const held = [];
  for (const name of contents) if (await exists(`${folder}/${name}`)) held.push(name);
  if (held.length === 0) return undefined;
  const time = new Date().toISOString().replace(/\.\d+/, "").replaceAll(":", "-");
  const kept = `${folder}/replaced-${time}`;
  await Deno.mkdir(kept, { mode: 0o700 });
  for (const name of held) await Deno.rename(`${folder}/${name}`, `${kept}/${name}`);
  await syncFolder(folder);
  return kept;
}

async function moveIfThere(from: string, to: string, name: string): Promise<void> {
  if (await exists(`${from}/${name}`)) await Deno.rename(`${from}/${name}`, `${to}/${name}`);
}

async function removeIfThere(path: string): Promise<void> {
  if (await exists(path)) await Deno.remove(path, { recursive: true });
}

/** A power cut may not take the names away again. */
async function syncFolder(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  using folder = await Deno.open(path);
  await folder.sync();
}
