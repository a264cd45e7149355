/** Chromium without a window, as Debian packages it. */

import { within } from "../fixtures/within.ts";

/** Whether it is here, and may be started. */
export async function mayStart(): Promise<boolean> {
  const { state } = await Deno.permissions.query({ name: "run", command: "chromium" });
  return state === "granted";
}

/** How long all of its processes may take to end when asked to. */
const endMs = 10_000;

/** Shows a page; all that it writes is in a folder that goes with it. */
export class Chromium implements AsyncDisposable {
  readonly #folder: string;
  readonly #child: Deno.ChildProcess;
  /** All its processes hold this stream: it ends with the last of them. */
  readonly #complaints: Promise<string>;

  private constructor(folder: string, child: Deno.ChildProcess) {
    this.#folder = folder;
    this.#child = child;
    this.#complaints = new Response(child.stderr).text();
  }

  static async show(url: string): Promise<Chromium> {
    const folder = await Deno.makeTempDir();
    const command = new Deno.Command("chromium", {
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-breakpad",
        // Nothing is looked up, and nothing but the page's own server is reached.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        `--user-data-dir=${folder}`,
        url,
      ],
      // A socket lies there too, and its path may not be long.
      cwd: folder,
      env: { HOME: folder, TMPDIR: "." },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    });
    return new Chromium(folder, command.spawn());
  }

  /** Rejects when it ends by itself. */
  async untimelyEnd(): Promise<never> {
    const { code } = await this.#child.status;
    throw new Error(`Chromium ended with code ${code}:\n${await this.#complaints}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The wrapper has become the browser, which ends its helpers before itself.
    this.#signal("SIGTERM");
    const timer = setTimeout(() => this.#signal("SIGKILL"), endMs);
    await this.#child.status;
    clearTimeout(timer);
    await within(this.#complaints, "all processes of Chromium to end");
    await Deno.remove(this.#folder, { recursive: true });
  }

  #signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended.
    }
  }
}
