/**
 * Text from others made safe to show. Whatever would move the cursor, hide itself or reorder its
 * neighbours is written out, as `\x1b` or `\u{202e}`; what is left only prints.
 *
 * @module
 */

/** Lines of one text that are shown as lines; the newlines after them are written out. */
export const linesShownMax = 100;

/** Marks that one character may carry; more ("zalgo") would paint over the lines around it. */
const marksMax = 8;

const spacesOfTab = "    ";

/** Acts on a terminal or shows nothing: controls, format characters, lone surrogates, fillers. */
const unsafe = String.raw`[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}\p{NChar}]`;

/** Marks, and the Hangul vowels and finals that terminals also stack. */
const mark = String.raw`[[\p{M}\u1161-\u11ff\ud7b0-\ud7fb]--\p{DI}]`;

/** Letters of the scripts in which a zero-width joiner or non-joiner changes how a word looks. */
const joiningScripts = "Arab Syrc Mong Nkoo Deva Beng Guru Gujr Orya Taml Telu Knda Mlym Sinh";
const scripts = joiningScripts.split(" ").map((script) => `\\p{scx=${script}}`).join("");
const joining = `[[${scripts}]&&[\\p{L}\\p{M}]]`;

/** Made of unsafe characters and harmless: the emoji of the standard, a joiner inside a word. */
const harmless = `\\p{RGI_Emoji}|(?<=${joining})[\\u200c\\u200d](?=${joining})`;

const special = new RegExp(
  `(?<keep>${harmless})|(?<marks>${mark}{${marksMax}})${mark}+|${unsafe}`,
  "gv",
);
const plain = /^[\x20-\x7e]*$/;

/**
 * `text` as one line that is safe to show. A tab becomes spaces, a newline is written out too.
 *
 * @example
 * ```ts
 * import { visible } from "./visible.ts";
 * visible("\x1b[2J"); // "\\x1b[2J"
 * ```
 */
export function visible(text: string): string {
  if (plain.test(text)) return text;
  return text.replace(special, (match, keep?: string, marks?: string) => {
    if (keep !== undefined) return keep;
    if (marks !== undefined) return `${marks}…`;
    return match === "\t" ? spacesOfTab : writtenOut(match.codePointAt(0)!);
  });
}

/**
 * The lines of `text`, each safe to show; at least one, at most {@link linesShownMax}, none empty at
 * the end. Whoever shows them MUST put something in front of each, or it could pass as a line of
 * somebody else.
 */
export function visibleLines(text: string): string[] {
  let end = text.length; // Without a pattern: one that looks for the end takes time squared.
  while (end > 0 && "\r\n".includes(text[end - 1]!)) end--;
  const lines = text.slice(0, end).split(/\r\n|\r|\n/);
  if (lines.length > linesShownMax) {
    lines.push(lines.splice(linesShownMax - 1).join("\n"));
  }
  return lines.map(visible);
}

function writtenOut(codePoint: number): string {
  const hex = codePoint.toString(16);
  return codePoint < 0x100 ? `\\x${hex.padStart(2, "0")}` : `\\u{${hex}}`;
}
