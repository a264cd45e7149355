/**
 * What a client must not lose, as files: `identities/NAME.json` and `servers/ADDRESS`, readable by
 * their owner only.
 *
 * @module
 */

import { z } from "zod";
import { certify, generateIdentity, type Identity, importSigningKey } from "../crypto/identity.ts";
import { fromBase64Url, toBase64Url } from "../protocol/bytes.ts";
import type { ClientStore } from "./store.ts";

const secret = z.string().regex(/^[\w-]{43}$/);
const identityFile = z.object({ name: z.string(), userSecret: secret, deviceSecret: secret });

/** A file does not hold what it should. The text says which, and what to do. */
export class DamagedFileError extends Error {
  override readonly name = "DamagedFileError";
}

/** A client's folder. Several processes may use it at once. */
export class FileStore implements ClientStore {
  readonly #home: string;

  constructor(home: string) {
    this.#home = home;
  }

  async identity(name: string): Promise<Identity> {
    const path = await this.#path("identities", `${name.toLowerCase()}.json`);
    const kept = await readText(path);
    if (kept !== undefined) return await readIdentity(kept, path);
    const { identity, userSecret, deviceSecret } = await generateIdentity();
    const text = JSON.stringify({
      name,
      userSecret: toBase64Url(userSecret),
      deviceSecret: toBase64Url(deviceSecret),
    });
    const won = await createFile(path, `${text}\n`);
    return won ? identity : await readIdentity((await readText(path))!, path);
  }

  async pin(server: string): Promise<string | undefined> {
    return (await readText(await this.#path("servers", server)))?.trim();
  }

  async savePin(server: string, fingerprint: string): Promise<boolean> {
    return await createFile(await this.#path("servers", server), `${fingerprint}\n`);
  }

  async forgetPin(server: string): Promise<void> {
    const path = await this.#path("servers", server);
    if (await readText(path) !== undefined) await Deno.remove(path);
  }

  /** A file's path; its folder is made where it is missing. */
  async #path(folder: string, file: string): Promise<string> {
    await Deno.mkdir(`${this.#home}/${folder}`, { recursive: true, mode: 0o700 });
    return `${this.#home}/${folder}/${encodeURIComponent(file)}`;
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw cause;
  }
}

/**
 * Makes a file unless it is there, whole or not at all; of several processes one wins. Whether it was
 * this one.
 */
async function createFile(path: string, text: string): Promise<boolean> {
  const unfinished = `${path}.${crypto.randomUUID()}`;
  await writeNew(unfinished, text);
  try {
    await Deno.link(unfinished, path); // Unlike renaming, it does not replace what is there.
    return true;
  } catch (cause) {
    if (cause instanceof Deno.errors.AlreadyExists) return false;
    throw cause;
  } finally {
    await Deno.remove(unfinished);
  }
}

async function writeNew(path: string, text: string): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
  await file.write(new TextEncoder().encode(text));
  await file.sync();
}

async function readIdentity(text: string, path: string): Promise<Identity> {
  const parsed = parseIdentity(text);
  if (!parsed) {
    throw new DamagedFileError(
      `${path} is damaged. Put it back from a backup; or remove it, and choose another name, ` +
        `because servers know this one by the lost key.`,
    );
  }
  const [user, device] = await Promise.all([
    importSigningKey(fromBase64Url(parsed.userSecret)),
    importSigningKey(fromBase64Url(parsed.deviceSecret)),
  ]);
  return await certify(user, device);
}

function parseIdentity(text: string): z.output<typeof identityFile> | undefined {
  try {
    return identityFile.parse(JSON.parse(text));
  } catch {
    return undefined; // Cut off, or changed.
  }
}
