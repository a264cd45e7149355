import { assertEquals, assertThrows } from "@std/assert";
import { decodeState, encodeState, type KeptState } from "../../client/sealed/kept_state.ts";
import { messageIdAt } from "../../client/message_id.ts";
import { concat, fromMapKey, mapKey } from "../../protocol/bytes.ts";

const nowMs = Date.UTC(2026, 10, 28);

const state: KeptState = {
  renewedMs: nowMs - 1000,
  lastCommit: messageIdAt(nowMs, new Uint8Array(16).fill(7)),
  departed: new Set([1, 2].map((byte) => mapKey(new Uint8Array(32).fill(byte)))),
  before: new Set([mapKey(new Uint8Array(32).fill(3))]),
  orphans: new Set([4, 5, 6].map((byte) => mapKey(new Uint8Array(16).fill(byte)))),
  group: new Uint8Array(50).fill(9),
};

Deno.test("what is kept of a sealed room's keys is read again", () => {
  assertEquals(decodeState(encodeState(state)), state);
  const [departed, before, orphans] = [new Set<string>(), new Set<string>(), new Set<string>()];
  const none = { ...state, renewedMs: 0, departed, before, orphans };
  assertEquals(decodeState(encodeState(none)), none);
});

Deno.test("what earlier versions have kept of a sealed room's keys is read too", () => {
  const earlier = { ...state, orphans: new Set<string>() };
  const lists = concat([
    state.lastCommit,
    ...[state.departed, state.before].flatMap((keys) => [
      Uint8Array.of(0, keys.size),
      ...[...keys].map(fromMapKey),
    ]),
    state.group,
  ]);
  const time = encodeState(state).slice(0, 8).with(1, 0);
  assertEquals(decodeState(concat([time, lists])), earlier);
  assertEquals(decodeState(lists), { ...earlier, renewedMs: 0 }, "of unknown age");
});

Deno.test("what is cut short is no state", () => {
  const bytes = encodeState(state);
  for (let length = 2; length < bytes.length - state.group.length; length++) {
    assertThrows(() => decodeState(bytes.slice(0, length)), RangeError);
  }
});
