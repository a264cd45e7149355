/**
 * Why a sealed room's group refuses something.
 *
 * @module
 */

/**
 * - `invalid`: the bytes are damaged, made up or not signed by whom they name
 * - `policy`: the group's rules forbid it
 * - `old`, `early`: of an epoch that is over, or of one that is still to come
 * - `own`: one's own commit or message, which nobody opens for themselves
 * - `stranger`: a group of another room or server, or one without the inviter
 * - `gone`: we were taken out, or the group was forgotten
 */
export type GroupErrorReason =
  | "invalid"
  | "policy"
  | "old"
  | "early"
  | "own"
  | "stranger"
  | "gone";

/** A group that stays as it is, because what was asked of it cannot be. */
export class GroupError extends Error {
  override readonly name = "GroupError";
  readonly reason: GroupErrorReason;

  constructor(reason: GroupErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** Runs what reads or checks foreign bytes: whatever it throws, they are invalid. */
export async function foreign<T>(what: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw toGroupError(what, cause);
  }
}

/** The same for work that is done at once. */
export function foreignNow<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw toGroupError(what, cause);
  }
}

function toGroupError(what: string, cause: unknown): GroupError {
  return cause instanceof GroupError
    ? cause
    : new GroupError("invalid", `${what} is not valid.`, { cause });
}
