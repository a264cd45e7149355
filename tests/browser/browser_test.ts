/** The client's core in a browser. `deno task browser` runs this where Chromium is. */

import { assertEquals } from "@std/assert";
import { within } from "../fixtures/within.ts";
import { bundle, runtimeReferences, sizes } from "./bundle.ts";
import { Chromium, mayStart } from "./chromium.ts";
import { groupTimes } from "./group_times.ts";
import type { Report } from "./page.ts";

const ignore = !await mayStart();
const because = ignore ? " (ignored: `deno task browser` runs it where chromium is)" : "";

/** The stories take seconds; each of them gives up by itself when it hangs. */
const pageMs = 120_000;

Deno.test("a script that takes something from a runtime is found out", () => {
  assertEquals(runtimeReferences(`a={node:1};f("nodes: 2","Denoted");x.node?y:z`), []);
  const scripts = ["Deno.pid", `globalThis["Deno"]`, "self.Deno?1:2", `import"node:fs"`];
  for (const script of scripts) assertEquals(runtimeReferences(script), [script]);
});

Deno.test({
  name: `the client's core bundles for a browser, and takes nothing from a runtime${because}`,
  ignore,
  async fn() {
    const script = await bundle("tests/browser/core.ts");
    assertEquals(runtimeReferences(script), []);
    console.log(`The client's core: ${await sizes(script)}.`);
  },
});

Deno.test({
  name: `sealed rooms work in Chromium${because}`,
  ignore,
  async fn(test) {
    // The assertions in it ask for a runtime, and do without; the browser has none.
    const { stories, times } = await reportOf(await bundle("tests/browser/page.ts"));
    for (const { name, fault } of stories) {
      await test.step(name, () => {
        if (fault !== undefined) throw new Error(fault);
      });
    }
    const own = await groupTimes();
    console.log("ms in Chromium, in Deno:");
    for (const [what, ms] of Object.entries(times)) {
      console.log(`  ${what}: ${ms.toFixed(1)}, ${own[what]!.toFixed(1)}`);
    }
    for (const { name, ms } of stories) console.log(`  ${name}: ${ms.toFixed(0)}`);
  },
});

/** Runs the script in a page, and has what it reports. */
async function reportOf(script: string): Promise<Report> {
  const reported = Promise.withResolvers<Report>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    switch (new URL(request.url).pathname) {
      case "/":
        return new Response(page, { headers: { "content-type": "text/html; charset=utf-8" } });
      case "/script.js":
        return new Response(script, { headers: { "content-type": "text/javascript" } });
      case "/report":
        reported.resolve(await request.json());
        return new Response();
      case "/fault":
        reported.reject(new Error(`In the page: ${await request.text()}`));
        return new Response();
      default:
        return new Response(null, { status: 404 });
    }
  });
  await using _closing = { [Symbol.asyncDispose]: () => server.shutdown() };
  await using chromium = await Chromium.show(`http://127.0.0.1:${server.addr.port}/`);
  const report = Promise.race([reported.promise, chromium.untimelyEnd()]);
  return await within(report, "the page to report", pageMs);
}

/** It tells of faults that the script cannot tell of by itself: that it cannot be read, say. */
const page = `<!doctype html>
<title>Sealed rooms</title>
<script>
const tell = (fault) => fetch("/fault", { method: "POST", body: String(fault?.stack ?? fault) });
addEventListener("error", ({ error, message }) => tell(error ?? message));
addEventListener("unhandledrejection", ({ reason }) => tell(reason));
</script>
<script type="module" src="/script.js"></script>
`;
