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

/**
 * A name in its one form (NFKC, no space around it).
 *
 * @throws {ProtocolError} bad_name
 */
export function normalizeName(name: string): string {
  const normal = name.normalize("NFKC").trim();
  if ([...normal].length > nameCharsMax || !pattern.test(normal)) {
    throw new ProtocolError("bad_name");
  }
  return normal;
}

/**
 * What names that look alike have in common: lower case, look-alikes of other scripts mapped to one
 * (Unicode Technical Standard 39, section 4), digits that pass for letters too.
 */
export function skeleton(name: string): string {
  const lower = unhomoglyph(name.normalize("NFKC").toLowerCase()).toLowerCase();
  return unhomoglyph(lower.normalize("NFD").replace(/\p{M}/gu, "")).replace(
    /[01i|]/g,
    (char) => char === "0" ? "o" : "l",
  );
}
