import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { boundLines } from "../../client/chat/bound_lines.ts";

const bytesMax = 5;

/** What is left of an input that comes in these chunks, and how long the lines left out were. */
async function bounded(chunks: readonly Uint8Array[]): Promise<[text: string, long: number[]]> {
  const long: number[] = [];
  const left = ReadableStream.from(chunks).pipeThrough(
    boundLines(bytesMax, (bytes) => long.push(bytes)),
  );
  return [await new Response(left).text(), long];
}

const cases: readonly [input: string, left: string, long: number[]][] = [
  ["", "", []],
  ["a\n", "a\n", []],
  ["a", "a", []],
  ["\n\n", "\n\n", []],
  ["12345\n123456\n12345", "12345\n12345", [6]],
  ["123456789", "", [9]],
  ["123456\n\n1234567", "\n", [6, 7]],
  ["äöü\nä", "ä", [6]],
];

for (const [input, left, long] of cases) {
  Deno.test(`of ${JSON.stringify(input)} the lines of up to 5 bytes are left, however it is cut`, async () => {
    const bytes = new TextEncoder().encode(input);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const chunks = [bytes.slice(0, cut), bytes.slice(cut)];
      assertEquals(await bounded(chunks.filter(({ length }) => length > 0)), [left, long]);
    }
  });
}

Deno.test("any input in any chunks is left as its short lines", async () => {
  const chunk = fc.string({ unit: fc.constantFrom("a", "b", "\n"), minLength: 1, maxLength: 12 });
  await fc.assert(fc.asyncProperty(fc.array(chunk), async (chunks) => {
    const lines = chunks.join("").split("\n");
    const whole = lines.slice(0, -1).filter(({ length }) => length <= bytesMax);
    const last = lines.at(-1)!.length <= bytesMax ? lines.at(-1)! : "";
    const expected = whole.map((line) => `${line}\n`).join("") + last;
    const [left] = await bounded(chunks.map((text) => new TextEncoder().encode(text)));
    assertEquals(left, expected);
  }));
});
