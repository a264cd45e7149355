import { answerBytesMax, commandCountMax } from "../protocol/limits.ts";

/** The first rows of an answer, as many as one message takes. */
export function fitting<Row>(rows: Iterable<Row>): Row[] {
  const taken: Row[] = [];
  let bytes = 0;
  for (const row of rows) {
    bytes += new TextEncoder().encode(JSON.stringify(row)).length + 1;
    if (bytes > answerBytesMax || taken.length === commandCountMax) break;
    taken.push(row);
  }
  return taken;
}
