import { assertEquals } from "@std/assert";

const DOCUMENT = `${import.meta.dirname}/wrong_types.md`;

Deno.test("each wrong use of @std in wrong_types.md fails `deno check`, the right one does not", async () => {
  const { stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "-q", "--doc-only", DOCUMENT],
    env: { NO_COLOR: "1" },
  }).output();

  const errors = new TextDecoder().decode(stderr);
  const [right, ...wrong] = blocks(await Deno.readTextFile(DOCUMENT));
  const accepted = wrong.filter(({ line }) => !errors.includes(`wrong_types.md#${line}-`));
  assertEquals(accepted, []);
  assertEquals(errors.includes(`wrong_types.md#${right?.line}-`), false, errors);
});

/** The code blocks of a document, and the lines at which they begin. */
function blocks(text: string): { line: number; code: string }[] {
  return Array.from(text.matchAll(/^```ts\n([^]*?)^```$/gm), ({ index, 1: code = "" }) => ({
    line: text.slice(0, index).split("\n").length,
    code,
  }));
}
