/**
 * What a classic server sends, read bit by bit: bytes go in as the network cuts them, prompts,
 * refusals and lines come out.
 *
 * @module
 */

import {
  classicNameBytesMax,
  classicPrompt,
  type ClassicRefusal,
  classicRefusals,
} from "./classic.ts";
import { payloadBytesMax } from "./limits.ts";

/** One thing that a classic server sent. */
export type ClassicOutput =
  /** It waits for a name. */
  | { readonly kind: "prompt" }
  /** It did not take the last name. */
  | { readonly kind: "refusal"; readonly reason: ClassicRefusal }
  /** A line of the chat, as received: it is not safe to show yet. */
  | { readonly kind: "line"; readonly text: string };

/**
 * Reads what a classic server sends. Prompts and refusals have no newline and come only before the
 * first line of the chat; the same words later are somebody's message, and read as one.
 */
export class ClassicServerReader {
  readonly #decoder = new TextDecoder();
  #naming = true;
  /** What has begun and not ended yet. */
  #text = "";
  /** Whether the rest of an over-long line is being dropped. */
  #dropping = false;

  /** What `bytes` complete. */
  push(bytes: Uint8Array): ClassicOutput[] {
    return this.#take(this.#decoder.decode(bytes, { stream: true }));
  }

  /** The connection ended: what has begun counts as a line. */
  end(): ClassicOutput[] {
    const outputs = this.#take(this.#decoder.decode());
    if (this.#text !== "") outputs.push({ kind: "line", text: this.#text });
    this.#text = "";
    return outputs;
  }

  #take(text: string): ClassicOutput[] {
    const outputs: ClassicOutput[] = [];
    if (this.#naming) {
      this.#text += text;
      this.#takeNaming(outputs);
      if (this.#naming) return outputs;
      text = this.#text;
      this.#text = "";
    }
    this.#takeLines(text, outputs);
    return outputs;
  }

  /** Prompts and refusals from the start of the text; the first other thing begins the chat. */
  #takeNaming(outputs: ClassicOutput[]): void {
    for (;;) {
      const known = serverTexts.find(({ text }) => this.#text.startsWith(text));
      if (known === undefined) break;
      outputs.push(known.output);
      this.#text = this.#text.slice(known.text.length);
    }
    this.#naming = serverTexts.some(({ text }) => text.startsWith(this.#text));
  }

  #takeLines(text: string, outputs: ClassicOutput[]): void {
    const pieces = text.split("\n");
    for (const [at, piece] of pieces.entries()) {
      this.#addToLine(piece, outputs);
      if (at < pieces.length - 1) this.#endLine(outputs);
    }
  }

  #addToLine(piece: string, outputs: ClassicOutput[]): void {
    if (this.#dropping) return;
    this.#text += piece;
    if (this.#text.length <= lineCharsMax) return;
    // The rest is dropped and not shown as a line of its own: it could start with another's name.
    outputs.push({ kind: "line", text: `${this.#text.slice(0, lineCharsMax)}…` });
    this.#text = "";
    this.#dropping = true;
  }

  #endLine(outputs: ClassicOutput[]): void {
    if (!this.#dropping) outputs.push({ kind: "line", text: this.#text.replace(/\r$/, "") });
    this.#text = "";
    this.#dropping = false;
  }
}

/**
 * Drops one exact prompt from the start of what a server sends, and nothing else: a server that
 * waited too long for our first frame took us for a classic client.
 *
 * @returns what to call with each read; it returns the bytes to go on with
 */
export function promptSkipper(): (bytes: Uint8Array) => Uint8Array {
  const prompt = new TextEncoder().encode(classicPrompt);
  let matched = 0;
  let done = false;
  return (bytes) => {
    if (done) return bytes;
    const before = matched;
    let at = 0;
    while (at < bytes.length && matched < prompt.length && bytes[at] === prompt[matched]) {
      at++;
      matched++;
    }
    done = matched === prompt.length || at < bytes.length;
    if (!done || matched === prompt.length) return bytes.subarray(at);
    return Uint8Array.from([...prompt.subarray(0, before), ...bytes]);
  };
}

/** A line of a classic server may have so many UTF-16 units: a message, and a name before it. */
const lineCharsMax = payloadBytesMax + classicNameBytesMax;

const serverTexts: readonly { text: string; output: ClassicOutput }[] = [
  { text: classicPrompt, output: { kind: "prompt" } },
  ...(Object.keys(classicRefusals) as ClassicRefusal[]).map((reason) => (
    { text: classicRefusals[reason], output: { kind: "refusal", reason } } as const
  )),
];
