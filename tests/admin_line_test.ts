import { assertEquals } from "@std/assert";
import { readAdminLine } from "../cli/admin_line.ts";

Deno.test("an operator's own options are found wherever they stand, up to --", () => {
  const typed = ["--json", "topic", "--room=team", "all", "--data", "d", "--", "--room", "x"];
  assertEquals(readAdminLine(typed), {
    data: "d",
    room: "team",
    isJson: true,
    words: ["topic", "all", "--room", "x"],
  });
});
