/**
 * The server's folder: its identity and its invitation, readable by their owner only.
 *
 * @module
 */

import { importSigningKey, type SigningKey } from "../crypto/identity.ts";
import { type Bytes, fromBase64Url, toBase64Url } from "../protocol/bytes.ts";
import { invitationBytes } from "../protocol/limits.ts";

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

/** Makes a key pair of the identity's secret. */
type ImportKey = (secret: Bytes) => Promise<SigningKey>;

/** The texts of the folder's files, as a backup holds them. */
export interface SecretTexts {
  readonly identity: string;
  readonly invitation: string;
}

/**
 * Reads the folder; what is missing is made.
 *
 * @throws {DamagedFileError} and what the system says of files
 */
export async function openDataFolder(
  path: string,
  importKey: ImportKey = importSigningKey,
): Promise<DataFolder> {
  await Deno.mkdir(path, { recursive: true, mode: 0o700 });
  await makeSecret(`${path}/identity`, identityBytes);
  await makeSecret(`${path}/invitation`, invitationBytes);
  return await readDataFolder(path, importKey);
}

/**
 * Reads the folder.
 *
 * @throws {DamagedFileError} and what the system says of files
 */
export async function readDataFolder(
  path: string,
  importKey: ImportKey = importSigningKey,
): Promise<DataFolder> {
  return {
    identity: await importKey(await readSecret(`${path}/identity`, identityBytes)),
    invitation: await readSecret(`${path}/invitation`, invitationBytes),
  };
}

/**
 * The folder's files as texts, checked.
 *
 * @throws {DamagedFileError} and what the system says of files
 */
export async function readSecretTexts(path: string): Promise<SecretTexts> {
  const { invitation } = await readDataFolder(path);
  const identity = await readSecret(`${path}/identity`, identityBytes);
  return { identity: toBase64Url(identity), invitation: toBase64Url(invitation) };
}

/** Writes the files of a folder that has none yet. */
export async function writeSecretTexts(path: string, texts: SecretTexts): Promise<void> {
  await writeWhole(`${path}/identity`, `${texts.identity}\n`);
  await writeWhole(`${path}/invitation`, `${texts.invitation}\n`);
}

async function readSecret(path: string, bytes: number): Promise<Bytes> {
  try {
    const secret = fromBase64Url((await Deno.readTextFile(path)).trim());
    if (secret.length !== bytes) throw new SyntaxError(`not ${bytes} bytes`);
    return secret;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new DamagedFileError(
      `${path} is damaged. Put it back from a backup; without it, remove it, and tell your users ` +
        `that the server has a new identity.`,
      { cause },
    );
  }
}

/** Random bytes in a file, made at the first start. */
async function makeSecret(path: string, bytes: number): Promise<void> {
  try {
    await Deno.lstat(path);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    const secret = crypto.getRandomValues(new Uint8Array(bytes));
    await writeWhole(path, `${toBase64Url(secret)}\n`);
  }
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
