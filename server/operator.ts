/**
 * What the operator of this server asks for on the machine itself: lines of JSON in, lines of JSON
 * out, over whatever carries them (cli/admin_socket.ts). Who can connect there is the operator: the
 * socket lies in a folder that is the operator's alone.
 *
 * ```
 * {"command": "ban", "room": "team", "args": {"who": "Mallory", "forMs": 3600000}}
 * {"value": {}}     or     {"error": {"code": "no_such_user", "text": "There is nobody …"}}
 * ```
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { z } from "zod";
import { concat, toBase64Url } from "../protocol/bytes.ts";
import type { Clock } from "../protocol/clock.ts";
import { type Command, commands, isCommand } from "../protocol/command.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { textCharsMax } from "../protocol/limits.ts";
import {
  operatorAnswerBytesMax,
  operatorConnectionsMax,
  operatorLineBytesMax,
  operatorPatienceMs,
} from "../protocol/limits.ts";
import { chunks, type Link, writeAll } from "../protocol/link.ts";
import { parseJson } from "../protocol/message.ts";
import type { Actor } from "./asked.ts";
import { execute, refusalOf } from "./commands.ts";
import type { Services } from "./services.ts";

const log = getLogger(["broadcast", "operator"]);

/** No user can have this name: names begin with a letter or a digit. */
export const operatorActor: Actor = {
  name: "(operator)",
  user: undefined,
  person: undefined,
  remote: "",
};

/** What only the operator's side of a server can do: the care of what is stored, and its links. */
export interface Upkeep {
  /** Writes a copy of the store as of now into the data folder; the name of the file there. */
  backup(): Promise<string>;
  /** Says of each fault in what is stored what it is. */
  integrity(): Promise<string[]>;
  /** What lets others in who have this invitation. */
  link(invitation: string): string;
}

const request = z.object({
  command: z.string().max(32),
  /** The name of the room that the command is about. */
  room: z.string().max(128).optional(),
  args: z.record(z.string(), z.unknown()).optional(),
});

/** What an answer holds. */
export const operatorAnswer = z.union([
  z.object({ value: z.unknown() }).refine((answer) => "value" in answer),
  z.object({
    error: z.object({
      code: z.string().max(64),
      text: z.string().max(textCharsMax),
      retryAfterMs: z.number().optional(),
    }),
  }),
]);
export type OperatorAnswer = z.output<typeof operatorAnswer>;

/**
 * MUST survive whatever is sent; MUST NOT hold more than a line a connection, nor wait for a peer
 * longer than {@link operatorPatienceMs}.
 */
export class Operator {
  readonly #services: Services;
  readonly #upkeep: Upkeep | undefined;
  readonly #clock: Clock;
  readonly #links = new Map<Link, Promise<void>>();

  constructor(services: Services, upkeep: Upkeep | undefined) {
    this.#services = services;
    this.#upkeep = upkeep;
    this.#clock = services.clock;
  }

  /** Serves one connection to its end. Never throws. */
  async accept(link: Link): Promise<void> {
    if (this.#links.size >= operatorConnectionsMax) {
      const busy = new ProtocolError("too_many_connections");
      await this.#answer(link, { error: refusalOf(busy, "") }).catch(() => {});
      return link.close();
    }
    const serving = this.#serve(link);
    this.#links.set(link, serving);
    await serving.finally(() => this.#links.delete(link));
  }

  /** Ends all connections; what is being done is done to its end. */
  async close(): Promise<void> {
    for (const link of this.#links.keys()) link.close();
    await Promise.all(this.#links.values());
  }

  async #serve(link: Link): Promise<void> {
    // A request has to arrive in time as a whole, not just byte by byte.
    let cancel = this.#hurry(link);
    try {
      for await (const line of lines(link)) {
        cancel();
        if (line.length > 0) await this.#answer(link, await this.#do(line));
        cancel = this.#hurry(link);
      }
    } catch (cause) {
      if (cause instanceof ProtocolError) {
        await this.#answer(link, { error: refusalOf(cause, "") }).catch(() => {});
      } else log.debug("an operator's connection ended: {cause}", { cause });
    } finally {
      cancel();
      link.close();
    }
  }

  #hurry(link: Link): () => void {
    return this.#clock.timer(operatorPatienceMs, () => link.close());
  }

  async #do(line: Uint8Array): Promise<OperatorAnswer> {
    let command = "";
    try {
      const parsed = request.safeParse(parseJson(line));
      if (!parsed.success) throw new ProtocolError("bad_message", "This is not a request.");
      command = parsed.data.command;
      return { value: await this.#execute(parsed.data) };
    } catch (cause) {
      return { error: refusalOf(cause, command) };
    }
  }

  async #execute({ command, room, args = {} }: z.output<typeof request>): Promise<unknown> {
    if (command === "backup" || command === "integrity") {
      if (!this.#upkeep) throw new ProtocolError("forbidden", "This server keeps nothing on disk.");
      return command === "backup"
        ? { file: await this.#upkeep.backup() }
        : { faults: await this.#upkeep.integrity() };
    }
    const value = await execute(this.#services, operatorActor, command, {
      ...args,
      ...(this.#isAboutRoom(command) && { room: toBase64Url(this.#roomNamed(room, command)) }),
    });
    if (command !== "invite" || !this.#upkeep) return value;
    // Who invites from a client has the server's address; the operator has not.
    const invited = value as { invitation: string };
    return { ...invited, link: this.#upkeep.link(invited.invitation) };
  }

  #isAboutRoom(name: string): boolean {
    if (!isCommand(name)) return false;
    const command: Command = commands[name];
    return command.inRoom;
  }

  #roomNamed(name: string | undefined, command: string): Uint8Array {
    if (name === undefined) {
      throw new ProtocolError(
        "no_such_room",
        `"${command}" is about one room. Say which: --room NAME`,
      );
    }
    const room = this.#services.hub.named(name);
    if (!room) throw new ProtocolError("no_such_room", `There is no room "${name}" here.`);
    return room.id;
  }

  async #answer(link: Link, answer: OperatorAnswer): Promise<void> {
    let bytes = new TextEncoder().encode(`${JSON.stringify(answer)}\n`);
    if (bytes.length > operatorAnswerBytesMax) {
      const error = refusalOf(new ProtocolError("too_large", "The answer is too long."), "");
      bytes = new TextEncoder().encode(`${JSON.stringify({ error })}\n`);
    }
    const cancel = this.#hurry(link);
    await writeAll(link, bytes).finally(cancel);
  }
}

const newline = 0x0a;

/**
 * The lines that a link sends, without their newlines; what comes after the last newline is none.
 *
 * @throws {ProtocolError} too_large, bad_message at an end in the middle of a line
 */
async function* lines(link: Link): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  for await (const chunk of chunks(link)) {
    let from = 0;
    for (let to; (to = chunk.indexOf(newline, from)) >= 0; from = to + 1) {
      mustFit(heldBytes + to - from);
      const line = concat([...held, chunk.subarray(from, to)]);
      [held, heldBytes] = [[], 0];
      yield line;
    }
    heldBytes += chunk.length - from;
    mustFit(heldBytes);
    if (from < chunk.length) held.push(chunk.slice(from));
  }
  if (heldBytes > 0) throw new ProtocolError("bad_message", "The request ended in its middle.");
}

function mustFit(bytes: number): void {
  if (bytes <= operatorLineBytesMax) return;
  throw new ProtocolError("too_large", `A request has at most ${operatorLineBytesMax} bytes.`);
}
