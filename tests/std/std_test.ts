import {
  assert,
  assertEquals,
  assertExists,
  AssertionError,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { parseArgs, promptSecret } from "@std/cli";
import { load, loadSync, parse } from "@std/dotenv";
import {
  DelimiterStream,
  LimitedBytesTransformStream,
  mergeReadableStreams,
  TextLineStream,
  toArrayBuffer,
  toText,
} from "@std/streams";

/** Says at compile time whether two types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true
  : false;
function assertType<_T extends true>(): void {}

Deno.test("parseArgs gives flags the types that its options name", () => {
  const flags = parseArgs(
    ["Alice", "--port", "1", "-q", "--tag=a", "--tag=b", "--no-color", "--", "--rest"],
    {
      boolean: ["quiet", "color"],
      string: ["port", "name", "tag"],
      collect: ["tag"],
      negatable: ["color"],
      alias: { quiet: "q" },
      default: { retries: 3, name: null },
      "--": true,
    },
  );
  assertType<Same<typeof flags.quiet, boolean>>();
  assertType<Same<typeof flags.q, boolean>>();
  assertType<Same<typeof flags.port, string | undefined>>();
  assertType<Same<typeof flags.name, string | null>>();
  assertType<Same<typeof flags.tag, string[]>>();
  assertType<Same<typeof flags.unnamed, unknown>>();
  assertType<Same<typeof flags._, (string | number)[]>>();
  assertType<Same<(typeof flags)["--"], string[]>>();
  assertEquals(flags, {
    _: ["Alice"],
    "--": ["--rest"],
    port: "1",
    name: null,
    quiet: true,
    q: true,
    tag: ["a", "b"],
    color: false,
    retries: 3,
  });
});

Deno.test("parseArgs without options knows no types", () => {
  const flags = parseArgs(["--port", "9000", "x"]);
  assertType<Same<typeof flags.port, unknown>>();
  assertEquals(flags, { _: ["x"], port: 9000 });
});

Deno.test("promptSecret asks on a terminal only", { ignore: Deno.stdin.isTerminal() }, () => {
  assertEquals(promptSecret("Link:"), null);
});

Deno.test("assertions narrow types and return errors", async () => {
  const text: unknown = "text";
  assert(typeof text === "string");
  assertEquals(text.length, 4);
  const first: string | undefined = text.split("")[0];
  assertExists(first);
  assertEquals(first.length, 1);
  const same: unknown = 1;
  assertStrictEquals(same, 1);
  assertEquals(same.toFixed(), "1");

  const thrown = assertThrows(() => assertEquals([1, { a: 2 }], [1, { a: 3 }]), AssertionError);
  assertType<Same<typeof thrown, AssertionError>>();
  const rejected = await assertRejects(
    () => Promise.reject(new RangeError("far")),
    RangeError,
    "fa",
  );
  assertType<Same<typeof rejected, RangeError>>();
});

Deno.test("streams split, limit, merge and collect", async () => {
  const bytes = (text: string) => new Blob([text]).stream();
  const lines = bytes("a\r\nb\n\nc").pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream());
  assertEquals(await Array.fromAsync(lines), ["a", "b", "", "c"]);

  const parts = bytes("a,b").pipeThrough(new DelimiterStream(new TextEncoder().encode(",")));
  assertEquals(await toText(parts), "ab");

  const limited = bytes("too long").pipeThrough(
    new LimitedBytesTransformStream(3, { error: true }),
  );
  await assertRejects(() => toArrayBuffer(limited), RangeError);

  assertEquals((await toText(mergeReadableStreams(bytes("a"), bytes("b")))).length, 2);
});

const ENV_LINES: readonly [line: string, expected: Record<string, string>][] = [
  ["PORT=:9000", { PORT: ":9000" }],
  ["PORT=:9000\r\nDATA=./data", { PORT: ":9000", DATA: "./data" }],
  ["export PORT = 9000 # the port", { PORT: "9000" }],
  ["# PORT=9000\n\nnot a variable", {}],
  ["EMPTY=", { EMPTY: "" }],
  [`SINGLE='a # b'`, { SINGLE: "a # b" }],
  [`DOUBLE="a\\nb"`, { DOUBLE: "a\nb" }],
  [`LINK="broadcast://host#key=value"`, { LINK: "broadcast://host#key=value" }],
  ["LINK=broadcast://host#key=value", { LINK: "broadcast://host" }], // a link needs quotes
];

for (const [line, expected] of ENV_LINES) {
  Deno.test(`dotenv parses ${JSON.stringify(line)}`, () => assertEquals(parse(line), expected));
}

Deno.test("dotenv loads a file, and nothing where there is none", async () => {
  const envPath = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(envPath, "PORT=:9000");
    assertEquals(await load({ envPath }), { PORT: ":9000" });
    assertEquals(loadSync({ envPath }), { PORT: ":9000" });
  } finally {
    await Deno.remove(envPath);
  }
  assertEquals(await load({ envPath }), {});
  assertEquals(loadSync({ envPath }), {});
  assertEquals(await load({ envPath: null }), {});
});
