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

/** How long another process may take to write a file that it has begun. */
const writingMs = 2_000;
const lookAgainMs = 20;

/** A client's folder. */
export class FileStore implements ClientStore {
  readonly #home: string;

  constructor(home: string) {
    this.#home = home;
  }

  async identity(name: string): Promise<Identity> {
    const path = await this.#path("identities", `${name.toLowerCase()}.json`);
    const made = await generateIdentity();
    const { userSecret, deviceSecret } = made;
    const text = JSON.stringify({
      name,
      userSecret: toBase64Url(userSecret),
      deviceSecret: toBase64Url(deviceSecret),
    });
    return await createFile(path, text) ? made.identity : await readIdentity(path);
  }

  async pin(server: string): Promise<string | undefined> {
    try {
      return (await Deno.readTextFile(await this.#path("servers", server))).trim();
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound) return undefined;
      throw cause;
    }
  }

  async savePin(server: string, fingerprint: string): Promise<void> {
    await createFile(await this.#path("servers", server), `${fingerprint}\n`);
  }

  async forgetPin(server: string): Promise<void> {
    try {
      await Deno.remove(await this.#path("servers", server));
    } catch (cause) {
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    }
  }

  /** A file's path; its folder is made where it is missing. */
  async #path(folder: string, file: string): Promise<string> {
    await Deno.mkdir(`${this.#home}/${folder}`, { recursive: true, mode: 0o700 });
    return `${this.#home}/${folder}/${encodeURIComponent(file)}`;
  }
}

/** Makes a file unless it is there; of several processes one wins. Whether it was made. */
async function createFile(path: string, text: string): Promise<boolean> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
  } catch (cause) {
    if (cause instanceof Deno.errors.AlreadyExists) return false;
    throw cause;
  }
  try {
    await file.write(new TextEncoder().encode(text));
    await file.sync();
    return true;
  } finally {
    file.close();
  }
}

/** Reads an identity; another process may be writing it just now. */
async function readIdentity(path: string): Promise<Identity> {
  const giveUpMs = Date.now() + writingMs;
  while (true) {
    const parsed = parseIdentity(await Deno.readTextFile(path));
    if (parsed) {
      const [user, device] = await Promise.all([
        importSigningKey(fromBase64Url(parsed.userSecret)),
        importSigningKey(fromBase64Url(parsed.deviceSecret)),
      ]);
      return await certify(user, device);
    }
    if (Date.now() > giveUpMs) {
      throw new Error(
        `${path} is damaged. Put it back from a backup; or remove it, and choose another name, ` +
          `because servers know this one by the lost key.`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
  }
}

function parseIdentity(text: string): z.output<typeof identityFile> | undefined {
  try {
    return identityFile.parse(JSON.parse(text));
  } catch {
    return undefined; // Not written to its end yet, or damaged.
  }
}
