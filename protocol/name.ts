/**
 * Names of users: what is one, and which look alike.
 *
 * @module
 */

import unhomoglyph from "unhomoglyph";
import { ProtocolError } from "./errors.ts";
import { nameCharsMax } from "./limits.ts";

/** Letters and digits of any script, `.`, `_`, `-`; the first one a letter or digit. */
const pattern = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._-]*$/u;

/** Some letters show nothing (Hangul fillers, say): with them a name would look like another. */
const invisible = /\p{Default_Ignorable_Code_Point}/u;

/**
 * A name in its one form (NFKC, no space around it).
 *
 * @throws {ProtocolError} bad_name
 */
export function normalizeName(name: string): string {
  const normal = name.normalize("NFKC").trim();
  if ([...normal].length > nameCharsMax || !pattern.test(normal) || invisible.test(normal)) {
    throw new ProtocolError("bad_name");
  }
  return normal;
}

/**
 * What names that look alike have in common: lower case, look-alikes of other scripts mapped to one
 * (Unicode Technical Standard 39, section 4), digits that pass for letters too.
 */
export function skeleton(name: string): string {
  // Accents first: taken whole, "ö" looks like an Arabic letter to the table, and not like "o".
  const bare = name.normalize("NFKD").replace(/[\u0300-\u036f]/g, "");
  const lower = unhomoglyph(bare.normalize("NFKC").toLowerCase()).toLowerCase();
  return unhomoglyph(lower.normalize("NFD").replace(/\p{M}/gu, "")).replace(
    /[01i|]/g,
    (char) => char === "0" ? "o" : "l",
  );
}
