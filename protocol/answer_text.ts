/**
 * What a server answers, as tables and lines for people: for its operator, and for clients. What others
 * wrote is made visible first: a topic must not clear a screen.
 *
 * @module
 */

import { fromBase64Url, toBase64Url } from "./bytes.ts";
import { Content, contentEventsFrom, type Core, decodeRows, Proof } from "./entry.ts";
import { personPayload } from "./message.ts";
import { visible } from "./visible.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Milliseconds that are a length of time; all others are a moment. */
const durations: ReadonlySet<string> = new Set(["upMs", "slowMs", "everyMs", "forMs"]);

/** A result as lines to print. */
export function formatResult(command: string, value: unknown): string[] {
  if (!isFields(value)) return [visible(JSON.stringify(value) ?? "")];
  if (command === "history") return formatHistory(value);
  const scalars = Object.entries(value).filter(([, field]) => !isRows(field) && !isFields(field));
  const tables = Object.entries(value).filter(([, field]) => isRows(field)) as [string, Fields[]][];
  const objects = Object.values(value).filter(isFields);
  const lines = [
    ...tables.flatMap(([name, rows]) => rows.length > 0 ? table(rows) : [`No ${name}.`]),
    ...objects.flatMap(list),
    ...(tables.length > 0
      ? [totals(scalars, tables)].filter(Boolean)
      : list(Object.fromEntries(scalars))),
  ];
  return lines.length > 0 ? lines : ["Done."];
}

/** Rows as columns under their names, seq and time first; columns that no row has are not there. */
export function table(rows: readonly Fields[]): string[] {
  const keys = [...new Set(["seq", "timeMs", ...rows.flatMap((row) => Object.keys(row))])]
    .filter((key) => rows.some((row) => row[key] !== undefined));
  const cells = [
    keys.map(heading),
    ...rows.map((row) => keys.map((key) => format(key, row[key]))),
  ];
  const widths = keys.map((_, at) => Math.max(...cells.map((row) => row[at]!.length)));
  return cells.map((row) => row.map((cell, at) => cell.padEnd(widths[at]!)).join("  ").trimEnd());
}

function list(fields: Fields): string[] {
  const entries = Object.entries(fields);
  const width = Math.max(0, ...entries.map(([key]) => heading(key).length));
  return entries.map(([key, value]) => `${heading(key).padEnd(width)}  ${format(key, value)}`);
}

/** How many more there are than are shown, and the like. */
function totals(
  scalars: readonly [string, unknown][],
  tables: readonly [string, Fields[]][],
): string {
  const shown = tables[0]![1].length;
  return scalars
    .filter(([key, value]) => key !== "total" || value !== shown)
    .map(([key, value]) => `${format(key, value)} ${key === "total" ? "in all" : heading(key)}`)
    .join(", ");
}

/** What was said: the entries that an answer's rows hold. */
function formatHistory({ rows, firstSeq, timeMs }: Fields): string[] {
  if (typeof rows !== "string") return ["Nothing is kept there."];
  const entries = decodeRows(fromBase64Url(rows), Number(firstSeq), Number(timeMs));
  const shown = entries.map(({ seq, timeMs, deviceId, core, isErased }) => ({
    seq,
    timeMs,
    device: toBase64Url(deviceId).slice(0, 8),
    kind: kindOf(core),
    text: isErased ? "(deleted)" : saidIn(core),
  }));
  return table(shown);
}

function kindOf({ content }: Core): string {
  if (content === Content.commit || content === Content.knock) return "keys";
  return content >= contentEventsFrom ? "event" : "message";
}

/** What an entry says that the server can read. */
function saidIn({ content, proof, payload }: Core): string {
  if (proof === Proof.mls) return "(sealed)";
  switch (content) {
    case Content.commit:
    case Content.knock:
      return "";
    case Content.joined:
      return `${personPayload.decode(payload).name} joined`;
    case Content.left:
      return `${personPayload.decode(payload).name} left`;
    default:
      return new TextDecoder().decode(payload);
  }
}

/** `lastSeenMs` -> `last seen`, `isHere` -> `here`. */
function heading(key: string): string {
  return visible(key)
    .replace(/^is(?=[A-Z])/, "")
    .replace(/(Ms|Bytes)$/, "")
    .replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    .trim();
}

function format(key: string, value: unknown): string {
  if (value === undefined || value === null || value === "") return "-";
  if (typeof value === "boolean") return value ? "yes" : "-";
  if (typeof value === "number" && key.endsWith("Ms")) {
    return durations.has(key) ? formatDuration(value) : formatTime(value);
  }
  if (typeof value === "number" && key.endsWith("Bytes")) {
    return formatBytes(value);
  }
  return visible(typeof value === "string" ? value : JSON.stringify(value));
}

/** `1.5 MiB`, `28 KiB`. */
export function formatBytes(bytes: number): string {
  const KiB = bytes / 1024;
  return KiB < 1024 ? `${Math.ceil(KiB)} KiB` : `${(KiB / 1024).toFixed(1)} MiB`;
}

const units: readonly [ms: number, name: string][] = [
  [24 * 3600_000, "d"],
  [3600_000, "h"],
  [60_000, "m"],
  [1000, "s"],
];

/** `93784000` -> `1d 2h`: the two largest units. */
export function formatDuration(ms: number): string {
  let left = ms;
  const parts = units.flatMap(([unitMs, name]) => {
    const count = Math.floor(left / unitMs);
    left -= count * unitMs;
    return count > 0 ? [`${count}${name}`] : [];
  });
  return parts.slice(0, 2).join(" ") || "0s";
}

/** UTC, to the second. Beyond what a date can be it is for ever. */
export function formatTime(ms: number): string {
  if (ms === 0) return "-";
  if (ms > 8.64e15) return "for ever";
  return new Date(ms).toISOString().replace("T", " ").replace(/\.\d+Z$/, "Z");
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isRows(value: unknown): value is Fields[] {
  return Array.isArray(value) && value.every(isFields);
}
