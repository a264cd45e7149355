import { assertEquals } from "@std/assert";
import { changeText } from "../../client/chat/changes.ts";
import type { Result } from "../../protocol/command.ts";
import { Core } from "../fixtures/core.ts";

Deno.test("how long everybody waits in a slow room is told as it was set", async () => {
  using server = await Core.open();
  const olga = server.somebody("Olga");
  const team = await server.room("team", olga);
  for (const everyMs of [5_000, 90_000, 3600_000, 0]) {
    await server.ask(olga, "slow", { everyMs }, team);
  }
  const { changes } = await server.ask(olga, "audit", {}, team) as unknown as Result<"audit">;
  assertEquals(changes.filter(({ act }) => act === "slow").map(changeText).toSorted(), [
    "Olga lets everybody wait 1h between two messages",
    "Olga lets everybody wait 1m 30s between two messages",
    "Olga lets everybody wait 5s between two messages",
    "Olga lets everybody write as fast as they like",
  ]);
});
