/**
 * Text tables.
 *
 * @module
 */

/** A table whose columns are as wide as they need: numbers to the right, text to the left. */
export function textTable(headings: readonly string[], rows: readonly string[][]): string {
  const columns = headings.map((heading, i) => {
    const cells = rows.map((row) => row[i] ?? "");
    return {
      width: Math.max(heading.length, ...cells.map((cell) => cell.length)),
      numeric: cells.every((cell) => /^-?[\d.]*$/.test(cell)) && cells.some((cell) => cell !== ""),
    };
  });
  const line = (cells: readonly string[]) => {
    const padded = columns.map(({ width, numeric }, i) => {
      const cell = cells[i] ?? "";
      return numeric ? cell.padStart(width) : cell.padEnd(width);
    });
    return `| ${padded.join(" | ")} |`;
  };
  const rule = columns.map(({ width, numeric }) => "-".repeat(width - 1) + (numeric ? ":" : "-"));
  return [line(headings), line(rule), ...rows.map(line)].join("\n");
}
