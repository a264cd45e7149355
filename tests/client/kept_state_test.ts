import { assertEquals, assertThrows } from "@std/assert";
import { decodeState, encodeState, type KeptState } from "../../client/sealed/kept_state.ts";
import { messageIdAt } from "../../client/message_id.ts";
import { mapKey } from "../../protocol/bytes.ts";

const nowMs = Date.UTC(2026, 10, 28);

const state: KeptState = {
  renewedMs: nowMs - 1000,
  lastCommit: messageIdAt(nowMs, new Uint8Array(16).fill(7)),
  departed: new Set([1, 2].map((byte) => mapKey(new Uint8Array(32).fill(byte)))),
  before: new Set([mapKey(new Uint8Array(32).fill(3))]),
  group: new Uint8Array(50).fill(9),
};

Deno.test("what is kept of a sealed room's keys is read again", () => {
  assertEquals(decodeState(encodeState(state)), state);
  const none = { ...state, renewedMs: 0, departed: new Set<string>(), before: new Set<string>() };
  assertEquals(decodeState(encodeState(none)), none);
});

Deno.test("keys that were kept when there was no time are of unknown age", () => {
  assertEquals(decodeState(encodeState(state).slice(8)), { ...state, renewedMs: 0 });
});

Deno.test("what is cut short is no state", () => {
  const bytes = encodeState(state);
  for (let length = 2; length < bytes.length - state.group.length; length++) {
    assertThrows(() => decodeState(bytes.slice(0, length)), RangeError);
  }
});
