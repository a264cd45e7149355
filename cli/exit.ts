/** Exit codes; the README says what each means. */
export const exitCode = {
  ok: 0,
  /** A fault of the program's own. */
  fault: 1,
  /** A flag, a value or an address that is not right. */
  usage: 2,
  /** The server cannot be reached, or the port not be listened on. */
  network: 3,
  /** Not let in, the server is not the one expected, or the passphrase is wrong. */
  authentication: 4,
  /** Something said was not taken by the server. */
  undelivered: 5,
  /** Ctrl-C. */
  interrupted: 130,
} as const;
