import { errorCodes } from "../../protocol/errors.ts";
import type { Coverage } from "./coverage.ts";

/** Why a connection may end though nobody did anything wrong: what is said, and where it is counted. */
const reasons: readonly [text: RegExp, count?: keyof Omit<Coverage, "add">][] = [
  [/^the connection was (cut|refused)$/],
  [/^the peer has closed it$/],
  [/^the link is closed$/],
  [/^the process has ended$/],
  [/^The server closed the connection\.$/],
  [/^The connection ended/, "endedInFrame"],
  [exactly(errorCodes.login_timeout.text)],
  [exactly(errorCodes.too_slow.text)],
  [exactly(errorCodes.silent.text), "silent"],
  [exactly(errorCodes.read_only.text), "readOnly"],
  [exactly(errorCodes.no_such_room.text)],
  [exactly(errorCodes.shutting_down.text), "shuttingDown"],
  [/^The server is shutting down\.$/, "shuttingDown"], // As the client tells it, which connects by itself.
  [exactly(errorCodes.too_many_connections.text), "tooManyConnections"],
];

/** Whether a text tells of the network or of a bound, and not of something broken. */
export function isInnocent(text: string, coverage: Coverage): boolean {
  // Who was taken for a classic client before being heard is told in its way that the server ends.
  if (text.startsWith("What answers there does not speak")) return coverage.classicPrompts > 0;
  const reason = reasons.find(([pattern]) => pattern.test(text));
  if (reason?.[1]) coverage[reason[1]]++;
  return reason !== undefined;
}

function exactly(text: string): RegExp {
  return new RegExp(`^${text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`);
}
