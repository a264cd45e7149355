/**
 * Processes of the bench: started on a core, watched, and ended whatever happens.
 *
 * @module
 */

import type { Command } from "./subject.ts";

/** The servers' core and the load generator's. */
export const serverCore = 0;
export const loadCore = 1;

const startTimeoutMs = 15_000;
const stopTimeoutMs = 5_000;
const outputCharsMax = 4_000;

/** A process that was started, until `stop`. */
export interface Running {
  readonly pid: number;
  /** Ends when the process has. */
  readonly exited: Promise<number>;
  /** The end of what it wrote to stdout and stderr. */
  stdout(): string;
  stderr(): string;
  stop(): Promise<void>;
}

/** The program is not on this machine. */
export class NotInstalled extends Error {
  constructor(program: string) {
    super(`${program} is not installed`);
  }
}

const running = new Set<Running>();
const folders = new Set<string>();
let ending = false;

/** Ends all that is still running and removes its folders; nothing can be started any more. */
export async function stopAll(): Promise<void> {
  ending = true;
  await Promise.all(Array.from(running, (process) => process.stop()));
  for (const folder of folders) removeFolder(folder);
}

/** An empty folder, until `removeFolder` or the end. */
export function temporaryFolder(): string {
  const folder = Deno.makeTempDirSync({ prefix: "broadcast-bench-" });
  folders.add(folder);
  return folder;
}

/** Removes a folder with all that is in it. */
export function removeFolder(folder: string): void {
  if (folders.delete(folder)) Deno.removeSync(folder, { recursive: true });
}

/** Starts `command` on `core` and waits until it accepts connections on `port`. */
export async function startServer(command: Command, core: number, port: number): Promise<Running> {
  for (const [path, text] of Object.entries(command.files ?? {})) {
    Deno.writeTextFileSync(path, text);
  }
  const server = start(command, core);
  const gaveUp = AbortSignal.timeout(startTimeoutMs);
  let exited: number | undefined;
  server.exited.then((code) => exited = code);
  while (!await accepts(port)) {
    if (exited === 127) throw new NotInstalled(command.program);
    if (exited !== undefined || gaveUp.aborted) {
      await server.stop();
      throw new Error(`Cannot start ${command.program}: ${complaint(server)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return server;
}

/** Runs `command` on `core` to its end, and returns what it wrote to stdout. */
export async function run(command: Command, core: number, timeoutMs: number): Promise<string> {
  const process = start(command, core);
  const timer = setTimeout(() => process.stop(), timeoutMs);
  const code = await process.exited;
  clearTimeout(timer);
  if (code !== 0) throw new Error(`${command.program} failed (${code}): ${complaint(process)}`);
  return process.stdout();
}

/** The first line that a program prints about itself. */
export async function firstLine(program: string, ...args: string[]): Promise<string> {
  try {
    const { stdout } = await new Deno.Command(program, { args, stderr: "null" }).output();
    return new TextDecoder().decode(stdout).split("\n", 1).join("").trim();
  } catch (cause) {
    throw cause instanceof Deno.errors.NotFound ? new NotInstalled(program) : cause;
  }
}

/** What this machine calls its processor. */
export async function processorName(): Promise<string> {
  const line = (await readProc(["/proc/cpuinfo"])).find((line) => line.startsWith("model name"));
  return line?.split(":")[1]?.trim() ?? "unknown";
}

/** A TCP port that nobody listens on. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}

/** CPU time in seconds; NaN where the system does not tell. */
export interface CpuTime {
  readonly server: number;
  readonly load: number;
  /** Of everything on this machine. */
  readonly all: number;
}

/** CPU time used so far by the processes `server` and `load`, and by all. */
export async function cpuTime(server: number, load: number): Promise<CpuTime> {
  const lines = await readProc([`/proc/${server}/stat`, `/proc/${load}/stat`, "/proc/stat"]);
  return { server: processSeconds(lines[0]), load: processSeconds(lines[1]), all: all(lines[2]) };
}

/** User and system time are the 14th and 15th field; the second, a name, may have spaces in it. */
function processSeconds(stat = ""): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** User, nice and system time, then idle and waiting, then interrupts and time taken by the host. */
function all(stat = ""): number {
  const [user, nice, system, _idle, _wait, ...rest] = stat.split(/ +/).slice(1, 9).map(Number);
  return [user, nice, system, ...rest].reduce((sum: number, ticks = NaN) => sum + ticks, 0) /
    ticksPerSecond;
}

/** Resident memory of a process in bytes; NaN where the system does not tell. */
export async function residentBytes(pid: number): Promise<number> {
  const lines = await readProc([`/proc/${pid}/status`]);
  const line = lines.find((line) => line.startsWith("VmRSS:"));
  return Number(line?.match(/\d+/)?.[0] ?? NaN) * 1024;
}

/** USER_HZ: 100 on every Linux that Deno runs on. */
const ticksPerSecond = 100;

/** Reads by `cat`: Deno itself opens /proc only for programs that may do everything. */
async function readProc(paths: string[]): Promise<string[]> {
  const { stdout } = await new Deno.Command("cat", { args: paths, stderr: "null" }).output();
  return new TextDecoder().decode(stdout).split("\n");
}

function start({ program, args, env }: Command, core: number): Running {
  if (ending) throw new Error("The bench is ending");
  const child = spawn([...pinning(core), program, ...args], env);
  const stdout = new Collected(child.stdout);
  const stderr = new Collected(child.stderr);
  const process: Running = {
    pid: child.pid,
    exited: Promise.all([child.status, stdout.ended, stderr.ended]).then(([{ code }]) => code),
    stdout: () => stdout.text,
    stderr: () => stderr.text,
    stop: () => stop(child),
  };
  running.add(process);
  child.status.then(() => running.delete(process));
  return process;
}

function spawn(
  [file = "", ...args]: string[],
  env: Readonly<Record<string, string>> = {},
): Deno.ChildProcess {
  const plain = { ...env, NO_COLOR: "1" };
  try {
    return new Deno.Command(file, {
      args,
      env: plain,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) throw new NotInstalled(file);
    throw cause;
  }
}

/** Without a second core there is nothing to keep apart. */
function pinning(core: number): string[] {
  const canPin = Deno.build.os === "linux" && navigator.hardwareConcurrency > 1;
  return canPin ? ["taskset", "-c", String(core)] : [];
}

/** The end of what a process writes. */
class Collected {
  text = "";
  readonly ended: Promise<void>;

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.ended = this.#collect(stream);
  }

  async #collect(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
      this.text = (this.text + chunk).slice(-outputCharsMax);
    }
  }
}

function complaint(process: Running): string {
  return process.stderr().trim() || process.stdout().trim() || "it said nothing";
}

async function stop(child: Deno.ChildProcess): Promise<void> {
  const kill = (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch {
      // It has ended by itself.
    }
  };
  kill("SIGTERM");
  const timer = setTimeout(() => kill("SIGKILL"), stopTimeoutMs);
  await child.status;
  clearTimeout(timer);
}

async function accepts(port: number): Promise<boolean> {
  try {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.close();
    return true;
  } catch {
    return false;
  }
}
