/**
 * Long lines cut into rows by us and not by the terminal: a row that the terminal begins by itself
 * starts in the first column, where a text could be made to look like somebody else's message.
 *
 * @module
 */

/**
 * The rows of one line, none wider than `columns`, each but the first after `indent`; broken after a
 * space where there is one. For text that is safe already: see `protocol/visible.ts`.
 */
export function wrap(line: string, columns: number, indent: string): string[] {
  const rows = [""];
  let start = 0;
  let width = 0;
  const put = (piece: string, pieceCells: number) => {
    if (width + pieceCells > columns && width > start) {
      rows.push(indent);
      width = start = indent.length;
    }
    rows[rows.length - 1] += piece;
    width += pieceCells;
  };
  for (const word of line.match(/\S+\s?|\s+/g) ?? []) {
    const wordCells = cells(word);
    if (wordCells <= columns - indent.length) put(word, wordCells);
    else for (const { segment } of graphemes.segment(word)) put(segment, cells(segment));
  }
  return rows;
}

/** How many cells of a terminal a text takes; where terminals differ, the most. */
export function cells(text: string): number {
  if (ascii.test(text)) return text.length;
  let count = 0;
  for (const character of text) count += stacked.test(character) ? 0 : wide.test(character) ? 2 : 1;
  return count;
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const ascii = /^[\x20-\x7e]*$/;

/** Marks, joiners, variation selectors: they share the cell of what is before them. */
const stacked = /[\p{Mn}\p{Me}\p{Cf}]/v;

/** East Asian wide characters (UAX 11) and all that may be shown as emoji. */
const wide = new RegExp(
  String.raw`[\p{Extended_Pictographic}\p{RI}\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf` +
    String.raw`\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60` +
    String.raw`\uffe0-\uffe6\u{16fe0}-\u{18fff}\u{1aff0}-\u{1b2ff}\u{1f000}-\u{3ffff}]`,
  "v",
);
