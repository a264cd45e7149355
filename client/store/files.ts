/**
 * What the first version kept as files: `identities/NAME.json` and `servers/ADDRESS`. They are read
 * once, and left as they are.
 *
 * @module
 */

import { z } from "zod";
import type { Secret } from "../../crypto/identity.ts";
import { fromBase64Url } from "../../protocol/bytes.ts";
import { ClientStoreError } from "./store.ts";

const secret = z.string().regex(/^[\w-]{43}$/);
const identityFile = z.object({ name: z.string(), userSecret: secret, deviceSecret: secret });

/** A folder as the first version left it. */
export class OldFiles {
  readonly #home: string;

  constructor(home: string) {
    this.#home = home;
  }

  /**
   * The secrets that go with a name.
   *
   * @throws {ClientStoreError} when they cannot be read any more
   */
  async identity(name: string): Promise<{ userSecret: Secret; deviceSecret: Secret } | undefined> {
    const path = this.#path("identities", `${name.toLowerCase()}.json`);
    const text = await readText(path);
    if (text === undefined) return undefined;
    const parsed = parseIdentity(text);
    if (!parsed) {
      throw new ClientStoreError(
        `${path} is damaged. Put it back from a backup; or remove it, and choose another name, ` +
          `because servers know this one by the lost key.`,
      );
    }
    const { userSecret, deviceSecret } = parsed;
    return { userSecret: fromBase64Url(userSecret), deviceSecret: fromBase64Url(deviceSecret) };
  }

  /** The names whose secrets are here, and can be read. */
  async names(): Promise<string[]> {
    const names: string[] = [];
    for (const file of await listFiles(`${this.#home}/identities`)) {
      const parsed = parseIdentity(await readText(`${this.#home}/identities/${file}`) ?? "");
      if (parsed) names.push(parsed.name);
    }
    return names;
  }

  /** Removes a name's secrets. */
  async removeIdentity(name: string): Promise<void> {
    await Deno.remove(this.#path("identities", `${name.toLowerCase()}.json`)).catch((cause) => {
      if (!(cause instanceof Deno.errors.NotFound)) throw cause; // Another process was first.
    });
  }

  /** The fingerprint that a server had when it was first met. */
  async pin(server: string): Promise<string | undefined> {
    return (await readText(this.#path("servers", server)))?.trim();
  }

  #path(folder: string, file: string): string {
    return `${this.#home}/${folder}/${encodeURIComponent(file)}`;
  }
}

async function listFiles(path: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return [];
    throw cause;
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    if (cause instanceof Error && "code" in cause && cause.code === "ENAMETOOLONG") {
      return undefined;
    }
    throw cause;
  }
}

function parseIdentity(text: string): z.output<typeof identityFile> | undefined {
  try {
    return identityFile.parse(JSON.parse(text));
  } catch {
    return undefined; // Cut off, or changed.
  }
}
