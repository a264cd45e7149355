import type { Bytes } from "./bytes.ts";
import { CutShort } from "./errors.ts";

/** The frames of a stream one by one, where it hands out all of one read together. */
export class FrameQueue {
  readonly #frames: ReadableStreamDefaultReader<Bytes[]>;
  #waiting: Bytes[] = [];

  constructor(frames: ReadableStreamDefaultReader<Bytes[]>) {
    this.#frames = frames;
  }

  /**
   * The next frame's body.
   *
   * @throws {CutShort} when there is none
   */
  async next(): Promise<Bytes> {
    while (this.#waiting.length === 0) {
      const { done, value } = await this.#frames.read();
      if (done) throw new CutShort("The connection ended too early.");
      this.#waiting = value;
    }
    return this.#waiting.shift()!;
  }

  /** The frames that were read and not asked for. */
  get rest(): readonly Bytes[] {
    return this.#waiting;
  }
}
