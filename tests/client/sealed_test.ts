/** Sealed rooms with real clients at a real server, over TCP. */

import { serve } from "../hostile/served.ts";
import { rules, stories } from "./sealed_stories.ts";

for (const [name, tell] of stories) {
  Deno.test(name, async () => {
    await using server = await serve(rules);
    await tell(server);
  });
}
