import { concat } from "../../protocol/bytes.ts";

/**
 * Leaves out lines that are too long, and passes the others on whole, so that no input takes more
 * memory than one line may have.
 *
 * @param bytesMax of a line, its newline not counted
 * @param onLongLine told of each line left out, when its end has come
 */
export function boundLines(
  bytesMax: number,
  onLongLine: (bytes: number) => void,
): TransformStream<Uint8Array, Uint8Array> {
  /** The line that has begun: its parts, none once it is too long. */
  let parts: Uint8Array[] = [];
  let length = 0;

  const add = (part: Uint8Array) => {
    length += part.length;
    if (length > bytesMax) parts = [];
    else parts.push(part);
  };
  /** The line that ends here. */
  const end = (): Uint8Array[] => {
    const line = parts;
    if (length > bytesMax) onLongLine(length);
    parts = [];
    length = 0;
    return line;
  };

  return new TransformStream({
    transform(chunk, controller) {
      const whole: Uint8Array[] = [];
      let at = 0;
      for (let to = chunk.indexOf(newline); to >= 0; to = chunk.indexOf(newline, at)) {
        add(chunk.subarray(at, to));
        const isKept = length <= bytesMax;
        whole.push(...end());
        if (isKept) whole.push(lineEnd);
        at = to + 1;
      }
      if (at < chunk.length) add(chunk.slice(at)); // The source may use its buffer again.
      if (whole.length > 0) controller.enqueue(concat(whole));
    },
    flush: (controller) => end().forEach((part) => controller.enqueue(part)),
  });
}

const newline = 0x0a;
const lineEnd = Uint8Array.of(newline);
