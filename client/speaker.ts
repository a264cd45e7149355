/**
 * Says things: lays them out, signs them, keeps them, and only then hands them to the outbox.
 *
 * @module
 */

import type { SigningKey } from "../crypto/identity.ts";
import type { Clock } from "../protocol/clock.ts";
import { Content, type Draft, encodeCore, messageIdOf, Proof } from "../protocol/entry.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { sealedTextBytesMax } from "../protocol/limits.ts";
import type { Outbox } from "./outbox.ts";
import { newMessageId, signCore } from "./signed_core.ts";
import type { OwnMessage } from "./store/store.ts";

/** What something said is, beside its text. */
export interface SayOptions {
  /** One of {@link Content}; a text where it is not given. */
  readonly content?: number;
  /** The entry that it edits, deletes, answers or reacts to: `refOf` in protocol/entry.ts. */
  readonly target?: Uint8Array | undefined;
}

/** What a speaker needs. */
export interface SpeakerOptions {
  readonly device: SigningKey;
  readonly clock: Clock;
  readonly outbox: Outbox;
  /** Whether a room is sealed: what is said there is not signed here, but sealed when it is sent. */
  readonly isSealed: (room: Uint8Array) => boolean;
  /** Keeps messages; throws where it cannot. */
  readonly keep: (messages: readonly OwnMessage[]) => void;
  /** Told when nothing more can be kept. */
  readonly onFailure: (cause: unknown) => void;
}

/** Something that has been signed, and is not kept yet. */
interface Waiting {
  readonly message: OwnMessage;
  readonly release: () => void;
  readonly kept: PromiseWithResolvers<Uint8Array>;
}

/** MUST keep the order of what is said; MUST send nothing that is not kept. */
export class Speaker {
  readonly #options: SpeakerOptions;
  /** Signing is asynchronous; what is said keeps its order. */
  #inOrder: Promise<void> = Promise.resolve();
  #lastKept: Promise<void> = Promise.resolve();
  #waiting: Waiting[] = [];
  #isFlushing = false;

  constructor(options: SpeakerOptions) {
    this.#options = options;
  }

  /** Says something in a room. Resolves with its message id when it is kept. */
  say(room: Uint8Array, text: string, options: SayOptions): Promise<Uint8Array> {
    const isSealed = this.#options.isSealed(room);
    const draft = this.#draft(text, options, isSealed ? Proof.mls : Proof.signature);
    if (isSealed && draft.payload.length > sealedTextBytesMax) {
      const text = `Not sent: in a sealed room a message may have ${sealedTextBytesMax} bytes.`;
      return Promise.reject(new ProtocolError("too_large", text));
    }
    const signing = isSealed ? encodeCore(draft) : signCore(this.#options.device, room, draft);
    const release = this.#options.outbox.reserve(draft.payload.length);
    const kept = Promise.withResolvers<Uint8Array>();
    this.#inOrder = this.#inOrder.then(async () => {
      this.#waiting.push({ message: { room, core: await signing }, release, kept });
      this.#flushLater();
    });
    this.#lastKept = kept.promise.then(() => {}, () => {});
    return kept.promise;
  }

  /** Resolves when all that was said is kept, or could not be. */
  done(): Promise<void> {
    return this.#lastKept;
  }

  #draft(text: string, { content = Content.text, target }: SayOptions, proof: Proof): Draft {
    return {
      proof,
      content,
      messageId: newMessageId(this.#options.clock.now()),
      ...(target && { target }),
      payload: new TextEncoder().encode(text),
    };
  }

  #flushLater(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    this.#options.clock.turn(() => this.#flush());
  }

  /** Keeps all that waits, at once. */
  #flush(): void {
    const { outbox, keep, onFailure } = this.#options;
    this.#isFlushing = false;
    const waiting = this.#waiting.splice(0);
    try {
      keep(waiting.map(({ message }) => message));
    } catch (cause) {
      for (const { kept } of waiting) kept.reject(cause);
      return onFailure(cause);
    }
    for (const { message, release, kept } of waiting) {
      outbox.add(message);
      release();
      kept.resolve(messageIdOf(message.core));
    }
  }
}
