/**
 * Asking a running server over the socket in its data folder.
 *
 * @module
 */

import { dialServer } from "./admin_socket.ts";
import { UsageError } from "./flags.ts";
import { reasonOf } from "./reason.ts";
import { concat } from "../protocol/bytes.ts";
import { operatorAnswerBytesMax } from "../protocol/limits.ts";
import { chunks, type Link, writeAll } from "../protocol/link.ts";
import { parseJson } from "../protocol/message.ts";
import { operatorAnswer } from "../server/operator.ts";

/** One thing asked for. */
export interface AdminRequest {
  readonly command: string;
  /** The name of the room that it is about. */
  readonly room?: string | undefined;
  readonly args?: Readonly<Record<string, unknown>>;
}

/** The server does not do it; the text says why. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}

/** Nobody is there to ask, or it did not answer; the text says what to look at. */
export class NoServerError extends Error {
  override readonly name = "NoServerError";
}

/** A connection to a running server. */
export class AdminClient implements Disposable {
  readonly #link: Link;
  readonly #answers: AsyncGenerator<Uint8Array>;

  private constructor(link: Link) {
    this.#link = link;
    this.#answers = lines(link);
  }

  /**
   * Connects to the server of a data folder; undefined when none runs.
   *
   * @throws {UsageError} when the folder cannot be used
   */
  static async open(folder: string): Promise<AdminClient | undefined> {
    try {
      const link = await dialServer(folder);
      return link && new AdminClient(link);
    } catch (cause) {
      throw new UsageError(
        `Cannot reach the server of the folder ${folder}: ${reasonOf(cause)}`,
        { cause },
      );
    }
  }

  /**
   * What the server answers.
   *
   * @throws {RefusedError, NoServerError}
   */
  async ask(request: AdminRequest): Promise<unknown> {
    const line = await this.#exchange(request);
    const answer = line && operatorAnswer.safeParse(parseJson(line));
    if (!answer?.success) throw new NoServerError("The server ended before it had answered.");
    if ("error" in answer.data) throw new RefusedError(answer.data.error.text);
    return answer.data.value;
  }

  [Symbol.dispose](): void {
    this.#link.close();
  }

  async #exchange(request: AdminRequest): Promise<Uint8Array | undefined> {
    try {
      await writeAll(this.#link, new TextEncoder().encode(`${JSON.stringify(request)}\n`));
      return (await this.#answers.next()).value;
    } catch (cause) {
      throw new NoServerError(`The server did not answer: ${reasonOf(cause)}`, { cause });
    }
  }
}

async function* lines(link: Link): AsyncGenerator<Uint8Array, undefined> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  for await (const chunk of chunks(link)) {
    const end = chunk.indexOf(0x0a);
    heldBytes += chunk.length;
    if (heldBytes > operatorAnswerBytesMax + 1024) throw new Error("the answer is too long.");
    held.push(chunk.slice(0, end < 0 ? chunk.length : end));
    if (end < 0) continue;
    yield concat(held);
    [held, heldBytes] = [[], 0]; // One answer a request: nothing comes behind it.
  }
}
