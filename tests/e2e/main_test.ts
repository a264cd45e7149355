import { assertEquals, assertMatch } from "@std/assert";
import { Process } from "./process.ts";
import { ROOT } from "./site.ts";

const cases: readonly [args: string[], code: number, stdout: RegExp, stderr: RegExp][] = [
  [[], 2, /^$/, /^Say which command\.\n\n.*\n\nUsage: broadcast COMMAND/],
  [["strat"], 2, /^$/, /^There is no command "strat"\./],
  [["toString"], 2, /^$/, /^There is no command "toString"\./],
  [["--help"], 0, /start {6}run a server\n {2}connect {4}join a server/, /^$/],
  [["--version"], 0, /^broadcast \d+\.\d+\.\d+$/, /^$/],
  [["start", "--help"], 0, /--log-level [^]*Exit codes: 0 ended by a signal; 2 wrong usage/, /^$/],
  [["connect", "--help"], 0, /--link-file FILE [^]*Exit codes: 0 all is well; 2 wrong usage/, /^$/],
  [["connect", "--nmae", "-h"], 0, /^Joins a server\./, /^$/],
];

Deno.test("without a command that there is, it says which there are; help needs no permission", async () => {
  await Promise.all(cases.map(async ([args, code, stdout, stderr]) => {
    const command = ["run", "-q", "--no-prompt", "--frozen", `${ROOT}/main.ts`, ...args];
    await using process = new Process(Deno.execPath(), command, { cwd: ROOT, env: {} });
    assertEquals(await process.code, code, process.stderr);
    assertMatch(process.stdout.trim(), stdout);
    assertMatch(process.stderr.trim(), stderr);
  }));
});
