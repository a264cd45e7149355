/** A folder of its own for a test, and our commands run with just what `launch.ts` would grant them. */

import { Process } from "./process.ts";
import { type Shell, Terminal } from "./terminal.ts";

export const ROOT = `${import.meta.dirname}/../..`;

/** What the tests' own environment must not decide. */
const NEUTRAL_ENV = {
  BROADCAST_HOME: "home",
  BROADCAST_LINK: "",
  BROADCAST_NAME: "",
  DATA: "",
  NO_COLOR: "",
  PORT: "",
  TERM: "xterm-256color",
};

/** What a run may be given beside its arguments. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Where it connects, if not to its first argument. */
  readonly net?: string;
  /** A file that it reads. */
  readonly read?: string;
}

/** A running server. */
export class RunningServer {
  readonly process: Process;
  readonly port: number;
  /** The link that it printed. */
  readonly link: string;

  constructor(process: Process) {
    this.process = process;
    this.port = Number(/server on port :(\d+)/.exec(process.stdout)![1]);
    this.link = /'(broadcast:[^']+)'/.exec(process.stdout)![1]!;
  }
}

/** Ends what was started in it, and removes its folder. */
export class Site implements AsyncDisposable {
  readonly folder: string;
  readonly #started: AsyncDisposable[] = [];

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(): Promise<Site> {
    return new Site(await Deno.makeTempDir());
  }

  /** Starts a server and waits until it listens; by default on a free port of loopback. */
  async start(...args: string[]): Promise<RunningServer> {
    const process = this.run("start", withPort(args));
    await process.until("Others join with");
    return new RunningServer(process);
  }

  /** A client whose input and output are pipes. */
  connect(to: RunningServer | string, ...args: string[]): Process {
    return this.run("connect", [target(to), ...args]);
  }

  /** A client on a terminal. */
  terminal(
    to: RunningServer | string,
    args: readonly string[],
    { columns = 80, ...options }: RunOptions & { columns?: number } = {},
  ): Terminal {
    const command = this.#command("connect", [target(to), ...args], options);
    const process = this.#options(options.env);
    return this.#keep(new Terminal([Deno.execPath(), ...command], columns, process));
  }

  /** What a person types who has just cloned the project, on a terminal; in the project's folder. */
  task(...args: string[]): Terminal {
    const process = { ...this.#options(), cwd: ROOT };
    return this.#keep(new Terminal([Deno.execPath(), "task", "-q", ...args], 120, process));
  }

  /** A client on a terminal whose input and output a shell leads elsewhere. */
  shell(to: RunningServer, args: readonly string[], shell: Shell): Terminal {
    const command = this.#command("connect", [target(to), ...args]);
    const process = this.#options({ SHELL: "/bin/sh" });
    return this.#keep(new Terminal([Deno.execPath(), ...command], 80, process, shell));
  }

  /** A command with whatever arguments. */
  run(command: string, args: readonly string[], options: RunOptions = {}): Process {
    const all = this.#command(command, args, options);
    return this.#keep(new Process(Deno.execPath(), all, this.#options(options.env)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#started.map((process) => process[Symbol.asyncDispose]()));
    await Deno.remove(this.folder, { recursive: true });
  }

  #keep<T extends AsyncDisposable>(started: T): T {
    this.#started.push(started);
    return started;
  }

  #options(env: Readonly<Record<string, string>> = {}) {
    return { cwd: this.folder, env: { ...NEUTRAL_ENV, ...env } };
  }

  /** Relative paths are of this folder, where `.env` is looked for too. */
  #command(command: string, args: readonly string[], options: RunOptions = {}): string[] {
    const isServer = command === "start";
    const folder = isServer ? valueOf(args, "--data", "data") : valueOf(args, "--home", "home");
    const net = options.net ??
      (isServer ? valueOf(args, "--port", ":9000").replace(/^:/, "0.0.0.0:") : hostAndPort(args));
    const read = [".env", folder, ...(options.read === undefined ? [] : [options.read])];
    return [
      ...["run", "-q", "--no-prompt", "--frozen", "--config", `${ROOT}/deno.json`, `-P=${command}`],
      ...[`--allow-read=${read}`, `--allow-write=${folder}`, `--allow-net=${net}`],
      ...[`${ROOT}/main.ts`, command, ...args],
    ];
  }
}

function valueOf(args: readonly string[], flag: string, fallback: string): string {
  return args.includes(flag) ? args[args.indexOf(flag) + 1] || fallback : fallback;
}

function hostAndPort([link = ""]: readonly string[]): string {
  return link.replace(/^broadcast:\/\//, "").replace(/#.*/, "").replace(/^:/, "127.0.0.1:");
}

function withPort(args: readonly string[]): string[] {
  return args.includes("--port") ? [...args] : ["--port", "127.0.0.1:0", ...args];
}

function target(to: RunningServer | string): string {
  return typeof to === "string" ? to : `127.0.0.1:${to.port}`;
}
