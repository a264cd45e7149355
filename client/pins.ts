/**
 * Which server is the right one: the identity that a link names, else the one met first at an address,
 * as ssh does it.
 *
 * @module
 */

import { fingerprint } from "../crypto/identity.ts";
import { formatAddress, type ServerLink } from "../protocol/address.ts";
import type { ClientStore } from "./store/store.ts";

/** The server is not the one expected. The text says what to do. */
export class ServerIdentityError extends Error {
  override readonly name = "ServerIdentityError";
}

/**
 * A check of a server's identity key.
 *
 * @param onNew told the fingerprint of a server that was not known before
 */
export function pinChecker(
  link: ServerLink,
  store: ClientStore,
  onNew: (fingerprint: string) => void,
): (identity: Uint8Array) => Promise<void> {
  const address = formatAddress(link);
  return async (identity) => {
    const found = fingerprint(identity);
    if (link.fingerprint !== undefined && link.fingerprint !== found) {
      throw new ServerIdentityError(
        `The server at ${address} is not the one that the link names. Somebody may be in between, ` +
          `or the link is old: ask the operator for a new one.\n` +
          `  expected ${link.fingerprint}\n  found    ${found}`,
      );
    }
    let pinned = await store.pin(address);
    if (pinned === undefined) {
      if (await store.savePin(address, found)) return onNew(found);
      pinned = await store.pin(address); // Another process was first.
    }
    if (pinned !== found) {
      throw new ServerIdentityError(
        `The server at ${address} has another identity than the last time. Somebody may be in ` +
          `between. Do not go on before its operator has told you why, by another way; then ` +
          `connect once with --forget.\n  known ${pinned}\n  found ${found}`,
      );
    }
  };
}
