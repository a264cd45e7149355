import { configure, getTextFormatter, jsonLinesFormatter, type LogLevel } from "@logtape/logtape";

/** Sends the log to standard error: as text, or as one JSON object a line. */
export async function configureLog(
  level: LogLevel | "off",
  format: "text" | "json",
): Promise<void> {
  const formatter = format === "json"
    ? jsonLinesFormatter
    : getTextFormatter({ timestamp: "rfc3339" });
  const encoder = new TextEncoder();
  await configure({
    sinks: { stderr: (record) => void Deno.stderr.writeSync(encoder.encode(formatter(record))) },
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
