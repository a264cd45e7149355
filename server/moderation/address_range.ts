/**
 * Ranges of network addresses, as bans name them: one address, or CIDR (RFC 4632, RFC 4291). An IPv4
 * address that comes mapped into IPv6 (`::ffff:192.0.2.1`) is the IPv4 address.
 *
 * @module
 */

/** An address as a number. */
export interface NumericAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** All addresses that begin with the same `length` bits; the others are 0 in `value`. */
export interface AddressRange extends NumericAddress {
  readonly length: number;
}

const bitsOf = { 4: 32, 6: 128 } as const;
const mappedPrefix = 0xffffn;

/** The range that a text names; undefined where it names none. */
export function parseRange(text: string): AddressRange | undefined {
  const [host = "", suffix, ...rest] = text.split("/");
  if (rest.length > 0 || suffix !== undefined && !/^\d{1,3}$/.test(suffix)) return undefined;
  const raw = parseNumber(host);
  if (!raw) return undefined;
  const address = unmapped(raw);
  const given = suffix === undefined ? bitsOf[raw.family] : Number(suffix);
  const length = given - (bitsOf[raw.family] - bitsOf[address.family]);
  if (length < 0 || given > bitsOf[raw.family]) return undefined;
  return { family: address.family, value: prefixOf(address, length), length };
}

/** The address of a remote, `host:port`; undefined where it has none, in memory say. */
export function addressOf(remote: string): NumericAddress | undefined {
  const host = /^\[(.*)\](:\d+)?$/.exec(remote)?.[1] ?? remote.replace(/^([^:]*):\d+$/, "$1");
  const address = parseNumber(host.replace(/%.*$/, ""));
  return address && unmapped(address);
}

/** Whether an address lies in a range. */
export function isIn(address: NumericAddress, { family, value, length }: AddressRange): boolean {
  return address.family === family && prefixOf(address, length) === value;
}

/** The first bits of an address, the others 0. */
export function prefixOf({ family, value }: NumericAddress, length: number): bigint {
  const rest = BigInt(bitsOf[family] - length);
  return value >> rest << rest;
}

/** Whether a range covers more than anybody has reason to ban: wider than /8, or /32 of IPv6. */
export function isTooWide({ family, length }: AddressRange): boolean {
  return length < (family === 4 ? 8 : 32);
}

/** Whether a range and this machine's own addresses (127.0.0.0/8, ::1) have some in common. */
export function coversLoopback(range: AddressRange): boolean {
  const { family, value, length } = range;
  if (family === 6) return isIn({ family, value: 1n }, range);
  const loopback = { family, value: 127n << 24n } as const;
  return isIn(loopback, range) || length > 8 && isIn({ family, value }, { ...loopback, length: 8 });
}

/** A range in its one form: without a length where it is one address. */
export function formatRange({ family, value, length }: AddressRange): string {
  const host = family === 4 ? formatIpv4(value) : formatIpv6(value);
  return length === bitsOf[family] ? host : `${host}/${length}`;
}

function unmapped(address: NumericAddress): NumericAddress {
  const isMapped = address.family === 6 && address.value >> 32n === mappedPrefix;
  return isMapped ? { family: 4, value: address.value & 0xffff_ffffn } : address;
}

function parseNumber(host: string): NumericAddress | undefined {
  const value = host.includes(":") ? parseIpv6(host) : parseIpv4(host);
  return value === undefined ? undefined : { family: host.includes(":") ? 6 : 4, value };
}

/** Four decimal numbers; none with a 0 in front, which some read as octal. */
function parseIpv4(text: string): bigint | undefined {
  const parts = text.split(".");
  const isOne = parts.length === 4 &&
    parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
  return isOne ? parts.reduce((value, part) => value << 8n | BigInt(part), 0n) : undefined;
}

function parseIpv6(text: string): bigint | undefined {
  const [head = "", tail, ...more] = text.split("::");
  if (more.length > 0) return undefined;
  const left = parseGroups(head, tail === undefined);
  const right = tail === undefined ? [] : parseGroups(tail, true);
  if (!left || !right) return undefined;
  const zeros = 8 - left.length - right.length;
  if (tail === undefined ? zeros !== 0 : zeros < 1) return undefined;
  const groups = [...left, ...Array<bigint>(zeros).fill(0n), ...right];
  return groups.reduce((value, group) => value << 16n | group, 0n);
}

/** Groups of 16 bits; at the end of an address there may be an IPv4 address. */
function parseGroups(text: string, isEnd: boolean): bigint[] | undefined {
  if (text === "") return [];
  const groups: bigint[] = [];
  const parts = text.split(":");
  for (const [at, part] of parts.entries()) {
    const ipv4 = isEnd && at === parts.length - 1 ? parseIpv4(part) : undefined;
    if (ipv4 !== undefined) groups.push(ipv4 >> 16n, ipv4 & 0xffffn);
    else if (/^[\da-f]{1,4}$/i.test(part)) groups.push(BigInt(`0x${part}`));
    else return undefined;
  }
  return groups;
}

function formatIpv4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String(value >> shift & 0xffn)).join(".");
}

/** As RFC 5952 wants it: the longest row of zeros left out. */
function formatIpv6(value: bigint): string {
  const groups = Array.from(
    { length: 8 },
    (_, at) => (value >> BigInt(112 - 16 * at) & 0xffffn).toString(16),
  );
  const rows = [...groups.join(":").matchAll(/(?<![\da-f])0(?::0)+(?![\da-f])/g)];
  const [longest] = rows.sort((a, b) => b[0].length - a[0].length || a.index - b.index);
  if (!longest) return groups.join(":");
  const text = groups.join(":");
  const head = text.slice(0, longest.index).replace(/:$/, "");
  return `${head}::${text.slice(longest.index + longest[0].length).replace(/^:/, "")}`;
}
