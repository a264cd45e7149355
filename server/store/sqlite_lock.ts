/**
 * One process a store: the lock beside its file.
 *
 * @module
 */

import { refusedText, StoreRefusedError } from "./sqlite_faults.ts";

/**
 * Makes sure that no other process has the store in this file, until what is returned is closed or this
 * process ends, however it does.
 *
 * @throws {StoreRefusedError} when another has it
 */
export function takeLock(path: string): Deno.FsFile {
  const lockPath = `${path}.lock`;
  let lock: Deno.FsFile | undefined;
  try {
    lock = Deno.openSync(lockPath, { read: true, write: true, create: true, mode: 0o600 });
    if (lock.tryLockSync(true)) {
      lock.truncateSync();
      lock.writeSync(new TextEncoder().encode(`${Deno.pid}\n`));
      return lock;
    }
  } catch (error) {
    lock?.close();
    throw new StoreRefusedError(refusedText(path, error), { cause: error });
  }
  const holder = new Uint8Array(20);
  const text = new TextDecoder().decode(holder.subarray(0, lock.readSync(holder) ?? 0)).trim();
  lock.close();
  throw new StoreRefusedError(
    `Another server uses ${path}${text && ` (process ${text})`}. End it, or choose another folder.`,
  );
}
