import { FileStore } from "./client/files.ts";
import type { ClientStore } from "./client/store.ts";
import { UsageError } from "./flags.ts";
import { isSystemError, reasonOf } from "./reason.ts";

/** The client's folder; what the system says of it is told as a mistake in usage. */
export function openStore(home: string): ClientStore {
  const store = new FileStore(home);
  const told = async <T>(act: Promise<T>) => {
    try {
      return await act;
    } catch (cause) {
      if (!isSystemError(cause)) throw cause;
      const why = `Cannot use the folder ${home}: ${reasonOf(cause)}`;
      throw new UsageError(`${why} Choose another: --home FOLDER`, { cause });
    }
  };
  return {
    identity: (name) => told(store.identity(name)),
    pin: (server) => told(store.pin(server)),
    savePin: (server, fingerprint) => told(store.savePin(server, fingerprint)),
    forgetPin: (server) => told(store.forgetPin(server)),
  };
}
