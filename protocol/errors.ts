/**
 * The error codes of the wire: for each a text that tells a person what to do next, and whether the
 * same client may try again by itself.
 *
 * @module
 */

/** One row of the table of error codes. */
interface ErrorRule {
  /** What happened and what to do, in plain English. A sender may say it more exactly. */
  readonly text: string;
  /** Whether a client may try again by itself, after a pause. */
  readonly retry: boolean;
}

export const errorCodes = {
  bad_frame: {
    text: "The bytes received are not a valid frame. Connect again with an up-to-date client.",
    retry: false,
  },
  bad_message: {
    text: "The message received is not a valid one. Connect again with an up-to-date client.",
    retry: false,
  },
  too_large: { text: "The message is too long. Send it in parts.", retry: false },
  broken_log: {
    text: "The server's log does not fit together. Connect again; if it stays, do not trust it.",
    retry: true,
  },
  version: {
    text: "The server and this client share no protocol version. Update the older of the two.",
    retry: false,
  },
  login_timeout: {
    text: "The login took too long. Connect again; on a very slow line, try a better one.",
    retry: true,
  },
  bad_login: {
    text: "The login's signatures do not verify. Connect again with an up-to-date client.",
    retry: false,
  },
  bad_name: {
    text: "A name has 1 to 32 letters, digits, '.', '_' or '-', and starts with a letter or digit.",
    retry: false,
  },
  name_owned: {
    text: "This name belongs to another key. Choose another name with --name, or use the device " +
      "and the home folder (--home) that the name was first used with. If they are lost: the " +
      "operator can free the name (admin forget NAME).",
    retry: false,
  },
  name_lookalike: {
    text: "This name looks like one that is in use. Choose another with --name.",
    retry: false,
  },
  invitation_needed: {
    text: "New users need an invitation here. Ask the operator for the link that the server " +
      "printed when it started, and connect with it.",
    retry: false,
  },
  registration_closed: {
    text: "This server takes no new users. Ask its operator.",
    retry: false,
  },
  server_full: {
    text: "The server has as many connections as it may. Try again in a while.",
    retry: true,
  },
  too_many_connections: {
    text: "There are too many connections from here already. Close one, then try again.",
    retry: true,
  },
  too_slow: {
    text: "The connection did not take what the server had to send. Connect again.",
    retry: true,
  },
  silent: { text: "Nothing was heard for too long. Connect again.", retry: true },
  slow_down: { text: "Too fast: wait, then send again.", retry: true },
  read_only: {
    text: "The server's disk is full: what is there can be read, and what you said is sent again " +
      "as soon as there is room.",
    retry: true,
  },
  busy: { text: "The server has too much to do. Try again in a moment.", retry: true },
  banned: { text: "You are banned here.", retry: false },
  draining: {
    text: "The server lets nobody new in, because it is about to be stopped. Try again later.",
    retry: true,
  },
  no_such_user: { text: "There is nobody of that name here.", retry: false },
  no_such_command: {
    text: "The server does not know this command. One of the two needs an update.",
    retry: false,
  },
  room_limit: { text: "There are as many rooms as there may be.", retry: false },
  too_many: {
    text: "There are as many of these as there may be. End one that is not needed any more.",
    retry: false,
  },
  no_such_invitation: { text: "There is no such invitation here.", retry: false },
  bad_room_name: {
    text:
      "A room's name has 1 to 32 letters, digits, '.', '_' or '-', and starts with a letter or " +
      "digit.",
    retry: false,
  },
  stale_commit: {
    text: "Another commit came first. Read on, and make yours anew.",
    retry: true,
  },
  stale_epoch: {
    text: "The room's keys have changed. Read on, seal the message again, and send it again.",
    retry: true,
  },
  no_such_object: {
    text: "This was not uploaded here, or is no longer kept.",
    retry: false,
  },
  no_such_room: { text: "There is no such room here.", retry: false },
  forbidden: { text: "You may not do this here.", retry: false },
  shutting_down: { text: "The server is shutting down. Connect again in a while.", retry: true },
  session_ended: { text: "The session's time or key is used up. Connect again.", retry: true },
  internal: {
    text: "The server had a fault of its own. Try again; if it stays, tell its operator.",
    retry: true,
  },
} as const satisfies Record<string, ErrorRule>;

/** A code of the table; what peers say beyond it is shown as text. */
export type ErrorCode = keyof typeof errorCodes;

/** A fault that has a code, and so may be told to the peer. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code: ErrorCode;
  /** When trying again makes sense, in ms from now. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ErrorCode,
    text: string = errorCodes[code].text,
    options: ErrorOptions & { retryAfterMs?: number } = {},
  ) {
    super(text, options);
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The connection ended where more had to come. Nobody did anything wrong: trying again makes sense. */
export class CutShort extends ProtocolError {
  constructor(text: string, options?: ErrorOptions) {
    super("bad_frame", text, options);
  }
}

/** Whether a client may try again by itself after this code; unknown codes: yes. */
export function mayRetry(code: string): boolean {
  return Object.hasOwn(errorCodes, code) ? errorCodes[code as ErrorCode].retry : true;
}
