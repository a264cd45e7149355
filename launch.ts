/**
 * Runs main.ts with the least permissions. deno.json names what every run needs; which folder this one
 * may write, and where it may listen, only its flags, its environment and `.env` say.
 */

import { parseArgs } from "@std/cli/parse-args";
import { load } from "@std/dotenv";
import { dataFolder, identityFolder } from "./folders.ts";

const VARIABLES = ["PORT", "DATA", "BROADCAST_HOME", "HOME", "XDG_CONFIG_HOME", "APPDATA"];
const SIGNALS: Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK", "SIGHUP"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

const [command = "", ...args] = Deno.args;
const child = new Deno.Command(Deno.execPath(), {
  args: [
    ...["run", "-q", "--no-prompt", "--frozen", `-P=${command}`],
    ...grants(command, args, await environment()),
    ...["main.ts", command, ...args],
  ],
  stdin: "inherit",
  stdout: "inherit",
  stderr: "inherit",
}).spawn();
for (const signal of SIGNALS) Deno.addSignalListener(signal, () => forward(signal));
Deno.exit((await child.status).code);

/** What this run may do beyond its permission set; a flag takes the place of the set's own list. */
function grants(command: string, args: string[], env: Record<string, string>): string[] {
  const flags = parseArgs(args, { string: ["port", "data", "home", "link-file", "_"] });
  if (command === "start") {
    const host = (flags.port || env["PORT"] || "").match(/^(.+):\d*$/)?.[1];
    return [
      ...folder(dataFolder({ flag: flags.data, env })),
      ...(host ? [`--allow-net=${host}`] : []),
    ];
  }
  const home = identityFolder({ flag: flags.home, env }, Deno.build.os);
  return home === undefined ? [] : folder(home);
}

function folder(path: string): string[] {
  return [`--allow-read=.env,${path}`, `--allow-write=${path}`];
}

async function environment(): Promise<Record<string, string>> {
  const variables = await load();
  for (const name of VARIABLES) {
    const value = Deno.env.get(name);
    if (value) variables[name] = value;
  }
  return variables;
}

function forward(signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It has ended already; its exit code follows.
  }
}
