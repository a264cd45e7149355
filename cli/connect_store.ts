import { SqliteStore } from "../client/store/sqlite.ts";
import type { ClientStore } from "../client/store/store.ts";
import { UsageError } from "./flags.ts";
import { isSystemError, reasonOf } from "./reason.ts";

/**
 * What is kept in the client's folder.
 *
 * @throws {UsageError | ClientStoreError} when the folder cannot be used
 */
export function openStore(home: string): ClientStore {
  try {
    return new SqliteStore(home);
  } catch (cause) {
    if (!isSystemError(cause)) throw cause;
    const why = `Cannot use the folder ${home}: ${reasonOf(cause)}`;
    throw new UsageError(`${why} Choose another: --home FOLDER`, { cause });
  }
}
