import { tailBytesMax } from "../../protocol/limits.ts";
import { Tail } from "../../server/fanout/tail.ts";
import { replaceMethod } from "./wrap.ts";

/**
 * Lets tails hold no more than this, so that a few messages are enough for readers to fall behind. The
 * returned function undoes it.
 */
export function shrinkTails(bytesMax: number): () => void {
  const less = Math.max(0, Math.floor(tailBytesMax - bytesMax));
  return replaceMethod(Tail.prototype, "hasRoomFor", (hasRoomFor) =>
    function (this: Tail, bytes) {
      return hasRoomFor.call(this, bytes + less);
    });
}
