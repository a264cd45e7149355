/** What went wrong with a file or a socket, in plain English: one line, no traces. */

/** By the system's own code. */
const texts: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there. Is the server running, is the port right?",
  EHOSTUNREACH: "there is no way to it from here. Is the address right, is the network up?",
  ENETUNREACH: "there is no way to it from here. Is the address right, is the network up?",
  ETIMEDOUT: "it did not answer. Is the address right?",
  EACCES: "the system does not permit it to this user.",
  EPERM: "the system does not permit it to this user.",
  ENOENT: "there is no such file or folder.",
  ENOTDIR: "a file is in the place of a folder.",
  EEXIST: "a file is in the place of a folder.",
  EISDIR: "it is a folder, not a file.",
  EROFS: "it cannot be written there.",
  ENOSPC: "the disk is full.",
};

/** Names cannot be looked up; the system's own words differ, and have no error of their own. */
const lookup = /lookup|resolve|name or service|nodename/i;

/** The reason that an error of the system gives, without its own words around it. */
export function reasonOf(cause: unknown): string {
  if (cause instanceof Deno.errors.NotCapable) {
    return "this program was started without the permission for that.";
  }
  const known = texts[codeOf(cause)];
  if (known) return known;
  const message = cause instanceof Error ? cause.message : String(cause);
  if (lookup.test(message)) return "there is no host of that name. Is it spelled right?";
  return `${message.replace(/ ?\(os error \d+\).*$/s, "").replace(/\.$/, "")}.`;
}

/** Whether this is the system's word on a file or a socket, and not a fault of the program's. */
export function isSystemError(error: unknown): error is Error {
  return error instanceof Deno.errors.NotCapable || /^E[A-Z]+$/.test(codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
