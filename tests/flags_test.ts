import { assertEquals, assertThrows } from "@std/assert";
import { connectFlags, meant, readFlags, UsageError } from "../cli/flags.ts";

Deno.test("flags are read with their values, wherever they stand", () => {
  const { strings, booleans, positional } = readFlags(
    ["--plain", ":9000", "--name=Alice", "--home", "./a", "--follow"],
    connectFlags,
  );
  assertEquals(strings, { name: "Alice", home: "./a" });
  assertEquals([...booleans].sort(), ["follow", "plain"]);
  assertEquals(positional, [":9000"]);
});

Deno.test("numbers stay text, and of a flag given twice the last counts", () => {
  const { strings, positional } = readFlags(
    ["09000", "--name", "1e3", "--name", "007"],
    connectFlags,
  );
  assertEquals(strings, { name: "007" });
  assertEquals(positional, ["09000"]);
});

const mistakes: readonly [args: string[], told: string][] = [
  [["--nmae", "x"], "There is no option --nmae. Did you mean --name?"],
  [["--nme=secret"], "There is no option --nme. Did you mean --name?"],
  [["--foollow"], "There is no option --foollow. Did you mean --follow?"],
  [["--verbose"], "There is no option --verbose."],
  [["-v"], "There is no option -v."],
  [["--name"], "--name needs a value."],
  [["--name", "--plain"], "--name needs a value."],
  [["--name="], "--name needs a value."],
];

for (const [args, told] of mistakes) {
  Deno.test(`\`${args.join(" ")}\` is refused: ${told}`, () => {
    assertEquals(assertThrows(() => readFlags(args, connectFlags), UsageError).message, told);
  });
}

Deno.test("what was meant is the nearest name, if one is near", () => {
  assertEquals(meant("PROT", ["PORT", "DATA"], ""), " Did you mean PORT?");
  assertEquals(meant("LOGLEVEL", ["LOG_LEVEL", "LOG_FORMAT"], ""), " Did you mean LOG_LEVEL?");
  assertEquals(meant("PATH", ["PORT", "DATA"], ""), "");
  assertEquals(meant("HOSTNAME", ["LINK_HOST", "BROADCAST_NAME"], ""), "");
});
