import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { safetyNumber } from "../../crypto/safety_number.ts";

const [a, b, c] = [1, 2, 3].map((value) => new Uint8Array(32).fill(value)) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
];

Deno.test("two people see the same sixty digits, and others see others", () => {
  const number = safetyNumber(a, b);
  assertMatch(number, /^(\d{5} ){11}\d{5}$/);
  assertEquals(safetyNumber(b, a), number);
  assertNotEquals(safetyNumber(a, c), number);
});

Deno.test("a safety number stays what it is", () => {
  assertEquals(
    safetyNumber(a, b),
    "58029 56636 38812 67277 03712 10594 82263 16194 82801 03754 70217 17211",
  );
});
