/**
 * Where a server is: `host:port`, `:port`, `port`, `[::1]:port`, or the link that a server prints,
 * `broadcast://host:port/room#fingerprint.invitation.key`.
 *
 * @module
 */

/** The original's port. */
export const defaultPort = 9000;

/** A host, empty for "all of this machine's" or "this machine", and a port. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What a link says. */
export interface ServerLink extends Address {
  /** The server's identity: base64url of the SHA-256 of its key. */
  readonly fingerprint?: string;
  /** What lets a new user in: base64url. */
  readonly invitation?: string;
  /** The room that it leads to. */
  readonly room?: string;
  /** What lets somebody into that room where it is sealed, which the server does not know: base64url. */
  readonly key?: string;
}

const scheme = "broadcast://";
const fingerprintPattern = /^[\w-]{43}$/;
/** As many characters as whole bytes give: 4 for 3 of them, or 2 or 3 at the end. */
const keyPattern = /^[\w-]{86}$/;
const invitationPattern = /^(?=.{8,128}$)(?:[\w-]{4})*(?:[\w-]{2,3})?$/;

/**
 * Reads `9000`, `:9000`, `127.0.0.1:9000`, `[::1]:9000`, `chat.example.org`. Host names come out in
 * their one form: lower case, and punycode where they are not ASCII.
 *
 * @param portWithout the port where the text has none
 * @throws {RangeError} with what would be right
 */
export function parseAddress(text: string, portWithout: number = defaultPort): Address {
  const match = pattern.exec(text.trim());
  if (!match) throw badAddress(text);
  const [, bracketed, bare = "", digits] = match;
  if (digits === undefined && /^\d{1,5}$/.test(bare)) return { host: "", port: port(bare, text) };
  if (digits === undefined && bare === "" && bracketed === undefined) throw badAddress(text);
  return {
    host: bare === "" && bracketed === undefined ? "" : oneForm(bracketed ?? bare, text),
    port: digits === undefined ? portWithout : port(digits, text),
  };
}

/**
 * Reads a link or a bare address. The errors do not repeat the part behind `#`: it is a secret.
 *
 * @throws {RangeError} with what would be right
 */
export function parseLink(text: string): ServerLink {
  const [place = "", secret, ...rest] = text.trim().split("#");
  const [bare = "", path = ""] = place.startsWith(scheme)
    ? splitPath(place.slice(scheme.length))
    : [place];
  const address = { ...parseAddress(bare), ...(path !== "" && { room: readRoom(path) }) };
  if (secret === undefined || secret === "") return address;
  const [fingerprint = "", invitation, key, ...more] = secret.split(".");
  const isGood = rest.length === 0 && more.length === 0 && fingerprintPattern.test(fingerprint) &&
    (invitation === undefined || invitationPattern.test(invitation)) &&
    (key === undefined || keyPattern.test(key) && path !== "");
  if (!isGood) {
    throw new RangeError(
      `The link to ${bare} is damaged behind the '#'. Copy it whole, in quotes, as the server printed it.`,
    );
  }
  return {
    ...address,
    fingerprint,
    ...(invitation !== undefined && { invitation }),
    ...(key !== undefined && { key }),
  };
}

function splitPath(text: string): [place: string, path: string] {
  const at = text.indexOf("/");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/** A room's name as a link has it. */
function readRoom(path: string): string {
  try {
    const room = decodeURIComponent(path).normalize("NFKC").toLowerCase();
    if (roomPattern.test(room)) return room;
  } catch {
    // Not a text.
  }
  throw new RangeError("The link names no room that there can be. Copy it whole, in quotes.");
}

/** Whether a host leads to the machine that it is looked up on, whichever that is. */
export function isOfThisMachine(host: string): boolean {
  return ["", "localhost", "::1"].includes(host) || host.startsWith("127.");
}

/** `host:port`, with brackets where the host is an IPv6 address. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The link in its one form. */
export function formatLink(link: ServerLink): string {
  const { fingerprint, invitation, room, key } = link;
  const secret = [fingerprint, invitation, key].filter((part) => part !== undefined).join(".");
  const path = room === undefined ? "" : `/${encodeURIComponent(room)}`;
  return scheme + formatAddress(link) + path + (secret && `#${secret}`);
}

/** As `roomName` in protocol/command.ts has it. */
const roomPattern = /^[\p{L}\p{N}][\p{L}\p{N}._-]{0,31}$/u;

/** An IPv6 address in brackets, or a name or IPv4 address, then perhaps a port. */
const pattern = /^(?:(\[[\da-fA-F:.]+\])|([\p{L}\p{M}\p{N}._-]*))(?::(\d{1,5}))?$/u;

function oneForm(host: string, text: string): string {
  const url = URL.parse(`ws://${host}`);
  // To a browser 2130706433 is 127.0.0.1; to people it is a slip.
  const isOddNumber = /^[\d.]+$/.test(url?.hostname ?? "") && url?.hostname !== host;
  if (!url || isOddNumber) throw badAddress(text);
  return url.hostname.replace(/^\[|\]$/g, "");
}

function port(digits: string, text: string): number {
  const value = Number(digits);
  if (value > 65535) throw badAddress(text);
  return value;
}

function badAddress(text: string): RangeError {
  return new RangeError(
    `"${
      text.split("#")[0]
    }" is not an address. Right would be 9000, :9000, 127.0.0.1:9000, [::1]:9000, ` +
      `chat.example.org:9000 or a link broadcast://…`,
  );
}
