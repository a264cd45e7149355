/**
 * What `doctor` looks at in a server's folder and on its machine.
 *
 * @module
 */

import { statfsSync } from "node:fs";
import type { AdminClient } from "./admin_client.ts";
import { exists, restoringFolder, storeFile } from "./data_files.ts";
import type { Finding } from "./finding.ts";
import { reasonOf } from "./reason.ts";
import { fingerprint } from "../crypto/identity.ts";
import { DamagedFileError, readDataFolder } from "../server/data_folder.ts";
import { faultsOf } from "../server/store/backup_file.ts";
import { StoreRefusedError } from "../server/store/sqlite_faults.ts";
import { takeLock } from "../server/store/sqlite_lock.ts";

const MiB = 1024 * 1024;

/** Less than this is soon full. */
const spaceBytesMin = 100 * MiB;

/** A file may be so much newer than now before the clock counts as wrong. */
const clockSlackMs = 60_000;

/** Files beside the connections: the store's, the log, the modules. */
const filesBeside = 64;
/** More are not tried: that would take long. */
const filesTriedMax = 20_000;

const files = ["identity", "invitation", "broadcast.sqlite", "broadcast.sqlite-wal", "admin.sock"];

/** The folder: there, and its owner's alone. */
export async function checkFolder(folder: string): Promise<Finding & { isThere: boolean }> {
  try {
    const { isDirectory, mode } = await Deno.stat(folder);
    if (!isDirectory) {
      const todo = "Move it away, or choose another folder: --data FOLDER";
      return { isThere: false, what: `${folder} is not a folder`, todo };
    }
    return { isThere: true, ...privacyOf(folder, mode, 0o700) };
  } catch (cause) {
    const todo = "`start` makes it; or say where it is: --data FOLDER";
    return { isThere: false, what: `the folder ${folder}: ${reasonOf(cause)}`, todo };
  }
}

/** The files: their owner's alone. */
export async function checkFiles(folder: string): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const name of files) {
    const path = `${folder}/${name}`;
    if (await exists(path)) findings.push(privacyOf(path, (await Deno.stat(path)).mode, 0o600));
  }
  const problems = findings.filter(({ todo }) => todo !== undefined);
  return problems.length > 0
    ? problems
    : [{ what: `${findings.length} files, for their owner only` }];
}

function privacyOf(path: string, mode: number | null, right: number): Finding {
  if (mode === null) return { what: `${path} (who may use it cannot be known here)` };
  const now = (mode & 0o777).toString(8);
  if ((mode & 0o077) === 0) return { what: `${path} is its owner's alone (${now})` };
  return {
    what: `others on this machine may use ${path} (its mode is ${now})`,
    todo: `chmod ${right.toString(8)} ${path}`,
  };
}

/** No restore was left in its middle. */
export async function checkRestore(folder: string): Promise<Finding[]> {
  if (!await exists(restoringFolder(folder))) return [];
  return [{
    what: `a restore into ${folder} was not done to its end`,
    todo: "Do it again: restore FILE",
  }];
}

/** The identity and the invitation can be read. */
export async function checkIdentity(folder: string): Promise<Finding & { key?: Uint8Array }> {
  try {
    const { identity: { publicKey } } = await readDataFolder(folder);
    return { what: `the identity is ${fingerprint(publicKey)}`, key: publicKey };
  } catch (cause) {
    if (cause instanceof DamagedFileError) return { what: "the identity", todo: cause.message };
    return {
      what: `the identity: ${reasonOf(cause)}`,
      todo: "`start` makes a new one; or restore a backup.",
    };
  }
}

/** The store and all its chains: asked of the server that has it, else looked at. */
export async function checkStore(
  folder: string,
  server: AdminClient | undefined,
): Promise<Finding[]> {
  const path = storeFile(folder);
  if (!await exists(path)) return [{ what: `${path} is not there yet: the first start makes it` }];
  try {
    const faults = server
      ? (await server.ask({ command: "integrity" }) as { faults: string[] }).faults
      : await lookAt(path);
    if (faults.length === 0) {
      return [{ what: `${path} is whole, and so are the chains of all rooms` }];
    }
    return faults.slice(0, 20).map((fault) => ({
      what: `${path}: ${fault}`,
      todo: "Stop the server, keep a copy of the folder, and restore the last good backup.",
    }));
  } catch (cause) {
    if (!(cause instanceof StoreRefusedError)) throw cause;
    return [{ what: cause.message, todo: "What to do is said there." }];
  }
}

async function lookAt(path: string): Promise<string[]> {
  using _lock = takeLock(path);
  return await faultsOf(path);
}

/** There is room on the disk: for what comes, and for a backup on the way. */
export async function checkSpace(folder: string): Promise<Finding> {
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  const path = storeFile(folder);
  const size = await exists(path) ? (await Deno.stat(path)).size : 0;
  const what = `${Math.floor(free / MiB)} MiB are free on the disk of ${folder}`;
  if (free >= Math.max(spaceBytesMin, size)) return { what };
  const need = Math.ceil(Math.max(spaceBytesMin, size) / MiB);
  return { what, todo: `Make room: ${need} MiB, so that a backup can be made too.` };
}

/** No file of the server is from the future. */
export async function checkClock(folder: string): Promise<Finding> {
  const now = Date.now();
  let newest = 0;
  for (const name of files) {
    const path = `${folder}/${name}`;
    if (await exists(path)) {
      newest = Math.max(newest, (await Deno.stat(path)).mtime?.getTime() ?? 0);
    }
  }
  const what = `the clock says ${new Date(now).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  if (newest <= now + clockSlackMs) return { what };
  return {
    what: `${what}, but files in ${folder} are from ${new Date(newest).toISOString()}`,
    todo: "Set the clock, by NTP best: the times of messages come from it.",
  };
}

/** A file for each connection may be open at once. What is tried counts: limits are not to be read. */
export function checkOpenFiles(folder: string, connectionsMax: number): Finding {
  void new Error().stack; // Deno 2.9.6 panics where that is first looked at with no descriptor left.
  const wanted = Math.min(connectionsMax + filesBeside, filesTriedMax);
  const opened: Deno.FsFile[] = [];
  try {
    while (opened.length < wanted) opened.push(Deno.openSync(folder));
  } catch {
    // As many as there may be.
  } finally {
    for (const file of opened) file.close();
  }
  if (opened.length === wanted) return { what: `at least ${wanted} files may be open at once` };
  return {
    what:
      `${opened.length} files may be open at once, and ${connectionsMax} connections are allowed`,
    todo: `Raise the limit (ulimit -n, LimitNOFILE=), or start with --connections-max ${
      Math.max(1, opened.length - filesBeside)
    }`,
  };
}
