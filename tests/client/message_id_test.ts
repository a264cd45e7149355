import { assertEquals } from "@std/assert";
import { messageIdAt } from "../../client/message_id.ts";

Deno.test("a message id is a UUID of version 7: time, version, variant, chance", () => {
  const chance = Uint8Array.fromHex("ffffffffffff0cc398c4dc0c0c07398f");
  const cases: [nowMs: number, id: string][] = [
    [0x017F22E279B0, "017f22e279b07cc398c4dc0c0c07398f"], // RFC 9562, appendix A.6
    [0, "0000000000007cc398c4dc0c0c07398f"],
    [2 ** 48 - 1, "ffffffffffff7cc398c4dc0c0c07398f"],
  ];
  for (const [nowMs, id] of cases) assertEquals(messageIdAt(nowMs, chance).toHex(), id);
  assertEquals(
    messageIdAt(5, new Uint8Array(16).fill(255)).toHex().slice(12),
    "7fffbfffffffffffffff",
  );
});

Deno.test("message ids of later times sort later", () => {
  const times = [1, 255, 256, 2 ** 32 - 1, 2 ** 32, 1_767_225_600_000];
  const ids = times.map((ms) =>
    messageIdAt(ms, crypto.getRandomValues(new Uint8Array(16))).toHex()
  );
  assertEquals(ids, ids.toSorted());
});
