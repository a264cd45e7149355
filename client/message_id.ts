/**
 * A message's id: a UUID of version 7 (RFC 9562, section 5.7), so that ids sort by the time of their
 * making: 48 bits of milliseconds since 1970, version and variant, and 74 bits of chance.
 *
 * @param random 16 bytes of chance
 */
export function messageIdAt(nowMs: number, random: Uint8Array): Uint8Array {
  const id = random.slice();
  for (let at = 0; at < 6; at++) id[at] = Math.floor(nowMs / 2 ** (8 * (5 - at))) % 256;
  id[6] = 0x70 | random[6]! & 0x0f;
  id[8] = 0x80 | random[8]! & 0x3f;
  return id;
}
