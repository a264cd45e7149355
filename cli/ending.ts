/**
 * Being told to end: by a signal, or by Ctrl-C where that is a key.
 *
 * @module
 */

/** Who was told so by which signal, and the exit code that goes with it. */
export interface Ending {
  readonly signal: Deno.Signal;
  readonly code: number;
}

/** A terminal's Ctrl-C can arrive twice: by the task runner, and by the terminal itself. */
const sameSignalMs = 500;

const numbers: Readonly<Partial<Record<Deno.Signal, number>>> = Deno.build.os === "windows"
  ? { SIGINT: 2, SIGBREAK: 21 }
  : { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

/** The process is to end. */
export class EndedError extends Error {
  override readonly name = "EndedError";
  readonly code: number;

  constructor({ signal, code }: Ending) {
    super(`Ended by ${signal}.`);
    this.code = code;
  }
}

/** Listens for signals. The first one asks, a later one ends the process at once. */
export class EndingRequest {
  readonly #received = Promise.withResolvers<Ending>();
  #firstMs: number | undefined;

  constructor() {
    for (const signal of Object.keys(numbers) as Deno.Signal[]) {
      Deno.addSignalListener(signal, () => this.request(signal));
    }
  }

  /** Resolves when the process is to end. */
  get received(): Promise<Ending> {
    return this.#received.promise;
  }

  /** What `act` gives; throws an {@link EndedError} where the process is to end before. */
  first<T>(act: Promise<T>): Promise<T> {
    const ended = this.received.then((ending) => {
      throw new EndedError(ending);
    });
    return Promise.race([act, ended]);
  }

  /** Does what the signal would. */
  request(signal: Deno.Signal): void {
    const code = 128 + (numbers[signal] ?? 0);
    if (this.#firstMs === undefined) {
      this.#firstMs = Date.now();
      this.#received.resolve({ signal, code });
    } else if (Date.now() - this.#firstMs > sameSignalMs) {
      Deno.exit(code);
    }
  }
}
