/**
 * What runs in the page: the client's core and the server's, with nothing of a runtime's beside the
 * browser's. It tells the stories of sealed rooms and reports to whoever served it.
 *
 * @module
 */

import { rules, stories } from "../client/sealed_stories.ts";
import { groupTimes, type Times } from "./group_times.ts";
import { serveInMemory } from "./memory_server.ts";

/** How it went. */
export interface Report {
  readonly stories: readonly ToldStory[];
  readonly times: Times;
}

/** A story, and what went wrong. */
export interface ToldStory {
  readonly name: string;
  readonly ms: number;
  readonly fault?: string;
}

const told: ToldStory[] = [];
for (const [name, tell] of stories) {
  const startMs = performance.now();
  const fault = await faultOf(async () => {
    await using server = await serveInMemory(rules);
    await tell(server);
  });
  told.push({ name, ms: performance.now() - startMs, ...fault !== undefined && { fault } });
}
const report: Report = { stories: told, times: await groupTimes() };
await fetch("/report", { method: "POST", body: JSON.stringify(report) });

async function faultOf(act: () => Promise<void>): Promise<string | undefined> {
  try {
    await act();
    return undefined;
  } catch (cause) {
    return cause instanceof Error ? cause.stack ?? cause.message : String(cause);
  }
}
