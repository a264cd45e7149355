/**
 * The command `doctor`: looks at a server from the outside and says what is not well.
 *
 * @module
 */

import { AdminClient } from "./admin_client.ts";
import {
  checkClock,
  checkFiles,
  checkFolder,
  checkIdentity,
  checkOpenFiles,
  checkRestore,
  checkSpace,
  checkStore,
} from "./doctor_checks.ts";
import { checkPort } from "./doctor_port.ts";
import { folderOf, loadEnvFile } from "./env_file.ts";
import { exitCode } from "./exit.ts";
import type { Finding } from "./finding.ts";
import { doctorFlags, readFlags, UsageError } from "./flags.ts";
import { reasonOf } from "./reason.ts";
import { visible } from "../protocol/visible.ts";
import { ConfigError, loadConfig } from "../server/config.ts";

/** `doctor --help`. */
export function doctorUsage(): string {
  return `Looks whether a server's folder, store, port and machine are well, whether it runs or not. It says of each
what it found, and what to do. While it looks at the store of a running server, that stores nothing new:
with many messages, choose a quiet time.

Usage: broadcast doctor [OPTIONS]

  --data FOLDER  the server's folder; DATA, else ./data
  --port ADDRESS where it listens; PORT, else :9000

Exit codes: ${exitCode.ok} all is well; ${exitCode.fault} something is not; ${exitCode.usage} wrong usage.`;
}

/** Looks at everything; the exit code. */
export async function doctor(args: string[]): Promise<number> {
  try {
    const { strings, positional } = readFlags(args, doctorFlags);
    if (positional.length > 0) throw new UsageError(`doctor takes no "${positional[0]}".`);
    const findings = await examine(await folderOf(strings.data), strings.port);
    for (const { what, todo } of findings) {
      console.log(todo === undefined ? `ok       ${visible(what)}` : `PROBLEM  ${visible(what)}`);
      if (todo !== undefined) console.log(`         ${visible(todo)}`);
    }
    const problems = findings.filter(({ todo }) => todo !== undefined).length;
    console.log(
      problems === 0 ? "All is well." : `${problems} of ${findings.length} are problems.`,
    );
    return problems === 0 ? exitCode.ok : exitCode.fault;
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof ConfigError)) throw error;
    console.error(error.message);
    return exitCode.usage;
  }
}

async function examine(folder: string, port: string | undefined): Promise<Finding[]> {
  const found = await checkFolder(folder);
  if (found.todo !== undefined && !found.isThere) return [found];
  const config = loadConfig({
    flags: { port },
    env: { PORT: Deno.env.get("PORT"), CONNECTIONS_MAX: Deno.env.get("CONNECTIONS_MAX") },
    file: await loadEnvFile(),
  });
  using server = await AdminClient.open(folder);
  const identity = await checkIdentity(folder);
  return [
    found,
    ...await each([
      () => checkFiles(folder),
      () => checkRestore(folder),
      () => identity,
      () => ({ what: server ? "a server runs on this folder" : "no server runs on this folder" }),
      () => checkStore(folder, server),
      () => checkSpace(folder),
      () => checkPort(config.port, server !== undefined, identity.key),
      () => checkClock(folder),
      () => checkOpenFiles(folder, config.connectionsMax),
    ]),
  ];
}

/** A check that fails is a finding too, and keeps the others from nothing. */
async function each(
  checks: readonly (() => Finding | Finding[] | Promise<Finding | Finding[]>)[],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const check of checks) {
    try {
      findings.push(...[await check()].flat());
    } catch (cause) {
      findings.push({
        what: `could not look at it: ${reasonOf(cause)}`,
        todo: "Run it as the user of the server.",
      });
    }
  }
  return findings;
}
