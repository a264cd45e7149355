/**
 * A channel is one AES-256-GCM key with its counter. It seals and opens frame bodies
 * `[12-byte nonce][ciphertext + tag]`; the nonce is `[u32 channel][u64 counter]`, the counter starts
 * at 0 with its key and rises by one, and no caller ever chooses it.
 *
 * @module
 */

import { type Aead, type AeadFactory, nonce, nonceBytes, tagBytes, webAead } from "./aes_gcm.ts";

/** A body that does not fit its channel: forged, replayed, out of order or of another channel. */
export class ChannelError extends Error {
  override readonly name = "ChannelError";
}

/** Channel 0 is the pair: this client, this server. */
export const pairChannel = 0;

/** The sealing end. */
export class SealingChannel {
  readonly id: number;
  readonly #aead: Aead;
  #counter: number;
  #bytes = 0;

  private constructor(id: number, aead: Aead, counter: number) {
    this.id = id;
    this.#aead = aead;
    this.#counter = counter;
  }

  /** @param raw 32 bytes that no other channel has */
  static async create(
    id: number,
    raw: Uint8Array,
    aead: AeadFactory = webAead,
  ): Promise<SealingChannel> {
    return new SealingChannel(id, await aead(raw, "encrypt"), 0);
  }

  /** The counter of the next frame. */
  get counter(): number {
    return this.#counter;
  }

  /** Bytes sealed so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The frame's body in two parts. The counter moves in this turn, so order of calls is order sent. */
  async seal(messages: Uint8Array): Promise<[nonce: Uint8Array, sealed: Uint8Array]> {
    const iv = nonce(this.id, this.#counter++);
    this.#bytes += messages.length;
    return [iv, await this.#aead.seal(iv, messages)];
  }
}

/** The opening end. */
export class OpeningChannel {
  readonly id: number;
  readonly #aead: Aead;
  #counter: number;
  #bytes = 0;

  private constructor(id: number, aead: Aead, counter: number) {
    this.id = id;
    this.#aead = aead;
    this.#counter = counter;
  }

  /** @param counter what the first frame to come must carry */
  static async create(
    id: number,
    raw: Uint8Array,
    counter = 0,
    aead: AeadFactory = webAead,
  ): Promise<OpeningChannel> {
    return new OpeningChannel(id, await aead(raw, "decrypt"), counter);
  }

  /** The counter that the next frame must carry. */
  get counter(): number {
    return this.#counter;
  }

  /** Bytes opened so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * The messages in a body. The nonce is checked in this turn, so opens may be under way together.
   *
   * @throws {ChannelError} when it is not the next one, or not sealed with the key
   */
  async open(body: Uint8Array): Promise<Uint8Array> {
    if (body.length < nonceBytes + tagBytes) throw new ChannelError("The frame is too short.");
    const expected = nonce(this.id, this.#counter);
    if (!beginsWith(body, expected)) {
      throw new ChannelError(`The frame is not number ${this.#counter} of channel ${this.id}.`);
    }
    this.#counter++;
    this.#bytes += body.length;
    try {
      return await this.#aead.open(expected, body.subarray(nonceBytes));
    } catch (cause) {
      throw new ChannelError("The frame was not sealed with this channel's key.", { cause });
    }
  }
}

function beginsWith(body: Uint8Array, expected: Uint8Array): boolean {
  for (let at = 0; at < expected.length; at++) if (body[at] !== expected[at]) return false;
  return true;
}

/** The channel that a body says it is of. */
export function channelOf(body: Uint8Array): number {
  return new DataView(body.buffer, body.byteOffset).getUint32(0);
}
