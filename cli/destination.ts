/** Where a client goes, and where a server listens, as far as flags, environment and `.env` tell. */

import { type Address, defaultPort, parseAddress } from "../protocol/address.ts";

/** The values that flags, environment and `.env` give, the first that is set first. */
export interface DestinationSettings {
  /** `--ask`. */
  readonly ask: boolean;
  /** `--link-file`. */
  readonly file: string | undefined;
  /** The address or link on the command line. */
  readonly argument: string | undefined;
  /** The environment, over what `.env` says. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What says where to go: a text, or what must be read first. */
export type Destination =
  | { readonly kind: "ask" }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "text"; readonly text: string };

/**
 * Where a client goes; by default to this machine, where a server with the same settings listens.
 *
 * @throws {RangeError} for a PORT that is none
 */
export function destination({ ask, file, argument, env }: DestinationSettings): Destination {
  if (ask) return { kind: "ask" };
  if (file !== undefined) return { kind: "file", path: file };
  const text = argument ?? env["BROADCAST_LINK"];
  if (text) return { kind: "text", text };
  const { port } = parseAddress(env["PORT"] || String(defaultPort));
  return { kind: "text", text: `127.0.0.1:${port}` };
}

/** Where a server listens that was given this address. */
export function listenAt({ host, port }: Address): Address {
  return { host: host || "0.0.0.0", port };
}

/** Where a client that was given this address connects to. */
export function dialAt({ host, port }: Address): Address {
  return { host: host || "127.0.0.1", port };
}

/** Where who is on the same machine reaches a server that listens there. */
export function reachable({ host, port }: Address): Address {
  if (host === "0.0.0.0") return { host: "127.0.0.1", port };
  return { host: host === "::" ? "::1" : host, port };
}
