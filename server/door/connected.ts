import { mapKey } from "../../protocol/bytes.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import type { User } from "../people.ts";

/** Somebody's connection, whichever protocol it speaks. */
export interface Connection {
  readonly user: User;
  /** `host:port` */
  readonly remote: string;
  /** Tells the peer why, then ends. */
  fail(code: ErrorCode, text?: string): void;
}

/** Who is connected and logged in: for what concerns all of them, wherever they read. */
export class Connected {
  readonly #all = new Set<Connection>();

  /** Notes a connection; the returned function ends that. */
  add(connection: Connection): () => void {
    this.#all.add(connection);
    return () => void this.#all.delete(connection);
  }

  get size(): number {
    return this.#all.size;
  }

  /** Those now, in a list of their own. */
  all(): readonly Connection[] {
    return [...this.#all];
  }

  /** Users, each once, whose connections pass. */
  users(passes: (connection: Connection) => boolean): User[] {
    const found = new Map<string, User>();
    for (const connection of this.#all) {
      if (passes(connection)) found.set(mapKey(connection.user.id), connection.user);
    }
    return [...found.values()];
  }
}
