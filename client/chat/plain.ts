/**
 * The client without a terminal's help: data on standard output, all else on standard error, lines
 * from standard input. For pipes, files, dumb terminals, and whoever asks for it.
 *
 * @module
 */

import { TextLineStream } from "@std/streams/text-line-stream";
import { boundLines } from "./bound_lines.ts";
import { render, type Shown } from "./render.ts";
import type { Ui } from "./ui.ts";

/** How the plain client takes its input. */
export interface PlainOptions {
  /** A person types. */
  readonly hasCommands: boolean;
  /** A longer line is left out. */
  readonly lineBytesMax: number;
  /** Told of each line that was left out. */
  readonly onLongLine: (bytes: number) => void;
}

/** Takes standard input and output. */
export function plainUi({ hasCommands, lineBytesMax, onLongLine }: PlainOptions): Ui {
  const input = Deno.stdin.readable
    .pipeThrough(boundLines(lineBytesMax, onLongLine))
    .pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
    .pipeThrough(new TextLineStream())
    .getReader();
  const lines: AsyncIterableIterator<string> = {
    async next() {
      const { done, value } = await input.read();
      return done ? { done, value: undefined } : { done, value };
    },
    [Symbol.asyncIterator]: () => lines,
  };
  const gone = Promise.withResolvers<void>();
  let isGone = false;

  /** Nobody reads: a person has turned away, but what a script still has to say is said. */
  const onBroken = () => {
    isGone = true;
    gone.resolve();
    if (hasCommands) void input.cancel();
  };

  return {
    hasCommands,
    takesLines: false,
    lines,
    outputGone: gone.promise,
    show(item) {
      const text = `${render(item)}\n`;
      if (!isData(item)) write(Deno.stderr, text);
      else if (!isGone && !write(Deno.stdout, text)) onBroken();
    },
    async ask(prompt) {
      write(Deno.stderr, prompt);
      const { done, value } = await lines.next();
      return done ? undefined : value;
    },
    prompt: () => {},
    write: () => {},
    bell: () => {},
    attend: () => {},
    close: () => {},
  };
}

/** Messages are what somebody reads the output for. */
function isData({ kind }: Shown): boolean {
  return kind === "message" || kind === "line";
}

/** Writes all of it; false when the other end has gone. */
function write(output: typeof Deno.stdout | typeof Deno.stderr, text: string): boolean {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += output.writeSync(bytes.subarray(at));
    return true;
  } catch (cause) {
    if (cause instanceof Deno.errors.BrokenPipe) return false;
    throw cause;
  }
}
