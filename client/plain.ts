/**
 * The client without a terminal's help: data on standard output, all else on standard error, lines
 * from standard input. For pipes, files, dumb terminals, and whoever asks for it.
 *
 * @module
 */

import { TextLineStream } from "@std/streams/text-line-stream";
import { lineBytesMax } from "../protocol/limits.ts";
import { render, type Shown } from "./render.ts";
import type { Ui } from "./ui.ts";

/** @param hasCommands a person types, so a slash begins a command */
export function plainUi(hasCommands: boolean): Ui {
  const lines = Deno.stdin.readable
    .pipeThrough(boundLines(lineBytesMax))
    .pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
    .pipeThrough(new TextLineStream())
    .values();
  return {
    hasCommands,
    lines,
    show: (item) => write(isData(item) ? Deno.stdout : Deno.stderr, `${render(item)}\n`),
    async ask(prompt) {
      write(Deno.stderr, `${prompt} `);
      const { done, value } = await lines.next();
      return done ? undefined : value;
    },
    enter: () => {},
    takeBack: () => {},
    close: () => {},
  };
}

/** Messages are what somebody reads the output for. */
function isData({ kind }: Shown): boolean {
  return kind === "message" || kind === "line";
}

function write(output: typeof Deno.stdout | typeof Deno.stderr, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += output.writeSync(bytes.subarray(at));
}

/** Ends a stream with an error when a line is so long that keeping it makes no sense. */
function boundLines(
  bytesMax: number,
): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  const newline = 0x0a;
  let length = 0;
  return new TransformStream({
    transform(chunk, controller) {
      const last = chunk.lastIndexOf(newline);
      length = last < 0 ? length + chunk.length : chunk.length - last - 1;
      if (length > bytesMax) {
        throw new RangeError(`A line of the input is longer than ${bytesMax} bytes.`);
      }
      controller.enqueue(chunk);
    },
  });
}
