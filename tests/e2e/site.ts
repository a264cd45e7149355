/** A folder of its own for a test, and our commands run with just what `launch.ts` would grant them. */

import { Process } from "./process.ts";
import { type Shell, Terminal } from "./terminal.ts";

export const ROOT = `${import.meta.dirname}/../..`;

/** What the tests' own environment must not decide. */
const NEUTRAL_ENV = {
  BROADCAST_HOME: "home",
  // As many files may be open everywhere.
  CONNECTIONS_MAX: "200",
  BROADCAST_LINK: "",
  BROADCAST_NAME: "",
  BROADCAST_PASSPHRASE: "",
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
  /** What a shell does before it becomes this command: it sets limits. */
  readonly under?: string;
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

  /** A command on a terminal. */
  runOnTerminal(command: string, args: readonly string[]): Terminal {
    const all = this.#command(command, args, {});
    return this.#keep(new Terminal([Deno.execPath(), ...all], 80, this.#options()));
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
    const process = this.#options(options.env);
    if (options.under === undefined) return this.#keep(new Process(Deno.execPath(), all, process));
    const script = `${options.under} && exec "$0" "$@"`;
    return this.#keep(new Process("sh", ["-c", script, Deno.execPath(), ...all], process));
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
    const grants = command === "connect"
      ? connectGrants(args, options)
      : this.#ownGrants(command, args);
    const { read, write, net } = grants;
    return [
      ...["run", "-q", "--no-prompt", "--frozen", "--config", `${ROOT}/deno.json`, `-P=${command}`],
      ...(net.length > 0 ? [`--allow-net=${net}`] : []),
      ...[`--allow-read=${[".env", ...read]}`, `--allow-write=${write}`],
      ...[`${ROOT}/main.ts`, command, ...args],
    ];
  }

  /** What a command on a server's own machine may use. */
  #ownGrants(command: string, args: readonly string[]): Grants {
    const data = valueOf(args, "--data", "data");
    const socket = `${data}/admin.sock`;
    const unix = `unix:${socket.startsWith("/") ? socket : `${this.folder}/${socket}`}`;
    const port = valueOf(args, "--port", ":9000").replace(/^:/, "0.0.0.0:");
    const source = ["protocol", "server/store"].map((path) => `${ROOT}/${path}`);
    const file = args.find((arg, at) => !arg.startsWith("-") && args[at - 1] !== "--data") ??
      "none";
    switch (command) {
      case "start":
        return { read: [...source, data], write: [data], net: [port, unix] };
      case "admin":
        return { read: [socket], write: [socket], net: [unix] };
      case "backup":
        return {
          read: [data, file, `${file}.new`],
          write: [data, file, `${file}.new`],
          net: [unix],
        };
      case "passphrase": {
        const home = valueOf(args, "--home", "home");
        const files = ["--passphrase-file", "--new-file"].map((flag) => valueOf(args, flag, home));
        return { read: [home, ...files], write: [home], net: [] };
      }
      case "restore":
        return { read: [data, file], write: [data], net: [] };
      default:
        return { read: [data], write: [data], net: [port, unix] };
    }
  }
}

/** What a run may use beyond its permission set: as `launch.ts` grants it. */
interface Grants {
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly net: readonly string[];
}

function connectGrants(args: readonly string[], options: RunOptions): Grants {
  const folder = valueOf(args, "--home", "home");
  const file = options.read === undefined ? [] : [options.read];
  return { read: [folder, ...file], write: [folder], net: [options.net ?? hostAndPort(args)] };
}

function valueOf(args: readonly string[], flag: string, fallback: string): string {
  return args.includes(flag) ? args[args.indexOf(flag) + 1] || fallback : fallback;
}

function hostAndPort([link = ""]: readonly string[]): string {
  return link.replace(/^broadcast:\/\//, "").replace(/[#\/].*/, "").replace(/^:/, "127.0.0.1:");
}

function withPort(args: readonly string[]): string[] {
  return args.includes("--port") ? [...args] : ["--port", "127.0.0.1:0", ...args];
}

function target(to: RunningServer | string): string {
  return typeof to === "string" ? to : `127.0.0.1:${to.port}`;
}

/** Somebody on a terminal, wide enough that nothing is wrapped but links. */
export function person(
  site: Site,
  server: RunningServer | string,
  name: string,
  ...args: string[]
): Terminal {
  return site.terminal(server, ["--name", name, "--home", name, ...args], { columns: 160 });
}

/** The link that `/invite` has shown to somebody, over however many rows. */
export function linkShown({ rows }: Terminal): string {
  const first = rows.findIndex((row) => row.startsWith("broadcast:"));
  const last = rows.findIndex((row, at) => at >= first && row.endsWith(">"));
  return rows.slice(first, last).join("").trim();
}
