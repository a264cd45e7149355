import { configure, getTextFormatter, jsonLinesFormatter, type LogLevel } from "@logtape/logtape";

/** Sends the log to standard error: as text, or as one JSON object a line. */
export async function configureLog(
  level: LogLevel | "off",
  format: "text" | "json",
): Promise<void> {
  const formatter = format === "json"
    ? jsonLinesFormatter
    : getTextFormatter({ timestamp: "rfc3339" });
  await configure({
    sinks: { stderr: (record) => writeStderr(formatter(record)) },
    loggers: [
      { category: ["logtape", "meta"], sinks: ["stderr"], lowestLevel: "warning" },
      {
        category: "broadcast",
        sinks: level === "off" ? [] : ["stderr"],
        lowestLevel: level === "off" ? "fatal" : level,
      },
    ],
  });
}

/** Nobody reading the log is no reason to end. */
function writeStderr(text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
  } catch (cause) {
    if (!(cause instanceof Deno.errors.BrokenPipe)) throw cause;
  }
}
