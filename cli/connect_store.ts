/**
 * What is kept in the client's folder, and the passphrase that it may be under.
 *
 * @module
 */

import { WrongPassphraseError } from "../client/store/key_file.ts";
import { SqliteStore } from "../client/store/sqlite.ts";
import { UsageError } from "./flags.ts";
import {
  askNewPassphrase,
  askPassphrase,
  canAsk,
  checkNewPassphrase,
  givenPassphrase,
  type PassphraseSource,
  triesMax,
} from "./passphrase_source.ts";
import { isSystemError, reasonOf } from "./reason.ts";

/**
 * What is kept in the client's folder; it may be locked.
 *
 * @throws {UsageError | ClientStoreError} when the folder cannot be used
 */
export function openStore(home: string): SqliteStore {
  try {
    return new SqliteStore(home);
  } catch (cause) {
    throw explained(cause, home);
  }
}

/**
 * The same, unlocked. Who gives a passphrase where there is none puts everything under it.
 *
 * @throws {UsageError | ClientStoreError | WrongPassphraseError}
 */
export async function openUnlocked(home: string, source: PassphraseSource): Promise<SqliteStore> {
  const store = openStore(home);
  try {
    if (store.isLocked) await unlock(store, home, source);
    else if (source.ask) await protect(store, home, askNewPassphrase());
    else {
      const passphrase = await givenPassphrase(source);
      if (passphrase !== undefined) await protect(store, home, checkNewPassphrase(passphrase));
    }
    return store;
  } catch (cause) {
    store.close();
    throw cause;
  }
}

/**
 * Unlocks a store; on a terminal, one may mistype.
 *
 * @throws {UsageError | ClientStoreError | WrongPassphraseError}
 */
export async function unlock(
  store: SqliteStore,
  home: string,
  source: PassphraseSource,
): Promise<void> {
  const given = await givenPassphrase(source);
  if (given === undefined && !canAsk()) {
    throw new UsageError(
      `The keys in ${home} are under a passphrase. Give it where there is no terminal: ` +
        `--passphrase-file FILE, or BROADCAST_PASSPHRASE.`,
    );
  }
  for (let tries = 1;; tries++) {
    try {
      return await store.unlock(given ?? askPassphrase("Passphrase:"));
    } catch (cause) {
      if (!(cause instanceof WrongPassphraseError)) throw cause;
      const problem = `This is not the passphrase of ${home}.`;
      if (given !== undefined || tries === triesMax) {
        throw new WrongPassphraseError(problem, { cause });
      }
      console.error(problem);
    }
  }
}

/**
 * Puts everything under a passphrase.
 *
 * @throws {UsageError | ClientStoreError}
 */
export async function protect(store: SqliteStore, home: string, passphrase: string): Promise<void> {
  await setPassphrase(store, home, passphrase);
  console.error(
    "Your keys are under this passphrase now. Keep it well: without it they are lost to you too.",
  );
}

/**
 * Changes the passphrase; undefined for none.
 *
 * @throws {UsageError | ClientStoreError}
 */
export async function setPassphrase(
  store: SqliteStore,
  home: string,
  passphrase: string | undefined,
): Promise<void> {
  try {
    await store.setPassphrase(passphrase);
  } catch (cause) {
    throw explained(cause, home);
  }
}

function explained(cause: unknown, home: string): unknown {
  if (!isSystemError(cause)) return cause;
  const why = `Cannot use the folder ${home}: ${reasonOf(cause)}`;
  return new UsageError(`${why} Choose another: --home FOLDER`, { cause });
}
