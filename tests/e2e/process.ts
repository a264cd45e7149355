/** A command of ours as a process that a test types into and reads from. */

/** Nothing that a test waits for takes longer, on a busy machine either. */
const DEADLINE_MS = 20_000;

export interface ProcessOptions {
  readonly cwd: string;
  /** Over what the tests themselves were started with. */
  readonly env: Readonly<Record<string, string>>;
}

/** Ended by force at the end of its scope, if it has not ended before. */
export class Process implements AsyncDisposable {
  /** All that came so far. */
  stdout = "";
  stderr = "";
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<unknown>;
  #isOver = false;
  #changed = Promise.withResolvers<void>();

  constructor(program: string, args: readonly string[], { cwd, env }: ProcessOptions) {
    this.#child = new Deno.Command(program, {
      args: [...args],
      cwd,
      env: { ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#input.closed.catch(() => {}); // Whoever writes is told.
    this.#reading = Promise.all([
      this.#read(this.#child.stdout, (text) => this.stdout += text),
      this.#read(this.#child.stderr, (text) => this.stderr += text),
    ]).then(() => {
      this.#isOver = true;
      this.#tell();
    });
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** The exit code, when all it said has been read. */
  get code(): Promise<number> {
    return this.#inTime("an end", async () => {
      await this.#reading;
      return (await this.#child.status).code;
    });
  }

  /** Types. */
  async type(text: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(text));
  }

  /** Types a line. */
  async line(text: string): Promise<void> {
    await this.type(`${text}\n`);
  }

  /** Ends its input. */
  async end(): Promise<void> {
    await this.#input.close();
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Resolves when its output matches; fails when it ends, or says nothing more, without. */
  async until(pattern: string | RegExp, from: "stdout" | "stderr" = "stdout"): Promise<void> {
    await this.waitFor(() => matches(this[from], pattern), `${pattern} on ${from}`);
  }

  /** Resolves when the condition holds; it is looked at whenever there is output. */
  async waitFor(condition: () => boolean, what: string): Promise<void> {
    await this.#inTime(what, async () => {
      while (!condition()) {
        if (this.#isOver) throw new Error(`It ended without ${what}.\n${this.#all()}`);
        await this.#changed.promise;
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#reading;
    await this.#child.status;
    await this.#input.abort().catch(() => {});
  }

  async #read(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      take(decoder.decode(bytes, { stream: true }));
      this.#tell();
    }
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  async #inTime<T>(what: string, act: () => Promise<T>): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      const fail = () => reject(new Error(`Waited in vain for ${what}.\n${this.#all()}`));
      timer = setTimeout(fail, DEADLINE_MS);
    });
    try {
      return await Promise.race([act(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #all(): string {
    return `stdout: ${JSON.stringify(this.stdout)}\nstderr: ${JSON.stringify(this.stderr)}`;
  }
}

function matches(text: string, pattern: string | RegExp): boolean {
  return typeof pattern === "string" ? text.includes(pattern) : pattern.test(text);
}
