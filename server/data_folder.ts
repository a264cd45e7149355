/**
 * The server's folder: its identity and its invitation, readable by their owner only.
 *
 * @module
 */

import { importSigningKey, type SigningKey } from "../crypto/identity.ts";
import { type Bytes, fromBase64Url, toBase64Url } from "../protocol/bytes.ts";

/** Bytes of an invitation: enough that nobody guesses it. */
const invitationBytes = 16;
const identityBytes = 32;

/** A file does not hold what it should. The text says which, and what to do. */
export class DamagedFileError extends Error {
  override readonly name = "DamagedFileError";
}

/** What the folder holds. */
export interface DataFolder {
  readonly identity: SigningKey;
  readonly invitation: Bytes;
}

/**
 * Reads the folder; what is missing is made.
 *
 * @throws {DamagedFileError} and what the system says of files
 */
export async function openDataFolder(path: string): Promise<DataFolder> {
  await Deno.mkdir(path, { recursive: true, mode: 0o700 });
  return {
    identity: await importSigningKey(await secretFile(`${path}/identity`, identityBytes)),
    invitation: await secretFile(`${path}/invitation`, invitationBytes),
  };
}

/** The random bytes that a file holds, made at the first start. */
async function secretFile(path: string, bytes: number): Promise<Bytes> {
  try {
    const secret = fromBase64Url((await Deno.readTextFile(path)).trim());
    if (secret.length !== bytes) throw new SyntaxError(`not ${bytes} bytes`);
    return secret;
  } catch (cause) {
    if (cause instanceof SyntaxError) {
      throw new DamagedFileError(
        `${path} is damaged. Put it back from a backup; without it, remove it, and tell your users ` +
          `that the server has a new identity.`,
        { cause },
      );
    }
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  }
  const secret = crypto.getRandomValues(new Uint8Array(bytes));
  await writeWhole(path, `${toBase64Url(secret)}\n`);
  return secret;
}

/** Writes a file so that it is there whole or not at all. */
async function writeWhole(path: string, text: string): Promise<void> {
  const unfinished = `${path}.new`;
  using file = await Deno.open(unfinished, {
    write: true,
    create: true,
    truncate: true,
    mode: 0o600,
  });
  await file.write(new TextEncoder().encode(text));
  await file.sync();
  await Deno.rename(unfinished, path);
}
